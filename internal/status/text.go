package status

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"greenlight/internal/ledger"
)

// width is how many columns the text takes at most.
const width = 80

// WriteText writes the snapshot as tables that are readable at 80 columns: the
// campaigns, then each number that is not sendable, with the sentences that say
// why, what happens next and what a person should do.
func (s Snapshot) WriteText(w io.Writer) error {
	var b strings.Builder
	if len(s.Campaigns) == 0 {
		wrap(&b, "", "Nothing is planned yet, or no assigner has run. Put a plan file into config/plans and start greenlight up.")
	} else {
		b.WriteString(s.campaignTable())
	}
	for _, c := range s.Campaigns {
		s.writeCampaign(&b, c)
	}
	if s.Held {
		fmt.Fprintln(&b)
		wrap(&b, "", "On hold: nothing is begun until greenlight resume. Events are kept.")
	}
	if s.DeadLetters > 0 {
		fmt.Fprintln(&b)
		wrap(&b, "", plural(int(s.DeadLetters), "dead letter")+": a person should look at what could not be handled, with greenlight deadletters list.")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (s Snapshot) campaignTable() string {
	t := newTable()
	// The names of plans and ids may be longer than there is room.
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 1, WidthMax: 14}, {Number: 2, WidthMax: 36}})
	t.AppendHeader(table.Row{"plan", "campaign", "phase", "numbers"})
	for _, c := range s.Campaigns {
		t.AppendRow(table.Row{name(c), c.ID, c.Phase, counts(c)})
	}
	return t.Render() + "\n"
}

func name(c Campaign) string {
	if !c.Planned {
		return "(no plan)"
	}
	return c.Plan
}

// counts tells how far a campaign's numbers are, such as "3 sendable, 2 pending".
func counts(c Campaign) string {
	var parts []string
	for _, state := range ledger.States() {
		if n := c.Counts[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	if c.Extras > 0 {
		parts = append(parts, fmt.Sprintf("%d unplanned", c.Extras))
	}
	return cmp.Or(strings.Join(parts, "\n"), "none")
}

func (s Snapshot) writeCampaign(b *strings.Builder, c Campaign) {
	if c.Phase != ledger.Ready || c.Reason != "" || !c.Planned {
		fmt.Fprintln(b)
		wrap(b, "", cmp.Or(c.Plan, c.ID)+": "+c.Sentence)
	}
	if c.Reason != "" {
		writeAdvice(b, c.Reason)
	}
	if c.Detail != "" {
		wrap(b, "  ", "Told: "+c.Detail)
	}
	if t := s.unfinished(c); t != "" {
		fmt.Fprintf(b, "\n%s\n", t)
	}
	for _, reason := range ledger.Reasons() {
		s.writeReason(b, c, reason)
	}
	s.writeReason(b, c, "") // all is as it should be, yet something was told
}

// unfinished is the table of the numbers that are not sendable yet.
func (s Snapshot) unfinished(c Campaign) string {
	t := newTable()
	t.AppendHeader(table.Row{"number", "state", "reason", "since", "next look"})
	for _, n := range c.Numbers {
		if n.State != ledger.Sendable {
			t.AppendRow(table.Row{n.Number.Number, n.State, n.Reason, ago(s.At, n.Since), until(s.At, n.NextAt)})
		}
	}
	if t.Length() == 0 {
		return ""
	}
	return t.Render()
}

// writeReason explains a reason once, with what Telnyx said about the numbers
// that have it.
func (s Snapshot) writeReason(b *strings.Builder, c Campaign, reason ledger.Reason) {
	var told []string
	found := false
	for _, n := range c.Numbers {
		if n.Reason != reason {
			continue
		}
		found = true
		if n.Detail != "" {
			told = append(told, n.Number.Number+": "+n.Detail)
		}
	}
	if !found || reason == "" && len(told) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", cmp.Or(string(reason), "Told besides"))
	writeAdvice(b, reason)
	const most = 5
	for _, line := range told[:min(len(told), most)] {
		wrap(b, "    ", line)
	}
	if len(told) > most {
		fmt.Fprintf(b, "    and %d more; --json has them all\n", len(told)-most)
	}
}

func writeAdvice(b *strings.Builder, reason ledger.Reason) {
	advice := reason.Advice()
	for _, sentence := range []string{advice.Why, advice.Next, advice.Action} {
		if sentence != "" {
			wrap(b, "  ", sentence)
		}
	}
}

// wrap writes words in lines that fit, each after the indent. The words may be
// somebody else's, so what would steer a terminal becomes a blank.
func wrap(b *strings.Builder, indent, words string) {
	plain := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, words)
	for line := range strings.Lines(text.WrapSoft(plain, width-len(indent))) {
		b.WriteString(indent + strings.TrimRight(line, " \n") + "\n")
	}
}

func newTable() table.Writer {
	t := table.NewWriter()
	t.SuppressTrailingSpaces()
	style := table.StyleLight
	style.Options = table.OptionsNoBordersAndSeparators
	style.Options.SeparateHeader = true
	style.Format.Header = 0
	t.SetStyle(style)
	return t
}

// ago writes how long ago something was, such as "3m".
func ago(now, then time.Time) string {
	if then.IsZero() {
		return ""
	}
	return span(now.Sub(then))
}

// until writes when something will be, such as "in 30s".
func until(now, then time.Time) string {
	switch {
	case then.IsZero():
		return "resync"
	case !then.After(now):
		return "now"
	default:
		return "in " + span(then.Sub(now))
	}
}

func span(d time.Duration) string {
	d = max(d, 0) // the clock that wrote it may be ahead
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
