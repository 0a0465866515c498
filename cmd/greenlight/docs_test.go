package main

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"greenlight/internal/app"
	"greenlight/internal/testkit"
)

const root = "../.."

// scripts is where the commands of the documentation are run.
const scripts = "testdata/script"

// runWordForWord are the programs beside ours whose command lines scripts run word for
// word: steps between commands of ours, which any machine has, and those that modules of
// their own have.
var runWordForWord = []string{"cp", "mkdir", "mv", "rm", "find", "git", "sh", "docker", "helm", "kubectl", "nats"}

// scriptFolders are where. make check runs the first two, make engines the others.
var scriptFolders = []string{
	scripts,
	filepath.Join(root, "deploy/linetest/testdata/script"),
	filepath.Join(root, "deploy/clustertest/testdata/script"),
	filepath.Join(root, "deploy/enginetest/testdata/script"),
}

// notRun are lines of those programs that no script runs, and why.
var notRun = map[string]string{
	"kubectl port-forward deployment/greenlight-assigner 8081": "it needs a pod that runs, and there is no node where the tests run",

	"helm repo add nats https://nats-io.github.io/k8s/helm/charts/":                                                                      chartOfNATS,
	"helm install nats nats/nats --values deploy/kubernetes/nats-values.yaml":                                                            chartOfNATS,
	"helm template nats nats/nats --values deploy/kubernetes/nats-values.yaml | grep -e sync_interval -e NATS_PASSWORD_ -e runAsNonRoot": chartOfNATS,
}

const chartOfNATS = "no test downloads the chart of NATS; deploy/deploytest runs servers with the values"

// otherPrograms are those that the documentation names beside these, and why no script
// need run them. CONTRIBUTING.md says what is checked of them instead.
var otherPrograms = map[string]string{
	"sudo": "no package is there where the tests run; deploy/release installs one on Debian",
	"curl": "it asks Telnyx, which no test does, or a process that the reader runs",
	"go":   "a test that runs all tests, or benchmarks, would not end; their names are checked",
	"make": "it runs this test; the targets are checked",

	"cd":        "the shell's own",
	"grep":      "it reads the output of another program",
	"sha256sum": "no release is there where the tests run; deploy/release/plantest reads what one would be",
	"shasum":    "as sha256sum, on macOS",
	"tar":       "as sha256sum",
}

// readsText skips a test that only reads much text, which takes the race detector long.
func readsText(t *testing.T) {
	t.Helper()
	if testkit.UnderRace {
		t.Skip("nothing in it is concurrent; make test runs it without the race detector")
	}
}

// secrets is a folder that is in no repository.
const secrets = "deploy/secrets/"

// quotedElsewhere are phrases in code letters that are no commands and not in the
// program's text as they stand.
var quotedElsewhere = map[string]string{
	"event 10dlc.campaign.update (message 12)":   "an example of a cause",
	"planned (campaign_in_review)":               "a state and a reason, as greenlight why joins them",
	"assign +15551234567 to campaign C6X6M95: …": "how an error reads",
}

// Every command line in the documentation is one that the program takes, and is run by
// a script here.
func TestDocs_CommandsAreTakenAndRun(t *testing.T) {
	t.Parallel()
	commands := Commands(t, Pages(t, root))
	NewParser(t, "greenlight", &command{}).Check(t, commands, ".", map[string]string{
		"greenlight deadletters requeue <any>": "TestDeadLetters_AreListedShownAndRequeued",
	})
	NewParser(t, "webhook", &app.WebhookCommand{}).Check(t, commands, "../webhook", map[string]string{"webhook": "TestWebhook_WaitsForNATS"})
	NewParser(t, "assigner", &app.AssignerCommand{}).Check(t, commands, "../assigner", map[string]string{"assigner": "TestAssigner_WaitsForNATS"})
}

// Whatever else looks like a command is one of another program that is listed, or a
// text of ours.
func TestDocs_NameNoOtherCommands(t *testing.T) {
	t.Parallel()
	readsText(t)
	sources := sources(t, func(name string) bool { return !strings.HasSuffix(name, "_test.go") })
	used := make(map[string]bool)
	for _, c := range Commands(t, Pages(t, root)) {
		program := c.Program()
		_, other := otherPrograms[program]
		_, quoted := quotedElsewhere[c.Text]
		switch {
		case slices.Contains([]string{"", "greenlight", "webhook", "assigner"}, program):
		case program == "make":
			checkMake(t, c)
		case program == "go":
			checkGo(t, c)
		case notRun[c.Text] != "":
			checkFiles(t, c)
		case slices.Contains(runWordForWord, program):
			if !slices.ContainsFunc(scriptFolders, func(folder string) bool { return RunsVerbatim(t, folder, c) }) {
				t.Errorf("%s: %s: no script in %v runs it word for word; let one do so", c.Where, c.Text, scriptFolders)
			}
		case other || quoted:
			checkFiles(t, c)
		case c.Whole || !strings.Contains(sources, c.Text):
			t.Errorf("%s: %s: no program that a test knows, and no text of ours", c.Where, c.Text)
		}
		used[program], used[c.Text] = true, true
	}
	for _, table := range []map[string]string{notRun, otherPrograms, quotedElsewhere} {
		for entry, why := range table {
			if !used[entry] {
				t.Errorf("no page has %q any more (%s)", entry, why)
			}
		}
	}
}

// checkMake holds targets against the Makefile.
func checkMake(t *testing.T, c Command) {
	t.Helper()
	makefile := read(t, filepath.Join(root, "Makefile"))
	for _, target := range c.Words[1:] {
		if !strings.Contains(target, "=") && !strings.Contains(makefile, "\n"+target+":") {
			t.Errorf("%s: %s: the Makefile has no target %s", c.Where, c.Text, target)
		}
	}
}

var fileOfOurs = regexp.MustCompile(`\b(?:deploy|config)/[\w./-]+`)

// checkFiles fails for files of this repository that are not there. What secrets.sh and
// version.sh make and a person writes is in no repository.
func checkFiles(t *testing.T, c Command) {
	t.Helper()
	for _, file := range fileOfOurs.FindAllString(c.Text, -1) {
		if strings.HasPrefix(file, secrets) || strings.HasPrefix(file, "config/plans") || file == "deploy/.env" {
			continue
		}
		if _, err := os.Stat(filepath.Join(root, file)); err != nil {
			t.Errorf("%s: %s: there is no %s", c.Where, c.Text, file)
		}
	}
}

// checkGo holds the packages and the patterns of go test against the sources.
func checkGo(t *testing.T, c Command) {
	t.Helper()
	if len(c.Words) < 2 || c.Words[1] != "test" {
		t.Errorf("%s: %s: only go test and go run ./cmd/… are known here", c.Where, c.Text)
		return
	}
	folder := c.Words[len(c.Words)-1]
	if folder == "./..." {
		return
	}
	tests, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
	if err != nil || len(tests) == 0 {
		t.Errorf("%s: %s: %s has no tests", c.Where, c.Text, folder)
		return
	}
	at := slices.Index(c.Words, "-bench")
	if at < 0 {
		return
	}
	pattern, _, _ := strings.Cut(c.Words[at+1], "/")
	for _, file := range tests {
		if regexp.MustCompile(`func Benchmark\w*` + pattern).MatchString(read(t, file)) {
			return
		}
	}
	t.Errorf("%s: %s: %s has no benchmark %s", c.Where, c.Text, folder, pattern)
}

var (
	flagName = regexp.MustCompile("`--([a-z][a-z-]*)[^`]*`")
	constant = regexp.MustCompile("`([A-Z][A-Z0-9_]{3,})(?:=[^`]*)?`")
	getenv   = regexp.MustCompile(`(?:(?:env|Env|Getenv|LookupEnv)\(\s*|= )"([A-Z_]+)"`)
	quoted   = regexp.MustCompile(`"([A-Z0-9_]{4,})"`)
	composed = regexp.MustCompile(`\$\{([A-Z_]+)`)
)

// Every flag and every variable that the documentation names exists. Other words in
// capitals are the wire's: streams, buckets, what Telnyx says.
func TestDocs_SettingsExist(t *testing.T) {
	t.Parallel()
	readsText(t)
	flags, variables := NewParser(t, "greenlight", &command{}).Flags()
	// Those that webhook and assigner alone have.
	more, moreVariables := NewParser(t, "webhook", &app.WebhookCommand{}).Flags()
	flags, variables = append(flags, more...), append(variables, moreVariables...)
	for _, found := range getenv.FindAllStringSubmatch(sources(t, func(string) bool { return true }), -1) {
		variables = append(variables, found[1])
	}
	for _, found := range composed.FindAllStringSubmatch(read(t, filepath.Join(root, "deploy/compose.yaml")), -1) {
		variables = append(variables, found[1])
	}
	variables = append(variables, "GOMEMLIMIT") // Go's own runtime reads it
	var wire []string
	ofTheWire := func(name string) bool {
		return !strings.HasSuffix(name, "_test.go") && !strings.HasPrefix(path.Base(name), "settings")
	}
	for _, found := range quoted.FindAllStringSubmatch(sources(t, ofTheWire), -1) {
		wire = append(wire, found[1])
	}
	pages, seen := Pages(t, root), 0
	for _, page := range pages {
		if page.Path == "CHANGELOG.md" {
			continue // it may name what is gone
		}
		for _, found := range flagName.FindAllStringSubmatch(page.Text, -1) {
			seen++
			if !slices.Contains(flags, found[1]) {
				t.Errorf("%s: there is no flag --%s", page.Path, found[1])
			}
		}
		for _, found := range constant.FindAllStringSubmatch(page.Text, -1) {
			seen++
			_, bucket := strings.CutPrefix(found[1], "KV_") // a bucket's stream
			if !slices.Contains(variables, found[1]) && !slices.Contains(wire, found[1]) && !(bucket && slices.Contains(wire, found[1][3:])) {
				t.Errorf("%s: there is no variable %s", page.Path, found[1])
			}
		}
	}
	for _, c := range Commands(t, pages) {
		for _, name := range c.Sets {
			seen++
			if !slices.Contains(variables, name) {
				t.Errorf("%s: %s: there is no variable %s", c.Where, c.Text, name)
			}
		}
	}
	if seen < 50 {
		t.Errorf("found %d flags and variables, so this test shows little", seen)
	}
}

var (
	code    = regexp.MustCompile("(?s)```.*?```|`[^`]*`")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} (.+)$`)
	mark    = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors returns what a page's headings are linked by, as GitHub makes them.
func anchors(text string) map[string]bool {
	all := make(map[string]bool)
	for _, found := range heading.FindAllStringSubmatch(regexp.MustCompile("(?s)```.*?```").ReplaceAllString(text, ""), -1) {
		all[strings.ReplaceAll(mark.ReplaceAllString(strings.ToLower(strings.TrimSpace(found[1])), ""), " ", "-")] = true
	}
	return all
}

// Links between pages lead to files and headings that are there.
func TestDocs_LinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	pages, seen := Pages(t, root), 0
	for _, page := range pages {
		for _, found := range link.FindAllStringSubmatch(code.ReplaceAllString(page.Text, ""), -1) {
			target, anchor, _ := strings.Cut(found[1], "#")
			if strings.Contains(target, ":") {
				continue // elsewhere
			}
			seen++
			to := page.Path
			if target != "" {
				to = path.Join(path.Dir(page.Path), target)
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s links to %s, which is not there", page.Path, found[1])
				continue
			}
			if anchor != "" && !anchors(read(t, filepath.Join(root, to)))[anchor] {
				t.Errorf("%s links to %s, which has no such heading", page.Path, found[1])
			}
		}
	}
	if seen < 30 {
		t.Errorf("found %d links, so this test shows little", seen)
	}
}

var sourcePath = regexp.MustCompile("`((?:cmd|internal|deploy)/[\\w./-]+)`")

// Files and folders of ours that a page names exist.
func TestDocs_PathsExist(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, page := range Pages(t, root) {
		if page.Path == "CHANGELOG.md" {
			continue // it may name what is gone
		}
		for _, found := range sourcePath.FindAllStringSubmatch(page.Text, -1) {
			if strings.HasPrefix(found[1], secrets) || found[1] == "deploy/secrets" || found[1] == "deploy/.env" {
				continue // made on the machine that runs it
			}
			seen++
			if _, err := os.Stat(filepath.Join(root, found[1])); err != nil {
				t.Errorf("%s names %s, which is not there", page.Path, found[1])
			}
		}
	}
	if seen < 10 {
		t.Errorf("found %d paths, so this test shows little", seen)
	}
}

var step = regexp.MustCompile("(?m)^[0-9]+\\. \\[`([A-Za-z]+)`\\]\\(\\.\\./([a-z/]+\\.go)\\) ")

// The way of a delivery names functions where they are, and few enough to follow.
func TestDocs_TheWayOfADeliveryIsTheCodes(t *testing.T) {
	t.Parallel()
	steps := step.FindAllStringSubmatch(read(t, filepath.Join(root, "docs", "architecture.md")), -1)
	if len(steps) < 30 || len(steps) > 42 {
		t.Errorf("%d functions on the way, want about 40", len(steps))
	}
	for _, found := range steps {
		name, file := found[1], found[2]
		declared := regexp.MustCompile(`(?m)^func (\([a-z]+ [^)]+\) )?` + name + `[\[(]`)
		if !declared.MatchString(read(t, filepath.Join(root, filepath.FromSlash(file)))) {
			t.Errorf("docs/architecture.md names %s in %s, which is not there", name, file)
		}
	}
}

var shipped = regexp.MustCompile(`(?m)^      - src: (\S+)$`)

// The archive of a release has what its pages link to, except sources, and nothing that
// only lies in a working copy.
func TestDocs_ArchivesHoldWhatTheirPagesLinkTo(t *testing.T) {
	t.Parallel()
	var files []string
	for _, found := range shipped.FindAllStringSubmatch(read(t, filepath.Join(root, ".goreleaser.yaml")), -1) {
		files = append(files, found[1])
	}
	holds := func(name string) bool {
		return slices.ContainsFunc(files, func(file string) bool { return name == file || strings.HasPrefix(name, file+"/") })
	}
	if holds("deploy/secrets/telnyx-api-key") {
		t.Error("deploy/secrets would be in an archive")
	}
	// config/plans/x.yaml, made from the example, names it as ../plan.schema.json.
	if !holds("config/plan.schema.json") {
		t.Error("the archive lacks config/plan.schema.json")
	}
	seen := 0
	for _, page := range Pages(t, root) {
		if !holds(page.Path) {
			continue
		}
		for _, found := range link.FindAllStringSubmatch(code.ReplaceAllString(page.Text, ""), -1) {
			target, _, _ := strings.Cut(found[1], "#")
			if target == "" || strings.Contains(target, ":") {
				continue
			}
			seen++
			to := path.Join(path.Dir(page.Path), target)
			if path.Ext(to) == ".go" {
				continue // for readers of the repository
			}
			inPart := slices.ContainsFunc(files, func(file string) bool { return strings.HasPrefix(file, to+"/") })
			if !holds(to) && !inPart {
				t.Errorf("%s links to %s, which no archive has", page.Path, to)
			}
		}
	}
	if seen < 30 {
		t.Errorf("found %d links, so this test shows little", seen)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sources returns all Go sources, but for this file, whose name is wanted.
func sources(t *testing.T, wanted func(name string) bool) string {
	t.Helper()
	var all strings.Builder
	for _, folder := range []string{"cmd", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(name string, entry fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(name, ".go") && entry.Name() != "docs_test.go" && wanted(filepath.ToSlash(name)) {
				all.WriteString(read(t, name))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}
