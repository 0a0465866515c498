package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/status"
	"greenlight/internal/telnyx"
)

const (
	diffWidth = 80
	// diffAttached is how many attached numbers of a campaign are listed without
	// --all. If there are more, they are only counted.
	diffAttached = 5
)

// String summarizes the totals in a sentence.
func (t diffTotals) String() string {
	var parts []string
	count := func(n int, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
		}
	}
	count(t.Attach, "to attach")
	count(t.Move, "to move")
	count(t.Remove, "to remove")
	changes := len(parts) > 0
	if t.Conflicts > 0 {
		parts = append(parts, status.Count(t.Conflicts, "conflict"))
	}
	count(t.Unattachable, "that cannot be attached")
	count(t.Waiting, "waiting")
	count(t.Attached, "already attached")
	if t.Extras > 0 {
		parts = append(parts, status.Count(t.Extras, "extra"))
	}
	if t.NotApproved > 0 {
		parts = append(parts, status.Count(t.NotApproved, "campaign")+" not approved")
	}
	if t.Unread > 0 {
		parts = append(parts, status.Count(t.Unread, "campaign")+" that could not be read")
	}
	switch {
	case changes:
		return strings.Join(parts, ", ") + "; this command changes nothing."
	case len(parts) == 0:
		return "No changes."
	}
	return "No changes. " + strings.Join(parts, ", ") + "."
}

// quoting escapes text from outside, for example ids and what Telnyx said.
type quoting func(string) string

// whyWaiting says why nothing is done about a campaign.
func (c diffCampaign) whyWaiting(quote quoting) string {
	if c.Phase == ledger.PhaseUnread {
		return "The campaign could not be read: " + quote(strings.TrimRight(c.Detail, ".")) + "."
	}
	sentence := c.Phase.Sentence()
	if c.Detail != "" {
		sentence += " Details: " + quote(strings.TrimRight(c.Detail, ".")) + "."
	}
	return sentence + " Until then, nothing is done."
}

// describe says what would be done about a number, or why nothing is.
func (n diffNumber) describe(quote quoting) string {
	campaign := "campaign " + quote(n.CampaignID)
	if n.CampaignID == "" {
		campaign = "another campaign"
	}
	assignment := quote(cmp.Or(string(n.Status), "(no status)"))
	if n.Reason != "" {
		reason := string(n.Reason)
		if n.Action == plan.Done {
			reason = "attached; " + reason
		}
		if n.Detail != "" {
			reason += ": " + quote(n.Detail)
		}
		return reason
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
		return "waits: its status is " + assignment
	case plan.Remove:
		return "remove (" + assignment + "); its entry attached it and no longer names it"
	case plan.Extra:
		return "on the campaign (" + assignment + ") but not in its plan; left there"
	}
	return string(n.Action)
}

// notes returns the details of a change.
func (n diffNumber) notes(quote quoting) string {
	notes := ""
	if n.SetProfile != "" {
		notes += "; will be put on messaging profile " + quote(n.SetProfile) + " first"
	}
	if n.Detail != "" {
		notes += "; " + quote(n.Detail)
	}
	return notes
}

// listed returns the numbers to list one by one, and how many attached numbers are only
// counted.
func (c diffCampaign) listed(all bool) (list []diffNumber, attached int) {
	for _, n := range c.Numbers {
		if n.Action == plan.Done && n.Status == telnyx.Assigned && n.Reason == "" {
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

// writeText writes the report for people, in lines that fit a terminal.
func (r diffReport) writeText(w io.Writer, all, color bool) error {
	var t diffText
	t.color = color
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

// diffText builds the text form of a report.
type diffText struct {
	strings.Builder
	color bool
}

func (t *diffText) campaign(c diffCampaign, all bool) {
	title := c.Plan + "  " + c.ID + "  " + string(c.Phase)
	if c.Phase != ledger.PhaseApproved && c.Status != "" {
		title += " (" + status.Harmless(c.Status) + ")"
	}
	if len(title) <= diffWidth {
		t.WriteString(title + "\n")
	} else {
		t.wrap("", 2, title)
	}
	if c.Phase != ledger.PhaseApproved {
		t.wrap("  ", 2, c.whyWaiting(status.Harmless))
	} else if len(c.Numbers) == 0 {
		t.wrap("  ", 2, "It has no numbers.")
	}
	list, attached := c.listed(all)
	for _, n := range list {
		number := fmt.Sprintf("%-12s", text.Trim(status.Harmless(string(n.Number)), 16))
		t.wrap("  "+n.Sign+" "+number+"  ", len("    "+number+"  "), n.describe(status.Harmless))
	}
	if attached > 0 {
		t.wrap("  "+plan.Done.Sign()+" ", 4, fmt.Sprintf("%d attached; --all lists them", attached))
	}
	t.WriteString("\n")
}

// wrap writes a sentence after a head, in lines that fit. Lines after the first are
// indented.
func (t *diffText) wrap(head string, indent int, sentence string) {
	if sign := strings.TrimSpace(head); t.color && sign != "" {
		head = strings.Replace(head, sign, signColors[sign[:1]]+sign+"\x1b[0m", 1)
	}
	status.Hang(&t.Builder, head, strings.Repeat(" ", indent), sentence, diffWidth)
}

// signColors are the terminal colors of signs: green for attach, cyan for move, yellow
// for waiting, red for a conflict or a removal, magenta for extra, faint for attached.
var signColors = map[string]string{
	plan.Attach.Sign():   "\x1b[32m",
	plan.Move.Sign():     "\x1b[36m",
	plan.Wait.Sign():     "\x1b[33m",
	plan.Conflict.Sign(): "\x1b[31m",
	plan.Extra.Sign():    "\x1b[35m",
	plan.Remove.Sign():   "\x1b[31m",
	plan.Done.Sign():     "\x1b[2m",
}

// writeMarkdown writes the report as a comment on a pull request: the totals, then a
// table for each campaign. Text from outside is put into code spans, where GitHub
// interprets no markup, links or mentions.
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
		b.WriteString(c.whyWaiting(codeSpan) + "\n")
		return
	}
	if len(c.Numbers) == 0 {
		b.WriteString("It has no numbers.\n")
		return
	}
	b.WriteString("| | number | what would be done |\n| --- | --- | --- |\n")
	list, attached := c.listed(all)
	for _, n := range list {
		what := n.describe(codeSpanInTable)
		if n.Reason != "" { // underscores would be markup
			what = strings.Replace(what, string(n.Reason), codeSpan(string(n.Reason)), 1)
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", codeSpan(n.Sign), codeSpanInTable(string(n.Number)), what)
	}
	if attached > 0 {
		fmt.Fprintf(b, "| %s | %d numbers | attached |\n", codeSpan(plan.Done.Sign()), attached)
	}
}

// codeSpan returns text as a code span. Backticks, which would end it, are replaced.
func codeSpan(content string) string {
	content = strings.TrimSpace(strings.ReplaceAll(status.Harmless(content), "`", "'"))
	return "`" + cmp.Or(content, "-") + "`"
}

// codeSpanInTable returns text as a code span for a table cell. Even in a code span a
// pipe would end the cell, and a backslash would undo its escape.
func codeSpanInTable(content string) string { return inTable.Replace(codeSpan(content)) }

var inTable = strings.NewReplacer(`\`, "/", "|", `\|`)

// writeFaultsMarkdown writes the faults of plans as a comment on a pull request.
func writeFaultsMarkdown(w io.Writer, found validation) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### Greenlight: plan diff of %s\n\n%s, so nothing was compared.\n\n", codeSpan(found.Path), status.Count(len(found.Faults), "fault"))
	for _, f := range found.Faults {
		fmt.Fprintf(&b, "- %s %s\n", codeSpan(fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)), codeSpan(f.What+": "+f.Why+"; "+f.Fix))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
