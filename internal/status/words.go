package status

// This file has the words for people at a terminal: harmless and bounded text from
// outside, lines that fit, tables, and times.

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Plain makes text from outside harmless and short: one line of at most so many
// characters, without control characters. A cut is marked.
func Plain(words string, limit int) string {
	const mark = "…"
	if len(words) > 8*limit {
		words = words[:8*limit] // a generous cut keeps the rest cheap
	}
	words = strings.Join(strings.Fields(Harmless(words)), " ")
	if utf8.RuneCountInString(words) <= limit {
		return words
	}
	return string([]rune(words)[:limit-1]) + mark
}

// Harmless replaces each character that would control a terminal or change the direction
// of writing by a blank. Line ends are such characters.
func Harmless(words string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(words, "\uFFFD"))
}

// Wrap writes text in lines of at most so many columns, each after the indent. It makes
// the text [Harmless].
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

// Until says when something will be, for example "in 4 min, at 14:32", in the time zone of
// now. A time in the past is "now", and the zero time is empty.
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

// since says since when something is so, for example "11:57, for 3 min".
func since(now, then time.Time) string {
	if then.IsZero() {
		return ""
	}
	return Clock(now, then) + ", for " + Span(now.Sub(then))
}

// about is a duration as an estimate, for example "about 2 min".
func about(seconds int) string {
	if seconds < 60 {
		return fmt.Sprintf("about %d s", seconds)
	}
	return "about " + Span((time.Duration(seconds) * time.Second).Round(time.Minute))
}

// Clock writes the time of day, for example "14:32", with the day unless it is that of now.
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

// Span writes a duration in its largest unit: "45 s", "4 min", "3 h", "2 days".
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

// listed lists the first of some names, and counts the rest.
func listed(names []string) string {
	list := strings.Join(names[:min(len(names), maxNumbers)], ", ")
	if more := len(names) - maxNumbers; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return list
}

// WantsASCII reports whether the environment asks for ASCII: NO_UNICODE is set, or the
// locale is C or POSIX.
func WantsASCII(getenv func(string) string) bool {
	locale := cmp.Or(getenv("LC_ALL"), getenv("LC_CTYPE"), getenv("LANG"))
	return getenv("NO_UNICODE") != "" || locale == "C" || locale == "POSIX"
}

// ASCII replaces what is not ASCII, with the same width.
func ASCII(s string) string {
	s = asciiFor.Replace(s)
	var b strings.Builder
	for _, r := range s {
		if r < utf8.RuneSelf {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Repeat("?", text.RuneWidth(r)))
		}
	}
	return b.String()
}

var asciiFor = strings.NewReplacer("█", "#", "▒", "+", "░", ".", "─", "-", "…", "~", "’", "'", "–", "-", "→", ">", "«", `"`, "»", `"`)

// NewTable returns a table without borders and with a line below its header, which is
// written as it is.
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
