package status

import (
	"cmp"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
)

// Snapshot is the state of everything at one moment.
type Snapshot struct {
	At time.Time `json:"at"`
	// Held is what an operator has put on hold: no new write request is sent for it.
	Held ledger.Hold `json:"held,omitzero"`
	// LedgerMissing names the buckets of the ledger that are missing although an
	// assigner has run. Their contents are unknown until they are recreated and filled.
	LedgerMissing []string   `json:"ledger_missing,omitempty"`
	Campaigns     []Campaign `json:"campaigns"`
	// Totals counts the planned numbers by state.
	Totals map[ledger.State]int `json:"totals"`
	// DeadLetters counts messages that could not be handled and wait for a person.
	DeadLetters uint64 `json:"dead_letters"`
	// NextResync is when every planned campaign is checked next, if known.
	NextResync time.Time `json:"next_resync,omitzero"`
	// EventsWaiting counts messages that no assigner has received yet.
	EventsWaiting int `json:"events_waiting"`
	// Idle means that no assigner is running, so nothing is checked or retried.
	Idle bool `json:"idle"`
	// PlanHash is the plan set that the active assigner uses. PlanFault says why it does
	// not use the current files. PlanPending means that some of its campaigns have not been
	// checked yet. All are empty in a ledger written by an older assigner.
	PlanHash    string `json:"plan_hash,omitempty"`
	PlanFault   string `json:"plan_fault,omitempty"`
	PlanPending bool   `json:"plan_pending,omitempty"`
	// Ran means that an assigner has run here.
	Ran bool `json:"-"`
	// Focus is the level of detail of the text.
	Focus Focus `json:"-"`
}

// Focus is the level of detail of a snapshot's text.
type Focus int

// The values of Focus.
const (
	// FocusAll shows all campaigns and counts their numbers.
	FocusAll Focus = iota
	// FocusCampaign shows one campaign, or those of one file, with each number.
	FocusCampaign
	// FocusNumber shows everything about one number.
	FocusNumber
)

// Campaign is one campaign with its planned numbers.
type Campaign struct {
	ledger.Campaign
	// Sentence says what the phase means, Stage what Telnyx's status does.
	Sentence string `json:"sentence"`
	Stage    string `json:"stage,omitempty"`
	Pace
	Counts  map[ledger.State]int `json:"counts"`
	Numbers []Number             `json:"numbers"`
}

// Number is one planned number with what its reason means for people.
type Number struct {
	ledger.Number
	Turn
	Why    string `json:"why,omitempty"`
	Next   string `json:"next,omitempty"`
	Action string `json:"action,omitempty"`
}

// snapshot returns the contents as a snapshot.
func (x *Contents) snapshot(now time.Time) Snapshot {
	s := Snapshot{At: now.UTC(), Campaigns: []Campaign{}, Totals: map[ledger.State]int{}, Held: x.Hold}
	queue := x.Queue(now)
	for _, e := range x.Campaigns() {
		for kind, n := range e.Counts {
			s.Totals[kind.State] += n
		}
		if !e.Recorded {
			continue
		}
		c := Campaign{Campaign: e.Campaign, Sentence: Sentence(e.Campaign), Stage: Stage(e.Status), Pace: queue.Pace(e.ID), Counts: map[ledger.State]int{}, Numbers: []Number{}} // [] in JSON, never null
		for kind, n := range e.Counts {
			c.Counts[kind.State] += n
		}
		for _, n := range e.Numbers() {
			c.Numbers = append(c.Numbers, explain(Number{Number: *n, Turn: queue.Turn(n)}, e.Campaign, x.Hold))
		}
		s.Campaigns = append(s.Campaigns, c)
	}
	s.LedgerMissing, s.NextResync = x.Missing, x.NextResync
	s.DeadLetters, s.EventsWaiting, s.Idle, s.Ran = x.DeadLetters, x.Waiting, x.Idle, x.Ran
	s.PlanHash, s.PlanFault = x.Plans.Hash, x.Plans.Fault
	s.PlanPending = x.Plans.Entries != "" && x.Plans.Entries != s.checkedEntries()
	return s
}

// checkedEntries is the digest of the plan entries for which the campaigns were checked.
func (s Snapshot) checkedEntries() string {
	entries := make([]ledger.CampaignEntry, len(s.Campaigns))
	for i, c := range s.Campaigns {
		entries[i].Campaign = c.Campaign
	}
	return ledger.Checked(entries)
}

// Against compares a snapshot of everything with local plan files, which may be newer than
// those of the assigner. Fault is why they could not be loaded, if so.
func (s Snapshot) Against(set *plan.Set, fault error) Snapshot {
	switch {
	case fault != nil:
		s.PlanFault = fault.Error()
	case ledger.DigestEntries(set.EntryHashes()) != s.checkedEntries():
		s.PlanPending = true
	}
	return s
}

// Sentence says what the campaign's phase means. A campaign without a phase has not been
// read yet.
func Sentence(c ledger.Campaign) string {
	if c.Phase == ledger.PhaseApproved && !c.Planned {
		return "Approved by the carriers, but no plan names it: numbers are attached as soon as one does."
	}
	return cmp.Or(c.Phase, ledger.PhaseUnread).Sentence()
}

func explain(n Number, c ledger.Campaign, hold ledger.Hold) Number {
	advice, next := hold.Advise(n.Number, c)
	n.NextAt, n.Why, n.Next, n.Action = next, advice.Why, advice.Next, advice.Action
	return n
}

// WaitsForPerson reports whether the campaign or any of its numbers needs a person.
func (c Campaign) WaitsForPerson() bool {
	return c.Campaign.NeedsPerson() || c.needPerson() > 0
}

// needPerson is how many of its numbers need a person.
func (c Campaign) needPerson() int {
	count := 0
	for _, n := range c.Numbers {
		if n.NeedsPerson {
			count++
		}
	}
	return count
}

// On is how many numbers are on the campaign, whether they can send yet or not.
func (c Campaign) On() int { return c.Counts[ledger.Attached] + c.Counts[ledger.Sendable] }

// Planned is how many numbers the plans name.
func (s Snapshot) Planned() int {
	total := 0
	for _, n := range s.Totals {
		total += n
	}
	return total
}
