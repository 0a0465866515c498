// Package monitoring_test compares the alert rules and the dashboard with the program and
// its documentation. The tests of the rules are in ruletest.
package monitoring_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/oasdiff/yaml"
)

const (
	rulesFile = "greenlight.rules.yaml"
	boardFile = "greenlight.board.json"
	pageFile  = "../../docs/operations.md"
)

type rule struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func readRules(t *testing.T) []rule {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	if _, err := yaml.Unmarshal([]byte(read(t, rulesFile)), &file, yaml.DecodeOpts{}); err != nil {
		t.Fatal(err)
	}
	if len(file.Groups) != 1 || len(file.Groups[0].Rules) == 0 {
		t.Fatalf("got %+v, want one group with rules", file)
	}
	return file.Groups[0].Rules
}

// board has the queries of a Grafana dashboard.
type board struct {
	Panels []struct {
		Title   string
		Targets []struct{ Expr string }
	}
}

func readBoard(t *testing.T) board {
	t.Helper()
	var b board
	if err := json.Unmarshal([]byte(read(t, boardFile)), &b); err != nil {
		t.Fatal(err)
	}
	if len(b.Panels) == 0 {
		t.Fatal("the board has no panels")
	}
	return b
}

func TestAlerts_SayWhatToDoAndHaveASection(t *testing.T) {
	page := read(t, pageFile)
	alerts := map[string]bool{}
	for _, r := range readRules(t) {
		alerts[r.Alert] = true
		if severity := r.Labels["severity"]; severity != "warning" && severity != "critical" {
			t.Errorf("%s: severity %q", r.Alert, severity)
		}
		for _, annotation := range []string{"summary", "description"} {
			if len(r.Annotations[annotation]) < 20 {
				t.Errorf("%s: %s %q", r.Alert, annotation, r.Annotations[annotation])
			}
		}
		if got, want := r.Annotations["runbook"], "docs/operations.md#"+strings.ToLower(r.Alert); got != want {
			t.Errorf("%s: runbook %q, want %q", r.Alert, got, want)
		}
		_, section, found := strings.Cut(page, "\n### "+r.Alert+"\n")
		section, _, _ = strings.Cut(section, "\n#")
		if !found || len(strings.TrimSpace(section)) < 40 {
			t.Errorf("docs/operations.md has no section about %s", r.Alert)
		}
	}
	for _, heading := range regexp.MustCompile(`(?m)^### (Greenlight\w+)$`).FindAllStringSubmatch(page, -1) {
		if !alerts[heading[1]] {
			t.Errorf("docs/operations.md has a section about %s, which is not an alert", heading[1])
		}
	}
}

var (
	metric = regexp.MustCompile(`greenlight_[a-z0-9_]+`)
	row    = regexp.MustCompile(`^(greenlight_[a-z0-9_]+)(?:\{([a-z_,]+)\})?$`)
	label  = regexp.MustCompile(`[{,]\s*([a-z_]+)\s*(?:=~|!~|!=|=)`)
)

// The page's list of metrics is generated from a running process, so they exist.
func TestExpressions_NameMetricsThatExist(t *testing.T) {
	types, labels := map[string]string{}, map[string]bool{"instance": true, "job": true}
	kind := ""
	for line := range strings.Lines(read(t, pageFile)) {
		line = strings.TrimSpace(line)
		if heading, found := strings.CutPrefix(line, "# "); found {
			kind = strings.TrimSuffix(heading, "s")
		}
		if found := row.FindStringSubmatch(line); found != nil {
			types[found[1]] = kind
			for name := range strings.SplitSeq(found[2], ",") {
				labels[name] = true
			}
		}
	}
	if len(types) < 20 {
		t.Fatalf("the page has %d metrics", len(types))
	}
	check := func(where, expr string) {
		found := metric.FindAllString(expr, -1)
		if len(found) == 0 {
			t.Errorf("%s uses no metric of Greenlight: %s", where, expr)
		}
		for _, name := range found {
			series := name
			for _, suffix := range []string{"_bucket", "_count", "_sum"} {
				if family := strings.TrimSuffix(name, suffix); types[family] == "histogram" {
					series = family
				}
			}
			if types[series] == "" {
				t.Errorf("%s: there is no metric %s", where, name)
			}
		}
		for _, name := range label.FindAllStringSubmatch(expr, -1) {
			if !labels[name[1]] {
				t.Errorf("%s: no metric has a label %s", where, name[1])
			}
		}
	}
	for _, r := range readRules(t) {
		check(r.Alert, r.Expr)
	}
	for _, panel := range readBoard(t).Panels {
		for _, target := range panel.Targets {
			check(panel.Title, target.Expr)
		}
	}
}
