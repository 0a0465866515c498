package status_test

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"greenlight/internal/status"
)

// now is 14:28 in a place two hours ahead of UTC.
var now = time.Date(2026, 3, 2, 14, 28, 0, 0, time.FixedZone("EET", 7200))

func TestUntil(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		at   time.Duration
		want string
	}{
		"now":             {0, "now"},
		"within a second": {900 * time.Millisecond, "now"},
		"soon":            {4 * time.Minute, "in 4 min, at 14:32"},
		"today":           {9 * time.Hour, "in 9 h, at 23:28"},
		"tomorrow":        {10 * time.Hour, "in 10 h, at 00:28 on 3 Mar"},
		"next year":       {365 * 24 * time.Hour, "in 365 days, at 14:28 on 2 Mar 2027"},
		"in the past":     {-31 * time.Minute, "now"},
	} {
		if got := status.Until(now, now.Add(test.at).UTC()); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
	if got := status.Until(now, time.Time{}); got != "" {
		t.Errorf("the zero time: got %q", got)
	}
}

func TestPlain_CutsAndRemovesControlCharacters(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"as it is":                        "as it is",
		"a\tb\n c":                        "a b c",
		"\x1b[2J\x1b]0;x\aowned\u009b31m": "[2J ]0;x owned 31m",
		"right\u202eleft\u200b":           "right left",
		"bad \xff byte":                   "bad \uFFFD byte",
		"0123456789012345678901234567890": "01234567890123456789012345678…",
		"電話電話電話電話電話電話電話電話電話電話電話電話電話電話電話電話": "電話電話電話電話電話電話電話電話電話電話電話電話電話電話電…",
	} {
		if got := status.Plain(in, 30); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzPlain(f *testing.F) {
	f.Add("\x1b[31mred\x1b[0m", 10)
	f.Add(strings.Repeat("é", 100), 3)
	f.Fuzz(func(t *testing.T, in string, most int) {
		in = in[:min(len(in), 16<<10)] // long ones are slow
		most = 1 + max(most, 0)%1000
		got := status.Plain(in, most)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > most {
			t.Errorf("%q in %d: got %q", in, most, got)
		}
		harmless(t, in, got)
	})
}

func FuzzHang(f *testing.F) {
	f.Add("→ ", "  ", "\x1b[31mred\x1b[0m\n\u202eturned", 20)
	f.Add("", "", strings.Repeat("é ", 100), 80)
	f.Fuzz(func(t *testing.T, first, indent, in string, columns int) {
		in = in[:min(len(in), 16<<10)]
		first, indent = status.Plain(first, 10), status.Plain(indent, 10)
		var b strings.Builder
		status.Hang(&b, first, indent, in, 30+max(columns, 0)%1000)
		for line := range strings.Lines(b.String()) {
			harmless(t, in, strings.TrimSuffix(line, "\n"))
		}
	})
}

// harmless fails if the result has control characters.
func harmless(t *testing.T, in, got string) {
	t.Helper()
	if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("%q: control characters in %q", in, got)
	}
}

func TestHang_KeepsToTheColumns(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	status.Hang(&b, "Next:  ", "       ", "Greenlight checks\x1b[2J again, and "+strings.Repeat("x", 50), 30)
	want := "Next:  Greenlight checks [2J\n       again, and\n       xxxxxxxxxxxxxxxxxxxxxxx\n       xxxxxxxxxxxxxxxxxxxxxxx\n       xxxx\n"
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
