package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/text"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/status"
	"greenlight/internal/telnyx"
)

const (
	diffWidth = 80
	// diffAttached is how many attached numbers of a campaign are listed without
	// --all; more are counted.
	diffAttached = 5
)

// String sums the totals up in a sentence.
func (t diffTotals) String() string {
	var parts []string
	count := func(n int, words string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, words))
		}
	}
	count(t.Attach, "to attach")
	count(t.Move, "to move")
	if len(parts) == 0 {
		parts = append(parts, "Nothing to do")
	}
	if t.Conflicts > 0 {
		parts = append(parts, status.Count(t.Conflicts, "conflict"))
	}
	count(t.Unattachable, "that cannot be attached")
	count(t.Waiting, "waiting")
	count(t.Attached, "attached already")
	if t.Extras > 0 {
		parts = append(parts, status.Count(t.Extras, "extra"))
	}
	if t.NotApproved > 0 {
		parts = append(parts, status.Count(t.NotApproved, "campaign")+" not approved")
	}
	if t.Unread > 0 {
		parts = append(parts, status.Count(t.Unread, "campaign")+" that could not be read")
	}
	return strings.Join(parts, ", ") + "; nothing is changed by this command."
}

// quoting makes another's words, such as ids and what Telnyx said, fit to be
// shown.
type quoting func(string) string

// waits says why nothing is done about a campaign.
func (c diffCampaign) waits(quote quoting) string {
	if c.Phase == ledger.PhaseUnread {
		return "The campaign could not be read: " + quote(strings.TrimRight(c.Detail, ".")) + "."
	}
	words := c.Phase.Sentence()
	if c.Detail != "" {
		words += " Details: " + quote(strings.TrimRight(c.Detail, ".")) + "."
	}
	return words + " Nothing is done until then."
}

// what says what would be done about a number, or why not.
func (c diffCampaign) what(n diffNumber, quote quoting) string {
	campaign := "campaign " + quote(n.CampaignID)
	if n.CampaignID == "" {
		campaign = "another campaign"
	}
	status := quote(cmp.Or(string(n.Status), "(no status)"))
	if n.Reason != "" {
		words := string(n.Reason)
		if n.Action == plan.Done {
			words = "attached; " + words
		}
		if n.Detail != "" {
			words += ": " + quote(n.Detail)
		}
		return words
	}
	switch n.Action {
	case plan.Attach:
		if n.Status != "" {
			return "attach; its last assignment failed" + n.notes(quote)
		}
		return "attach" + n.notes(quote)
	case plan.Move:
		return "move from " + campaign + n.notes(quote)
	case plan.Done:
		if n.Status == telnyx.FailedUnassignment {
			return "attached; Telnyx failed to remove it"
		}
		return "attached"
	case plan.Wait:
		if n.Status == telnyx.PendingAssignment {
			return "pending: Telnyx and the carriers are attaching it"
		}
		return "waits: its status is " + status
	case plan.Extra:
		return "on the campaign (" + status + ") and not in its plan; left there"
	}
	return string(n.Action)
}

// notes returns what else there is to know about a change.
func (n diffNumber) notes(quote quoting) string {
	words := ""
	if n.SetProfile != "" {
		words += "; will be put on messaging profile " + quote(n.SetProfile) + " first"
	}
	if n.Detail != "" {
		words += "; " + quote(n.Detail)
	}
	return words
}

// listed returns the numbers to list one by one, and how many attached ones, with
// nothing to be said about them, are only counted.
func (c diffCampaign) listed(all bool) (list []diffNumber, attached int) {
	for _, n := range c.Numbers {
		if n.plainlyAttached() {
			attached++
		} else {
			list = append(list, n)
		}
	}
	if all || attached <= diffAttached {
		return c.Numbers, 0
	}
	return list, attached
}

func (n diffNumber) plainlyAttached() bool {
	return n.Action == plan.Done && n.Status == telnyx.Assigned && n.Reason == ""
}

// writeText writes the report for people, in lines that fit a terminal.
func (r diffReport) writeText(w io.Writer, all, colour bool) error {
	var t diffText
	t.colour = colour
	for _, c := range r.Campaigns {
		t.campaign(c, all)
	}
	for _, reason := range r.Reasons {
		t.wrap("", 2, string(reason.Reason)+": "+reason.Sentence)
	}
	if len(r.Reasons) > 0 {
		t.WriteString("\n")
	}
	t.wrap("", 0, r.Totals.String())
	_, err := io.WriteString(w, t.String())
	return err
}

// diffText is text that is being written.
type diffText struct {
	strings.Builder
	colour bool
}

func (t *diffText) campaign(c diffCampaign, all bool) {
	title := c.Plan + "  " + c.ID + "  " + string(c.Phase)
	if c.Phase != ledger.PhaseApproved && c.Status != "" {
		title += " (" + printable(c.Status) + ")"
	}
	if len(title) <= diffWidth {
		t.WriteString(title + "\n")
	} else {
		t.wrap("", 2, title)
	}
	if c.Phase != ledger.PhaseApproved {
		t.wrap("  ", 2, c.waits(printable))
	} else if len(c.Numbers) == 0 {
		t.wrap("  ", 2, "It has no numbers.")
	}
	list, attached := c.listed(all)
	for _, n := range list {
		number := fmt.Sprintf("%-12s", text.Trim(printable(string(n.Number)), 16))
		t.wrap("  "+n.Sign+" "+number+"  ", len("    "+number+"  "), c.what(n, printable))
	}
	if attached > 0 {
		t.wrap("  "+plan.Done.Sign()+" ", 4, fmt.Sprintf("%d attached; --all lists them", attached))
	}
	t.WriteString("\n")
}

// wrap writes words after a head, in lines that fit; those after the first are
// indented.
func (t *diffText) wrap(head string, indent int, words string) {
	room := diffWidth - max(text.RuneWidthWithoutEscSequences(head), indent)
	if sign := strings.TrimSpace(head); t.colour && sign != "" {
		head = strings.Replace(head, sign, signColours[sign[:1]]+sign+"\x1b[0m", 1)
	}
	for i, line := range strings.Split(text.WrapSoft(words, room), "\n") {
		if i > 0 {
			head = strings.Repeat(" ", indent)
		}
		t.WriteString(head + strings.TrimSpace(line) + "\n")
	}
}

// signColours are the colours of numbers on a terminal: green for attach, cyan
// for move, yellow for waiting, red for what needs a person, magenta for extra;
// what is attached is faint.
var signColours = map[string]string{
	plan.Attach.Sign():   "\x1b[32m",
	plan.Move.Sign():     "\x1b[36m",
	plan.Wait.Sign():     "\x1b[33m",
	plan.Conflict.Sign(): "\x1b[31m",
	plan.Extra.Sign():    "\x1b[35m",
	plan.Done.Sign():     "\x1b[2m",
}

// printable takes out of another's words what would steer a terminal.
func printable(words string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, words)
}

// writeMarkdown writes the report as a comment on a pull request: the totals, then
// a table for each campaign. Everything that another may have written stands in a
// code span, where GitHub takes nothing for markup, links or mentions.
func (r diffReport) writeMarkdown(w io.Writer, all bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### Greenlight: plan diff of %s\n\n%s\n", codeSpan(r.Path), r.Totals)
	for _, c := range r.Campaigns {
		c.writeMarkdown(&b, all)
	}
	if len(r.Reasons) > 0 {
		b.WriteString("\n")
	}
	for _, reason := range r.Reasons {
		fmt.Fprintf(&b, "- %s: %s\n", codeSpan(string(reason.Reason)), reason.Sentence)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (c diffCampaign) writeMarkdown(b *strings.Builder, all bool) {
	fmt.Fprintf(b, "\n#### %s, campaign %s: %s", codeSpan(c.Plan), codeSpan(c.ID), c.Phase)
	if c.Phase != ledger.PhaseApproved && c.Status != "" {
		b.WriteString(" (" + codeSpan(c.Status) + ")")
	}
	b.WriteString("\n\n")
	if c.Phase != ledger.PhaseApproved {
		b.WriteString(c.waits(codeSpan) + "\n")
		return
	}
	if len(c.Numbers) == 0 {
		b.WriteString("It has no numbers.\n")
		return
	}
	b.WriteString("| | number | what would be done |\n| --- | --- | --- |\n")
	list, attached := c.listed(all)
	for _, n := range list {
		what := c.what(n, codeSpanInTable)
		if n.Reason != "" { // a word with underscores
			what = strings.Replace(what, string(n.Reason), codeSpan(string(n.Reason)), 1)
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", codeSpan(n.Sign), codeSpanInTable(string(n.Number)), what)
	}
	if attached > 0 {
		fmt.Fprintf(b, "| %s | %d numbers | attached |\n", codeSpan(plan.Done.Sign()), attached)
	}
}

// codeSpan returns words as a code span. A backtick would end it.
func codeSpan(words string) string {
	words = strings.TrimSpace(strings.ReplaceAll(printable(words), "`", "'"))
	return "`" + cmp.Or(words, "-") + "`"
}

// codeSpanInTable returns words as a code span in a table, where a pipe ends the
// cell even there. It is escaped; a backslash, which no id has, would undo that.
func codeSpanInTable(words string) string { return inTable.Replace(codeSpan(words)) }

var inTable = strings.NewReplacer(`\`, "/", "|", `\|`)

// writeFaultsMarkdown writes the faults of a set of plans as a comment on a pull
// request.
func writeFaultsMarkdown(w io.Writer, found validation) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### Greenlight: plan diff of %s\n\n%s, so nothing was compared.\n\n", codeSpan(found.Path), status.Count(len(found.Faults), "fault"))
	for _, f := range found.Faults {
		fmt.Fprintf(&b, "- %s %s\n", codeSpan(fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)), codeSpan(f.What+": "+f.Why+"; "+f.Fix))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
