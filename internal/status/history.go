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

// PartsOf counts numbers by part.
func PartsOf(counts map[ledger.NumberKind]int) (parts [Parts]int) {
	for kind, n := range counts {
		parts[PartOf(kind)] += n
	}
	return parts
}

// step is a change of a number from one part to another.
type step struct {
	at   time.Time
	part Part
}

// steps appends what a number counted as, oldest first, to list, which must be empty. The
// steps follow from the times in the records of the number and its campaign. Problems that
// were solved are not in the records: a number is in progress from its first request until
// it is attached. Known is since when that is the whole history; zero means always.
func steps(list []step, n *ledger.Number, c *ledger.Campaign) (_ []step, known time.Time) {
	add := func(at time.Time, part Part) {
		if at.IsZero() {
			return
		}
		list = append(list, step{at, part})
		for i := len(list) - 1; i > 0 && list[i].at.Before(list[i-1].at); i-- {
			list[i], list[i-1] = list[i-1], list[i]
		}
	}
	f, approved := n.Firsts, c.Phase == ledger.PhaseApproved
	if approved && !c.ApprovedAt.IsZero() {
		add(f.Named, InReview)
	} else {
		add(f.Named, Waiting) // which phases came before this one is not recorded
	}
	if approved && !movedBefore(n, c.Since) {
		add(c.Since, InQueue)
	}
	add(f.Requested, InProgress)
	add(f.Attached, OnCampaign)
	add(f.Sendable, CanSend)
	last := step{n.Since, PartOf(n.Kind())}
	if (n.Reason.OfCampaign() || n.Reason == ledger.Queued) && c.Since.After(last.at) {
		last.at = c.Since
	}
	if len(list) > 0 {
		before := list[len(list)-1]
		if last.at.Before(before.at) {
			last.at = before.at
		}
		// A number that was on the campaign before has left it in between.
		if last.part == before.part && last.at.After(before.at) && n.IsOn() {
			known = last.at
		}
	}
	list = append(list, last)
	if f.Named.IsZero() && known.IsZero() {
		known = list[0].at
	}
	return list, known
}

// movedBefore reports whether a number was more than planned before a time.
func movedBefore(n *ledger.Number, at time.Time) bool {
	before := func(t time.Time) bool { return !t.IsZero() && t.Before(at) }
	f := n.Firsts
	return before(f.Requested) || before(f.Attached) || before(f.Sendable) || n.State != ledger.Planned && before(n.Since)
}

// History counts the numbers that are planned now by part over the last hours, in slots of
// the same length. It begins where the records of all these numbers say what they were.
type History struct {
	// End is when the last slot ends. The current time is in that slot.
	End time.Time
	// Slot is the length of a slot, Tick the distance of the times beside a chart.
	Slot, Tick time.Duration
	// Counts are the numbers at the end of each slot, oldest first.
	Counts [][Parts]int
	// Due is when the history is made again because of changes, zero if it is up to date.
	Due time.Time
}

const (
	historySpan = 24 * time.Hour
	// historyStep divides every slot.
	historyStep  = 10 * time.Second
	historySteps = int(historySpan / historyStep)
)

// scale is the length of a history, of its slots, and between the times beside a chart.
type scale struct{ span, slot, tick time.Duration }

// scales are the possible lengths of a history. The shortest that shows every change of the
// last day is used.
var scales = []scale{
	{5 * time.Minute, 10 * time.Second, time.Minute},
	{15 * time.Minute, 10 * time.Second, 5 * time.Minute},
	{time.Hour, time.Minute, 15 * time.Minute},
	{3 * time.Hour, 2 * time.Minute, time.Hour},
	{6 * time.Hour, 5 * time.Minute, 2 * time.Hour},
	{12 * time.Hour, 10 * time.Minute, 3 * time.Hour},
	{historySpan, 15 * time.Minute, 6 * time.Hour},
}

// scaleSince returns the shortest scale that shows everything since a time.
func scaleSince(first, now time.Time) scale {
	for _, s := range scales {
		if !first.Before(now.Truncate(s.slot).Add(s.slot - s.span)) {
			return s
		}
	}
	return scales[len(scales)-1]
}

// historyShare bounds the time spent on histories, as a fraction of all time, since a live page
// may ask for one at every change. No history is used for longer than historyStep after a
// change.
const historyShare = 0.05

// History returns the history of all numbers. Its last counts are the current ones. With
// hundreds of thousands of numbers, earlier ones may be without the changes of the last
// seconds.
func (x *Contents) History(now time.Time) History {
	c := &x.history
	if age := now.Sub(c.at); c.changed && age > min(c.keep, historyStep) || !now.Before(c.End) || age < 0 {
		began := time.Now()
		c.History = x.HistoryOf(x.Campaigns(), now)
		c.at, c.changed, c.keep = now, false, time.Duration(float64(time.Since(began))/historyShare)
	}
	c.Counts[len(c.Counts)-1] = PartsOf(x.Totals)
	if c.changed {
		c.Due = c.at.Add(min(c.keep, historyStep))
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
	changes [][Parts]int // for the next history
}

// HistoryOf returns the history of the numbers of some campaigns.
func (x *Contents) HistoryOf(entries []*Entry, now time.Time) History {
	begin := now.Truncate(historyStep).Add(historyStep - historySpan)
	slotOf := func(at time.Time) int { return min(int(at.Sub(begin)/historyStep), historySteps-1) }
	if x.history.changes == nil {
		x.history.changes = make([][Parts]int, historySteps)
	}
	changes := x.history.changes
	clear(changes)
	var sum [Parts]int // before begin
	var known time.Time
	var list []step
	for _, e := range entries {
		for _, n := range e.numbers {
			was, from := Parts, time.Time{}
			list, from = steps(list[:0], n, &e.Campaign)
			if from.After(known) {
				known = from
			}
			for _, s := range list {
				counts := &sum
				if !s.at.Before(begin) {
					counts = &changes[slotOf(s.at)]
				}
				counts[s.part]++
				if was != Parts {
					counts[was]--
				}
				was = s.part
			}
		}
	}
	first, from := now.Add(-historySpan), 0
	if known.After(begin) {
		first, from = known, slotOf(known)
	}
	if i := slices.IndexFunc(changes[from:], func(c [Parts]int) bool { return c != [Parts]int{} }); i >= 0 {
		first = begin.Add(time.Duration(from+i) * historyStep)
	}
	scale := scaleSince(first, now)
	h := History{End: now.Truncate(scale.slot).Add(scale.slot), Slot: scale.slot, Tick: scale.tick}
	start := h.End.Add(-scale.span)
	for i, change := range changes {
		at := begin.Add(time.Duration(i) * historyStep)
		if at.After(start) && at.After(known) && at.Sub(start)%scale.slot == 0 {
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
// zero if it is not reached now, was before the approval, or is not known.
type Milestones struct {
	// Approved is Telnyx's time, or when Greenlight noticed the approval if Noticed is true.
	Approved time.Time
	Noticed  bool
	// First is when the first number was attached, Attached when the last of all was, and
	// Sendable when every carrier had all of them.
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
	on, sendable := 0, 0
	var m Milestones
	m.Approved = e.ApprovedAt
	if m.Approved.IsZero() || e.NoticedAt.Before(m.Approved) && !e.NoticedAt.IsZero() {
		m.Approved, m.Noticed = e.NoticedAt, true // or the clocks differ
	}
	for _, n := range e.numbers {
		if n.IsOn() {
			on++
			s.lanes.TMobile.count(n, n.TMobile)
			s.lanes.Others.count(n, n.NonTMobile)
		}
		if n.State == ledger.Sendable {
			sendable++
		}
		attached := n.Firsts.Attached
		if !attached.IsZero() && !attached.Before(m.Approved) && (m.First.IsZero() || attached.Before(m.First)) {
			m.First = attached
		}
		m.Attached, m.Sendable = latest(m.Attached, attached), latest(m.Sendable, n.Firsts.Sendable)
	}
	if on < len(e.numbers) || m.Attached.Before(m.Approved) {
		m.Attached = time.Time{}
	}
	if sendable < len(e.numbers) || m.Sendable.Before(m.Approved) {
		m.Sendable = time.Time{}
	}
	if e.Phase == ledger.PhaseApproved {
		s.milestones = m
	}
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
