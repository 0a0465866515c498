package status

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"greenlight/internal/ledger"
)

const (
	// width is the width of the text in columns.
	width = 80
	// maxNumbers bounds the numbers that are listed in a sentence.
	maxNumbers = 3
	// maxCampaigns bounds the campaigns that are shown one by one. If there are more, those
	// that are done are only counted, and each cause is explained once for all others.
	maxCampaigns = 50
	// maxDetail bounds text from outside, in characters.
	maxDetail = 400
)

// TextOptions are the options of [Snapshot.WriteText].
type TextOptions struct {
	// Color colors states. Set it only for a terminal.
	Color bool
	// Zone is the time zone of the times. Default UTC.
	Zone *time.Location
}

// WriteText writes the snapshot in 80 columns: a table of the campaigns, then what is not
// done, with why, what happens next and when, and what a person should do. The level of
// detail depends on [Snapshot.About].
func (s Snapshot) WriteText(w io.Writer, o TextOptions) error {
	t := textOf{now: s.At.In(cmp.Or(o.Zone, time.UTC)), resync: s.NextResync, color: o.Color}
	for _, sentence := range HoldSentences(s.Held, s.names(), t.now) {
		t.wrap("", sentence)
	}
	if !s.Held.IsZero() {
		t.wrap("", "No new write request is sent to Telnyx until you run greenlight resume. Events are still stored.")
		t.gap(true)
	}
	if len(s.LedgerMissing) > 0 {
		t.wrap("", MissingSentence(s.LedgerMissing))
		t.gap(len(s.Campaigns) > 0)
	}
	switch {
	case len(s.Campaigns) == 0 && len(s.LedgerMissing) > 0:
	case len(s.Campaigns) == 0 && (s.PlanPending || s.Ran && s.PlanHash == ""):
		t.wrap("", "The ledger has no campaigns yet: no assigner has read all of the plans.")
	case len(s.Campaigns) == 0:
		t.wrap("", "Nothing is planned yet, or no assigner has run. Put a plan file into config/plans and start greenlight up.")
	case s.Focus == FocusNumber:
		for i, c := range s.Campaigns {
			t.gap(i > 0)
			t.number(c, c.Numbers[0])
		}
	case s.Focus == FocusAll && len(s.Campaigns) > maxCampaigns:
		t.wrap("", s.headline())
		t.gap(true)
		t.many(s.Campaigns)
	default:
		if s.Focus == FocusAll {
			t.wrap("", s.headline())
			t.gap(true)
		}
		t.WriteString(t.campaigns(s.Campaigns))
		for _, c := range s.Campaigns {
			t.campaign(c, s.Focus)
		}
	}
	t.footer(s)
	_, err := io.WriteString(w, t.String())
	return err
}

// textOf builds the text of a snapshot.
type textOf struct {
	strings.Builder
	now    time.Time
	resync time.Time
	color  bool
}

func (t *textOf) wrap(indent, sentence string) { Wrap(&t.Builder, indent, sentence, width) }

// headline summarizes everything in a sentence.
func (s Snapshot) headline() string {
	person := 0
	for _, c := range s.Campaigns {
		person += c.needPerson()
	}
	needs := ""
	if person > 0 {
		needs = "; " + needPerson(person)
	}
	attached := s.Totals[ledger.Attached] + s.Totals[ledger.Sendable]
	return fmt.Sprintf("%d of %s attached%s.", attached, Count(s.Planned(), "number"), needs)
}

// needPerson says that n numbers need a person.
func needPerson(n int) string {
	if n == 1 {
		return "1 needs a person"
	}
	return fmt.Sprintf("%d need a person", n)
}

// many shows more than maxCampaigns campaigns: a table of the first that are not done,
// beginning with those that need a person, then the causes for all of them.
func (t *textOf) many(campaigns []Campaign) {
	unfinished := slices.DeleteFunc(slices.Clone(campaigns), Campaign.done)
	slices.SortStableFunc(unfinished, func(a, b Campaign) int { return cmp.Compare(rankOf(a), rankOf(b)) })
	if len(unfinished) > 0 {
		t.WriteString(t.campaigns(unfinished[:min(len(unfinished), maxCampaigns)]))
	}
	var rest []string
	if done := len(campaigns) - len(unfinished); done > 0 {
		rest = append(rest, Count(done, "campaign")+" done")
	}
	if more := len(unfinished) - maxCampaigns; more > 0 {
		rest = append(rest, Count(more, "campaign")+" more not done")
	}
	if len(rest) > 0 {
		t.gap(len(unfinished) > 0)
		t.wrap("", "Not shown: "+strings.Join(rest, ", ")+". Name a plan, campaign or number to see it; --json has all.")
	}
	t.causes(unfinished)
}

// done reports whether there is nothing more to do for a campaign.
func (c Campaign) done() bool {
	return !c.WaitsForPerson() && c.Planned && c.Phase == ledger.PhaseApproved && c.Reason == "" && c.On() == len(c.Numbers)
}

func rankOf(c Campaign) int {
	if c.WaitsForPerson() {
		return 0
	}
	return 1
}

// causes says why campaigns are not done, each cause once.
func (t *textOf) causes(campaigns []Campaign) {
	type condition struct {
		sentence string
		reason   ledger.Reason
	}
	var conditions []condition
	of := map[condition][]Campaign{}
	var all []group
	for _, c := range campaigns {
		if c.Phase != ledger.PhaseApproved || c.Reason != "" || !c.Planned {
			at := condition{c.Sentence, c.Reason}
			if of[at] == nil {
				conditions = append(conditions, at)
			}
			of[at] = append(of[at], c)
		}
		all = merge(all, groups(c)...)
	}
	for _, at := range conditions {
		t.gap(true)
		names := make([]string, 0, maxNumbers)
		for _, c := range of[at][:min(len(of[at]), maxNumbers)] {
			names = append(names, name(c))
		}
		affected := Count(len(of[at]), "campaign") + ": " + strings.Join(names, ", ")
		if more := len(of[at]) - len(names); more > 0 {
			affected += fmt.Sprintf(" and %d more", more)
		}
		t.wrap("", affected)
		t.wrap("  ", at.sentence)
		if at.reason != "" {
			t.advice("  ", at.reason.Advice(), "")
		}
	}
	slices.SortStableFunc(all, func(a, b group) int { return cmp.Compare(rank(a.reason), rank(b.reason)) })
	for _, g := range all {
		t.gap(true)
		t.group(Campaign{}, g, false)
	}
}

// merge adds groups to those with the same explanation.
func merge(all []group, more ...group) []group {
	for _, g := range more {
		i := slices.IndexFunc(all, g.matches)
		if i < 0 {
			all = append(all, g)
			continue
		}
		all[i].numbers = append(all[i].numbers, g.numbers...)
		if all[i].nextAt.IsZero() || !g.nextAt.IsZero() && g.nextAt.Before(all[i].nextAt) {
			all[i].nextAt = g.nextAt
		}
	}
	return all
}

// gap writes an empty line, if wanted.
func (t *textOf) gap(wanted bool) {
	if wanted {
		t.WriteString("\n")
	}
}

// footer writes what concerns all campaigns.
func (t *textOf) footer(s Snapshot) {
	if s.Idle && (len(s.Campaigns) > 0 || s.EventsWaiting > 0) {
		t.gap(true)
		t.wrap("", IdleSentence(s.EventsWaiting))
	}
	if s.PlanFault != "" {
		t.gap(true)
		t.wrap("", "The plan files cannot be used; the last good set stays in force.")
		t.detail("  ", "", s.PlanFault)
		Hang(&t.Builder, "  To do:  ", "          ", "Fix it; greenlight plan validate lists every error.", width)
	}
	if s.PlanPending {
		t.gap(true)
		t.wrap("", "The plan has changed, and not all of its campaigns have been checked yet.")
	}
	if s.Focus != FocusAll {
		return
	}
	if s.DeadLetters > 0 {
		t.gap(true)
		t.wrap("", Count(int(s.DeadLetters), "dead letter")+". To review, run greenlight deadletters list.")
	}
}

// IdleSentence says that no assigner is running, and what that means.
func IdleSentence(waiting int) string {
	stored := ""
	if waiting > 0 {
		stored = "Stored and waiting: " + Count(waiting, "event") + ". "
	}
	return "No assigner is running, so nothing is checked or attached. " + stored + "Start one with greenlight up or assigner."
}

// campaigns is the table of all campaigns.
func (t *textOf) campaigns(campaigns []Campaign) string {
	w := newTable()
	w.SetColumnConfigs([]table.ColumnConfig{
		{Number: 1, WidthMax: 13}, {Number: 3, WidthMax: 14}, {Number: 4, WidthMax: 16}, {Number: 5, WidthMax: 19, WidthMaxEnforcer: text.WrapSoft},
	})
	w.AppendHeader(table.Row{"plan", "phase", "attached", "numbers", "next check"})
	for _, c := range campaigns {
		w.AppendRow(table.Row{name(c), t.paintPhase(c), bar(c), t.counts(c), t.nextOfCampaign(c)})
	}
	return trimLines(w.Render()) + "\n"
}

// trimLines removes the blanks at the ends of lines.
func trimLines(rendered string) string {
	lines := strings.Split(rendered, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}

func name(c Campaign) string {
	if !c.Planned {
		return Plain("(no plan) "+c.ID, 60)
	}
	return Plain(c.Plan, 60)
}

// bar draws the share of numbers that are on the campaign.
func bar(c Campaign) string {
	const most = 8
	total := len(c.Numbers)
	if total == 0 {
		return ""
	}
	full := most * c.On() / total
	return strings.Repeat("█", full) + strings.Repeat("░", most-full) + fmt.Sprintf(" %d/%d", c.On(), total)
}

// counts counts a campaign's numbers by state, one state per line, and those that need a
// person.
func (t *textOf) counts(c Campaign) string {
	var parts []string
	for _, state := range ledger.States() {
		if n := c.Counts[state]; n > 0 {
			parts = append(parts, t.paint(ledger.Number{State: state}, fmt.Sprintf("%d %s", n, state)))
		}
	}
	if n := c.needPerson(); n > 0 {
		parts = append(parts, t.paint(ledger.Number{NeedsPerson: true}, needPerson(n)))
	}
	if c.Extras > 0 {
		parts = append(parts, fmt.Sprintf("%d unplanned", c.Extras))
	}
	return cmp.Or(strings.Join(parts, "\n"), "none")
}

func (t *textOf) paint(n ledger.Number, content string) string { return Paint(n, content, t.color) }

// Paint colors text by the state of a number, if color is true: green if it is on its
// campaign, red if it needs a person or failed, else yellow.
func Paint(n ledger.Number, content string, color bool) string {
	switch {
	case !color:
		return content
	case n.NeedsPerson || n.State == ledger.Conflict || n.State == ledger.Failed:
		return red + content + plain
	case n.IsOn():
		return green + content + plain
	default:
		return yellow + content + plain
	}
}

// The colors. Color libraries decide by the process's own terminal, not by our writer.
const (
	green  = "\x1b[32m"
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	bold   = "\x1b[1m"
	plain  = "\x1b[0m"
)

func (t *textOf) paintPhase(c Campaign) string {
	phase := Plain(string(c.Phase), 9)
	switch {
	case !t.color:
		return phase
	case c.Campaign.NeedsPerson():
		return red + phase + plain
	case c.Phase == ledger.PhaseApproved:
		return green + phase + plain
	default:
		return yellow + phase + plain
	}
}

// nextOfCampaign says when the campaign is checked next.
func (t *textOf) nextOfCampaign(c Campaign) string {
	var next time.Time
	for _, n := range c.Numbers {
		if !n.NextAt.IsZero() && (next.IsZero() || n.NextAt.Before(next)) {
			next = n.NextAt
		}
	}
	if !c.NextAt.IsZero() && (next.IsZero() || c.NextAt.After(next)) {
		next = c.NextAt
	}
	return cmp.Or(Until(t.now, next), t.nextResync())
}

func (t *textOf) nextResync() string {
	if !t.resync.After(t.now) {
		return "at the resync"
	}
	return Until(t.now, t.resync)
}

// campaign writes what is not done about one campaign, or everything if the campaign was
// named.
func (t *textOf) campaign(c Campaign, focus Focus) {
	all := focus == FocusCampaign
	// An approved campaign needs no explanation.
	quiet := c.Phase == ledger.PhaseApproved && c.Reason == "" && c.Planned
	if quiet && !all && !slices.ContainsFunc(c.Numbers, remarkable) {
		return
	}
	t.gap(true)
	t.title(cmp.Or(Plain(c.Plan, 60), "(no plan)"), c.ID)
	if all {
		t.facts(c)
	}
	if !quiet || all {
		t.wrap("  ", c.Sentence)
	}
	if c.Reason != "" {
		t.advice("  ", c.Reason.Advice(), "")
	}
	t.detail("  ", "", c.Detail)
	if all {
		t.gap(len(c.Numbers) > 0)
		t.WriteString(t.numbers(c))
	}
	for _, group := range groups(c) {
		t.group(c, group, all)
	}
}

func (t *textOf) title(first, second string) {
	line := Plain(first, 60) + "  " + Plain(second, 60)
	if !t.color || len(line) > width {
		t.wrap("", line)
		return
	}
	t.WriteString(bold + line + plain + "\n")
}

// facts writes the other fields of a campaign.
func (t *textOf) facts(c Campaign) {
	t.fact("Plan", c.PlanPlace, c.PlanHash)
	if c.TCRID != c.ID {
		t.fact("TCR id", c.TCRID, "")
	}
	if c.TelnyxID != c.ID {
		t.fact("Telnyx id", c.TelnyxID, "")
	}
	t.fact("Telnyx says", c.Status, "")
	t.fact("Since", Ago(t.now, c.Since), "")
	t.fact("Webhook", c.WebhookURL, "")
	t.fact("Last trigger", c.Cause, "")
}

// fact writes one field, if it has a value.
func (t *textOf) fact(label, value, set string) {
	if value == "" && set == "" {
		return
	}
	if set != "" {
		value = strings.TrimPrefix(value+", plan set "+Plain(set, 40), ", ")
	}
	Hang(&t.Builder, fmt.Sprintf("  %-12s ", label), strings.Repeat(" ", 15), Plain(value, maxDetail), width)
}

// remarkable reports whether a number needs an explanation.
func remarkable(n Number) bool {
	return n.Reason != "" || n.Detail != ""
}

// numbers is the table of a campaign's numbers.
func (t *textOf) numbers(c Campaign) string {
	w := newTable()
	w.AppendHeader(table.Row{"number", "state", "reason", "since", "person", "next try"})
	for _, n := range c.Numbers {
		w.AppendRow(table.Row{n.Number.Number, t.paint(n.Number, string(n.State)), n.Reason, t.since(n), neededWord(n), t.nextOf(n)})
	}
	if w.Length() == 0 {
		return ""
	}
	return trimLines(w.Render()) + "\n"
}

func (t *textOf) since(n Number) string {
	if n.Since.IsZero() {
		return ""
	}
	return Span(t.now.Sub(n.Since))
}

// neededWord is the "person" column of the table of numbers.
func neededWord(n Number) string {
	if n.NeedsPerson {
		return "needed"
	}
	return ""
}

// nextOf says when a number is checked or tried next.
func (t *textOf) nextOf(n Number) string {
	if n.State == ledger.Sendable {
		return ""
	}
	return cmp.Or(Until(t.now, n.NextAt), "at the resync")
}

// group is a set of numbers with the same explanation.
type group struct {
	state   ledger.State
	reason  ledger.Reason
	person  bool
	advice  ledger.Advice
	nextAt  time.Time
	numbers []Number
}

func (g group) matches(o group) bool {
	return g.state == o.state && g.reason == o.reason && g.person == o.person && g.advice == o.advice
}

// rank is the place of a reason in the documented order. No reason comes last.
func rank(reason ledger.Reason) int {
	order := ledger.Reasons()
	if i := slices.Index(order, reason); i >= 0 {
		return i
	}
	return len(order)
}

// groups groups the numbers that need an explanation, in the order of their reasons.
func groups(c Campaign) []group {
	var all []group
	for _, n := range c.Numbers {
		saidAbove := n.Reason != "" && (n.Reason == c.Reason || n.Reason == c.Phase.Reason() && !n.IsOn())
		if !remarkable(n) || saidAbove {
			continue
		}
		all = merge(all, group{
			state: n.State, reason: n.Reason, person: n.NeedsPerson, advice: ledger.Advice{Why: n.Why, Next: n.Next, Action: n.Action},
			nextAt: n.NextAt, numbers: []Number{n},
		})
	}
	slices.SortStableFunc(all, func(a, b group) int { return cmp.Compare(rank(a.reason), rank(b.reason)) })
	return all
}

// group writes the explanation of a group, then Telnyx's details about its numbers.
func (t *textOf) group(c Campaign, g group, all bool) {
	head := headOf(ledger.Number{State: g.state, Reason: g.reason, NeedsPerson: g.person})
	t.gap(all)
	Hang(&t.Builder, "  ", "    ", fmt.Sprintf("%s: %s", head, named(g.numbers)), width)
	t.advice("    ", g.advice, nextSentence(g.state, Until(t.now, g.nextAt)))
	maxDetails := maxNumbers
	if all {
		maxDetails = 10
	}
	shown := map[string]bool{}
	left := 0
	for _, n := range g.numbers {
		switch {
		case n.Detail == "" || shown[n.Detail] || n.Detail == c.Detail:
		case len(shown) == maxDetails:
			left++
		default:
			shown[n.Detail] = true
			t.detail("    ", n.Number.Number, n.Detail)
		}
	}
	if left > 0 {
		t.wrap("    ", fmt.Sprintf("%d more have details; --json shows all.", left))
	}
}

// named lists the first numbers, and counts them.
func named(numbers []Number) string {
	var list []string
	for _, n := range numbers[:min(len(numbers), maxNumbers)] {
		list = append(list, n.Number.Number)
	}
	switch left := len(numbers) - len(list); {
	case len(numbers) == 1:
		return list[0]
	case left == 0:
		return fmt.Sprintf("%d numbers, %s", len(numbers), strings.Join(list, ", "))
	default:
		return fmt.Sprintf("%d numbers, %s and %d more", len(numbers), strings.Join(list, ", "), left)
	}
}

// headOf names a number's state and reason, and says whether it needs a person.
func headOf(n ledger.Number) string {
	if n.NeedsPerson {
		return n.StateAndReason() + ", needs a person"
	}
	return n.StateAndReason()
}

// nextSentence says when a number in this state is retried, or only checked. It is empty
// if the time is not known.
func nextSentence(state ledger.State, when string) string {
	switch {
	case when == "":
		return ""
	case state.TriesAgain():
		return " Next try: " + when + "."
	default:
		return " Next check: " + when + "."
	}
}

// advice writes why, what happens next and when, and what a person should do.
func (t *textOf) advice(indent string, a ledger.Advice, when string) {
	t.wrap(indent, a.Why)
	Hang(&t.Builder, indent+"Next:   ", indent+"        ", a.Next+when, width)
	if a.Action != "" {
		Hang(&t.Builder, indent+"To do:  ", indent+"        ", a.Action, width)
	}
}

// detail writes text from Telnyx or from the reader of plan files.
func (t *textOf) detail(indent, about, detail string) {
	if detail == "" {
		return
	}
	if about != "" {
		detail = about + ": " + detail
	}
	Hang(&t.Builder, indent+"Detail: ", indent+"        ", Plain(detail, maxDetail), width)
}

// number writes everything about one number.
func (t *textOf) number(c Campaign, n Number) {
	t.WriteString(n.Number.Number + "  " + t.paint(n.Number, headOf(n.Number)) + "\n")
	next := Until(t.now, n.NextAt)
	if next == "" && n.State != ledger.Sendable && strings.Contains(n.Next, "resync") {
		next = t.nextResync()
	}
	t.advice("  ", ledger.Advice{Why: n.Why, Next: n.Next, Action: n.Action}, nextSentence(n.State, next))
	t.detail("  ", "", n.Detail)
	t.gap(true)
	t.fact("Plan", strings.TrimSuffix(Plain(n.Plan, 60)+", "+n.PlanPlace, ", "), n.PlanHash)
	t.fact("Campaign", fmt.Sprintf("%s, %s", Plain(c.ID, 60), c.Phase), "")
	t.fact("State since", Ago(t.now, n.Since), "")
	t.fact("Telnyx says", n.Status, "")
	if n.TMobile != "" || n.NonTMobile != "" {
		t.fact("Carriers", fmt.Sprintf("T-Mobile %s, others %s", cmp.Or(n.TMobile, "not known"), cmp.Or(n.NonTMobile, "not known")), "")
	}
	if r := n.Request; r.Sent != "" {
		t.fact("Request", fmt.Sprintf("%s, %s; %s", r.Sent, Ago(t.now, r.At), cmp.Or(string(r.Outcome), "no answer known")), "")
	}
	t.fact("Tries", n.Tries.String(), "")
	t.fact("Last trigger", n.Cause, "")
	t.gap(true)
	t.wrap("", "Its history: greenlight why "+n.Number.Number)
}

// newTable returns a table that is aligned with the text.
func newTable() table.Writer {
	t := NewTable()
	t.Style().Box.PaddingLeft, t.Style().Box.PaddingRight = "", "  "
	return t
}
