package preflight

import (
	"context"
	"slices"
	"time"

	"greenlight/internal/assigner"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

// Report has the findings about one plan set. Its JSON form is the output of greenlight
// plan preflight --json.
type Report struct {
	// Clean says that there are no findings.
	Clean bool `json:"clean"`
	// Hash is the hash of the set.
	Hash string `json:"hash"`
	// Campaigns are sorted by name, as in the set.
	Campaigns []Campaign `json:"campaigns"`
	// Findings are sorted by their place in the plan files.
	Findings []Finding `json:"findings"`
	// Notes say what Greenlight will do with a number besides attaching it. They are not
	// findings.
	Notes []Note `json:"notes"`
}

// Campaign is the current state at Telnyx of one entry of the set.
type Campaign struct {
	Plan string `json:"plan"`
	// ID is the entry's [plan.Campaign.ID].
	ID string `json:"id"`
	// CampaignID and TCRCampaignID are as Telnyx returned them, empty if the campaign is
	// missing.
	CampaignID    telnyx.CampaignID    `json:"campaign_id"`
	TCRCampaignID telnyx.TCRCampaignID `json:"tcr_campaign_id"`
	Shared        bool                 `json:"shared"`
	// Phase says what its state means for attaching numbers. Status is Telnyx's
	// campaignStatus.
	Phase  ledger.Phase          `json:"phase"`
	Status telnyx.CampaignStatus `json:"campaign_status"`
	// WebhookURL is where Telnyx posts the campaign's events.
	WebhookURL string `json:"webhook_url"`
	// Planned counts the numbers of the entry, including those of its pool. Others counts
	// unplanned numbers on the campaign. MaxNumbers is the plan's max_numbers.
	Planned    int `json:"planned"`
	Others     int `json:"others"`
	MaxNumbers int `json:"max_numbers"`
}

// Check reads everything that the sets plan from Telnyx, with at most concurrency calls at
// once, and returns a report for each set. It never writes. An error means that not
// everything could be read; [Explain] says what to do. PublicURL is as in [WrongWebhookURL].
func Check(ctx context.Context, client *telnyx.Client, concurrency int, publicURL string, sets ...*plan.Set) ([]Report, error) {
	forecasts, err := assigner.ForecastPlans(ctx, assigner.NewObserver(client.ReadOnly(), concurrency), sets...)
	if err != nil {
		return nil, err
	}
	reports := make([]Report, len(sets))
	for i, set := range sets {
		reports[i] = newReport(set.Hash, publicURL, forecasts[i])
	}
	return reports, nil
}

func newReport(hash, publicURL string, forecasts []assigner.Forecast) Report {
	// Lists are [] in JSON, never null.
	r := Report{Hash: hash, Campaigns: []Campaign{}, Findings: []Finding{}, Notes: []Note{}}
	for _, f := range forecasts {
		e := entry{f, publicURL, time.Now(), &r}
		e.addCampaign()
		for _, n := range f.Numbers {
			e.addNumber(n)
		}
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return a.Compare(b.Position)
	})
	r.Clean = len(r.Findings) == 0
	return r
}
