// Package ruletest tests the alert rules with Prometheus's own engine. It is a separate
// module, because that engine needs seventy modules that Greenlight does not use.
package ruletest

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/template"
	"go.yaml.in/yaml/v3"
)

const (
	rulesFile = "../greenlight.rules.yaml"
	testsFile = "../greenlight.rules.test.yaml"
	// step is the time between two evaluations.
	step = time.Minute
)

// file is the part of the format of promtool test rules that we use.
type file struct {
	RuleFiles          []string       `yaml:"rule_files"`
	EvaluationInterval model.Duration `yaml:"evaluation_interval"`
	Tests              []struct {
		Name        string
		Interval    model.Duration
		InputSeries []struct{ Series, Values string } `yaml:"input_series"`
		Alerts      []struct {
			Alertname string
			EvalTime  model.Duration `yaml:"eval_time"`
			Expected  []struct {
				Labels map[string]string `yaml:"exp_labels"`
			} `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
	}
}

func readRules(t *testing.T) map[string]rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile(rulesFile, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	rules := map[string]rulefmt.Rule{}
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			rules[rule.Alert] = rule
		}
	}
	return rules
}

func TestAlerts(t *testing.T) {
	rules := readRules(t)
	text, err := os.ReadFile(testsFile)
	if err != nil {
		t.Fatal(err)
	}
	var tests file
	if err := yaml.Unmarshal(text, &tests); err != nil {
		t.Fatal(err)
	}
	fires, quiet := map[string]int{}, map[string]int{}
	for _, test := range tests.Tests {
		t.Run(test.Name, func(t *testing.T) {
			var load strings.Builder
			fmt.Fprintf(&load, "load %s\n", test.Interval)
			for _, series := range test.InputSeries {
				fmt.Fprintf(&load, "  %s %s\n", series.Series, series.Values)
			}
			store := promqltest.LoadedStorage(t, load.String())
			defer store.Close()
			for _, alert := range test.Alerts {
				rule, there := rules[alert.Alertname]
				if !there {
					t.Fatalf("no alert %s", alert.Alertname)
				}
				want := map[string]bool{}
				for _, expected := range alert.Expected {
					want[labels.FromMap(expected.Labels).String()] = true
				}
				if len(want) > 0 {
					fires[alert.Alertname]++
				} else {
					quiet[alert.Alertname]++
				}
				fired := firing(t, store, rule, time.Duration(alert.EvalTime))
				got := map[string]bool{}
				for with, sample := range fired {
					got[with] = true
					annotate(t, rule, sample)
				}
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("firing: got %v, want %v", got, want)
				}
			}
		})
	}
	for name := range rules {
		if fires[name] == 0 || quiet[name] == 0 {
			t.Errorf("%s has %d tests in which it fires and %d in which it does not, want one of each at least", name, fires[name], quiet[name])
		}
	}
}

// annotate fails the test if an annotation of a firing alert cannot be rendered. A label
// that the expression drops would leave a gap, and a template error would appear in the
// text.
func annotate(t *testing.T, rule rulefmt.Rule, sample promql.Sample) {
	t.Helper()
	const begin = "{{$labels := .Labels}}{{$value := .Value}}"
	data := template.AlertTemplateData(sample.Metric.Map(), nil, "", sample)
	for name, text := range rule.Annotations {
		expander := template.NewTemplateExpander(t.Context(), begin+text, rule.Alert, data, 0, nil, nil, []string{"missingkey=error"})
		said, err := expander.Expand()
		if err != nil || strings.TrimSpace(said) == "" || strings.Contains(said, "{{") || strings.Contains(said, "<no value>") {
			t.Errorf("%s: %s %q says %q, %v", rule.Alert, name, text, said, err)
		}
	}
}

// firing returns the samples of the alerts that fire at a time, by the alerts' labels: those
// whose expression was true in every evaluation for the duration in the rule.
func firing(t *testing.T, store storage.Queryable, rule rulefmt.Rule, at time.Duration) map[string]promql.Sample {
	t.Helper()
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1_000_000, Timeout: time.Minute, EnableAtModifier: true, EnableNegativeOffset: true})
	defer engine.Close()
	var held map[string]promql.Sample
	for when := at - time.Duration(rule.For); when <= at; when += step {
		query, err := engine.NewInstantQuery(t.Context(), store, nil, rule.Expr, time.Unix(0, 0).Add(when))
		if err != nil {
			t.Fatal(err)
		}
		result := query.Exec(t.Context())
		vector, err := result.Vector()
		if err != nil {
			t.Fatal(err)
		}
		now := map[string]promql.Sample{}
		for _, sample := range vector {
			builder := labels.NewBuilder(sample.Metric)
			builder.Del(labels.MetricName)
			for name, value := range rule.Labels {
				builder.Set(name, value)
			}
			all := builder.Labels().String()
			if _, before := held[all]; held == nil || before {
				now[all] = sample
			}
		}
		held = now
		query.Close()
	}
	return held
}
