package preflight

import (
	"cmp"
	"context"
	"slices"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

// Report is what was found about one set of plans. Its JSON form is what greenlight
// plan preflight --json prints.
type Report struct {
	// Clean says that there are no findings.
	Clean bool `json:"clean"`
	// Hash is that of the set.
	Hash string `json:"hash"`
	// Campaigns are in the order of the set, which is by name.
	Campaigns []Campaign `json:"campaigns"`
	// Findings are sorted by their place in the plan files.
	Findings []Finding `json:"findings"`
	// Notes say what Greenlight will do about a number besides attaching it. They
	// are no findings.
	Notes []Note `json:"notes"`
}

// Campaign is one entry of the set as Telnyx has it today.
type Campaign struct {
	Plan string `json:"plan"`
	// ID is the entry's [plan.Campaign.ID].
	ID string `json:"id"`
	// CampaignID and TCRCampaignID are Telnyx's answer; empty when the campaign is
	// missing.
	CampaignID    telnyx.CampaignID    `json:"campaign_id"`
	TCRCampaignID telnyx.TCRCampaignID `json:"tcr_campaign_id"`
	Shared        bool                 `json:"shared"`
	// Phase is what its state means for attaching numbers, Status Telnyx's
	// campaignStatus.
	Phase  ledger.Phase          `json:"phase"`
	Status telnyx.CampaignStatus `json:"campaign_status"`
	// WebhookURL is where Telnyx posts the campaign's events. Whether it is ours is
	// for people to see.
	WebhookURL string `json:"webhook_url"`
	// Planned counts the numbers of the plan, those of its pool among them; Others
	// those that are on the campaign and not planned. Together they may be no more
	// than MaxNumbers, which is the plan's.
	Planned    int `json:"planned"`
	Others     int `json:"others"`
	MaxNumbers int `json:"max_numbers"`
}

// Check asks Telnyx about everything that the sets plan, with at most concurrency
// calls under way at once, and returns a report for each. Nothing can be written
// through the client while it does. An error means that Telnyx could not be asked
// to the end; it says in a sentence why and what to do.
func Check(ctx context.Context, client *telnyx.Client, concurrency int, sets ...*plan.Set) ([]Report, error) {
	s := newSurvey(client, concurrency)
	if err := s.read(ctx, sets); err != nil {
		return nil, Explain(ctx, err)
	}
	reports := make([]Report, len(sets))
	for i, set := range sets {
		reports[i] = s.judge(set)
	}
	return reports, nil
}

// judge holds a set against what was read. It asks nobody.
func (s *survey) judge(set *plan.Set) Report {
	// Lists are [] in JSON, never null.
	r := Report{Hash: set.Hash, Campaigns: []Campaign{}, Findings: []Finding{}, Notes: []Note{}}
	twins := s.twins(set)
	for _, want := range set.Campaigns {
		e := entry{written: want, want: set.WithPool(want, s.pools[want.NumberPool]), found: s.campaigns[want.ID()], report: &r}
		e.changes = plan.Diff(e.want, e.found.campaign, s.records.of(e.found.campaign, e.want.Numbers))
		e.checkCampaign(twins)
		e.checkNumbers(s)
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	r.Clean = len(r.Findings) == 0
	return r
}

// twins finds entries that turn out to be about one campaign, under several of its
// ids. It returns, by the ID of each but the first, the entry that counts: that is
// how the assigner has it, the campaign's own id before its TCR id before a
// reference.
func (s *survey) twins(set *plan.Set) map[string]plan.Campaign {
	first, twins := map[string]plan.Campaign{}, map[string]plan.Campaign{}
	entries := slices.Clone(set.Campaigns)
	slices.SortStableFunc(entries, func(a, b plan.Campaign) int { return cmp.Compare(a.Rank(), b.Rank()) })
	for _, want := range entries {
		found := s.campaigns[want.ID()]
		if found.missing() {
			continue
		}
		id := found.campaign.AssignmentID()
		if other, twice := first[id]; twice {
			twins[want.ID()] = other
			continue
		}
		first[id] = want
	}
	return twins
}
