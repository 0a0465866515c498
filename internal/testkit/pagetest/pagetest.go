// Package pagetest holds the parts of documentation pages that are made from the
// program itself against what the program says now. Only tests use it.
package pagetest

import (
	"os"
	"strings"
	"testing"
)

// Section fails the test unless the named part of the page, between
// <!-- begin name --> and <!-- end name -->, is what is wanted. With update the page is
// rewritten instead.
func Section(t testing.TB, path, name, want string, update bool) {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->"
	before, rest, found := strings.Cut(string(page), begin)
	got, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no part between %q and %q", path, begin, end)
	}
	want = "\n" + strings.TrimSpace(want) + "\n\n"
	if got == want {
		return
	}
	if !update {
		t.Errorf("%s, part %s, is stale: run go test . -run '^%s$' -update in this folder\ngot:\n%s\nwant:\n%s", path, name, t.Name(), got, want)
		return
	}
	if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
