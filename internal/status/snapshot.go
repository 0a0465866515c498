package status

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
)

// Snapshot is the state of everything at one moment.
type Snapshot struct {
	At time.Time `json:"at"`
	// Held is what an operator has put on hold: no new write request is sent to Telnyx for it.
	Held ledger.Hold `json:"held,omitzero"`
	// LedgerMissing names the buckets of the ledger that are missing although an
	// assigner has run. Their contents are unknown until they are recreated and filled.
	LedgerMissing []string   `json:"ledger_missing,omitempty"`
	Campaigns     []Campaign `json:"campaigns"`
	// Totals counts the planned numbers by state.
	Totals map[ledger.State]int `json:"totals"`
	// DeadLetters counts what nobody could handle.
	DeadLetters uint64 `json:"dead_letters"`
	// NextResync is when every planned campaign is checked next, if that is known.
	NextResync time.Time `json:"next_resync,omitzero"`
	// EventsWaiting counts messages that no assigner has been handed yet.
	EventsWaiting int `json:"events_waiting"`
	// Idle says that no assigner is running, so that nothing is checked or tried.
	Idle bool `json:"idle"`
	// PlanHash is the plan set that the assigner that works has in force, PlanFault why
	// the files as they are now are not; PlanPending says that not all of the set was
	// checked yet. All are empty in a ledger that an older assigner wrote.
	PlanHash    string `json:"plan_hash,omitempty"`
	PlanFault   string `json:"plan_fault,omitempty"`
	PlanPending bool   `json:"plan_pending,omitempty"`
	// Ran says that an assigner has run here.
	Ran bool `json:"-"`
	// Focus says what of everything this is.
	Focus Focus `json:"-"`
}

// Focus is how deep a snapshot's text goes.
type Focus int

// The focuses.
const (
	// FocusAll: all campaigns, their numbers counted.
	FocusAll Focus = iota
	// FocusCampaign: one campaign or those of one file, each number shown.
	FocusCampaign
	// FocusNumber: one number, all that its record has.
	FocusNumber
)

// Campaign is one campaign with its planned numbers.
type Campaign struct {
	ledger.Campaign
	// Sentence says what the phase means.
	Sentence string               `json:"sentence"`
	Counts   map[ledger.State]int `json:"counts"`
	Numbers  []Number             `json:"numbers"`
}

// Number is one planned number with what its reason means for people.
type Number struct {
	ledger.Number
	Why    string `json:"why,omitempty"`
	Next   string `json:"next,omitempty"`
	Action string `json:"action,omitempty"`
}

// Read takes a snapshot. Before an assigner ever ran it is empty. It reads every
// number, which takes seconds where there are hundreds of thousands.
func Read(ctx context.Context, js jetstream.JetStream, now time.Time) (Snapshot, error) {
	s, book, err := begin(ctx, js, now)
	if err != nil || book == nil {
		return s, err
	}
	entries, err := book.Campaigns(ctx)
	if err != nil {
		return s, err
	}
	numbers, err := book.AllNumbers(ctx)
	if err != nil {
		return s, err
	}
	err = s.take(ctx, book, entries, numbers) // before s is read, which it fills
	return s, err
}

// begin returns a snapshot without campaigns, and the ledger that has them; nil before
// an assigner ever ran, and when the ledger was lost.
func begin(ctx context.Context, js jetstream.JetStream, now time.Time) (Snapshot, *ledger.Ledger, error) {
	s := newSnapshot(now)
	if err := s.askStreams(ctx, js); err != nil {
		return s, nil, err
	}
	book, err := ledger.Open(ctx, js)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return s, nil, nil
	}
	return s, book, err
}

// askMissing fills in what of the ledger is missing, where there should be one.
func (s *Snapshot) askMissing(ctx context.Context, js jetstream.JetStream) (err error) {
	if s.Ran {
		s.LedgerMissing, err = ledger.MissingBuckets(ctx, js)
	}
	return err
}

func newSnapshot(now time.Time) Snapshot {
	return Snapshot{At: now.UTC(), Campaigns: []Campaign{}, Totals: map[ledger.State]int{}}
}

// askStreams fills in what the ledger does not know.
func (s *Snapshot) askStreams(ctx context.Context, js jetstream.JetStream) (err error) {
	b, err := events.ReadBacklog(ctx, js)
	if err != nil {
		return err
	}
	s.EventsWaiting, s.DeadLetters, s.Idle, s.Ran = b.Waiting, b.DeadLetters, b.Idle, b.Ran
	s.Held, err = ledger.ReadHold(ctx, js)
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return err
	}
	if s.NextResync, err = events.NextResync(ctx, js); err != nil {
		return err
	}
	return s.askMissing(ctx, js)
}

// take fills in the records, and only then asks for the plans in force: a mark that is
// newer than the records makes the plan pending, and an older one could hide it.
func (s *Snapshot) take(ctx context.Context, book *ledger.Ledger, entries []ledger.CampaignEntry, numbers []ledger.Number) error {
	s.fill(entries, numbers)
	return s.askPlans(ctx, book)
}

// askPlans fills in which plans are in force.
func (s *Snapshot) askPlans(ctx context.Context, book *ledger.Ledger) error {
	mark, ok, err := book.Plans(ctx)
	if err != nil || !ok {
		return err
	}
	s.PlanHash, s.PlanFault, s.PlanPending = mark.Hash, mark.Fault, mark.Entries != s.checkedEntries()
	return nil
}

// checkedEntries is the digest of the entries under which the campaigns were checked.
func (s Snapshot) checkedEntries() string {
	entries := make([]ledger.CampaignEntry, len(s.Campaigns))
	for i, c := range s.Campaigns {
		entries[i].Campaign = c.Campaign
	}
	return ledger.Checked(entries)
}

// Against compares a snapshot of everything with plan files as they are at hand, which
// may be newer than what any assigner has read: with their set, or with why there is none.
func (s Snapshot) Against(set *plan.Set, fault error) Snapshot {
	switch {
	case fault != nil:
		s.PlanFault = fault.Error()
	case ledger.DigestEntries(set.EntryHashes()) != s.checkedEntries():
		s.PlanPending = true
	}
	return s
}

func (s *Snapshot) fill(entries []ledger.CampaignEntry, numbers []ledger.Number) {
	campaigns := make(map[string]ledger.Campaign, len(entries))
	for _, entry := range entries {
		campaigns[entry.Campaign.ID] = entry.Campaign
	}
	byCampaign := make(map[string][]Number, len(entries))
	for _, n := range numbers {
		byCampaign[n.CampaignID] = append(byCampaign[n.CampaignID], explain(n, campaigns[n.CampaignID], s.Held))
		s.Totals[n.State]++
	}
	for _, entry := range entries {
		c := Campaign{
			Campaign: entry.Campaign,
			Sentence: Sentence(entry.Campaign),
			Counts:   map[ledger.State]int{},
			Numbers:  append([]Number{}, byCampaign[entry.Campaign.ID]...), // [] in JSON, never null
		}
		slices.SortFunc(c.Numbers, func(a, b Number) int { return cmp.Compare(a.Number.Number, b.Number.Number) })
		for _, n := range c.Numbers {
			c.Counts[n.State]++
		}
		s.Campaigns = append(s.Campaigns, c)
	}
	slices.SortFunc(s.Campaigns, func(a, b Campaign) int {
		return cmp.Or(cmp.Compare(a.Plan, b.Plan), cmp.Compare(a.ID, b.ID))
	})
}

// Sentence says what the campaign's phase means, also for one that no plan names and
// to which nothing is attached. One without a phase was not read yet.
func Sentence(c ledger.Campaign) string {
	if c.Phase == ledger.PhaseApproved && !c.Planned {
		return "Approved by the carriers, but no plan names it: numbers are attached as soon as one does."
	}
	return cmp.Or(c.Phase, ledger.PhaseUnread).Sentence()
}

func explain(n ledger.Number, c ledger.Campaign, hold ledger.Hold) Number {
	advice, next := hold.Advise(n, c)
	n.NextAt = next
	return Number{Number: n, Why: advice.Why, Next: advice.Next, Action: advice.Action}
}

// WaitsForPerson reports whether a person should do something for the campaign or any
// of its numbers.
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

// On is how many numbers are on the campaign, able to send or not yet.
func (c Campaign) On() int { return c.Counts[ledger.Attached] + c.Counts[ledger.Sendable] }

// Planned is how many numbers the plans name.
func (s Snapshot) Planned() int {
	total := 0
	for _, n := range s.Totals {
		total += n
	}
	return total
}
