package assigner

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

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
}

// survey reads everything that must be known before a write, at least cost: the
// campaign's own list; then, for planned numbers that are not in it, single
// reads or the account's list, whichever is fewer calls; then the messaging
// settings of those that may be attached, a hundred at a time. A number that was
// requested before is read by itself in any case, since a list may lag behind.
func (p *pass) survey(ctx context.Context, c telnyx.Campaign) (survey, error) {
	var s survey
	onCampaign, err := p.a.telnyx.Assignments(ctx, telnyx.AssignmentFilter{
		CampaignID: c.CampaignID, TCRCampaignID: tcrFilter(c),
	})
	if err != nil {
		return s, &readFailure{fmt.Errorf("list numbers of campaign %s: %w", p.key, err)}
	}
	s.records = ofCampaign(onCampaign, c)

	absent := p.unattached(c, s.records)
	fresh, requested := p.byRequest(absent)
	elsewhere, err := p.recordsOf(ctx, fresh)
	if err != nil {
		return s, &readFailure{err}
	}
	alone, err := p.singleRecords(ctx, requested)
	if err != nil {
		return s, &readFailure{err}
	}
	s.records = slices.Concat(s.records, elsewhere, alone)

	s.settings = make(map[string]telnyx.NumberSettings, len(absent))
	settings, err := p.a.telnyx.NumberSettings(ctx, absent)
	if err != nil {
		return s, &readFailure{fmt.Errorf("read messaging settings of %d numbers: %w", len(absent), err)}
	}
	for _, one := range settings {
		s.settings[one.PhoneNumber] = one
	}
	return s, nil
}

// tcrFilter is the filter for a campaign that has no Telnyx id here.
func tcrFilter(c telnyx.Campaign) telnyx.TCRCampaignID {
	if c.Shared {
		return c.TCRCampaignID
	}
	return ""
}

// ofCampaign keeps the records that are on the campaign: Telnyx ignores a
// filter that it does not know and then lists the whole account.
func ofCampaign(records []telnyx.Assignment, c telnyx.Campaign) []telnyx.Assignment {
	var on []telnyx.Assignment
	for _, record := range records {
		if record.On(c) {
			on = append(on, record)
		}
	}
	return on
}

// unattached returns the planned numbers that plan.Diff would attach if nothing
// else were known of them.
func (p *pass) unattached(c telnyx.Campaign, records []telnyx.Assignment) []string {
	var numbers []string
	for _, change := range plan.Diff(p.want, c, records) {
		if change.Action == plan.Attach {
			numbers = append(numbers, string(change.Number))
		}
	}
	return numbers
}

// byRequest tells numbers that were never requested from those that were.
func (p *pass) byRequest(numbers []string) (fresh, requested []string) {
	for _, number := range numbers {
		if p.numbers[number].Number.ClaimedAt.IsZero() {
			fresh = append(fresh, number)
		} else {
			requested = append(requested, number)
		}
	}
	return fresh, requested
}

// recordsOf reads the records of the numbers, wherever they are. The account's
// list tells on its first page how many pages it has, so one call decides
// between the two ways. A list that does not count its rows is not relied on.
func (p *pass) recordsOf(ctx context.Context, numbers []string) ([]telnyx.Assignment, error) {
	if len(numbers) < 2 {
		return p.singleRecords(ctx, numbers)
	}
	first, err := p.a.telnyx.AssignmentsPage(ctx, telnyx.AssignmentFilter{}, 1)
	if err != nil {
		return nil, fmt.Errorf("list numbers of the account: %w", err)
	}
	counted := first.TotalRecords > 0
	if counted && len(first.Records) >= first.TotalRecords || len(first.Records) == 0 && !counted {
		return first.Records, nil
	}
	pages := (first.TotalRecords + len(first.Records) - 1) / max(len(first.Records), 1)
	if !counted || len(numbers) <= pages {
		return p.singleRecords(ctx, numbers)
	}
	all, err := p.a.telnyx.Assignments(ctx, telnyx.AssignmentFilter{})
	if err != nil {
		return nil, fmt.Errorf("list numbers of the account: %w", err)
	}
	return all, nil
}

func (p *pass) singleRecords(ctx context.Context, numbers []string) ([]telnyx.Assignment, error) {
	found := make([]*telnyx.Assignment, len(numbers))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cap(p.a.slots))
	for i, number := range numbers {
		group.Go(func() error {
			release := p.a.slot(ctx)
			defer release()
			record, err := p.a.telnyx.Assignment(ctx, number)
			if telnyx.IsNotFound(err) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("read the record of %s: %w", number, err)
			}
			found[i] = &record
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var records []telnyx.Assignment
	for _, record := range found {
		if record != nil {
			records = append(records, *record)
		}
	}
	return records, nil
}

// slot waits for leave to have one more call under way; release gives it back.
// When ctx ends first, the call that follows fails by itself.
func (a *Assigner) slot(ctx context.Context) (release func()) {
	select {
	case a.slots <- struct{}{}:
		return func() { <-a.slots }
	case <-ctx.Done():
		return func() {}
	}
}
