package preflight

import (
	"cmp"
	"context"
	"slices"

	"greenlight/internal/assigner"
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
	// are not findings.
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
	// WebhookURL is where Telnyx posts the campaign's events.
	WebhookURL string `json:"webhook_url"`
	// Planned counts the numbers of the plan, those of its pool among them; Others
	// those that are on the campaign and not planned. MaxNumbers is the plan's.
	Planned    int `json:"planned"`
	Others     int `json:"others"`
	MaxNumbers int `json:"max_numbers"`
}

// Check asks Telnyx about everything that the sets plan, with at most concurrency
// calls under way at once, and returns a report for each. Nothing can be written
// through the client while it does. An error means that Telnyx could not be asked
// to the end; it says in a sentence why and what to do.
func Check(ctx context.Context, client *telnyx.Client, concurrency int, sets ...*plan.Set) ([]Report, error) {
	forecasts, err := assigner.ForeseeAll(ctx, assigner.NewObserver(client.ReadOnly(), concurrency), sets...)
	if err != nil {
		return nil, Explain(ctx, err)
	}
	reports := make([]Report, len(sets))
	for i, set := range sets {
		reports[i] = newReport(set.Hash, forecasts[i])
	}
	return reports, nil
}

func newReport(hash string, forecasts []assigner.Forecast) Report {
	// Lists are [] in JSON, never null.
	r := Report{Hash: hash, Campaigns: []Campaign{}, Findings: []Finding{}, Notes: []Note{}}
	for _, f := range forecasts {
		e := entry{f, &r}
		e.addCampaign()
		for _, n := range f.Numbers {
			e.addNumber(n)
		}
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	r.Clean = len(r.Findings) == 0
	return r
}
