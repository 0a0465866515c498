package testkit

import (
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Golden fails the test unless the file at path holds what was got. With update the
// file is written instead; flag is what sets it, such as "-update".
func Golden(t testing.TB, path, got string, update bool, flag string) {
	t.Helper()
	if update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; write it with go test . %s in this folder", err, flag)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s; if it should be so, go test . %s in this folder (-want +got):\n%s", path, flag, diff)
	}
}

// Readable fails the test for lines that are too long for 80 columns, or that would do
// something to a terminal.
func Readable(t testing.TB, said string) {
	t.Helper()
	if !strings.HasSuffix(said, "\n") || strings.HasSuffix(said, "\n\n") {
		t.Errorf("the text ends with %q, want one line end", said[max(0, len(said)-10):])
	}
	for line := range strings.Lines(said) {
		line = strings.TrimSuffix(line, "\n")
		if text.RuneWidthWithoutEscSequences(line) > 80 {
			t.Errorf("over 80 columns: %q", line)
		}
		if strings.TrimRight(line, " ") != line {
			t.Errorf("blanks at the end: %q", line)
		}
		if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("a terminal would take orders from %q", line)
		}
	}
}
