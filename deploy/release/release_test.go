// Package release_test compares the release files with the sources. Goreleaser's own reader
// checks its configuration, in plantest.
package release_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"greenlight/internal/app"
)

const root = "../.."

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The linker does not report unknown variables.
func TestStamp_SetsVariablesThatExist(t *testing.T) {
	declared := regexp.MustCompile(`(?m)^var (.*) string$`).FindStringSubmatch(read(t, "internal/app/version.go"))
	if declared == nil {
		t.Fatal("version.go declares nothing")
	}
	want := strings.Split(declared[1], ", ")
	for _, name := range []string{"Makefile", "Dockerfile", ".goreleaser.yaml"} {
		var got []string
		for _, found := range regexp.MustCompile(`-X greenlight/internal/app\.(\w+)=\S`).FindAllStringSubmatch(read(t, name), -1) {
			got = append(got, found[1])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s sets %v, want %v", name, got, want)
		}
	}
}

// one returns the only match of a pattern in a file, without the stamp.
func one(t *testing.T, name, pattern string) string {
	t.Helper()
	found := regexp.MustCompile(pattern).FindAllStringSubmatch(strings.ReplaceAll(read(t, name), "\\\n", " "), -1)
	if len(found) != 1 {
		t.Fatalf("%s: %q is there %d times, want once", name, pattern, len(found))
	}
	text := regexp.MustCompile(`-X \S+|\$\(STAMP\)`).ReplaceAllString(found[0][1], "")
	return strings.Join(strings.Fields(strings.ReplaceAll(text, ",", " ")), " ")
}

// Images, archives and bin/ are built with the same flags, and so have the same binaries.
func TestFlags_AreTheSameEverywhere(t *testing.T) {
	type flags struct{ build, link, cgo string }
	const plan = ".goreleaser.yaml"
	// The linker flags there have one line each; those of the stamp begin with -X.
	linked := one(t, plan, `(?m)ldflags: &ldflags\n((?: +- .*\n)+)`)
	all := map[string]flags{
		"Makefile": {
			one(t, "Makefile", `build (.*) -ldflags='`), one(t, "Makefile", `-ldflags='([^']*)'`), one(t, "Makefile", `CGO_ENABLED=(\d) \$\(GO\) build`),
		},
		"Dockerfile": {
			one(t, "Dockerfile", `go build (.*) -ldflags="`), one(t, "Dockerfile", `-ldflags="([^"]*)"`), one(t, "Dockerfile", `ENV CGO_ENABLED=(\d)`),
		},
		plan: {
			one(t, plan, `flags: &flags \[(.*)\]`), strings.Join(plainFlags(linked), " "), one(t, plan, `&env \[CGO_ENABLED=(\d)\]`),
		},
	}
	want := flags{"-trimpath -buildvcs=false", "-s -w", "0"}
	for name, got := range all {
		if got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	// The others of the plan take the first one's.
	if text := read(t, plan); strings.Count(text, "ldflags: *ldflags") != 2 || strings.Count(text, " flags: *flags") != 2 || strings.Count(text, "env: *env") != 2 {
		t.Errorf("%s: not every program is built like the first", plan)
	}
}

// plainFlags returns the items of a list without dashes and template leftovers.
func plainFlags(text string) (flags []string) {
	for _, word := range strings.Fields(text) {
		if len(word) > 1 && word[0] == '-' {
			flags = append(flags, word)
		}
	}
	return flags
}

// A final image has only a program and runs as an unprivileged user.
func TestDockerfile_ImagesAreEmptyAndNobodys(t *testing.T) {
	type stage struct{ from, user string }
	stages := map[string]stage{}
	var last string
	for line := range strings.Lines(read(t, "Dockerfile")) {
		words := strings.Fields(line)
		switch {
		case len(words) == 4 && words[0] == "FROM" && words[2] == "AS":
			last = words[3]
			// A stage begins with the user of its base stage.
			stages[last] = stage{words[1], stages[words[1]].user}
		case len(words) > 0 && words[0] == "FROM":
			t.Errorf("%q has no name", line)
		case len(words) == 2 && words[0] == "USER":
			stages[last] = stage{stages[last].from, words[1]}
		}
	}
	commands, err := filepath.Glob(filepath.Join(root, "cmd/*/main.go"))
	if err != nil || len(commands) == 0 {
		t.Fatal(commands, err)
	}
	for _, main := range commands {
		name := filepath.Base(filepath.Dir(main))
		from := stages[name].from
		for stages[from].from != "" {
			from = stages[from].from
		}
		if from != "scratch" {
			t.Errorf("%s: begins with %q, want scratch", name, from)
		}
		if id, _, _ := strings.Cut(stages[name].user, ":"); id == "" || id == "0" || strings.Trim(id, "0123456789") != "" {
			t.Errorf("%s: runs as %q, want a number, so that Kubernetes can check that it is not root", name, stages[name].user)
		}
	}
}

// entry is a line of the changelog that begins an entry.
var entry = regexp.MustCompile(`^- \[(CHANGE|FEATURE|ENHANCEMENT|BUGFIX)\] [A-Z][A-Za-z ]*: \S`)

func TestChangelog_HasItsForm(t *testing.T) {
	_, versions, found := strings.Cut(read(t, "CHANGELOG.md"), "\n## ")
	if !found {
		t.Fatal("no version")
	}
	heading := regexp.MustCompile(`^(Unreleased|\d+\.\d+\.\d+ / \d{4}-\d\d-\d\d)$`)
	for version := range strings.SplitSeq(versions, "\n## ") {
		name, body, _ := strings.Cut(version, "\n")
		if !heading.MatchString(name) {
			t.Errorf("version %q: write Unreleased or 1.2.3 / 2026-01-02", name)
		}
		for line := range strings.Lines(body) {
			if strings.HasPrefix(line, "- ") && !entry.MatchString(line) {
				t.Errorf("%s: %q does not begin like - [BUGFIX] Webhook: …", name, line)
			}
		}
	}
}

// For each kind of sources version.sh prints the version that is checked out, and make build
// uses it. Images get it only from Compose's .env or from build arguments.
func TestVersion_IsSaidByOneScript(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "greenlight")
	for _, name := range []string{"Makefile", "Dockerfile", "deploy/version.sh"} {
		text := read(t, name)
		if name != "deploy/version.sh" && regexp.MustCompile(`\bgit (describe|log|show|rev-parse)\b`).MatchString(text) {
			t.Errorf("%s calls git directly", name)
		}
		path := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	try := func(in string, command ...string) (string, error) {
		process := exec.CommandContext(t.Context(), command[0], command[1:]...)
		process.Dir = in
		for _, set := range os.Environ() {
			name, _, _ := strings.Cut(set, "=")
			if !strings.HasPrefix(name, "MAKE") && !strings.HasPrefix(name, "GIT_") && !slices.Contains([]string{"MFLAGS", "VERSION", "COMMIT", "DATE"}, name) {
				process.Env = append(process.Env, set)
			}
		}
		const by, at = "a@example.com", "2026-01-02T04:04:05+01:00"
		process.Env = append(process.Env, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL="+by,
			"GIT_AUTHOR_DATE="+at, "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL="+by, "GIT_COMMITTER_DATE="+at)
		out, err := process.CombinedOutput()
		return string(out), err
	}
	run := func(in string, command ...string) string {
		t.Helper()
		out, err := try(in, command...)
		if err != nil {
			t.Fatalf("%v: %v\n%s", command, err, out)
		}
		return out
	}
	commit := func(in, message string) {
		t.Helper()
		run(in, "git", "add", ".")
		run(in, "git", "commit", "-q", "--allow-empty", "-m", message)
	}
	const date = "2026-01-02T03:04:05Z"
	for _, step := range []struct {
		name string
		do   func()
		// version, commit and date are patterns.
		version, commit, date string
	}{
		{"without git", func() {}, "devel", "", ""},
		{"in somebody else's repository", func() {
			above := filepath.Dir(folder)
			run(above, "git", "init", "-q")
			run(above, "git", "commit", "-q", "--allow-empty", "-m", "theirs")
			run(above, "git", "tag", "v9.9.9")
		}, "devel", "", ""},
		{"without a tag", func() { run(folder, "git", "init", "-q"); commit(folder, "first") }, "devel-[0-9a-f]{7}", "[0-9a-f]{40}", date},
		{"with a file changed", func() {
			if err := os.WriteFile(filepath.Join(folder, "Dockerfile"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "devel-[0-9a-f]{7}-dirty", `[0-9a-f]{40}\+dirty`, date},
		{"at a tag", func() { commit(folder, "second"); run(folder, "git", "tag", "v1.2.3") }, "1.2.3", "[0-9a-f]{40}", date},
		{"after a tag", func() { commit(folder, "third") }, "1.2.3-1-g[0-9a-f]{7}", "[0-9a-f]{40}", date},
	} {
		step.do()
		says := run(folder, "sh", "deploy/version.sh", "print")
		if !regexp.MustCompile("^VERSION=" + step.version + "\nCOMMIT=" + step.commit + "\nDATE=" + step.date + "\n$").MatchString(says) {
			t.Errorf("%s: version.sh says\n%s", step.name, says)
		}
		said := map[string]string{}
		for line := range strings.Lines(says) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			said[name] = value
		}
		builds := run(folder, "make", "-n", "build")
		for name, value := range said {
			if want := "app." + strings.ToLower(name) + "=" + value; !regexp.MustCompile(regexp.QuoteMeta(want) + `[ ']`).MatchString(builds) {
				t.Errorf("%s: make build does not get %s:\n%s", step.name, want, builds)
			}
		}
	}
	// Git refuses, as it does in a folder of another owner: images must not be named devel.
	if err := os.WriteFile(filepath.Join(folder, ".git", "config"), []byte("no configuration"), 0o600); err != nil {
		t.Fatal(err)
	}
	if says, err := try(folder, "sh", "deploy/version.sh", "print"); err == nil || strings.Contains(says, "VERSION=") || !strings.Contains(says, "cannot read the version") {
		t.Errorf("where git refuses version.sh says %v\n%s", err, says)
	}
}

// runMake runs make in a folder, without what a make that runs this has set.
func runMake(t *testing.T, from string, args ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "make", append([]string{"-C", from}, args...)...)
	command.Env = slices.DeleteFunc(os.Environ(), func(set string) bool {
		return strings.HasPrefix(set, "MAKE") || strings.HasPrefix(set, "MFLAGS") || strings.HasPrefix(set, "GIT_")
	})
	out, err := command.CombinedOutput()
	return string(out), err
}

// A vulnerability fails make check. A database that cannot be reached is reported, and does
// not.
func TestVulnerable_FailsOnAFindingAndNotWithoutADatabase(t *testing.T) {
	for name, test := range map[string]struct {
		script string
		fails  bool
		says   string
	}{
		"nothing found":   {"echo No vulnerabilities found.", false, "No vulnerabilities found."},
		"finding":         {"echo 'Vulnerability #1: GO-2026-0001'; exit 3", true, "GO-2026-0001"},
		"no database":     {`echo 'govulncheck: fetching vulnerabilities: Get "https://vuln.go.dev/index/modules.json.gz": dial tcp: lookup vuln.go.dev: no such host' >&2; exit 1`, false, "NOT CHECKED"},
		"other network":   {`echo 'govulncheck: loading packages: proxy.golang.org: dial tcp: no such host' >&2; exit 1`, true, "no such host"},
		"broken database": {`echo 'govulncheck: fetching vulnerabilities: Get "https://vuln.go.dev/index/modules.json.gz": unexpected status 500' >&2; exit 1`, true, "status 500"},
		"does not build":  {"echo 'govulncheck: loading packages: there are errors' >&2; exit 1", true, "there are errors"},
		"finding offline": {`echo 'found one; a dial tcp is in its trace'; exit 3`, true, "found one"},
	} {
		t.Run(name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "govulncheck")
			if err := os.WriteFile(program, []byte("#!/bin/sh\n"+test.script+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			out, err := runMake(t, root, "vulnerable", "GOVULNCHECK="+program)
			if (err != nil) != test.fails || !strings.Contains(out, test.says) {
				t.Errorf("got %v\n%s", err, out)
			}
		})
	}
}

// Each target is in the list that make help prints, and CI runs the checks of all.
func TestHelp_ListsTheTargets(t *testing.T) {
	out, err := runMake(t, root, "-s", "help")
	if err != nil {
		t.Fatal(err, out)
	}
	for _, target := range []string{"help", "quick", "check", "vulnerable", "snapshot", "release"} {
		if !regexp.MustCompile(`(?m)^  ` + target + ` +[a-z]`).MatchString(out) {
			t.Errorf("there is no %s in\n%s", target, out)
		}
	}
}

// Make quick checks the packages with changes, and no others.
func TestQuick_ChecksWhatHasChanged(t *testing.T) {
	folder := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(folder, name)
		must(errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)))
	}
	write("Makefile", read(t, "Makefile"))
	write("deploy/version.sh", read(t, "deploy/version.sh"))
	write("go.mod", "module example\n\ngo 1.26\n")
	for _, name := range []string{"cmd/a/a.go", "config/c.go", "internal/b/b.go", "internal/d/d.go"} {
		write(name, "package main\n\nfunc main() {}\n")
	}
	git := exec.Command("sh", "-c", "git init -q && git add . && git -c user.name=a -c user.email=a@example.com commit -qm first")
	git.Dir = folder
	out, err := git.CombinedOutput()
	if err != nil {
		t.Fatal(err, string(out))
	}
	if says, err := runMake(t, folder, "-s", "quick"); err != nil || !strings.Contains(says, "no package has changed since HEAD") {
		t.Errorf("without a change: %v\n%s", err, says)
	}
	write("internal/b/b.go", "package main\n\nfunc main() { println(1) }\n")
	write("cmd/a/new.go", "package main\n")
	says, err := runMake(t, folder, "-s", "quick")
	if err != nil || !strings.Contains(says, "./cmd/a ./internal/b\n") || strings.Contains(says, "internal/d") {
		t.Errorf("with changes: %v\n%s", err, says)
	}
	write("internal/d/testdata/page/x.js", "")
	write("deploy/README.md", "")
	if says, _ := runMake(t, folder, "-s", "quick"); !strings.Contains(says, "./cmd/a ./internal/b ./internal/d deploytest\n") {
		t.Errorf("with a file that is not Go: %s", says)
	}
	write("internal/b/b_test.go", "package main\n\nimport \"testing\"\n\nfunc TestB(t *testing.T) { t.Fatal(2) }\n")
	if says, err := runMake(t, folder, "-s", "quick"); err == nil {
		t.Errorf("a test that fails: %s", says)
	}
}

// most is the largest allowed size of a program.
var most = map[string]int64{"webhook": 25_000_000, "assigner": 29_000_000, "greenlight": 45_000_000}

// stamp is the version that a build must print.
var stamp = app.Build{Version: "1.2.3", Commit: "0123456789abcdef0123456789abcdef01234567", Date: "2026-01-02T03:04:05Z"}

// makeBuild runs make build for a folder.
func makeBuild(t *testing.T, from string, env ...string) (bin string) {
	t.Helper()
	bin = t.TempDir()
	command := exec.CommandContext(t.Context(), "make", "-C", from, "build", "BIN="+bin+"/",
		"VERSION="+stamp.Version, "COMMIT="+stamp.Commit, "DATE="+stamp.Date)
	command.Env = append(slices.DeleteFunc(os.Environ(), func(set string) bool {
		return strings.HasPrefix(set, "MAKE") || strings.HasPrefix(set, "MFLAGS") // of a make that runs this
	}), env...)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("make build: %v\n%s", err, out)
	}
	return bin
}

// sources copies the files that a build needs, without the repository.
func sources(t *testing.T) string {
	t.Helper()
	to := t.TempDir()
	for _, folder := range []string{"cmd", "config", "internal"} {
		if err := os.CopyFS(filepath.Join(to, folder), os.DirFS(filepath.Join(root, folder))); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"go.mod", "go.sum", "Makefile"} { // not version.sh: makeBuild says what is built
		if err := os.WriteFile(filepath.Join(to, file), []byte(read(t, file)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// TestBuild_IsSmallSaysWhatItIsAndComesOutTheSame builds the programs twice, which takes
// minutes. "make size" runs it, and "make reproduce" runs it with an empty Go cache.
func TestBuild_IsSmallSaysWhatItIsAndComesOutTheSame(t *testing.T) {
	asked := os.Getenv("GREENLIGHT_SIZE")
	if asked == "" {
		t.Skip("it builds everything twice; make size runs it")
	}
	first := makeBuild(t, root)
	var env []string
	if asked == "fresh" {
		env = append(env, "GOCACHE="+t.TempDir())
	}
	second := makeBuild(t, sources(t), env...)

	for name, most := range most {
		one, err := os.ReadFile(filepath.Join(first, name))
		if err != nil {
			t.Fatal(err)
		}
		other, err := os.ReadFile(filepath.Join(second, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.1f MB of %d", name, float64(len(one))/1e6, most/1_000_000)
		if int64(len(one)) >= most {
			t.Errorf("%s has %d bytes, and may have %d", name, len(one), most)
		}
		if !bytes.Equal(one, other) {
			t.Errorf("%s came out differently in another folder", name)
		}
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(first, "greenlight"), "version", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var got app.Build
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if got.Go == "" || got.Platform == "" {
		t.Errorf("it does not say what made it: %s", out)
	}
	want := stamp
	want.Go, want.Platform = got.Go, got.Platform
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, name := range []string{"webhook", "assigner"} {
		out, err := exec.CommandContext(t.Context(), filepath.Join(first, name), "--version").Output()
		if want := name + " " + want.String() + "\n"; err != nil || string(out) != want {
			t.Errorf("got %q, %v; want %q", out, err, want)
		}
	}
}
