package app

import (
	"strings"
	"testing"

	"github.com/jedib0t/go-pretty/v6/text"
)

func TestCutLines_KeepsALineOnATerminalShort(t *testing.T) {
	for name, line := range map[string]string{
		"plain":    strings.Repeat("x", 400),
		"coloured": "\x1b[31mERR\x1b[0m " + strings.Repeat("ü", 400),
		"short":    "INF started",
	} {
		var out strings.Builder
		n, err := cutLines{&out}.Write([]byte(line + "\n"))
		if err != nil || n != len(line)+1 {
			t.Errorf("%s: got %d, %v", name, n, err)
		}
		got := strings.TrimSuffix(out.String(), "\n")
		if width := text.RuneWidthWithoutEscSequences(got); width > 120 || len(line) < 120 && got != line {
			t.Errorf("%s: got %d columns: %q", name, width, got)
		}
	}
}
