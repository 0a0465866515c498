package status

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"greenlight/internal/ledger"
)

const (
	// minWidth is the width of the text in columns, unless the terminal is wider.
	minWidth = 80
	// maxProse bounds the lines of sentences, in columns: longer ones are hard to read.
	maxProse = 100
	// maxNumbers bounds what is listed in a sentence.
	maxNumbers = 3
	// maxCampaigns bounds the campaigns in the table of everything.
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
	// Width is the width of the terminal in columns. The default and the minimum are 80.
	Width int
	// Rows is the maximum of lines in an overview or of campaigns. Problems are shown first,
	// and what is left out is counted. Zero is no limit.
	Rows int
	// Command shows all that Rows leaves out.
	Command string
}

// WriteText writes the snapshot: what stops everything, a table of the campaigns with
// problems first, and what is not done. For that it says why, what happens next and when,
// and what a person should do. The level of detail depends on [Snapshot.About].
func (s Snapshot) WriteText(w io.Writer, o TextOptions) error {
	columns := max(o.Width, minWidth)
	t := textOf{now: s.At.In(cmp.Or(o.Zone, time.UTC)), resync: s.NextResync, color: o.Color, columns: columns, width: min(columns, maxProse), rows: o.Rows, command: o.Command}
	t.alerts(s)
	switch {
	case len(s.Campaigns) == 0 && (len(s.LedgerMissing) > 0 || s.PlanFault != ""):
	case len(s.Campaigns) == 0 && (s.PlanPending || s.Ran && s.PlanHash == ""):
		t.wrap("", "The ledger has no campaigns yet: no assigner has read all of the plans.")
	case len(s.Campaigns) == 0:
		t.wrap("", "Nothing is planned yet, or no assigner has run. Put a plan file into config/plans and start greenlight up.")
	case s.Focus == FocusNumber:
		for i, c := range s.Campaigns {
			t.gap(i > 0)
			t.number(c, c.Numbers[0])
		}
	case s.Focus == FocusCampaign:
		t.named(s)
	default:
		t.overview(s)
	}
	written := strings.TrimRight(t.String(), "\n") + "\n"
	_, err := io.WriteString(w, written)
	return err
}

// textOf builds the text of a snapshot.
type textOf struct {
	strings.Builder
	now    time.Time
	resync time.Time
	color  bool
	// columns is the width of tables, width that of sentences.
	columns, width int
	rows           int
	command        string
}

func (t *textOf) wrap(indent, sentence string) { Wrap(&t.Builder, indent, sentence, t.width) }

func (t *textOf) hang(first, indent, sentence string) {
	Hang(&t.Builder, first, indent, sentence, t.width)
}

// alerts writes what concerns all campaigns. It comes first, so that it is seen on a small
// screen too.
func (t *textOf) alerts(s Snapshot) {
	if !s.Held.IsZero() {
		for _, sentence := range HoldSentences(s.Held, s.names(), t.now) {
			t.wrap("", sentence)
		}
		t.wrap("", "No new write request is sent to Telnyx until you run greenlight resume. Events are still stored.")
		t.gap(true)
	}
	if len(s.LedgerMissing) > 0 {
		t.wrap("", MissingSentence(s.LedgerMissing))
		t.gap(true)
	}
	if s.Idle && s.PlanFault == "" && (len(s.Campaigns) > 0 || s.EventsWaiting > 0) {
		t.wrap("", IdleSentence(s.EventsWaiting))
		t.gap(true)
	}
	if s.PlanFault != "" {
		t.wrap("", PlanFaultSentence(s.Idle, s.EventsWaiting))
		t.detail("  ", "", s.PlanFault)
		t.hang("  To do:  ", "          ", "Fix it; greenlight plan validate lists every error.")
		t.gap(true)
	}
	if s.PlanPending {
		t.wrap("", "The plan has changed, and not all of its campaigns have been checked yet.")
		t.gap(true)
	}
	for _, c := range s.Campaigns {
		if sentence := c.EndSentence(t.now); sentence != "" {
			t.wrap("", sentence)
			t.gap(true)
		}
	}
	if s.DeadLetters > 0 && s.Focus == FocusAll {
		t.wrap("", Count(int(s.DeadLetters), "dead letter")+". To review, run greenlight deadletters list.")
		t.gap(true)
	}
}

// overview shows what is not done, beginning with what needs a person. Campaigns that are
// done take one line together.
func (t *textOf) overview(s Snapshot) {
	t.wrap("", s.headline())
	t.gap(true)
	var done []string
	for _, c := range s.Campaigns {
		if c.done() {
			done = append(done, name(c))
		}
	}
	shown := slices.Clone(s.Campaigns)
	if len(done) > 1 {
		shown = slices.DeleteFunc(shown, Campaign.done)
	}
	slices.SortStableFunc(shown, func(a, b Campaign) int { return trueFirst(a.WaitsForPerson(), b.WaitsForPerson()) })
	doneLine := ""
	if len(done) > 1 {
		doneLine = t.part(func(t *textOf) { t.wrap("", Count(len(done), "campaign")+" done: "+listed(done)+".") })
	}
	causes := t.causes(shown)
	if t.rows > 0 {
		t.fit(shown, doneLine, causes)
		return
	}
	t.WriteString(t.campaigns(shown[:min(len(shown), maxCampaigns)]))
	t.gap(len(shown) > 0 && doneLine != "")
	t.WriteString(doneLine)
	if more := len(shown) - maxCampaigns; more > 0 {
		t.wrap("", Count(more, "more campaign")+" not done. Name a plan, campaign or number to see it; --json has all.")
	}
	for _, c := range causes {
		t.WriteString("\n" + c.text)
	}
}

// PlanFaultSentence says what it means that the plan files cannot be used. Without an
// assigner that works, no set is in force. Waiting counts the events that wait for one.
func PlanFaultSentence(idle bool, waiting int) string {
	switch {
	case !idle:
		return "The plan files cannot be used; the last good set stays in force."
	case waiting == 0:
		return "The plan files cannot be used, and no plan set is in force: nothing is checked or attached."
	default:
		return "The plan files cannot be used, and no plan set is in force: nothing is checked or attached. Stored and waiting: " + Count(waiting, "event") + "."
	}
}

// part returns what write writes, as a text with the same options.
func (t *textOf) part(write func(*textOf)) string {
	part := textOf{now: t.now, resync: t.resync, color: t.color, columns: t.columns, width: t.width}
	write(&part)
	return part.String()
}

// fit writes the table, the line of finished campaigns and the causes into what is left of
// the rows: campaigns and causes that need a person first, then as much else as there is
// room for. The last line counts the rest.
func (t *textOf) fit(shown []Campaign, doneLine string, causes []cause) {
	room := t.rows - lines(t.String()) - 1
	rows := 0
	for rows < len(shown) && shown[rows].WaitsForPerson() && lines(t.campaigns(shown[:rows+1])) <= max(room/2, 3) {
		rows++
	}
	room -= lines(t.campaigns(shown[:rows]))
	var fitting []cause
	take := func(problems bool) {
		for _, c := range causes {
			if c.problem == problems && 1+lines(c.text) <= room {
				fitting, room = append(fitting, c), room-1-lines(c.text)
			}
		}
	}
	take(true)
	for rows < len(shown) {
		more := lines(t.campaigns(shown[:rows+1])) - lines(t.campaigns(shown[:rows]))
		if more > room {
			break
		}
		rows, room = rows+1, room-more
	}
	if doneLine != "" && 1+lines(doneLine) <= room {
		room -= 1 + lines(doneLine)
	} else {
		doneLine = ""
	}
	take(false)
	t.WriteString(t.campaigns(shown[:rows]))
	t.gap(rows > 0 && doneLine != "")
	t.WriteString(doneLine)
	for _, c := range fitting {
		t.WriteString("\n" + c.text)
	}
	t.leftOut(count{len(shown) - rows, "more campaign"}, count{len(causes) - len(fitting), "more explanation"})
}

// count is how many there are of something.
type count struct {
	n    int
	noun string
}

// lines counts the lines of a text.
func lines(text string) int { return strings.Count(text, "\n") }

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

// ExtrasSentence says that a campaign has numbers that are not in its plan.
const ExtrasSentence = "The campaign has numbers that are not in its plan. Greenlight does not change them; greenlight plan diff names them."

// extras counts the numbers that are on a campaign and not in its plan, and names the first.
func extras(c Campaign, limit int) string {
	words := Count(c.Extras, "number")
	if len(c.ExtraNumbers) == 0 {
		return words // recorded by an earlier version
	}
	named := c.ExtraNumbers[:min(len(c.ExtraNumbers), limit)]
	words += ", " + strings.Join(named, ", ")
	if more := c.Extras - len(named); more > 0 {
		words += fmt.Sprintf(" and %d more", more)
	}
	return words
}

// needPerson says that n numbers need a person.
func needPerson(n int) string {
	if n == 1 {
		return "1 needs a person"
	}
	return fmt.Sprintf("%d need a person", n)
}

// done reports whether there is nothing more to do for a campaign, nor to say about it.
func (c Campaign) done() bool {
	return c.isQuiet() && c.Extras == 0 && !c.WaitsForPerson() && c.Counts[ledger.Sendable] == len(c.Numbers)
}

// trueFirst compares two values: true comes first.
func trueFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	default:
		return 1
	}
}

// cause is one explanation of what is not done. Problem means that it needs a person.
type cause struct {
	text    string
	problem bool
}

// causes says why campaigns are not done, each cause once, problems first.
func (t *textOf) causes(campaigns []Campaign) (causes []cause) {
	add := func(problem bool, write func(*textOf)) {
		causes = append(causes, cause{t.part(write), problem})
	}
	type condition struct {
		sentence string
		reason   ledger.Reason
	}
	var conditions []condition
	of := map[condition][]Campaign{}
	var withExtras []Campaign
	for _, c := range campaigns {
		if c.Extras > 0 {
			withExtras = append(withExtras, c)
		}
		if c.isQuiet() {
			continue
		}
		at := condition{c.Sentence, c.Reason}
		if of[at] == nil {
			conditions = append(conditions, at)
		}
		of[at] = append(of[at], c)
	}
	for _, at := range conditions {
		var names []string
		for _, c := range of[at] {
			names = append(names, name(c))
		}
		add(of[at][0].Campaign.NeedsPerson(), func(t *textOf) {
			t.wrap("", Count(len(names), "campaign")+": "+listed(names))
			t.wrap("  ", at.sentence)
			t.reason("  ", at.reason)
			for i, c := range of[at][:min(len(names), maxNumbers)] {
				about := names[i]
				if len(names) == 1 {
					about = ""
				}
				t.detail("  ", about, c.Detail)
			}
		})
	}
	for _, g := range groups(campaigns...) {
		add(g.NeedsPerson, func(t *textOf) { t.group("", "", g, maxNumbers) })
	}
	if len(withExtras) > 0 {
		add(false, func(t *textOf) { t.extras(withExtras) })
	}
	slices.SortStableFunc(causes, func(a, b cause) int { return trueFirst(a.problem, b.problem) })
	return causes
}

// extras names the numbers that are on campaigns and not in their plans.
func (t *textOf) extras(campaigns []Campaign) {
	t.wrap("", "Numbers that are not in the plan. Greenlight does not change them. To list all, run greenlight status PLAN.")
	for _, c := range campaigns[:min(len(campaigns), maxNumbers)] {
		t.hang("  ", "    ", name(c)+": "+extras(c, maxNumbers))
	}
	if more := len(campaigns) - maxNumbers; more > 0 {
		t.wrap("  ", "and on "+Count(more, "more campaign"))
	}
}

// isQuiet reports whether the campaign, apart from its numbers, needs no explanation.
func (c Campaign) isQuiet() bool {
	return c.Phase == ledger.PhaseApproved && c.Reason == "" && c.Planned
}

// reason explains a reason of a campaign, if there is one.
func (t *textOf) reason(indent string, reason ledger.Reason) {
	if reason != "" {
		t.advice(indent, reason.Advice(), "")
	}
}

// gap writes an empty line, if wanted.
func (t *textOf) gap(wanted bool) {
	if wanted {
		t.WriteString("\n")
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

// campaigns is the table of campaigns. The name is shortened first when there is too
// little room, and counts are never cut.
func (t *textOf) campaigns(campaigns []Campaign) string {
	if len(campaigns) == 0 {
		return ""
	}
	const (
		minName, minCounts = 12, 20
		// A name of this length is worth more than the bar.
		someName = 24
	)
	others, names, counts := newTable(), 0, 0
	others.AppendHeader(table.Row{"phase", "attached", "next"})
	next := func(c Campaign) string { return text.WrapSoft(t.nextOfCampaign(c), max(20, (t.columns-minWidth)/2)) }
	for _, c := range campaigns {
		others.AppendRow(table.Row{t.paintPhase(c), share(c, false), next(c)})
		names, counts = max(names, columnsOf(name(c))), max(counts, columnsOf(strings.Join(t.counts(c), ", ")))
	}
	room := t.columns - text.LongestLineLen(others.Render()) - 2*len("  ")
	roomForNames := func() int { return room - min(counts, max(minCounts, room/2)) }
	bars := roomForNames()-barWidth >= min(names, someName)
	if bars {
		room -= barWidth
	}
	names = min(names, max(roomForNames(), minName))
	w := newTable()
	w.AppendHeader(table.Row{"plan", "phase", "attached", "numbers", "next"})
	short := shorten(campaigns, names)
	for i, c := range campaigns {
		w.AppendRow(table.Row{short[i], t.paintPhase(c), share(c, bars), fill(t.counts(c), room-names), next(c)})
	}
	return w.Render() + "\n"
}

func columnsOf(content string) int { return text.RuneWidthWithoutEscSequences(content) }

// shorten cuts the middle out of the names that are too long. It looks for a cut that leaves
// different names different, if need be without the end that they have in common.
func shorten(campaigns []Campaign, limit int) []string {
	var names []string
	for _, c := range campaigns {
		names = append(names, name(c))
	}
	half := (limit - 1) / 2
	for i := range half { // first from the middle, then with longer ends
		if short := shortenAll(names, "", half-i, limit); distinct(short) == distinct(names) {
			return short
		}
	}
	if short := shortenAll(names, commonEnd(names, limit), half, limit); distinct(short) == distinct(names) {
		return short
	}
	return shortenAll(names, "", half, limit)
}

// shortenAll shortens the names that are too long to so many columns, of which head are
// their beginning. A common end is left out.
func shortenAll(names []string, end string, head, limit int) []string {
	short := slices.Clone(names)
	for i, name := range names {
		switch {
		case columnsOf(name) <= limit:
		case end == "":
			short[i] = cutMiddle(name, head, limit)
		default:
			short[i] = cutMiddle(strings.TrimSuffix(name, end), head-1, limit-1) + "…"
		}
	}
	return short
}

// commonEnd is what all names that are too long have as their end.
func commonEnd(names []string, limit int) string {
	end, first := "", true
	for _, name := range names {
		if columnsOf(name) <= limit {
			continue
		}
		if first {
			end, first = name, false
		}
		for !strings.HasSuffix(name, end) {
			_, size := utf8.DecodeRuneInString(end)
			end = end[size:]
		}
	}
	return end
}

func distinct(names []string) int {
	return len(slices.Compact(slices.Sorted(slices.Values(names))))
}

// cutMiddle shortens a name to so many columns, of which head are its beginning.
func cutMiddle(name string, head, limit int) string {
	if columnsOf(name) <= limit {
		return name
	}
	runes := []rune(name)
	tail := len(runes)
	for tail > 0 && columnsOf(string(runes[tail-1:])) <= limit-1-head {
		tail--
	}
	return text.Trim(name, head) + "…" + string(runes[tail:])
}

// fill joins counts in lines of at most so many columns. No count is split.
func fill(counts []string, limit int) string {
	whole := make([]string, len(counts))
	for i, count := range counts {
		whole[i] = strings.ReplaceAll(count, " ", "_")
	}
	return strings.ReplaceAll(text.WrapSoft(strings.Join(whole, ", "), limit), "_", " ")
}

func name(c Campaign) string {
	if !c.Planned {
		return Plain("(no plan) "+c.ID, 60)
	}
	return Plain(c.Plan, 60)
}

// barWidth is the width of a bar and the blank after it.
const barWidth = 9

// share says how many numbers are on the campaign, if wanted with a bar.
func share(c Campaign, withBar bool) string {
	total := len(c.Numbers)
	if total == 0 {
		return ""
	}
	said := fmt.Sprintf("%d/%d", c.On(), total)
	if !withBar {
		return said
	}
	full := (barWidth - 1) * c.On() / total
	return strings.Repeat("█", full) + strings.Repeat("░", barWidth-1-full) + " " + said
}

// counts counts a campaign's numbers by state, and those that need a person.
func (t *textOf) counts(c Campaign) []string {
	var parts []string
	if n := c.needPerson(); n > 0 {
		parts = append(parts, t.paint(ledger.Number{NeedsPerson: true}, needPerson(n)))
	}
	for _, state := range ledger.States() {
		n := c.Counts[state]
		if state == ledger.Planned && c.Queued > 0 {
			parts = append(parts, t.paint(ledger.Number{}, fmt.Sprintf("%d queued", c.Queued)))
			n -= c.Queued
		}
		if n > 0 {
			parts = append(parts, t.paint(ledger.Number{State: state}, fmt.Sprintf("%d %s", n, state)))
		}
	}
	if c.Extras > 0 {
		parts = append(parts, fmt.Sprintf("%d not in plan", c.Extras))
	}
	if len(parts) == 0 {
		return []string{"none"}
	}
	return parts
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
	like := ledger.Number{NeedsPerson: c.Campaign.NeedsPerson()}
	if c.Phase == ledger.PhaseApproved {
		like.State = ledger.Attached
	}
	return t.paint(like, Plain(string(c.Phase), 9))
}

// nextOfCampaign says how long its queue takes, or when the campaign is checked next.
func (t *textOf) nextOfCampaign(c Campaign) string {
	if pace := c.Pace.Words(); pace != "" {
		return pace
	}
	next := earliest(c.Numbers)
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

// named writes everything about the campaigns that were named, if there is room for it.
func (t *textOf) named(s Snapshot) {
	all := t.part(func(t *textOf) {
		t.WriteString(t.campaigns(s.Campaigns))
		for _, c := range s.Campaigns {
			t.campaign(c)
		}
	})
	switch {
	case t.rows == 0 || lines(t.String())+lines(all) <= t.rows:
		t.WriteString(all)
	case len(s.Campaigns) == 1:
		t.fitCampaign(s.Campaigns[0])
	default:
		t.overview(s)
	}
}

// campaign writes everything about one campaign.
func (t *textOf) campaign(c Campaign) {
	t.gap(true)
	t.title(cmp.Or(c.Plan, "(no plan)"), c.ID)
	t.facts(c)
	t.condition(c)
	t.gap(len(c.Numbers) > 0)
	t.WriteString(t.numbers(c.Numbers))
	for _, g := range groups(c) {
		t.gap(true)
		t.group("  ", c.Detail, g, 10)
	}
}

// fitCampaign writes as much about one campaign as there is room for: explanations, then
// numbers, both with those that need a person first. The last line counts the rest.
func (t *textOf) fitCampaign(c Campaign) {
	t.WriteString(t.campaigns([]Campaign{c}))
	t.gap(true)
	t.title(cmp.Or(c.Plan, "(no plan)"), c.ID)
	causes := []cause{{t.part(func(t *textOf) { t.condition(c) }), c.Campaign.NeedsPerson()}}
	for _, g := range groups(c) {
		causes = append(causes, cause{t.part(func(t *textOf) { t.group("  ", c.Detail, g, maxNumbers) }), g.NeedsPerson})
	}
	slices.SortStableFunc(causes, func(a, b cause) int { return trueFirst(a.problem, b.problem) })
	// The table has an empty line, the heads of its columns, and a line below them.
	const tableHead = 3
	room, left := t.rows-lines(t.String())-tableHead-1, 0
	minNumbers := min(max(c.needPerson(), 1), 5)
	for i, cause := range causes {
		if left > 0 || lines(cause.text)+1 > room-minNumbers {
			left++
			continue
		}
		t.gap(i > 0)
		t.WriteString(cause.text)
		room -= lines(cause.text) + 1
	}
	numbers := slices.Clone(c.Numbers)
	slices.SortStableFunc(numbers, func(a, b Number) int {
		return cmp.Or(trueFirst(a.NeedsPerson, b.NeedsPerson), trueFirst(a.State != ledger.Sendable, b.State != ledger.Sendable))
	})
	shown := min(len(numbers), max(room, 0))
	t.gap(shown > 0)
	t.WriteString(t.numbers(numbers[:shown]))
	t.leftOut(count{len(numbers) - shown, "more number"}, count{left, "more explanation"})
}

// leftOut counts what there is no room for, and says what shows it.
func (t *textOf) leftOut(counts ...count) {
	var more []string
	for _, p := range counts {
		if p.n > 0 {
			more = append(more, Count(p.n, p.noun))
		}
	}
	if len(more) > 0 {
		t.WriteString("… " + strings.Join(more, ", ") + ": " + t.command + "\n")
	}
}

// condition says what holds of the whole campaign.
func (t *textOf) condition(c Campaign) {
	t.wrap("  ", c.Sentence)
	t.reason("  ", c.Reason)
	t.detail("  ", "", c.Detail)
	if c.Extras > 0 {
		t.hang("  ", "  ", "On the campaign, but not in the plan: "+extras(c, ledger.MaxExtraNumbers)+". Greenlight does not change them.")
	}
}

func (t *textOf) title(first, second string) {
	line := Plain(first, 60) + "  " + Plain(second, 60)
	if !t.color || columnsOf(line) > t.width {
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
	t.fact("Telnyx says", strings.TrimSuffix(c.Status+": "+c.Stage, ": "), "")
	t.fact("Carriers", CarriersText(c.Carriers), "")
	t.fact("Since", since(t.now, c.Since), "")
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
	t.hang(fmt.Sprintf("  %-12s ", label), strings.Repeat(" ", 15), Plain(value, maxDetail))
}

// numbers is a table of numbers.
func (t *textOf) numbers(numbers []Number) string {
	w := newTable()
	w.AppendHeader(table.Row{"number", "state", "reason", "for", "person", "next try"})
	for _, n := range numbers {
		w.AppendRow(table.Row{n.Number.Number, t.paint(n.Number, string(n.State)), n.Reason, t.forHowLong(n), neededWord(n), t.nextOf(n)})
	}
	if w.Length() == 0 {
		return ""
	}
	return w.Render() + "\n"
}

// forHowLong says for how long a number has been in its state.
func (t *textOf) forHowLong(n Number) string {
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
	return cmp.Or(n.Turn.Words(), Until(t.now, n.NextAt), "at the resync")
}

// group is a set of numbers with the same explanation.
type group struct {
	ledger.NumberKind
	ledger.Advice
	numbers []Number
}

// rank is the place of a reason in the documented order. No reason comes last.
func rank(reason ledger.Reason) int {
	order := ledger.Reasons()
	if i := slices.Index(order, reason); i >= 0 {
		return i
	}
	return len(order)
}

// groups groups the numbers that need an explanation, those that need a person first, then
// in the order of their reasons.
func groups(campaigns ...Campaign) (all []group) {
	for _, c := range campaigns {
		for _, n := range c.Numbers {
			saidAbove := n.Reason != "" && (n.Reason == c.Reason || n.Reason == c.Phase.Reason() && !n.IsOn())
			if n.Reason == "" && n.Detail == "" || saidAbove {
				continue
			}
			kind, advice := n.Kind(), ledger.Advice{Why: n.Why, Next: n.Next, Action: n.Action}
			if n.Reason != "" && n.Reason == c.Phase.Reason() {
				advice.Next, advice.Action, n.Detail = "", "", "" // said of the campaign
			}
			i := slices.IndexFunc(all, func(g group) bool { return g.NumberKind == kind && g.Advice == advice })
			if i < 0 {
				i, all = len(all), append(all, group{NumberKind: kind, Advice: advice})
			}
			all[i].numbers = append(all[i].numbers, n)
		}
	}
	slices.SortStableFunc(all, func(a, b group) int {
		return cmp.Or(trueFirst(a.NeedsPerson, b.NeedsPerson), cmp.Compare(rank(a.Reason), rank(b.Reason)))
	})
	return all
}

// earliest is the earliest next check of some numbers, zero if none has one.
func earliest(numbers []Number) (next time.Time) {
	for _, n := range numbers {
		if !n.NextAt.IsZero() && (next.IsZero() || n.NextAt.Before(next)) {
			next = n.NextAt
		}
	}
	return next
}

// group writes the explanation of a group, then at most so many of Telnyx's details about
// its numbers, without the one that was written before.
func (t *textOf) group(indent, before string, g group, maxDetails int) {
	head := headOf(ledger.Number{State: g.State, Reason: g.Reason, NeedsPerson: g.NeedsPerson})
	t.hang(indent, indent+"  ", fmt.Sprintf("%s: %s", head, named(g.numbers)))
	when, left := nextSentence(g.State, Until(t.now, earliest(g.numbers))), 0
	for _, n := range g.numbers {
		left = max(left, n.EstimatedSeconds)
	}
	if left > 0 {
		when = " The last one is due in " + about(left) + "."
	}
	t.advice(indent+"  ", g.Advice, when)
	shown := map[string]bool{}
	omitted := 0
	for _, n := range g.numbers {
		switch {
		case n.Detail == "" || shown[n.Detail] || n.Detail == before:
		case len(shown) == maxDetails:
			omitted++
		default:
			shown[n.Detail] = true
			t.detail(indent+"  ", n.Number.Number, n.Detail)
		}
	}
	if omitted > 0 {
		t.wrap(indent+"  ", fmt.Sprintf("%d more have details; --json shows all.", omitted))
	}
}

// named lists the first numbers, and counts them.
func named(numbers []Number) string {
	var all []string
	for _, n := range numbers {
		all = append(all, n.Number.Number)
	}
	if len(all) == 1 {
		return all[0]
	}
	return Count(len(all), "number") + ", " + listed(all)
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
	if a.Next+when != "" {
		t.hang(indent+"Next:   ", indent+"        ", strings.TrimSpace(a.Next+when))
	}
	if a.Action != "" {
		t.hang(indent+"To do:  ", indent+"        ", a.Action)
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
	t.hang(indent+"Detail: ", indent+"        ", Plain(detail, maxDetail))
}

// number writes everything about one number.
func (t *textOf) number(c Campaign, n Number) {
	t.WriteString(n.Number.Number + "  " + t.paint(n.Number, headOf(n.Number)) + "\n")
	next := cmp.Or(n.Turn.Words(), Until(t.now, n.NextAt))
	if next == "" && n.State != ledger.Sendable && strings.Contains(n.Next, "resync") {
		next = t.nextResync()
	}
	when := nextSentence(n.State, next)
	if n.Position > 0 {
		when = " Its turn: " + next + "."
	}
	t.advice("  ", ledger.Advice{Why: n.Why, Next: n.Next, Action: n.Action}, when)
	t.detail("  ", "", n.Detail)
	t.gap(true)
	t.fact("Plan", strings.TrimSuffix(Plain(n.Plan, 60)+", "+n.PlanPlace, ", "), n.PlanHash)
	t.fact("Campaign", fmt.Sprintf("%s, %s", Plain(c.ID, 60), c.Phase), "")
	t.fact("State since", since(t.now, n.Since), "")
	t.fact("Telnyx says", n.Status, "")
	if n.TMobile != "" || n.NonTMobile != "" {
		t.fact("Carriers", fmt.Sprintf("T-Mobile %s, others %s", cmp.Or(n.TMobile, "not known"), cmp.Or(n.NonTMobile, "not known")), "")
	}
	if r := n.Request; r.Sent != "" {
		t.fact("Request", fmt.Sprintf("%s at %s; %s", r.Sent, Clock(t.now, r.At), cmp.Or(string(r.Outcome), "no answer known")), "")
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
