package assigner

import (
	"context"
	"errors"
	"slices"

	"greenlight/internal/account"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

// readFailure says that a read failed, so that nothing may be decided.
type readFailure struct{ err error }

func (r *readFailure) Error() string { return r.err.Error() }
func (r *readFailure) Unwrap() error { return r.err }

func asReadFailure(err error) (error, bool) {
	failed, ok := errors.AsType[*readFailure](err)
	if !ok {
		return nil, false
	}
	return failed.err, true
}

// survey is what Telnyx says, in this pass, of a campaign's numbers.
type survey struct {
	// records are those of all numbers on the campaign and of all planned
	// numbers, wherever they are.
	records []telnyx.Assignment
	// settings are those of the numbers that may have to be attached, by number.
	// A number that is not there is not on the account.
	settings map[string]telnyx.NumberSettings
	// live counts the numbers that the campaign has, planned or not.
	live int
}

// surveyNumbers reads everything that must be known before a write, at least
// cost: the campaign's own list; then the records of the planned numbers that are
// not in it; then the messaging settings of those that may be attached. A number
// that was requested before is read by itself in any case, since a list may lag
// behind.
func surveyNumbers(ctx context.Context, r *account.Reader, want plan.Campaign, c telnyx.Campaign, requested func(string) bool) (survey, error) {
	var s survey
	onCampaign, err := r.OnCampaign(ctx, c)
	if err != nil {
		return s, &readFailure{err}
	}
	for _, record := range onCampaign {
		if record.AssignmentStatus != telnyx.FailedAssignment {
			s.live++
		}
	}
	var absent, alone, together []string
	for _, change := range plan.Diff(want, c, onCampaign) {
		if change.Action != plan.Attach {
			continue
		}
		number := string(change.Number)
		absent = append(absent, number)
		if requested(number) {
			alone = append(alone, number)
		} else {
			together = append(together, number)
		}
	}
	elsewhere, err := r.Records(ctx, together)
	if err != nil {
		return s, &readFailure{err}
	}
	single, err := r.EachRecord(ctx, alone)
	if err != nil {
		return s, &readFailure{err}
	}
	s.records = slices.Concat(onCampaign, elsewhere, single)
	if s.settings, err = r.Settings(ctx, absent); err != nil {
		return s, &readFailure{err}
	}
	return s, nil
}

// expand returns the entry with the numbers of its pool added, as they are now.
func expand(ctx context.Context, r *account.Reader, set *plan.Set, want plan.Campaign) (plan.Campaign, error) {
	if want.NumberPool == "" {
		return want, nil
	}
	pool, err := r.Pool(ctx, want.NumberPool)
	if err != nil {
		return want, &readFailure{err}
	}
	return set.WithPool(want, pool), nil
}
