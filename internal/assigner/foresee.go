package assigner

import (
	"context"
	"fmt"

	"greenlight/internal/account"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

// Forecast is what an assigner would do about one campaign now, if it had never
// tried before: waits after failed tries, and requests under way, are known to the
// ledger alone.
type Forecast struct {
	// Plan is the entry; with a number pool, its Numbers are those of now.
	Plan plan.Campaign
	// Phase is that of the campaign, Status Telnyx's campaignStatus, Detail why in
	// a few words. Nothing is attached unless the phase is Ready.
	Phase  ledger.Phase
	Status string
	Detail string
	// Numbers are the verdicts, sorted by number; none unless the phase is Ready.
	Numbers []NumberForecast
}

// NumberForecast is what would be done about one number.
type NumberForecast struct {
	plan.Change
	// Reason is set when the number would have to be attached or moved and cannot.
	Reason ledger.Reason
	// SetProfile is the messaging profile that it would be put on first, if any.
	SetProfile string
}

// Writes reports whether a request would be sent for the number.
func (n NumberForecast) Writes() bool {
	return n.Reason == "" && (n.Action == plan.Attach || n.Action == plan.Move)
}

// Foresee tells what an assigner would do about every campaign of the set, by the
// assigner's own rules. It only reads, if the reader's client does no more. An
// error means that Telnyx could not be asked.
func Foresee(ctx context.Context, r *account.Reader, set *plan.Set) ([]Forecast, error) {
	forecasts := make([]Forecast, 0, len(set.Campaigns))
	for _, want := range set.Campaigns {
		f, err := foreseeCampaign(ctx, r, set, want)
		if err != nil {
			return nil, fmt.Errorf("plan %s: %w", want.Name, err)
		}
		forecasts = append(forecasts, f)
	}
	return forecasts, nil
}

func foreseeCampaign(ctx context.Context, r *account.Reader, set *plan.Set, want plan.Campaign) (Forecast, error) {
	f := Forecast{Plan: want}
	c, err := r.Campaign(ctx, want)
	if telnyx.IsNotFound(err) {
		f.Phase = ledger.Missing
		return f, nil
	}
	if verdict := telnyx.Judge(err); err != nil && (verdict == telnyx.ForGood || verdict == telnyx.Unclear) {
		f.Phase, f.Detail = ledger.Unread, detailOf(err) // this campaign's trouble, not the account's
		return f, nil
	}
	if err != nil {
		return f, err
	}
	f.Phase, f.Detail = PhaseOf(c)
	f.Status = string(c.CampaignStatus)
	if twin, named := otherEntry(set, want.ID(), c); named && twin.Rank() < want.Rank() {
		f.Phase, f.Detail = ledger.OnHold, namedTwice(twin)
	}
	if f.Phase != ledger.Ready {
		return f, nil
	}
	if f.Plan, err = expand(ctx, r, set, want); err != nil {
		return f, err
	}
	s, err := surveyNumbers(ctx, r, f.Plan, c, func(string) bool { return false })
	if err != nil {
		return f, err
	}
	room := f.Plan.MaxNumbers - s.live
	for _, change := range plan.Diff(f.Plan, c, s.records) {
		n := NumberForecast{Change: change}
		if change.Action == plan.Attach || change.Action == plan.Move {
			n.Reason = obstacle(f.Plan, s.settings, string(change.Number))
			if n.Reason == "" {
				if room--; room < 0 {
					n.Reason = ledger.CampaignFull
				}
			}
			if n.Writes() && s.settings[string(change.Number)].MessagingProfileID == "" {
				n.SetProfile = f.Plan.MessagingProfileID
			}
		}
		f.Numbers = append(f.Numbers, n)
	}
	return f, nil
}
