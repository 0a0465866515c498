package status

// This file puts things into words for people at a terminal: texts from outside made
// harmless and bounded, lines that fit, tables, and times as people say them.

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Plain makes another's words harmless and short: one line without anything that
// would steer a terminal or turn the direction of writing, of at most so many
// characters, the cut marked.
func Plain(words string, most int) string {
	const mark = "…"
	if len(words) > 8*most {
		words = words[:8*most] // a generous cut keeps the rest cheap
	}
	words = strings.Join(strings.Fields(Harmless(words)), " ")
	if utf8.RuneCountInString(words) <= most {
		return words
	}
	return string([]rune(words)[:most-1]) + mark
}

// Harmless makes a blank of each character that would steer a terminal or turn the
// direction of writing; line ends are such.
func Harmless(words string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(words, "\uFFFD"))
}

// Wrap writes words in lines of at most so many columns, each after the indent and
// ended. What would steer a terminal becomes a blank.
func Wrap(b *strings.Builder, indent, words string, columns int) {
	Hang(b, indent, indent, words, columns)
}

// Hang is Wrap with another indent before the first line.
func Hang(b *strings.Builder, first, indent, words string, columns int) {
	plain := strings.TrimSpace(Harmless(words))
	room := columns - max(text.RuneWidthWithoutEscSequences(first), text.RuneWidthWithoutEscSequences(indent))
	head := first
	for line := range strings.Lines(text.WrapSoft(plain, room)) {
		b.WriteString(head + strings.TrimSpace(line) + "\n")
		head = indent
	}
}

// Until says when something will be, from now and by the clock, such as
// "in 4 min, at 14:32". The clock is the one of now's place. A time that has come
// is "now", and none at all is empty.
func Until(now, then time.Time) string {
	switch {
	case then.IsZero():
		return ""
	case then.Sub(now) < time.Second:
		return "now"
	default:
		return "in " + Span(then.Sub(now)) + ", at " + Clock(now, then)
	}
}

// Ago says when something was, such as "3 min ago, at 11:57".
func Ago(now, then time.Time) string {
	if then.IsZero() {
		return ""
	}
	if now.Sub(then) < time.Second {
		return "just now" // the clock that wrote it may be ahead
	}
	return Span(now.Sub(then)) + " ago, at " + Clock(now, then)
}

// Clock writes a time as short as it is plain on the day of now: "14:32", with the
// day where that is another.
func Clock(now, then time.Time) string {
	then = then.In(now.Location())
	switch {
	case now.Format(time.DateOnly) == then.Format(time.DateOnly):
		return then.Format("15:04")
	case now.Year() == then.Year():
		return then.Format("15:04 on 2 Jan")
	default:
		return then.Format("15:04 on 2 Jan 2006")
	}
}

// Span says how long something takes, in its largest unit: "45 s", "4 min", "3 h",
// "2 days".
func Span(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

// Count writes a number of things: "1 number", "3 numbers".
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// NewTable returns a table without borders, its header set off by a line and written
// as it is told.
func NewTable() table.Writer {
	t := table.NewWriter()
	t.SuppressTrailingSpaces()
	style := table.StyleLight
	style.Options = table.OptionsNoBordersAndSeparators
	style.Options.SeparateHeader = true
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	return t
}
