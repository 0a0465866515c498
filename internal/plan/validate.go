package plan

import "fmt"

// validate reports what no entry shows on its own: two entries with one name, for one
// campaign or for one number pool, and a number that is listed twice, in one entry or
// in two. The later position in reading order is the fault, and its message names the
// earlier one. Entries come in the order of their files.
//
// Whether a campaign_id, a tcr_campaign_id and a reference_id mean the same campaign,
// and which numbers a pool has, only Telnyx knows. The assigner checks that.
func validate(entries []entry, faults *collector) {
	names, campaigns, pools, numbers := firsts[string]{}, firsts[string]{}, firsts[string]{}, firsts[E164]{}
	for _, e := range entries {
		if first := names.claim(e.Name, e.name); first != nil {
			faults.add(e.name, fmt.Sprintf("name %q", e.Name), "is already used at "+first.String(), "choose another name")
		}
		if first := campaigns.claim(e.ID(), e.selector); first != nil {
			faults.add(e.selector, "campaign "+e.ID(), "is already planned at "+first.String(), "put its numbers in one entry")
		}
		if first := pools.claim(e.NumberPool, e.pool); first != nil {
			faults.add(e.pool, "number_pool "+e.NumberPool, "is already planned at "+first.String(), "put each number on one campaign")
		}
		for _, n := range e.numbers {
			if first := numbers.claim(n.number, n.at); first != nil {
				faults.add(n.at, "number "+string(n.number), "is already listed at "+first.String(), "delete one of the two")
			}
		}
	}
}

// firsts holds the first position of each thing.
type firsts[T comparable] map[T]Position

// claim returns the earlier position of a thing. If there is none, it stores this one
// and returns nil. The zero value was refused before, and is never stored.
func (f firsts[T]) claim(thing T, at Position) *Position {
	var none T
	if thing == none {
		return nil
	}
	if first, ok := f[thing]; ok {
		return &first
	}
	f[thing] = at
	return nil
}
