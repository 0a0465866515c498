package page

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/status"
)

// campaignHead is shown above a campaign's numbers.
type campaignHead struct {
	*status.Entry
	Name     string
	Progress progress
	// Sentence explains the phase, Problem what else is wrong with the campaign.
	Sentence, Problem string
	Stage, Detail     string
	// Carriers are the carriers' statuses of the campaign.
	Carriers   string
	Milestones []milestone
	Queue      string
	NextAt     time.Time
}

// group is the numbers of one kind in a list.
type group struct {
	ID, Title, Class string
	// Why, Action and Next are sentences.
	Why, Action, Next string
}

// numberRow is a number in a list.
type numberRow struct {
	ledger.Number
	ledger.Advice
	Turn        status.Turn
	Path, Class string
	// NextAt is when the number is retried or checked next. It replaces that of the record.
	NextAt time.Time
}

// NextWord says what happens at NextAt.
func (r numberRow) NextWord() string {
	if r.State.TriesAgain() {
		return "next try"
	}
	return "next check"
}

func numberRowOf(x *status.Contents, c *status.Entry, n *ledger.Number) numberRow {
	record := *n
	record.Detail = status.Plain(record.Detail, maxDetail)
	advice, next := x.Hold.Advise(record, c.Campaign)
	return numberRow{
		Number: record, Advice: advice, NextAt: next, Turn: x.Queue(time.Now()).Turn(n),
		Path: "/status/numbers/" + strings.TrimPrefix(n.Number, "+"), Class: partNames[status.PartOf(n.Kind())].class,
	}
}

func groupOf(c *status.Entry, first numberRow) group {
	kind := first.Kind()
	n := c.Counts[kind]
	words := cmp.Or(spaced(string(kind.Reason)), string(kind.State))
	g := group{ID: strings.Trim(string("g-"+kind.State+"-"+ledger.State(kind.Reason)), "-"), Class: first.Class}
	switch {
	case kind.State == ledger.Sendable:
		g.Title = plural(n, "number") + " can send"
		return g
	case kind.NeedsPerson:
		g.ID += "-person"
		g.Title = titleOf(kind.Reason, n)
		if kind.Reason.OfCampaign() {
			g.Title = plural(n, "number") + ": " + words
		}
	default:
		g.Title = plural(n, "number") + ": " + words
	}
	g.Why, g.Action, g.Next = first.Why, first.Action, first.Next
	return g
}

// groupOrder is the order of the parts in a list of numbers, problems first.
var groupOrder = []status.Part{status.WithPerson, status.InProgress, status.OnCampaign, status.InQueue, status.InReview, status.Waiting, status.CanSend}

// byGroup orders numbers by their group, then as they are.
func byGroup(numbers []*ledger.Number) {
	place := func(n *ledger.Number) int { return slices.Index(groupOrder, status.PartOf(n.Kind())) }
	slices.SortStableFunc(numbers, func(a, b *ledger.Number) int {
		return cmp.Or(place(a)-place(b), cmp.Compare(a.State, b.State), cmp.Compare(a.Reason, b.Reason))
	})
}

func campaignView(x *status.Contents, id string, q query) (*view, error) {
	c := x.Campaign(id)
	if c == nil {
		return nil, errNotFound
	}
	now := time.Now()
	q.Phase = ""
	kept := slices.DeleteFunc(slices.Clone(c.Numbers()), func(n *ledger.Number) bool { return !q.keepsNumber(n) })
	byGroup(kept)
	path := campaignPath(c.ID)
	list := cut(kept, path, q, "number")
	head := headOfCampaign(x, c, now)
	title := head.Name + ": " + head.Progress.Heading()
	v, err := newView("campaign", title, title, map[string]any{
		"campaign-head": head, "alerts": alertsOf(x), "pager": list.Pager,
		"history": history{Chart: chartOf(x.HistoryOf([]*status.Entry{c}, now)), Lanes: lanesOf(status.LanesOf([]*status.Entry{c}), head.Progress.Total)},
	})
	if err != nil {
		return nil, err
	}
	v.Due = x.Queue(now).Due()
	v.Data = filter{
		Action: path, Text: q.Text, Hint: "Number, or what Telnyx said", Shows: q.showOptions("numbers"), Asks: q.asks(),
	}
	last := ""
	for _, n := range list.Items {
		r := numberRowOf(x, c, n)
		if g := groupOf(c, r); g.ID != last {
			last = g.ID
			if err := addRows(v, "group-row", []group{g}, func(g group) string { return g.ID }); err != nil {
				return nil, err
			}
		}
		if err := addRows(v, "number-row", []numberRow{r}, func(r numberRow) string { return "n-" + r.Number.Number[1:] }); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func headOfCampaign(x *status.Contents, c *status.Entry, now time.Time) campaignHead {
	h := campaignHead{Entry: c, Name: nameOf(c), Sentence: status.Sentence(c.Campaign), Stage: status.Stage(c.Status), Carriers: status.CarriersText(c.Carriers), Detail: status.Plain(c.Detail, maxDetail), Milestones: milestonesOf(c), NextAt: c.NextAt}
	pace := x.Queue(now).Pace(c.ID)
	h.Progress, h.Queue = progressOf(x, h.Name, c.Counts, pace), pace.Words()
	h.Progress.AllHeld = false // the alert says so
	switch {
	case !c.Recorded:
		h.Sentence = ledger.PhaseUnread.Sentence()
	case h.Progress.Done() && c.Phase == ledger.PhaseApproved:
		h.Sentence = "Done. All numbers can send."
	}
	if c.Reason != "" {
		a := c.Reason.Advice()
		h.Problem = strings.TrimSpace(upper(spaced(string(c.Reason))) + ". " + a.Why + " " + a.Next + " " + a.Action)
	}
	return h
}

// Phase is never empty.
func (h campaignHead) Phase() ledger.Phase { return cmp.Or(h.Entry.Phase, ledger.PhaseUnread) }
