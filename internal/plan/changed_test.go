package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestChanged_AreTheEntriesThatDiffer(t *testing.T) {
	load := func(texts ...string) *Set {
		set := &Set{}
		for _, text := range texts {
			one, err := LoadBytes("plan.yaml", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			set.Hash += one.Hash
			set.Campaigns = append(set.Campaigns, one.Campaigns...)
		}
		return set
	}
	campaign := func(id string, n int) string {
		return fmt.Sprintf("version: 1\ncampaigns:\n  - name: %s\n    campaign_id: %s\n    numbers: [\"+1555%07d\"]\n", id, id, 2000000+n)
	}
	a, b, c := campaign("a", 1), campaign("b", 2), campaign("c", 3)
	tcr := "version: 1\ncampaigns:\n  - {name: d, tcr_campaign_id: C6X6M95, numbers: [\"+15552000004\"]}\n"
	for _, row := range []struct {
		name     string
		old, new *Set
		want     []string
	}{
		{"nothing planned", &Set{}, &Set{}, nil},
		{"the first set", &Set{}, load(b, a), []string{"a", "b"}},
		{"the last one", load(a, b), &Set{}, []string{"a", "b"}},
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
