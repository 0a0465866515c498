package status

import (
	"path/filepath"
	"slices"
	"strings"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
)

// Progress summarizes a snapshot, for those who wait until all numbers are attached.
type Progress string

// The kinds of progress.
const (
	// AllAttached means that every planned number is on its campaign, and nothing is wrong.
	AllAttached Progress = "all attached"
	// NotYet means that something is in progress, or waits for something that needs no person.
	NotYet Progress = "not yet"
	// NeedsPerson means that a person should act. Greenlight keeps retrying.
	NeedsPerson Progress = "needs a person"
)

// Progress summarizes the snapshot. Campaigns that no plan names do not count. If nothing
// is planned, or the plans in force have not all been checked, it is never AllAttached.
func (s Snapshot) Progress() Progress {
	progress, planned := AllAttached, false
	if s.PlanPending || len(s.LedgerMissing) > 0 {
		progress = NotYet
	}
	for _, c := range s.Campaigns {
		if !c.Planned && len(c.Numbers) == 0 {
			continue
		}
		planned = true
		switch {
		case c.WaitsForPerson():
			return NeedsPerson
		case c.Phase != ledger.PhaseApproved || c.On() < len(c.Numbers):
			if _, held := s.Held.Of(c.IDs()...); held {
				return NeedsPerson // nothing is sent until a person runs resume
			}
			progress = NotYet
		}
	}
	switch {
	case s.PlanFault != "":
		return NeedsPerson // the plan in the files is not known
	case !planned:
		return NotYet
	default:
		return progress
	}
}

// About returns the part of a snapshot about one thing: the name of a plan entry, a plan
// file, any id of a campaign, or a number in E.164 form. It reports whether there is one.
// A name takes precedence over a file.
func (s Snapshot) About(what string) (Snapshot, bool) {
	for _, matches := range matchers(what) {
		part := s.only(func(c Campaign) bool { return matches(c.Campaign) }, func(Number) bool { return true })
		if len(part.Campaigns) > 0 {
			return part, true
		}
	}
	number, err := plan.ParseTyped(what)
	if err != nil {
		return Snapshot{}, false
	}
	isIt := func(n Number) bool { return n.Number.Number == string(number) }
	part := s.only(func(c Campaign) bool { return slices.ContainsFunc(c.Numbers, isIt) }, isIt)
	part.Focus = FocusNumber
	return part, len(part.Campaigns) > 0
}

// matchers returns the ways in which a campaign can be named, in order of precedence.
func matchers(what string) []func(ledger.Campaign) bool {
	if what == "" {
		return nil
	}
	return []func(ledger.Campaign) bool{
		func(c ledger.Campaign) bool { return c.Planned && c.Plan == what },
		func(c ledger.Campaign) bool { return slices.Contains(c.IDs(), what) },
		func(c ledger.Campaign) bool { return c.Planned && isPlanFile(c.PlanPlace, what) },
	}
}

// Named returns the campaigns that a person names: by the name of a plan entry, else by one
// of [ledger.Campaign.IDs], else by a plan file.
func Named(all []ledger.CampaignEntry, what string) []ledger.Campaign {
	for _, matches := range matchers(what) {
		var named []ledger.Campaign
		for _, entry := range all {
			if matches(entry.Campaign) {
				named = append(named, entry.Campaign)
			}
		}
		if len(named) > 0 {
			return named
		}
	}
	return nil
}

// isPlanFile reports whether a file name means the file of a place, for example
// config/plans/spring.yaml:7. The name may be the whole path or its last parts.
func isPlanFile(place, file string) bool {
	colon := strings.LastIndexByte(place, ':')
	if colon < 0 || file == "" {
		return false
	}
	have, want := filepath.Clean(place[:colon]), filepath.Clean(file)
	return have == want || strings.HasSuffix(have, string(filepath.Separator)+want) || strings.HasSuffix(want, string(filepath.Separator)+have)
}

// only returns the snapshot reduced to some campaigns and numbers.
func (s Snapshot) only(campaign func(Campaign) bool, number func(Number) bool) Snapshot {
	part := s
	part.Focus = FocusCampaign
	part.Campaigns, part.Totals = []Campaign{}, map[ledger.State]int{}
	for _, c := range s.Campaigns {
		if !campaign(c) {
			continue
		}
		numbers := []Number{}
		for _, n := range c.Numbers {
			if number(n) {
				numbers = append(numbers, n)
				part.Totals[n.State]++
			}
		}
		c.Numbers = numbers
		c.Counts = map[ledger.State]int{}
		for _, n := range numbers {
			c.Counts[n.State]++
		}
		part.Campaigns = append(part.Campaigns, c)
	}
	part.Held.Campaigns = map[string]ledger.HeldBy{}
	for _, c := range part.Campaigns {
		for _, id := range c.IDs() {
			if by, held := s.Held.Campaigns[id]; held {
				part.Held.Campaigns[id] = by
			}
		}
	}
	return part
}
