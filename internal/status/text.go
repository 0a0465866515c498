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
	// width is how many columns the text takes at most.
	width = 80
	// someNumbers is how many numbers are named where there may be thousands.
	someNumbers = 3
	// mostCampaigns is up to how many campaigns are shown one by one, done or not. With
	// more, those that are done are only counted and the causes put together.
	mostCampaigns = 50
	// mostDetail bounds what is shown of words from outside, in characters.
	mostDetail = 400
)

// TextOptions say how a text is written.
type TextOptions struct {
	// Colour paints states. It must be false unless the text goes to a terminal.
	Colour bool
	// Zone is whose clock shows the times; UTC when nil.
	Zone *time.Location
}

// WriteText writes the snapshot so that it is readable at 80 columns: a table of the
// campaigns, then what is not as it should be, with the sentences that say why, what
// happens next and when, and what a person should do. How deep it goes is for
// [Snapshot.About] to say.
func (s Snapshot) WriteText(w io.Writer, o TextOptions) error {
	t := textOf{now: s.At.In(cmp.Or(o.Zone, time.UTC)), resync: s.NextResync, colour: o.Colour}
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
		t.wrap("", "The ledger has no campaign yet: no assigner has read all of the plans into it.")
	case len(s.Campaigns) == 0:
		t.wrap("", "Nothing is planned yet, or no assigner has run. Put a plan file into config/plans and start greenlight up.")
	case s.Focus == FocusNumber:
		for i, c := range s.Campaigns {
			t.gap(i > 0)
			t.number(c, c.Numbers[0])
		}
	case s.Focus == FocusAll && len(s.Campaigns) > mostCampaigns:
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

// textOf is a text that is being written.
type textOf struct {
	strings.Builder
	now    time.Time
	resync time.Time
	colour bool
}

func (t *textOf) wrap(indent, sentence string) { Wrap(&t.Builder, indent, sentence, width) }

// headline says in a sentence how far everything is.
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

// needPerson says how many numbers need a person.
func needPerson(n int) string {
	if n == 1 {
		return "1 needs a person"
	}
	return fmt.Sprintf("%d need a person", n)
}

// many shows more campaigns than a person reads one by one: a table of the first that
// are not done, those that need a person before others, then what holds up all of them.
func (t *textOf) many(campaigns []Campaign) {
	unfinished := slices.DeleteFunc(slices.Clone(campaigns), Campaign.done)
	slices.SortStableFunc(unfinished, func(a, b Campaign) int { return cmp.Compare(rankOf(a), rankOf(b)) })
	if len(unfinished) > 0 {
		t.WriteString(t.campaigns(unfinished[:min(len(unfinished), mostCampaigns)]))
	}
	var rest []string
	if done := len(campaigns) - len(unfinished); done > 0 {
		rest = append(rest, Count(done, "campaign")+" done")
	}
	if more := len(unfinished) - mostCampaigns; more > 0 {
		rest = append(rest, Count(more, "campaign")+" more not done")
	}
	if len(rest) > 0 {
		t.gap(len(unfinished) > 0)
		t.wrap("", "Not shown: "+strings.Join(rest, ", ")+". Name a plan, campaign or number to see it; --json has all.")
	}
	t.causes(unfinished)
}

// done reports whether there is nothing more to do for a campaign, or to say of it.
func (c Campaign) done() bool {
	return !c.WaitsForPerson() && c.Planned && c.Phase == ledger.PhaseApproved && c.Reason == "" && c.On() == len(c.Numbers)
}

func rankOf(c Campaign) int {
	if c.WaitsForPerson() {
		return 0
	}
	return 1
}

// causes says what keeps campaigns from being done, each cause once for all of them.
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
		names := make([]string, 0, someNumbers)
		for _, c := range of[at][:min(len(of[at]), someNumbers)] {
			names = append(names, name(c))
		}
		who := Count(len(of[at]), "campaign") + ": " + strings.Join(names, ", ")
		if more := len(of[at]) - len(names); more > 0 {
			who += fmt.Sprintf(" and %d more", more)
		}
		t.wrap("", who)
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

// merge puts further groups to those that say the same.
func merge(all []group, more ...group) []group {
	for _, g := range more {
		i := slices.IndexFunc(all, g.saysTheSame)
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

// footer says what concerns everything.
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
		them := "them"
		if s.DeadLetters == 1 {
			them = "it"
		}
		t.gap(true)
		t.wrap("", Count(int(s.DeadLetters), "dead letter")+": review "+them+" with greenlight deadletters list.")
	}
}

// IdleSentence says that no assigner is running, and what that means.
func IdleSentence(waiting int) string {
	kept := ""
	if waiting > 0 {
		kept = Count(waiting, "event") + " waiting, and kept. "
	}
	return "No assigner is running, so nothing is checked or attached. " + kept + "Start one with greenlight up or assigner."
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

// trimLines takes off the blanks at the ends of lines.
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

// bar draws how many numbers are on the campaign.
func bar(c Campaign) string {
	const most = 8
	total := len(c.Numbers)
	if total == 0 {
		return ""
	}
	full := most * c.On() / total
	return strings.Repeat("█", full) + strings.Repeat("░", most-full) + fmt.Sprintf(" %d/%d", c.On(), total)
}

// counts says how far a campaign's numbers are, one state a line, and then how many
// need a person.
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

// paint colours words about a number, where colours are wanted.
func (t *textOf) paint(n ledger.Number, said string) string {
	switch {
	case !t.colour:
		return said
	case n.NeedsPerson || n.State == ledger.Conflict || n.State == ledger.Failed:
		return red + said + plain
	case n.IsOn():
		return green + said + plain
	default:
		return yellow + said + plain
	}
}

// The colours. They are written here, not by a library that looks for a terminal of
// its own.
const (
	green  = "\x1b[32m"
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	bold   = "\x1b[1m"
	plain  = "\x1b[0m"
)

func (t *textOf) paintPhase(c Campaign) string {
	said := Plain(string(c.Phase), 9)
	switch {
	case !t.colour:
		return said
	case c.Campaign.NeedsPerson():
		return red + said + plain
	case c.Phase == ledger.PhaseApproved:
		return green + said + plain
	default:
		return yellow + said + plain
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

// campaign writes what is not as it should be with one campaign, and everything when
// the campaign is what was asked for.
func (t *textOf) campaign(c Campaign, focus Focus) {
	all := focus == FocusCampaign
	// A phase that is no news for anybody needs no words.
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
	if !t.colour || len(line) > width {
		t.wrap("", line)
		return
	}
	t.WriteString(bold + line + plain + "\n")
}

// facts writes what else is known of a campaign.
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
	t.fact("Posts to", c.WebhookURL, "")
	t.fact("Latest news", c.Cause, "")
}

// fact writes one fact on a line or more, if there is one.
func (t *textOf) fact(label, value, set string) {
	if value == "" && set == "" {
		return
	}
	if set != "" {
		value = strings.TrimPrefix(value+", plan set "+Plain(set, 40), ", ")
	}
	Hang(&t.Builder, fmt.Sprintf("  %-12s ", label), strings.Repeat(" ", 15), Plain(value, mostDetail), width)
}

// remarkable reports whether there is anything to say of a number.
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

// neededWord is what the table of numbers has under "person".
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

// group is numbers of which the text says the same, of a campaign or of all.
type group struct {
	state   ledger.State
	reason  ledger.Reason
	person  bool
	advice  ledger.Advice
	nextAt  time.Time
	numbers []Number
}

func (g group) saysTheSame(o group) bool {
	return g.state == o.state && g.reason == o.reason && g.person == o.person && g.advice == o.advice
}

// rank is a reason's place in the order in which they are documented, none's the last.
func rank(reason ledger.Reason) int {
	order := ledger.Reasons()
	if i := slices.Index(order, reason); i >= 0 {
		return i
	}
	return len(order)
}

// groups puts the numbers of which there is anything to say together by what there
// is to say, in the order of the reasons, those without one last.
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

// group writes what the numbers of a group have in common, then Telnyx's words.
func (t *textOf) group(c Campaign, g group, all bool) {
	head := headOf(ledger.Number{State: g.state, Reason: g.reason, NeedsPerson: g.person})
	t.gap(all)
	Hang(&t.Builder, "  ", "    ", fmt.Sprintf("%s: %s", head, named(g.numbers)), width)
	t.advice("    ", g.advice, nextSentence(g.state, Until(t.now, g.nextAt)))
	mostDetails := someNumbers
	if all {
		mostDetails = 10
	}
	said := map[string]bool{}
	left := 0
	for _, n := range g.numbers {
		switch {
		case n.Detail == "" || said[n.Detail] || n.Detail == c.Detail:
		case len(said) == mostDetails:
			left++
		default:
			said[n.Detail] = true
			t.detail("    ", n.Number.Number, n.Detail)
		}
	}
	if left > 0 {
		t.wrap("    ", fmt.Sprintf("%d more have details; --json has them all.", left))
	}
}

// named lists the first of the numbers, and counts.
func named(numbers []Number) string {
	var list []string
	for _, n := range numbers[:min(len(numbers), someNumbers)] {
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

// nextSentence says when a number in this state is tried again, or only checked; it is
// empty where the time is not known.
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

// advice says why, what follows and when, and what a person should do.
func (t *textOf) advice(indent string, a ledger.Advice, when string) {
	t.wrap(indent, a.Why)
	Hang(&t.Builder, indent+"Next:   ", indent+"        ", a.Next+when, width)
	if a.Action != "" {
		Hang(&t.Builder, indent+"To do:  ", indent+"        ", a.Action, width)
	}
}

// detail writes what Telnyx or a file's reader said, in its own words.
func (t *textOf) detail(indent, about, said string) {
	if said == "" {
		return
	}
	if about != "" {
		said = about + ": " + said
	}
	Hang(&t.Builder, indent+"Detail: ", indent+"        ", Plain(said, mostDetail), width)
}

// number writes all that is known of one number.
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
	t.fact("Latest news", n.Cause, "")
	t.gap(true)
	t.wrap("", "All that happened to it: greenlight why "+n.Number.Number)
}

// newTable is a table that begins where the text beside it does.
func newTable() table.Writer {
	t := NewTable()
	t.Style().Box.PaddingLeft, t.Style().Box.PaddingRight = "", "  "
	return t
}
