package status

import (
	"slices"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
)

// Part is what a number counts as in a bar or a chart.
type Part int

// The parts, in the order of a bar.
const (
	CanSend Part = iota
	OnCampaign
	InProgress
	InQueue
	InReview
	Waiting
	WithPerson
	// Parts is how many there are.
	Parts
)

// PartOf returns what a number of a kind counts as.
func PartOf(kind ledger.NumberKind) Part {
	switch {
	case kind.State == ledger.Sendable:
		return CanSend
	case kind.NeedsPerson:
		return WithPerson
	case kind.State == ledger.Attached:
		return OnCampaign
	case kind.Reason == ledger.Queued:
		return InQueue
	case kind.Reason == ledger.CampaignInReview:
		return InReview
	case kind.State == ledger.Planned && (kind.Reason.OfCampaign() || kind.Reason == ""):
		return Waiting
	default:
		return InProgress
	}
}

// step is a change of a number from one part to another.
type step struct {
	at   time.Time
	part Part
}

// steps returns what a number counted as, oldest first. They follow from the times in the
// records of the number and its campaign, so a number that was detached and attached again
// shows the first time.
func steps(n *ledger.Number, c *ledger.Campaign) []step {
	list := make([]step, 0, 6)
	add := func(at time.Time, part Part) {
		if at.IsZero() {
			return
		}
		if last := len(list) - 1; last >= 0 && at.Before(list[last].at) {
			at = list[last].at
		}
		list = append(list, step{at, part})
	}
	f := n.Firsts
	add(f.Named, InReview)
	if c.Phase == ledger.PhaseApproved && (f.Requested.IsZero() || c.Since.Before(f.Requested)) {
		add(c.Since, InQueue)
	}
	add(f.Requested, InProgress)
	add(f.Attached, OnCampaign)
	add(f.Sendable, CanSend)
	since := n.Since
	if (n.Reason.OfCampaign() || n.Reason == ledger.Queued) && c.Since.After(since) {
		since = c.Since
	}
	add(since, PartOf(n.Kind()))
	return list
}

// History counts numbers by part over the last hours, in slots of the same length.
type History struct {
	// End is when the last slot ends. The current time is in that slot.
	End time.Time
	// Slot is the length of a slot, Tick the distance of the times beside a chart.
	Slot, Tick time.Duration
	// Counts are the numbers at the end of each slot, oldest first.
	Counts [][Parts]int
}

const (
	historySpan = 24 * time.Hour
	// historyStep divides every slot.
	historyStep  = 10 * time.Second
	historySteps = int(historySpan / historyStep)
)

// scales are the possible lengths of a history. The shortest that shows every change of the
// last day is used.
var scales = []struct{ span, slot, tick time.Duration }{
	{5 * time.Minute, 10 * time.Second, time.Minute},
	{15 * time.Minute, 10 * time.Second, 5 * time.Minute},
	{time.Hour, time.Minute, 15 * time.Minute},
	{3 * time.Hour, 2 * time.Minute, time.Hour},
	{6 * time.Hour, 5 * time.Minute, 2 * time.Hour},
	{12 * time.Hour, 10 * time.Minute, 3 * time.Hour},
	{historySpan, 15 * time.Minute, 6 * time.Hour},
}

// historyShare bounds the time spent on histories, as a fraction of all time, since a live page
// may ask for one at every change.
const historyShare = 0.05

// History returns the history of all numbers. With hundreds of thousands of them, it may be
// without the changes of the last half second.
func (x *Contents) History(now time.Time) History {
	c := &x.history
	if age := now.Sub(c.at); c.changed && age > c.keep || now.After(c.End) || age < 0 {
		began := time.Now()
		c.History = HistoryOf(x.Campaigns(), now)
		c.at, c.changed, c.keep = now, false, time.Duration(float64(time.Since(began))/historyShare)
	}
	return c.History
}

// cachedHistory is a history of a moment. Changed means that a number has changed since, and
// keep how long the history is used nevertheless.
type cachedHistory struct {
	History
	at      time.Time
	changed bool
	keep    time.Duration
}

// HistoryOf returns the history of the numbers of some campaigns.
func HistoryOf(entries []*Entry, now time.Time) History {
	begin := now.Truncate(historyStep).Add(historyStep - historySpan)
	var sum [Parts]int // before begin
	changes := make([][Parts]int, historySteps)
	first := now.Add(-historySpan)
	for _, e := range entries {
		for _, n := range e.numbers {
			was := Parts
			for _, s := range steps(n, &e.Campaign) {
				counts := &sum
				if !s.at.Before(begin) {
					counts = &changes[min(int(s.at.Sub(begin)/historyStep), historySteps-1)]
				}
				counts[s.part]++
				if was != Parts {
					counts[was]--
				}
				was = s.part
			}
		}
	}
	if i := slices.IndexFunc(changes, func(c [Parts]int) bool { return c != [Parts]int{} }); i >= 0 {
		first = begin.Add(time.Duration(i) * historyStep)
	}
	scale := scales[len(scales)-1]
	for _, s := range slices.Backward(scales) {
		if first.Before(now.Truncate(s.slot).Add(s.slot - s.span)) {
			break
		}
		scale = s
	}
	h := History{End: now.Truncate(scale.slot).Add(scale.slot), Slot: scale.slot, Tick: scale.tick}
	from := h.End.Add(-scale.span)
	for i, change := range changes {
		if since := begin.Add(time.Duration(i) * historyStep).Sub(from); since > 0 && since%scale.slot == 0 {
			h.Counts = append(h.Counts, sum)
		}
		for part := range sum {
			sum[part] += change[part]
		}
	}
	h.Counts = append(h.Counts, sum)
	return h
}

// Milestones are the times at which a campaign and its numbers made progress. A time is
// zero if it is not reached, or not known.
type Milestones struct {
	// Approved is Telnyx's time, or when Greenlight noticed the approval if Noticed is true.
	Approved time.Time
	Noticed  bool
	// First is when the first number was attached after the approval, Attached when all
	// were, and Sendable when every carrier had all of them.
	First, Attached, Sendable time.Time
}

// Lane counts the numbers on campaigns by the status at some carriers.
type Lane struct {
	Added, Pending, Failed int
}

func (l *Lane) add(o Lane) {
	l.Added += o.Added
	l.Pending += o.Pending
	l.Failed += o.Failed
}

// count counts a number on the campaign by its mapping status.
func (l *Lane) count(n *ledger.Number, mapping string) {
	switch {
	case n.State == ledger.Sendable || mapping == string(telnyx.MappingAdded):
		l.Added++
	case mapping == string(telnyx.MappingFailed):
		l.Failed++
	default:
		l.Pending++
	}
}

// Lanes have a lane for T-Mobile and one for the other carriers.
type Lanes struct {
	TMobile, Others Lane
}

// LanesOf returns the lanes of some campaigns together.
func LanesOf(entries []*Entry) (all Lanes) {
	for _, e := range entries {
		lanes := e.summarized().lanes
		all.TMobile.add(lanes.TMobile)
		all.Others.add(lanes.Others)
	}
	return all
}

// Milestones returns those of an approved campaign.
func (e *Entry) Milestones() Milestones { return e.summarized().milestones }

// summary is what the numbers of a campaign say together.
type summary struct {
	lanes      Lanes
	milestones Milestones
}

func (e *Entry) summarized() summary {
	if e.summary == nil {
		e.summary = &summary{}
		e.summary.read(e)
	}
	return *e.summary
}

func (s *summary) read(e *Entry) {
	approved := e.Phase == ledger.PhaseApproved
	m := &s.milestones
	since := e.NoticedAt
	if approved {
		m.Approved, m.Noticed, m.Attached = e.ApprovedAt, e.ApprovedAt.IsZero(), e.AttachedAt
		if m.Noticed {
			m.Approved = e.NoticedAt
		} else if e.ApprovedAt.Before(since) || since.IsZero() {
			since = e.ApprovedAt
		}
	}
	sendable := 0
	var last time.Time
	for _, n := range e.numbers {
		if n.IsOn() {
			s.lanes.TMobile.count(n, n.TMobile)
			s.lanes.Others.count(n, n.NonTMobile)
		}
		if n.State == ledger.Sendable {
			sendable++
		}
		if at := n.Firsts.Attached; approved && !at.IsZero() && !at.Before(since) && (m.First.IsZero() || at.Before(m.First)) {
			m.First = at
		}
		if n.Firsts.Sendable.After(last) {
			last = n.Firsts.Sendable
		}
	}
	if approved && sendable == len(e.numbers) {
		m.Sendable = last
	}
}
