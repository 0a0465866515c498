package plan

import "slices"

// WithPool returns an entry of the set with the numbers of its pool added, as they
// are now; pool may be in any order. A number that an entry names one by one is that
// entry's, whoever's pool it is in. Places are left out, since the plan names none
// for a pool's numbers; ask the entry itself. An entry without a pool comes back as
// it is.
func (s *Set) WithPool(c Campaign, pool []E164) Campaign {
	if c.NumberPool == "" {
		return c
	}
	named := s.named
	if named == nil {
		named = s.namedNumbers()
	}
	numbers := slices.Clone(c.Numbers)
	for _, number := range pool {
		if !named[number] {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	c.Numbers, c.Places = slices.Compact(numbers), nil
	return c
}

// hasPool reports whether any entry has a number pool.
func (s *Set) hasPool() bool {
	return slices.ContainsFunc(s.Campaigns, func(c Campaign) bool { return c.NumberPool != "" })
}

// namedNumbers are the numbers that entries name one by one.
func (s *Set) namedNumbers() map[E164]bool {
	named := map[E164]bool{}
	for _, c := range s.Campaigns {
		for _, number := range c.Numbers {
			named[number] = true
		}
	}
	return named
}

// Rank tells which of several entries counts that turn out to be about one
// campaign: the lowest. Only Telnyx knows that they are, so a plan cannot be refused
// for it: the campaign's own id comes before its TCR id, and a reference last.
func (c Campaign) Rank() int {
	switch {
	case c.CampaignID != "":
		return 0
	case c.TCRCampaignID != "":
		return 1
	default:
		return 2
	}
}
