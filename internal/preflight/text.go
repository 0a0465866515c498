package preflight

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"greenlight/internal/ledger"
	"greenlight/internal/status"
)

const (
	// width is the width of the text in columns. Paths longer than pathRoom make it wider,
	// because a link must not be cut.
	width    = 80
	pathRoom = 36
)

// WriteText writes the report for people: campaigns, findings, notes and a summary.
func (r Report) WriteText(w io.Writer) error {
	var b strings.Builder
	if len(r.Campaigns) > 0 {
		b.WriteString(r.campaignTable() + "\n\n")
	}
	if len(r.Findings) > 0 {
		b.WriteString(r.findingTable() + "\n\n")
	}
	for _, g := range r.groups() {
		status.Wrap(&b, "", g.String(), width)
	}
	if len(r.Notes) > 0 {
		b.WriteString("\n")
	}
	status.Wrap(&b, "", r.summary(), width)
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Report) summary() string {
	numbers := 0
	for _, c := range r.Campaigns {
		numbers += c.Planned
	}
	about := status.Count(len(r.Campaigns), "campaign") + " and " + status.Count(numbers, "number")
	if r.Clean {
		return "No problems found in " + about + "."
	}
	return status.Count(len(r.Findings), "finding") + " about " + about + "."
}

func (r Report) campaignTable() string {
	t := status.NewTable()
	// That leaves 10 for "numbers" and 8 for the phase, with blanks between.
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 1, WidthMax: 16}, {Number: 2, WidthMax: 36}})
	t.AppendHeader(table.Row{"plan", "campaign, and its webhookURL", "phase", "numbers"})
	for _, c := range r.Campaigns {
		url := "no webhookURL"
		if c.Phase == ledger.PhaseMissing || c.Phase == ledger.PhaseUnread {
			url = ""
		} else if c.WebhookURL != "" {
			url = status.Harmless(c.WebhookURL)
		}
		t.AppendRow(table.Row{c.Plan, strings.TrimSpace(c.ID + "\n" + url), c.Phase, c.room()})
	}
	return t.Render()
}

// room returns the counts of planned and other numbers, and the maximum.
func (c Campaign) room() string {
	others := ""
	if c.Others > 0 {
		others = "\n" + status.Count(c.Others, "other")
	}
	return fmt.Sprintf("%d planned%s\nof %d", c.Planned, others, c.MaxNumbers)
}

// findingTable returns the table of findings. A finding with the same text as an earlier one
// refers to that.
func (r Report) findingTable() string {
	place := 0
	for _, f := range r.Findings {
		place = max(place, utf8.RuneCountInString(f.Position.String()))
	}
	const around = 4               // blanks beside and between the columns
	said := map[[3]string]string{} // the first number or campaign with this text
	t := status.NewTable()
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 2, WidthMax: width - around - min(place, pathRoom), WidthMaxEnforcer: text.WrapSoft}})
	t.AppendHeader(table.Row{"where", "finding"})
	for _, f := range r.Findings {
		key := [3]string{string(f.Code), f.Why, f.Fix}
		sentence := f.Sentence()
		if first, again := said[key]; again {
			sentence = f.What + ": same as " + first + " above."
		} else {
			said[key] = f.What
		}
		t.AppendRow(table.Row{f.Position, status.Harmless(string(f.Code) + ": " + sentence)})
	}
	return t.Render()
}

// group is a note about several numbers.
type group struct {
	Note
	numbers []string
}

func (r Report) groups() []*group {
	var groups []*group
	known := map[Note]*group{}
	for _, n := range r.Notes {
		key := n
		key.Number = ""
		if known[key] == nil {
			known[key] = &group{Note: key}
			groups = append(groups, known[key])
		}
		known[key].numbers = append(known[key].numbers, string(n.Number))
	}
	return groups
}

// String returns the note with the first few numbers.
func (g *group) String() string {
	const limit = 3
	shown := strings.Join(g.numbers[:min(len(g.numbers), limit)], ", ")
	if more := len(g.numbers) - limit; more > 0 {
		shown += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("%s: %s %s: %s.", g.Plan, status.Count(len(g.numbers), "number"), g.sentence(), shown)
}
