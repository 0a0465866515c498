package page

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/status"
)

// summary is the state of everything at one glance.
type summary struct {
	progress
	// Class and State are the state in a word or two, Lead is a sentence about it.
	Class, State, Lead string
}

// summaryOf is the state by what matters most: what is not known, what stops everything or
// needs a person, what is on hold, what there is to do, and what a warning says.
func summaryOf(p progress, a alerts, todo []task) summary {
	s := summary{progress: p}
	needed := len(slices.DeleteFunc(slices.Clone(todo), func(t task) bool { return t.Optional }))
	tasks := ""
	if needed > 0 {
		tasks = plural(needed, "thing") + " to do. "
	}
	rest := "Greenlight attaches the rest automatically."
	if p.Done() {
		rest = "All numbers can send."
	}
	plan := "Put a plan file into config/plans. Its campaigns are shown here as soon as Greenlight has read it."
	switch {
	case p.Stale:
		s.Class, s.State, s.Lead = "stale", "Not current", "This is not current, because NATS cannot be read."
	case p.Unknown && p.Total == 0:
		s.Class, s.State, s.Lead = "person", "Needs a person", "Plans and attachments will be read again when the ledger is back."
	case a.Serious() && p.Total == 0:
		s.Class, s.State, s.Lead = "person", "Needs a person", tasks+"See the message above. "+plan
	case a.Serious():
		s.Class, s.State, s.Lead = "person", "Needs a person", tasks+"See the message above."
	case p.AllHeld:
		s.Class, s.State, s.Lead = "held", "On hold", tasks+"What Telnyx has accepted already continues."
	case len(a.Held) > 0:
		s.Class, s.State, s.Lead = "held", "Partly on hold", tasks+"Other campaigns continue."
	case needed > 0:
		s.Class, s.State, s.Lead = "person", "Needs a person", tasks+"The rest continues."
	case p.Total == 0:
		s.Class, s.State, s.Lead = "idle", "Nothing planned", plan
	case len(a.Advised) > 0:
		s.Class, s.State, s.Lead = "held", "Warning", "See the message above. "+rest
	case p.Done():
		s.Class, s.State, s.Lead = "well", "All well", "Done. There is nothing to do."
	default:
		s.Class, s.State, s.Lead = "working", "Working", "There is nothing to do. "+rest
	}
	return s
}

// Title is the state and the progress.
func (s summary) Title() string {
	s.AllHeld = false // the state says it
	return s.State + ": " + s.Heading()
}

// outlook is what comes next, and what is in force.
type outlook struct {
	// Queued counts the queued numbers; Pace is how fast they have their turn.
	Queued string
	Pace   string
	// Review counts the campaigns in review and their numbers.
	Review        string
	Check, Resync time.Time
	Plans         ledger.Plans
	// LastGood means that the plan files have faults, and Plans is what was loaded before.
	LastGood bool
}

func outlookOf(x *status.Contents, all []*status.Entry, p progress, now time.Time) outlook {
	o := outlook{Resync: x.NextResync, Plans: x.Plans, LastGood: len(x.PlanFaultLines()) > 0}
	if o.LastGood && x.Idle {
		o.Plans = ledger.Plans{} // none is in force
	}
	switch held := x.Queue(now).Held(); {
	case p.Pace.Queued > 0 && held > 0:
		o.Queued, o.Pace = plural(p.Pace.Queued, "number"), p.Pace.Words()+", and "+grouped(held)+" on hold"
	case p.Pace.Queued > 0:
		o.Queued, o.Pace = plural(p.Pace.Queued, "number"), p.Pace.Words()
	case held > 0:
		o.Queued, o.Pace = plural(held, "number"), "on hold"
	}
	inReview := 0
	for _, c := range all {
		if c.Planned && c.Phase == ledger.PhaseInReview {
			inReview++
		}
		if c.Planned && c.Phase == ledger.PhaseApproved && !done(c) && !c.NextAt.IsZero() && (o.Check.IsZero() || c.NextAt.Before(o.Check)) {
			o.Check = c.NextAt
		}
	}
	if inReview > 0 {
		o.Review = plural(inReview, "campaign") + ", " + plural(p.Counts[status.InReview], "number")
	}
	return o
}

// done reports whether all numbers of the campaign can send.
func done(c *status.Entry) bool {
	for kind := range c.Counts {
		if kind.State != ledger.Sendable {
			return false
		}
	}
	return c.Phase == ledger.PhaseApproved && len(c.Counts) > 0
}

// campaignRow is a campaign in a list.
type campaignRow struct {
	ID, Name, Path string
	// Class and State are what the campaign is at, in a word or two.
	Class, State string
	Progress     progress
	// Problem is what needs a person, Detail is Telnyx's text, Note is what else there is.
	Problem, Detail, Note string
	Since                 time.Time
	Milestones            []milestone
	rank                  int
}

// Done reports whether the row can be short.
func (r campaignRow) Done() bool { return r.rank == rankDone }

// The order of the rows.
const (
	rankPerson = iota
	rankWorking
	rankWaiting
	rankUnplanned
	rankDone
)

func rowOf(x *status.Contents, c *status.Entry, now time.Time) campaignRow {
	phase := cmp.Or(c.Phase, ledger.PhaseUnread)
	r := campaignRow{ID: c.ID, Name: nameOf(c), Path: campaignPath(c.ID), Milestones: milestonesOf(c), Detail: status.Plain(c.Detail, maxRowDetail)}
	pace := x.Queue(now).Pace(c.ID)
	r.Progress = progressOf(x, r.Name, c.Counts, pace)
	_, held := x.Hold.Of(append(c.IDs(), c.ID)...)
	r.rank, r.State, r.Class = rankOf(c), spaced(string(phase)), phaseClass(phase)
	switch {
	case r.rank == rankDone:
		r.Class, r.State = "sendable", "done"
	case held && c.Planned:
		r.Class, r.State = "held", "on hold"
	case r.rank == rankPerson && !phase.NeedsPerson():
		r.Class, r.State = "person", "needs you"
	case r.rank == rankWorking:
		r.Class, r.State = "moving", "attaching"
	}
	stage := upper(status.Stage(c.Status))
	switch {
	case c.Planned && phase.NeedsPerson():
		r.Problem = cmp.Or(stage, upper(spaced(string(phase))))
	case c.Reason != "":
		r.Problem = upper(spaced(string(c.Reason)))
	default:
		r.Problem = problemOf(c)
	}
	switch {
	case phase == ledger.PhaseInReview:
		r.Note, r.Since = cmp.Or(stage, "In review"), c.Since
	case phase == ledger.PhaseSuspended, phase == ledger.PhaseUnread:
		r.Note = status.Sentence(c.Campaign)
	case !c.Planned && c.Recorded:
		r.Note = "No plan names it."
	case pace.Queued > 0:
		r.Note = "Queue: " + pace.Words()
	}
	return r
}

// phaseClass is the class of a phase's color.
func phaseClass(phase ledger.Phase) string {
	switch {
	case phase.NeedsPerson():
		return "person"
	case phase == ledger.PhaseApproved:
		return "sendable"
	case phase == ledger.PhaseSuspended:
		return "held"
	default:
		return "review"
	}
}

// problemOf counts the numbers of a campaign that need a person, by reason.
func problemOf(c *status.Entry) string {
	byReason := map[string]int{}
	for kind, n := range c.Counts {
		if kind.NeedsPerson {
			byReason[spaced(cmp.Or(string(kind.Reason), string(kind.State)))] += n
		}
	}
	var parts []string
	for _, reason := range slices.SortedFunc(maps.Keys(byReason), func(a, b string) int { return cmp.Or(byReason[b]-byReason[a], strings.Compare(a, b)) }) {
		parts = append(parts, grouped(byReason[reason])+" "+reason)
	}
	return upper(strings.Join(parts, ", "))
}

func hasPerson(c *status.Entry) bool {
	for kind := range c.Counts {
		if kind.NeedsPerson {
			return true
		}
	}
	return false
}

func rankOf(c *status.Entry) int {
	switch {
	case !c.Planned && c.Recorded:
		return rankUnplanned
	case c.NeedsPerson() || hasPerson(c):
		return rankPerson
	case done(c):
		return rankDone
	case c.Phase == ledger.PhaseApproved:
		return rankWorking
	default:
		return rankWaiting
	}
}

func nameOf(c *status.Entry) string {
	if !c.Recorded {
		return c.ID
	}
	return cmp.Or(c.Plan, "No plan")
}

// earlier returns the earlier of two times, of which zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func overview(x *status.Contents, q query) (*view, error) {
	now := time.Now()
	all := x.Campaigns()
	kept := slices.Clone(all)
	if q.asks() {
		kept = slices.DeleteFunc(kept, func(c *status.Entry) bool { return !q.keeps(c) })
	}
	ranks := make(map[*status.Entry]int, len(kept))
	for _, c := range kept {
		ranks[c] = rankOf(c)
	}
	slices.SortStableFunc(kept, func(a, b *status.Entry) int { return ranks[a] - ranks[b] })
	list := cut(kept, "/status", q, "campaign")
	rows := make([]campaignRow, len(list.Items))
	for i, c := range list.Items {
		rows[i] = rowOf(x, c, now)
	}
	total := progressOf(x, "All numbers", x.Totals, x.Queue(now).All())
	warnings, todo := alertsOf(x), tasksOf(all)
	glance := summaryOf(total, warnings, todo)
	blocks := map[string]any{"summary": glance, "alerts": warnings, "pager": list.Pager}
	due := x.Queue(now).Due()
	if q.asks() {
		here := "/status" + q.encode(1)
		blocks["todo"] = slices.DeleteFunc(todo, func(t task) bool { return t.Link != here })
	} else {
		blocks["todo"], blocks["next"], blocks["health"] = todo, outlookOf(x, all, total, now), x.Checks
		past := x.History(now)
		due = earlier(due, past.Due)
		blocks["history"] = history{Chart: chartOf(past), Lanes: lanesOf(status.LanesOf(all), total.Total)}
	}
	v, err := newView("overview", glance.Title(), glance.Title()+". "+glance.Lead, blocks)
	if err != nil {
		return nil, err
	}
	v.Due = due
	v.Data = filter{
		Action: "/status", Text: q.Text, Hint: "Plan, campaign id or number", Phases: q.phaseOptions(), Shows: q.showOptions("campaigns"), Asks: q.asks(),
	}
	return v, addRows(v, "campaign-row", rows, func(r campaignRow) string { return "c-" + r.ID })
}
