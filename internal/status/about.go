package status

import (
	"path/filepath"
	"slices"
	"strings"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
)

// Standing is how far everything in a snapshot is, for those who wait for it.
type Standing string

// The standings.
const (
	// AllAttached: every planned number is on its campaign, and nothing is wrong.
	AllAttached Standing = "all attached"
	// NotYet: something is on its way, or waits for what happens by itself.
	NotYet Standing = "not yet"
	// NeedsPerson: a person should do something. Greenlight keeps trying all the same.
	NeedsPerson Standing = "needs a person"
)

// Standing says how far everything is. A campaign that no plan names does not count,
// and where nothing is planned, nothing is attached yet. As long as the plans in force
// have not been checked completely, the result is never AllAttached.
func (s Snapshot) Standing() Standing {
	standing, planned := AllAttached, false
	if s.PlanPending || len(s.LedgerMissing) > 0 {
		standing = NotYet
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
				return NeedsPerson // nothing is sent until a person says resume
			}
			standing = NotYet
		}
	}
	switch {
	case s.PlanFault != "":
		return NeedsPerson // what the files ask for is not known
	case !planned:
		return NotYet
	default:
		return standing
	}
}

// About returns the part of a snapshot that is about one thing: a plan's entry by
// its name, a plan file, a campaign by any of its ids, or a number in E.164 form. It
// is false when there is no such thing. A name goes before a file of that name.
func (s Snapshot) About(what string) (Snapshot, bool) {
	for _, fits := range fitting(what) {
		part := s.only(func(c Campaign) bool { return fits(c.Campaign) }, func(Number) bool { return true })
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

// fitting returns by what a campaign may be meant, the first that fits any before the
// next.
func fitting(what string) []func(ledger.Campaign) bool {
	if what == "" {
		return nil
	}
	return []func(ledger.Campaign) bool{
		func(c ledger.Campaign) bool { return c.Planned && c.Plan == what },
		func(c ledger.Campaign) bool { return what == c.ID || what == c.TelnyxID || what == c.TCRID },
		func(c ledger.Campaign) bool { return c.Planned && isPlanFile(c.PlanPlace, what) },
	}
}

// Meant returns the campaigns that a person means by the name of a plan's entry, an id of
// a campaign (Telnyx's or TCR's) or a plan file, as the first of these that there is.
func Meant(all []ledger.CampaignEntry, what string) []ledger.Campaign {
	for _, fits := range fitting(what) {
		var meant []ledger.Campaign
		for _, entry := range all {
			if fits(entry.Campaign) {
				meant = append(meant, entry.Campaign)
			}
		}
		if len(meant) > 0 {
			return meant
		}
	}
	return nil
}

// isPlanFile reports whether a person who names a file means the one of a place such
// as config/plans/spring.yaml:7: by its whole path or by its last parts.
func isPlanFile(place, file string) bool {
	colon := strings.LastIndexByte(place, ':')
	if colon < 0 || file == "" {
		return false
	}
	have, want := filepath.Clean(place[:colon]), filepath.Clean(file)
	return have == want || strings.HasSuffix(have, string(filepath.Separator)+want) || strings.HasSuffix(want, string(filepath.Separator)+have)
}

// only returns the snapshot with the campaigns and numbers that fit.
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
	part.Held.Campaigns = nil
	for _, c := range part.Campaigns {
		if by, ok := s.Held.Campaigns[c.ID]; ok {
			if part.Held.Campaigns == nil {
				part.Held.Campaigns = make(map[string]ledger.HeldBy)
			}
			part.Held.Campaigns[c.ID] = by
		}
	}
	return part
}
