package plan

import "fmt"

// validate reports what each entry alone cannot show: two entries with one name,
// two entries for one campaign, two for one number pool, and a number that stands
// twice, in one entry or in two. The later place in reading order is the one at
// fault, and the message names the earlier. Entries come in the order of their files.
//
// Whether a campaign_id, a tcr_campaign_id and a reference_id mean the same
// campaign, and which numbers a pool has, cannot be known without asking Telnyx,
// so that is left to those who ask.
func validate(entries []entry, faults *collector) {
	names := firsts[string]{}
	campaigns := firsts[string]{}
	pools := firsts[string]{}
	numbers := make(firsts[E164], total(entries))
	for i := range entries {
		e := &entries[i]
		if first := names.claim(e.Name, e.name); first != nil {
			faults.add(e.name, fmt.Sprintf("name %q", e.Name), "is taken, see "+first.String(), "choose another name")
		}
		if first := campaigns.claim(e.ID(), e.selector); first != nil {
			faults.add(e.selector, "campaign "+e.ID(), "is planned already, see "+first.String(), "put its numbers in one place")
		}
		if first := pools.claim(e.NumberPool, e.pool); first != nil {
			faults.add(e.pool, "number_pool "+e.NumberPool, "is planned already, see "+first.String(), "put each number on one campaign")
		}
		for _, n := range e.numbers {
			if first := numbers.claim(n.number, n.at); first != nil {
				faults.add(n.at, "number "+string(n.number), "stands already, see "+first.String(), "delete one of the two")
			}
		}
	}
}

// total returns how many numbers the entries have.
func total(entries []entry) int {
	n := 0
	for i := range entries {
		n += len(entries[i].numbers)
	}
	return n
}

// firsts remembers where each thing stands first.
type firsts[T comparable] map[T]Position

// claim returns where a thing stood before, or nil and remembers this place. The
// zero thing is one that was refused and is never taken.
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
