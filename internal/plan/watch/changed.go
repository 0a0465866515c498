package watch

import (
	"maps"
	"reflect"
	"slices"

	"greenlight/internal/plan"
)

// Changed returns the ids ([plan.Campaign.ID]) of the campaigns that differ between
// two sets: added, removed, or with another entry. Where an entry stands in the
// files does not matter. The ids are sorted, each once. They are what has to be
// planned again when new takes the place of old, and nothing else has. A nil set
// plans nothing.
func Changed(old, new *plan.Set) []string {
	before, after := byID(old), byID(new)
	changed := map[string]bool{}
	for id, entry := range before {
		// Compared as a whole, so that a field which the plan language gains counts
		// without anybody thinking of this place.
		if other, ok := after[id]; !ok || !reflect.DeepEqual(entry, other) {
			changed[id] = true
		}
	}
	for id := range after {
		if _, ok := before[id]; !ok {
			changed[id] = true
		}
	}
	return slices.Sorted(maps.Keys(changed))
}

// byID returns the entries of a set, without the places where they stand.
func byID(set *plan.Set) map[string]plan.Campaign {
	if set == nil {
		return nil
	}
	entries := make(map[string]plan.Campaign, len(set.Campaigns))
	for _, c := range set.Campaigns {
		c.Position, c.Places = plan.Position{}, nil
		entries[c.ID()] = c
	}
	return entries
}
