package watch

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"greenlight/internal/plan"
)

func TestChanged_AreTheEntriesThatDiffer(t *testing.T) {
	load := func(texts ...string) *plan.Set {
		set := &plan.Set{}
		for _, text := range texts {
			one, err := plan.LoadBytes("plan.yaml", []byte(text))
			must(t, err)
			set.Hash += one.Hash
			set.Campaigns = append(set.Campaigns, one.Campaigns...)
		}
		return set
	}
	a, b, c := campaign("a", 1), campaign("b", 2), campaign("c", 3)
	tcr := "version: 1\ncampaigns:\n  - {name: d, tcr_campaign_id: C6X6M95, numbers: [\"+15552000004\"]}\n"
	for _, row := range []struct {
		name     string
		old, new *plan.Set
		want     []string
	}{
		{"nothing planned", nil, nil, nil},
		{"the first set", nil, load(b, a), []string{"a", "b"}},
		{"the last one", load(a, b), &plan.Set{}, []string{"a", "b"}},
		{"the same", load(a, b), load(a, b), nil},
		{"another order and place", load(a, b), load("# moved\n"+b, a), nil},
		{"one added", load(a, b), load(a, b, c), []string{"c"}},
		{"one removed", load(a, b, c), load(a, c), []string{"b"}},
		{"another number", load(a, b), load(a, campaign("b", 9)), []string{"b"}},
		{"another line for a number", load(a, b), load(a, strings.Replace(b, "[", "[\n      ", 1)), nil},
		{"another limit", load(a, b), load(a, b+"    max_numbers: 1\n"), []string{"b"}},
		{"one for another", load(a, b), load(a, c), []string{"b", "c"}},
		{"a TCR campaign", load(a), load(a, tcr), []string{"C6X6M95"}},
	} {
		if got := Changed(row.old, row.new); !slices.Equal(got, row.want) {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

// TestChanged_IgnoresEveryPlace fails when an entry gains a place that Changed would
// take for content, and plan again all campaigns below an edited line.
func TestChanged_IgnoresEveryPlace(t *testing.T) {
	known := []string{"Places", "Position"}
	place := reflect.TypeFor[plan.Position]()
	for field := range reflect.TypeFor[plan.Campaign]().Fields() {
		of := field.Type
		for of.Kind() == reflect.Slice || of.Kind() == reflect.Map || of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		if of == place && !slices.Contains(known, field.Name) {
			t.Errorf("plan.Campaign.%s holds places: leave it out in byID", field.Name)
		}
	}
}
