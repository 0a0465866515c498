package testkit

import (
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Golden fails the test unless the file at path holds got. With update it writes the file
// instead. The flag that sets update, such as "-update", is for the message.
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

// Readable fails the test if text has lines over 80 columns, blanks at the end of a line, or
// characters that control a terminal.
func Readable(t testing.TB, said string) {
	t.Helper()
	if !strings.HasSuffix(said, "\n") || strings.HasSuffix(said, "\n\n") {
		t.Errorf("the text ends with %q, want one newline", said[max(0, len(said)-10):])
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
			t.Errorf("control characters in %q", line)
		}
	}
}
