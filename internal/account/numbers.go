package account

import (
	"context"

	"golang.org/x/sync/errgroup"

	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

// OnCampaign lists the records of the numbers on a campaign, and of no others:
// Telnyx ignores a filter that it does not know and then lists the whole account.
func (r *Reader) OnCampaign(ctx context.Context, c telnyx.Campaign) ([]telnyx.Assignment, error) {
	filter := telnyx.AssignmentFilter{CampaignID: c.CampaignID}
	if c.Shared {
		filter = telnyx.AssignmentFilter{TCRCampaignID: c.TCRCampaignID}
	}
	all, err := r.telnyx.Assignments(ctx, filter)
	if err != nil {
		return nil, err
	}
	var on []telnyx.Assignment
	for _, record := range all {
		if record.On(c) {
			on = append(on, record)
		}
	}
	return on, nil
}

// Records reads the records of the numbers, on whichever campaigns they are; it
// may return others' as well. A number without one is on no campaign. The
// account's list tells on its first page how many pages it has, so one call
// decides between reading it and reading the numbers one by one. A list that does
// not count its rows is not relied on.
func (r *Reader) Records(ctx context.Context, numbers []string) ([]telnyx.Assignment, error) {
	if len(numbers) < 2 {
		return r.EachRecord(ctx, numbers)
	}
	first, err := r.telnyx.AssignmentsPage(ctx, telnyx.AssignmentFilter{}, 1)
	if err != nil {
		return nil, err
	}
	counted := first.TotalRecords > 0
	if counted && len(first.Records) >= first.TotalRecords || len(first.Records) == 0 && !counted {
		return first.Records, nil
	}
	pages := (first.TotalRecords + len(first.Records) - 1) / max(len(first.Records), 1)
	if !counted || len(numbers) <= pages {
		return r.EachRecord(ctx, numbers)
	}
	all, err := r.telnyx.Assignments(ctx, telnyx.AssignmentFilter{})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// EachRecord reads the records of the numbers one by one: the surest way, since a
// list may lag behind.
func (r *Reader) EachRecord(ctx context.Context, numbers []string) ([]telnyx.Assignment, error) {
	found := make([]*telnyx.Assignment, len(numbers))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(r.concurrency)
	for i, number := range numbers {
		group.Go(func() error {
			record, err := r.telnyx.Assignment(ctx, number)
			if telnyx.IsNotFound(err) {
				return nil
			}
			if err != nil {
				return err
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

// Settings reads the messaging settings of the numbers, by number. A number that
// is not there is not on the account.
func (r *Reader) Settings(ctx context.Context, numbers []string) (map[string]telnyx.NumberSettings, error) {
	rows, err := r.telnyx.NumberSettings(ctx, numbers)
	if err != nil {
		return nil, err
	}
	settings := make(map[string]telnyx.NumberSettings, len(rows))
	for _, row := range rows {
		settings[row.PhoneNumber] = row
	}
	return settings, nil
}

// Pool lists the US long codes of a messaging profile. Others on it are no matter
// of 10DLC.
func (r *Reader) Pool(ctx context.Context, profileID string) ([]plan.E164, error) {
	rows, err := r.telnyx.ProfileNumberSettings(ctx, profileID)
	if err != nil {
		return nil, err
	}
	var numbers []plan.E164
	for _, row := range rows {
		number, err := plan.ParseE164(row.PhoneNumber)
		if err == nil && row.Type.IsLongCode() {
			numbers = append(numbers, number)
		}
	}
	return numbers, nil
}
