package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const page = "Say `greenlight status [PLAN\\|NUMBER]`, or `greenlight\nplan diff`; `one` word is none, nor is `a: b`.\n" +
	"```console\n$ go run ./cmd/greenlight demo --keep\nwhat it prints\n```\n" +
	"   ```sh\n   # a comment\n   export KEY=…   # another\n   URL='a b' webhook && curl -d '{\"a\": 1}' \\\n     <your host>/x\n   ./greenlight version\n   make check\n   ```\n" +
	"```yaml\nnot: read\n```\n"

func TestCommands_AreThoseInBlocksAndSentences(t *testing.T) {
	got := Commands(t, []Page{{Path: "x.md", Text: page}})
	want := []Command{
		{Where: "x.md:4", Text: "go run ./cmd/greenlight demo --keep", Words: []string{"greenlight", "demo", "--keep"}, Whole: true},
		{Where: "x.md:9", Text: "export KEY=…   # another", Sets: []string{"KEY"}, Words: []string{}, Whole: true},
		{Where: "x.md:10", Text: `URL='a b' webhook && curl -d '{"a": 1}'        <your host>/x`, Sets: []string{"URL"}, Words: []string{"webhook"}, Whole: true},
		{Where: "x.md:10", Text: `URL='a b' webhook && curl -d '{"a": 1}'        <your host>/x`, Words: []string{"curl", "-d", `{"a": 1}`, "VALUE/x"}, Whole: true},
		{Where: "x.md:12", Text: "./greenlight version", Words: []string{"greenlight", "version"}, Whole: true},
		{Where: "x.md:13", Text: "make check", Words: []string{"make", "check"}, Whole: true},
		{Where: "x.md:1", Text: "greenlight status [PLAN|NUMBER]", Words: []string{"greenlight", "status", "PLAN"}},
		{Where: "x.md:1", Text: "greenlight plan diff", Words: []string{"greenlight", "plan", "diff"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestRunsVerbatim_TakesWholeLinesAndBeginningsFromSentences(t *testing.T) {
	folder := t.TempDir()
	script := "exec p stop\n! exec p fail\n# exec p talk\ncode 2 p judge x\npoll 'a b' p wait\n[net] exec p call &name&\n" +
		"exec sh -c 'p make | p take && p keep \"a b\"'\nexec p show 12.345 --all\n\n-- file --\nexec p write\n"
	if err := os.WriteFile(filepath.Join(folder, "a.txtar"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		line  string
		whole bool
		want  bool
	}{
		{"p stop", true, true},
		{"p stop now", true, false},
		{"p fail", true, false},
		{"p talk", true, false},
		{"p judge x", true, true},
		{"p judge", true, false},
		{"p judge", false, true},
		{"p wait", true, true},
		{"p call", true, true},
		{"p make", true, true},
		{"p take", true, true},
		{"p keep 'a b'", true, true},
		{"p keep 'a c'", true, false},
		{"p show <id>.<digits>", false, true},
		{"p show <id>.<digits>", true, false},
		{"p write", true, false},
	} {
		if got := RunsVerbatim(t, folder, commands(t, "here", test.line, test.whole)[0]); got != test.want {
			t.Errorf("%q, whole %t: got %t", test.line, test.whole, got)
		}
	}
}

type cli struct {
	Run struct {
		What string `arg:""`
		Fast bool
	} `cmd:""`
	Read struct {
		Paths []string `arg:"" optional:"" name:"path"`
	} `cmd:""`
	Stop struct{} `cmd:""`
}

func TestParser_RefusesWhatTheProgramWould(t *testing.T) {
	for _, test := range []struct {
		line   string
		whole  bool
		want   string
		refuse bool
	}{
		{"run x --fast", true, "p run --fast <word>", false},
		{"run +15551234567", true, "p run <number>", false},
		{"run WHAT", false, "p run <any>", false},
		{"run", false, "p run <any>", false},
		{"read", false, "p read", false},
		{"read plans plans/new.yaml", true, "p read <folder> <file>", false},
		{"run", true, "", true},
		{"", true, "", true},
		{"run --help", true, "p run --help", false},
		{"run x y", false, "", true},
		{"run x --slow", false, "", true},
		{"walk", false, "", true},
		{"stop --fast", false, "", true},
	} {
		got, err := NewParser(t, "p", &cli{}).Parse(strings.Fields(test.line), test.whole)
		if (err != nil) != test.refuse || got.String() != test.want {
			t.Errorf("%q, whole %t: got %q, %v", test.line, test.whole, got, err)
		}
	}
}

func TestLine_CoversOneThatAsksForLess(t *testing.T) {
	ran := Line{"p run", []string{"--fast", "--json"}, nil}
	for _, test := range []struct {
		shown Line
		want  bool
	}{
		{Line{"p run", nil, nil}, true},
		{Line{"p run", []string{"--json"}, nil}, true},
		{Line{"p run", []string{"--json", "--slow"}, nil}, false},
		{Line{"p stop", nil, nil}, false},
		{Line{"p run", []string{"--help"}, nil}, false},
		{Line{"p run", nil, []Kind{File}}, false},
	} {
		if got := ran.covers(test.shown); got != test.want {
			t.Errorf("%v covers %v: %t", ran, test.shown, got)
		}
	}
}

func TestLine_CoversOperandsOfTheSameKinds(t *testing.T) {
	for _, test := range []struct {
		ran, shown []Kind
		want       bool
	}{
		{nil, nil, true},
		{nil, []Kind{Folder}, false},
		{[]Kind{Folder}, nil, false},
		{[]Kind{Folder}, []Kind{File}, false},
		{[]Kind{Folder}, []Kind{Folder, Folder}, false},
		{[]Kind{Number}, []Kind{Any}, true},
	} {
		ran, shown := Line{Path: "p run", Operands: test.ran}, Line{Path: "p run", Operands: test.shown}
		if got := ran.covers(shown); got != test.want {
			t.Errorf("%v covers %v: %t", ran, shown, got)
		}
	}
}
