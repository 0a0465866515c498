package page

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/status"
	"greenlight/internal/timeline"
)

// errNotFound means that there is no page at an address.
var errNotFound = errors.New("not found")

// view is a rendered page. Its blocks and rows may change while it is open.
type view struct {
	// Title is the document's title. Screen readers announce Heading when it changes.
	Title, Heading string
	// Kind is the name of the page's template.
	Kind string
	// Blocks are elements by id; Rows are the elements of the list, in order.
	Blocks map[string]template.HTML
	Rows   []row
	// Data is further data for the page's template.
	Data any
}

type row struct {
	ID   string
	HTML template.HTML
}

// memo caches a view that is expensive to read, for one live page.
type memo struct {
	key  string
	made *view
}

// view renders the page at an address under /status. The error matches errNotFound if
// there is none.
func (p *Page) view(ctx context.Context, at *url.URL, m *memo) (*view, error) {
	q := parseQuery(at.Query())
	path := strings.TrimPrefix(at.Path, "/status")
	var v *view
	var err error
	if path == "" {
		p.config.View.Read(func(x *status.Contents) { v, err = overview(x, q) })
		return v, err
	}
	if id, ok := strings.CutPrefix(path, "/campaigns/"); ok {
		p.config.View.Read(func(x *status.Contents) { v, err = campaignView(x, id, q) })
		return v, err
	}
	if digits, ok := strings.CutPrefix(path, "/numbers/"); ok {
		return p.number(ctx, digits, m)
	}
	if path == "/dead-letters" {
		return p.deadLetters(ctx, at.Query().Get("before"), m)
	}
	return nil, errNotFound
}

// render executes one template.
func render(name string, data any) (template.HTML, error) {
	var b strings.Builder
	err := templates.ExecuteTemplate(&b, name, data)
	return template.HTML(b.String()), err //nolint:gosec // a template of html/template made it
}

// newView returns a page with its blocks rendered; rows of the list are added by
// addRows.
func newView(kind, title, heading string, blocks map[string]any) (*view, error) {
	v := &view{Kind: kind, Title: title, Heading: heading, Blocks: make(map[string]template.HTML, len(blocks))}
	for name, data := range blocks {
		html, err := render(name, data)
		if err != nil {
			return nil, err
		}
		v.Blocks[name] = html
	}
	return v, nil
}

// addRows renders rows by the given template. Each id is that of the row's element.
func addRows[T any](v *view, name string, items []T, id func(T) string) error {
	for _, item := range items {
		html, err := render(name, item)
		if err != nil {
			return err
		}
		v.Rows = append(v.Rows, row{ID: id(item), HTML: html})
	}
	return nil
}

// share is a part of a bar: x and width are in percent.
type share struct {
	Class    string
	X, Width string
}

// progress counts numbers by state.
type progress struct {
	Name                string
	Sendable, Total     int
	Shares              []share
	Counts              []count
	Person, Moving, Due int
	// Pace is how fast queued numbers have their turn.
	Pace status.Pace
	// AllHeld means that everything is on hold, Unknown that the ledger is incomplete, and
	// Stale that NATS cannot be read.
	AllHeld, Unknown, Stale bool
}

type count struct {
	N    int
	What string
}

// classes are the classes of a bar's parts, in drawing order.
var classes = []string{"good", "near", "busy", "bad", "due", "idle"}

func classOf(kind ledger.NumberKind) string {
	switch {
	case kind.State == ledger.Sendable:
		return "good"
	case kind.NeedsPerson:
		return "bad"
	case kind.State == ledger.Attached:
		return "near"
	case kind.Reason == ledger.Queued:
		return "due"
	case kind.State == ledger.Planned && (kind.Reason.OfCampaign() || kind.Reason == ""):
		return "idle"
	default:
		return "busy"
	}
}

// wordOf is what a number is counted as: its state, or queued.
func wordOf(kind ledger.NumberKind) string {
	if kind.Reason == ledger.Queued {
		return string(ledger.Queued)
	}
	return string(kind.State)
}

// words are the words of wordOf, in the order of the states.
var words = func() []string {
	all := []string{string(ledger.Planned), string(ledger.Queued)}
	for _, state := range ledger.States()[1:] {
		all = append(all, string(state))
	}
	return all
}()

// advise explains a kind of number, without its campaign.
func advise(kind ledger.NumberKind) ledger.Advice {
	return ledger.Advise(ledger.Number{State: kind.State, Reason: kind.Reason}, ledger.Campaign{})
}

func progressOf(x *status.Contents, name string, counts map[ledger.NumberKind]int, pace status.Pace) progress {
	p := progress{Name: name, Pace: pace, AllHeld: x.Hold.All != nil, Unknown: len(x.Missing) > 0, Stale: x.Unreachable != ""}
	byClass, byWord := map[string]int{}, map[string]int{}
	for kind, n := range counts {
		p.Total += n
		byClass[classOf(kind)] += n
		byWord[wordOf(kind)] += n
	}
	p.Sendable, p.Person, p.Due = byClass["good"], byClass["bad"], byClass["idle"]
	p.Moving = byClass["busy"] + byClass["near"]
	before := 0
	for _, class := range classes {
		if n := byClass[class]; n > 0 {
			p.Shares = append(p.Shares, share{Class: class, X: percent(before, p.Total), Width: percent(n, p.Total)})
			before += n
		}
	}
	for _, word := range words {
		if n := byWord[word]; n > 0 {
			p.Counts = append(p.Counts, count{n, word})
		}
	}
	return p
}

func percent(n, total int) string { return fmt.Sprintf("%.2f", 100*float64(n)/float64(total)) }

// Done reports whether every number can send, and there is one.
func (p progress) Done() bool { return p.Total > 0 && p.Sendable == p.Total }

// Heading summarizes the progress in one line.
func (p progress) Heading() string {
	if p.AllHeld {
		p.AllHeld = false
		return "On hold. " + p.Heading()
	}
	can := "can"
	if p.Stale {
		can = "could" // when NATS was last read
	}
	switch {
	case p.Unknown && p.Total == 0:
		return "The ledger is incomplete"
	case p.Total == 0:
		return "No numbers are planned yet"
	case p.Done() && p.Total == 1:
		return "The number " + can + " send"
	case p.Done():
		return fmt.Sprintf("All %s numbers %s send", grouped(p.Total), can)
	default:
		return fmt.Sprintf("%s of %s %s send", grouped(p.Sendable), plural(p.Total, "number"), can)
	}
}

// Why says what the other numbers wait for.
func (p progress) Why() string {
	if p.Stale {
		return "This is not current, because NATS cannot be read."
	}
	if p.Unknown && p.Total == 0 {
		return "Plans and attachments will be read again when the ledger is back."
	}
	if p.Total == 0 {
		return "Put a plan file into config/plans. Its campaigns are shown here as soon as Greenlight has read it."
	}
	if p.Done() {
		return "Done. There is nothing to do."
	}
	var parts []string
	for _, part := range []struct {
		n           int
		one, others string
	}{
		{p.Person, "needs a person", "need a person"},
		{p.Moving, "is on its way", "are on their way"},
		{p.Pace.Queued, "is queued", "are queued"},
		{p.Due, "waits for its campaign", "wait for their campaign"},
	} {
		if part.n == 1 {
			parts = append(parts, "1 "+part.one)
		} else if part.n > 1 {
			parts = append(parts, grouped(part.n)+" "+part.others)
		}
	}
	why := "Not done yet: " + strings.Join(parts, ", ") + "."
	if left := p.Pace.Words(); p.Pace.EstimatedSeconds > 0 {
		why += " Queue: " + left + "."
	}
	return why
}

// task is something for a person to do.
type task struct {
	// What it is about, for example "3 numbers: not owned", and a link to these.
	What, Link string
	// Why, Next and Action are sentences.
	Why, Next, Action string
}

// tasks lists what a person should do about numbers, most frequent first. Link returns
// the address of the numbers with a reason.
func tasks(counts map[ledger.NumberKind]int, link func(show string) string) []task {
	type about struct {
		show   string
		advice ledger.Advice
	}
	numbers := map[about]int{}
	for kind, n := range counts {
		// Tasks about campaigns are listed once, by phaseTasks.
		if kind.NeedsPerson && !kind.Reason.OfCampaign() {
			numbers[about{cmp.Or(string(kind.Reason), string(kind.State)), advise(kind)}] += n
		}
	}
	var list []task
	for _, a := range slices.SortedFunc(maps.Keys(numbers), func(a, b about) int {
		return cmp.Or(cmp.Compare(numbers[b], numbers[a]), cmp.Compare(a.show, b.show), cmp.Compare(a.advice.Next, b.advice.Next))
	}) {
		list = append(list, taskOf(plural(numbers[a], "number")+": "+spaced(a.show), link(a.show), a.advice))
	}
	return list
}

func taskOf(what, link string, advice ledger.Advice) task {
	return task{What: what, Link: link, Why: advice.Why, Next: advice.Next, Action: advice.Action}
}

// phaseTasks lists what a person should do about campaigns.
func phaseTasks(campaigns []*status.Entry) []task {
	byPhase, byReason, unplanned := map[ledger.Phase]int{}, map[ledger.Reason]int{}, 0
	for _, c := range campaigns {
		switch {
		case c.Recorded && !c.Planned && c.Phase == ledger.PhaseApproved:
			unplanned++
		case c.Planned && c.Phase.NeedsPerson():
			byPhase[c.Phase]++
		case c.NeedsPerson():
			byReason[c.Reason]++
		}
	}
	var list []task
	for _, reason := range ledger.Reasons() {
		if n := byReason[reason]; n > 0 {
			list = append(list, taskOf(plural(n, "campaign")+": "+spaced(string(reason)), "/status"+query{Show: string(reason)}.encode(1), reason.Advice()))
		}
	}
	for _, phase := range ledger.Phases() {
		if n := byPhase[phase]; n > 0 {
			list = append(list, taskOf(plural(n, "campaign")+": "+spaced(string(phase)), "/status"+query{Phase: phase}.encode(1), phase.Reason().Advice()))
		}
	}
	if unplanned > 0 {
		list = append(list, task{
			What: plural(unplanned, "campaign") + ": approved but not in any plan", Link: "/status" + query{Phase: ledger.PhaseApproved}.encode(1),
			Next: "Numbers are attached as soon as a plan names the campaign.", Action: "Write a plan for it, or leave it.",
		})
	}
	return list
}

// campaignRow is a campaign in a list.
type campaignRow struct {
	ID, Name, Path, TCRID, Detail string
	Status, Stage, Carriers       string
	Phase                         ledger.Phase
	Planned                       bool
	Progress                      progress
	Extras                        int
	// Sentence explains the phase. Advice explains the most important reason of the
	// campaign and its numbers, and About says how many numbers have it.
	Sentence      string
	Reason        ledger.Reason
	Advice        ledger.Advice
	About         string
	Since, NextAt time.Time
}

func rowOf(x *status.Contents, c *status.Entry) campaignRow {
	r := campaignRow{
		ID: c.ID, Name: cmp.Or(c.Plan, "No plan"), Path: campaignPath(c.ID), TCRID: c.TCRID, Status: c.Status, Stage: status.Stage(c.Status), Carriers: status.CarriersText(c.Carriers), Detail: status.Plain(c.Detail, maxDetail), Phase: cmp.Or(c.Phase, ledger.PhaseUnread),
		Planned: c.Planned || !c.Recorded, Extras: c.Extras, Sentence: status.Sentence(c.Campaign), Since: c.Since, NextAt: c.NextAt,
	}
	if !c.Recorded {
		r.Name, r.Sentence = c.ID, ledger.PhaseUnread.Sentence()
	}
	r.Progress = progressOf(x, r.Name, c.Counts, x.Queue(time.Now()).Pace(c.ID))
	r.Progress.AllHeld = false // the overview says so
	if r.Progress.Done() && c.Phase == ledger.PhaseApproved {
		r.Sentence = "Done. All numbers can send."
	}
	kind, n := foremost(c)
	switch {
	// The sentence about the phase explains these.
	case cmp.Or(c.Reason, kind.Reason).OfCampaign():
	case c.Reason != "":
		r.Reason, r.Advice = c.Reason, c.Reason.Advice()
	case kind.Reason != "":
		r.Reason, r.Advice, r.About = kind.Reason, advise(kind), plural(n, "number")
	}
	return r
}

// foremost returns the most frequent kind of number that is not sendable and has a reason.
// Kinds that need a person come first.
func foremost(c *status.Entry) (ledger.NumberKind, int) {
	var most ledger.NumberKind
	for kind, n := range c.Counts {
		if kind.State == ledger.Sendable || kind.Reason == "" {
			continue
		}
		better := c.Counts[most] == 0
		if !better && kind.NeedsPerson != most.NeedsPerson {
			better = kind.NeedsPerson
		} else if !better {
			better = cmp.Or(cmp.Compare(n, c.Counts[most]), cmp.Compare(most.Reason, kind.Reason), cmp.Compare(most.State, kind.State)) > 0
		}
		if better {
			most = kind
		}
	}
	return most, c.Counts[most]
}

// alerts are problems that are not about single numbers or campaigns.
type alerts struct {
	status.Surroundings
	// Held is what is on hold, since when, by whom and why.
	Held             []string
	Failing, Advised []status.Checked
}

// LedgerMissing names the missing buckets; empty for none.
func (a alerts) LedgerMissing() string {
	if len(a.Missing) == 0 {
		return ""
	}
	return status.MissingSentence(a.Missing)
}

// NoAssigner says that no assigner is running. It is empty if one is, or if that is
// unknown.
func (a alerts) NoAssigner() string {
	if !a.Idle || a.Unreachable != "" {
		return ""
	}
	return status.IdleSentence(a.Waiting)
}

// DeadLetterCount counts the dead letters; empty for none.
func (a alerts) DeadLetterCount() string {
	if a.DeadLetters == 0 {
		return ""
	}
	return plural(int(a.DeadLetters), "dead letter")
}

func alertsOf(x *status.Contents) alerts {
	names := make(map[string]string, len(x.Hold.Campaigns))
	for id := range x.Hold.Campaigns {
		if c := x.Campaign(id); c != nil {
			names[id] = c.Plan
		}
	}
	a := alerts{Surroundings: x.Surroundings, Held: status.HoldSentences(x.Hold, names, time.Now().UTC())}
	for _, check := range x.Checks {
		switch {
		case check.Says == "":
		case check.Name == "plans" && len(a.PlanFaults) > 0: // shown line by line
		case check.Advisory:
			a.Advised = append(a.Advised, check)
		default:
			a.Failing = append(a.Failing, check)
		}
	}
	return a
}

// option is an option in one of the filter's lists.
type option struct {
	Value, Label string
	Selected     bool
}

func (q query) phaseOptions() []option {
	list := []option{{"", "All phases", q.Phase == ""}}
	for _, phase := range ledger.Phases() {
		list = append(list, option{string(phase), spaced(string(phase)), q.Phase == phase})
	}
	return list
}

func (q query) showOptions(what string) []option {
	list := []option{
		{"", "All " + what, q.Show == ""},
		{showUnfinished, "Not done", q.Show == showUnfinished},
		{showPerson, "Needs a person", q.Show == showPerson},
	}
	for _, state := range ledger.States() {
		list = append(list, option{string(state), "State: " + string(state), q.Show == string(state)})
	}
	for _, reason := range ledger.Reasons() {
		list = append(list, option{string(reason), "Reason: " + spaced(string(reason)), q.Show == string(reason)})
	}
	return list
}

// filter is the form above a list.
type filter struct {
	Action, Text, Hint string
	Phases, Shows      []option
	Asks               bool
}

func overview(x *status.Contents, q query) (*view, error) {
	all := x.Campaigns()
	kept := all
	if q.asks() {
		kept = nil
		for _, c := range all {
			if q.keeps(c) {
				kept = append(kept, c)
			}
		}
	}
	total := progressOf(x, "All numbers", x.Totals, x.Queue(time.Now()).All())
	list := cut(kept, "/status", q, "campaign")
	rows := make([]campaignRow, len(list.Items))
	for i, c := range list.Items {
		rows[i] = rowOf(x, c)
	}
	todo := append(phaseTasks(all), tasks(x.Totals, func(show string) string { return "/status" + query{Show: show}.encode(1) })...)
	v, err := newView("overview", total.Heading(), total.Heading(), map[string]any{
		"summary": total, "alerts": alertsOf(x), "todo": todo, "pager": list.Pager, "health": x.Checks,
	})
	if err != nil {
		return nil, err
	}
	v.Data = filter{
		Action: "/status", Text: q.Text, Hint: "Plan, campaign id or number", Phases: q.phaseOptions(), Shows: q.showOptions("campaigns"), Asks: q.asks(),
	}
	return v, addRows(v, "campaign-row", rows, func(r campaignRow) string { return "c-" + r.ID })
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
		Path: "/status/numbers/" + strings.TrimPrefix(n.Number, "+"), Class: classOf(n.Kind()),
	}
}

func campaignView(x *status.Contents, id string, q query) (*view, error) {
	c := x.Campaign(id)
	if c == nil {
		return nil, errNotFound
	}
	q.Phase = ""
	var kept []*ledger.Number
	for _, n := range c.Numbers() {
		if q.keepsNumber(n) {
			kept = append(kept, n)
		}
	}
	path := campaignPath(c.ID)
	list := cut(kept, path, q, "number")
	rows := make([]numberRow, len(list.Items))
	for i, n := range list.Items {
		rows[i] = numberRowOf(x, c, n)
	}
	head := rowOf(x, c)
	title := head.Name + ": " + head.Progress.Heading()
	v, err := newView("campaign", title, title, map[string]any{
		"campaign-head": head, "alerts": alertsOf(x), "pager": list.Pager,
		"todo": tasks(c.Counts, func(show string) string { return path + query{Show: show}.encode(1) }),
	})
	if err != nil {
		return nil, err
	}
	v.Data = filter{
		Action: path, Text: q.Text, Hint: "Number, or what Telnyx said", Shows: q.showOptions("numbers"), Asks: q.asks(),
	}
	return v, addRows(v, "number-row", rows, func(r numberRow) string { return "n-" + strings.TrimPrefix(r.Number.Number, "+") })
}

// numberHead is shown above a number's timeline.
type numberHead struct {
	E164      string
	Campaigns []numberOn
	Timeline  timeline.Timeline
}

// numberOn is the state of a number on one campaign.
type numberOn struct {
	numberRow
	CampaignName, CampaignPath string
	Phase                      ledger.Phase
}

// timelineRow is an entry with the id of its element.
type timelineRow struct {
	timeline.Entry
	ID string
}

func (p *Page) number(ctx context.Context, digits string, m *memo) (*view, error) {
	if digits == "" || digitsOf(digits) != digits {
		return nil, errNotFound
	}
	var head numberHead
	var key string
	var warnings alerts
	p.config.View.Read(func(x *status.Contents) { head, key, warnings = headOf(x, "+"+digits) })
	if m.made != nil && m.key == key {
		return withAlerts(m.made, warnings)
	}
	bounded, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var err error
	head.Timeline, err = timeline.OfNumber(bounded, p.config.JetStream, head.E164)
	switch {
	case errors.Is(err, timeline.ErrUnknownNumber) && len(head.Campaigns) == 0:
		return nil, errNotFound
	case err != nil && !errors.Is(err, timeline.ErrUnknownNumber):
		return nil, fmt.Errorf("read the timeline of %s: %w", head.E164, err)
	}
	v, err := numberView(head)
	if err != nil {
		return nil, err
	}
	m.key, m.made = key, v
	return withAlerts(v, warnings)
}

// headOf returns the state of a number on each campaign, a key that changes with it, and
// the alerts.
func headOf(x *status.Contents, e164 string) (head numberHead, key string, warnings alerts) {
	head.E164 = e164
	for _, c := range x.Campaigns() {
		if n := c.Number(e164); n != nil {
			head.Campaigns = append(head.Campaigns, numberOn{
				numberRow: numberRowOf(x, c, n), CampaignName: cmp.Or(c.Plan, c.ID), CampaignPath: campaignPath(c.ID), Phase: c.Phase,
			})
			key += fmt.Sprintf("%+v %s %s %+v;", *n, c.Phase, c.NextAt, x.Queue(time.Now()).Turn(n))
		}
	}
	return head, key, alertsOf(x)
}

func numberView(head numberHead) (*view, error) {
	heading := head.E164 + ": in no plan"
	if len(head.Campaigns) > 0 {
		heading = head.E164 + ": " + string(head.Campaigns[0].State)
	}
	v, err := newView("number", heading, heading, map[string]any{"number-head": head})
	if err != nil {
		return nil, err
	}
	rows := make([]timelineRow, len(head.Timeline.Entries))
	for i, entry := range head.Timeline.Entries {
		rows[i] = timelineRow{Entry: entry, ID: fmt.Sprint("t-", i)}
	}
	return v, addRows(v, "timeline-row", rows, func(r timelineRow) string { return r.ID })
}

// withAlerts returns a copy of a view with other alerts.
func withAlerts(made *view, warnings alerts) (*view, error) {
	v := *made
	v.Blocks = maps.Clone(made.Blocks)
	var err error
	v.Blocks["alerts"], err = render("alerts", warnings)
	return &v, err
}

func (p *Page) deadLetters(ctx context.Context, before string, m *memo) (*view, error) {
	var warnings alerts
	p.config.View.Read(func(x *status.Contents) { warnings = alertsOf(x) })
	key := fmt.Sprint(warnings.Backlog.DeadLetters)
	warnings.DeadLetters = 0 // the page itself shows them
	if m.made != nil && m.key == key {
		return withAlerts(m.made, warnings)
	}
	bounded, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	list, older, total, err := deadLettersBefore(bounded, p.config.JetStream, sequence(before))
	if err != nil {
		return nil, err
	}
	pages := pager{Page: 1, Pages: 1, From: 1, To: len(list), Total: total, What: "dead letter"}
	if older > 0 {
		pages.Next = fmt.Sprint("/status/dead-letters?before=", older)
	}
	if before != "" {
		pages.Previous = "/status/dead-letters"
	}
	title := plural(total, "dead letter")
	v, err := newView("dead-letters", title, title, map[string]any{"dead-letters-head": total, "dead-letters-pager": pages})
	if err != nil {
		return nil, err
	}
	if err := addRows(v, "dead-letter-row", list, func(d events.StoredLetter) string { return fmt.Sprint("l-", d.Sequence) }); err != nil {
		return nil, err
	}
	m.key, m.made = key, v
	return withAlerts(v, warnings)
}

func campaignPath(id string) string { return "/status/campaigns/" + url.PathEscape(id) }

// spaced replaces the underscores of a word like not_owned.
func spaced(word string) string { return strings.ReplaceAll(word, "_", " ") }

// plural is status.Count with thousands separators.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(n) + " " + noun + "s"
}

// grouped formats a number with thousands separators.
func grouped(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
