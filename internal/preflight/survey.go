package preflight

import (
	"context"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"greenlight/internal/account"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

// survey is what Telnyx says of everything that is planned.
type survey struct {
	client *telnyx.Client // read-only
	reader *account.Reader

	campaigns map[string]answer      // by plan.Campaign.ID
	pools     map[string][]plan.E164 // by messaging profile
	// settings are by number. One that is not there is not on the account.
	settings map[string]telnyx.NumberSettings
	records  records
}

// answer is a campaign, or why there is none.
type answer struct {
	campaign telnyx.Campaign
	refused  error
}

func (a answer) missing() bool { return a.refused != nil }

func newSurvey(client *telnyx.Client, concurrency int) *survey {
	client = client.ReadOnly()
	return &survey{
		client:    client,
		reader:    account.NewReader(client, concurrency),
		campaigns: map[string]answer{},
		pools:     map[string][]plan.E164{},
		settings:  map[string]telnyx.NumberSettings{},
		records:   records{byNumber: map[plan.E164][]telnyx.Assignment{}, byCampaign: map[string][]telnyx.Assignment{}},
	}
}

// read asks Telnyx about the sets, each thing once.
func (s *survey) read(ctx context.Context, sets []*plan.Set) error {
	entries := map[string]plan.Campaign{}
	numbers := map[string]bool{}
	for _, set := range sets {
		for _, want := range set.Campaigns {
			entries[want.ID()] = want
			if want.NumberPool != "" {
				s.pools[want.NumberPool] = nil
			}
			for _, number := range want.Numbers {
				numbers[string(number)] = true
			}
		}
	}
	for _, step := range []func() error{
		func() error { return s.readCampaigns(ctx, entries) },
		func() error { return s.readPools(ctx) },
		func() error { return s.readSettings(ctx, numbers) },
		func() error { return s.readRecords(ctx, numbers) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// readCampaigns reads each campaign. That Telnyx does not know one, or does not
// take its id, is an answer.
func (s *survey) readCampaigns(ctx context.Context, entries map[string]plan.Campaign) error {
	ids := slices.Sorted(maps.Keys(entries))
	found := make([]answer, len(ids))
	err := s.each(ctx, len(ids), func(ctx context.Context, i int) error {
		c, err := s.reader.Campaign(ctx, entries[ids[i]])
		if telnyx.IsNotFound(err) || telnyx.Judge(err) == telnyx.ForGood {
			found[i] = answer{refused: err}
			return nil
		}
		found[i] = answer{campaign: c}
		return err
	})
	for i, id := range ids {
		s.campaigns[id] = found[i]
	}
	return err
}

// each calls f for each index, several at once, until one returns an error.
func (s *survey) each(ctx context.Context, n int, f func(context.Context, int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.reader.Concurrency())
	for i := range n {
		group.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err() // another call failed already
			}
			return f(ctx, i)
		})
	}
	return group.Wait()
}

// readPools reads the numbers of the pools together with their settings, which
// spares asking for these again. Which of them count is as account.Reader.Pool
// has it.
func (s *survey) readPools(ctx context.Context) error {
	for _, profile := range slices.Sorted(maps.Keys(s.pools)) {
		rows, err := s.client.ProfileNumberSettings(ctx, profile)
		if err != nil {
			return err
		}
		for _, row := range rows {
			number, err := plan.ParseE164(row.PhoneNumber)
			if err != nil || !row.Type.IsLongCode() {
				continue
			}
			s.pools[profile] = append(s.pools[profile], number)
			s.settings[string(number)] = row
		}
	}
	return nil
}

// readSettings reads the settings of the numbers that no pool brought.
func (s *survey) readSettings(ctx context.Context, numbers map[string]bool) error {
	var unknown []string
	for number := range numbers {
		if _, known := s.settings[number]; !known {
			unknown = append(unknown, number)
		}
	}
	found, err := s.reader.Settings(ctx, unknown)
	maps.Copy(s.settings, found)
	return err
}

// readRecords reads the records of all planned numbers that are on the account, and
// of all others that are on planned campaigns. The account's list tells on its
// first page how long it is, and is read as a whole if the lists of the campaigns
// could hardly be less. See the package's comment for what it costs.
func (s *survey) readRecords(ctx context.Context, numbers map[string]bool) error {
	for _, pool := range s.pools {
		for _, number := range pool {
			numbers[string(number)] = true
		}
	}
	first, err := s.client.AssignmentsPage(ctx, telnyx.AssignmentFilter{}, 1)
	if err != nil {
		return err
	}
	size := max(len(first.Records), 1)
	pages := pagesOf(first.TotalRecords, size)
	// A list that does not count its rows is not relied on, unless it is empty.
	counted := first.TotalRecords > 0 || len(first.Records) == 0
	switch lists := s.lists(); {
	case counted && pages <= 1:
		s.records.add(first.Records)
		return nil
	case counted && pages <= len(lists)+pagesOf(len(numbers), size):
		return s.readAllRecords(ctx)
	default:
		if err := s.readLists(ctx, lists); err != nil {
			return err
		}
	}
	left := s.withoutRecord(numbers)
	if counted && pages < len(left) {
		return s.readAllRecords(ctx)
	}
	rows, err := s.reader.EachRecord(ctx, left)
	s.records.add(rows)
	return err
}

func pagesOf(rows, size int) int { return (rows + size - 1) / size }

func (s *survey) readAllRecords(ctx context.Context) error {
	rows, err := s.client.Assignments(ctx, telnyx.AssignmentFilter{})
	s.records.add(rows)
	return err
}

// lists are the campaigns whose lists there are, each once, in a fixed order.
func (s *survey) lists() []telnyx.Campaign {
	campaigns := map[string]telnyx.Campaign{}
	for _, a := range s.campaigns {
		if !a.missing() {
			campaigns[a.campaign.AssignmentID()] = a.campaign
		}
	}
	var lists []telnyx.Campaign
	for _, id := range slices.Sorted(maps.Keys(campaigns)) {
		lists = append(lists, campaigns[id])
	}
	return lists
}

func (s *survey) readLists(ctx context.Context, campaigns []telnyx.Campaign) error {
	rows := make([][]telnyx.Assignment, len(campaigns))
	err := s.each(ctx, len(campaigns), func(ctx context.Context, i int) (err error) {
		rows[i], err = s.reader.OnCampaign(ctx, campaigns[i])
		return err
	})
	for _, rows := range rows {
		s.records.add(rows)
	}
	return err
}

// withoutRecord returns the numbers of the account that may be on some campaign
// that was not read. A failed record does not hold a number, so there may be
// another.
func (s *survey) withoutRecord(numbers map[string]bool) []string {
	var left []string
	for _, number := range slices.Sorted(maps.Keys(numbers)) {
		_, owned := s.settings[number]
		held := slices.ContainsFunc(s.records.byNumber[plan.E164(number)], func(r telnyx.Assignment) bool {
			return r.AssignmentStatus != telnyx.FailedAssignment
		})
		if owned && !held {
			left = append(left, number)
		}
	}
	return left
}

// records are the records that were read, to be found by number and by campaign.
type records struct {
	byNumber   map[plan.E164][]telnyx.Assignment
	byCampaign map[string][]telnyx.Assignment // by either id
}

func (r records) add(rows []telnyx.Assignment) {
	for _, row := range rows {
		number := canonical(row)
		r.byNumber[number] = append(r.byNumber[number], row)
		ids := []string{row.CampaignID, string(row.TelnyxCampaignID), string(row.TCRCampaignID)}
		slices.Sort(ids)
		for _, id := range slices.Compact(ids) {
			if id != "" {
				r.byCampaign[id] = append(r.byCampaign[id], row)
			}
		}
	}
}

// canonical is the number of a record; as Telnyx spells it if that is no US number.
func canonical(row telnyx.Assignment) plan.E164 {
	if number, err := plan.ParseE164(row.PhoneNumber); err == nil {
		return number
	}
	return plan.E164(row.PhoneNumber)
}

// of returns the records that plan.Diff wants to see: those of the numbers,
// wherever they are, and those of the campaign. A record may come twice.
func (r records) of(c telnyx.Campaign, numbers []plan.E164) []telnyx.Assignment {
	var rows []telnyx.Assignment
	for _, number := range numbers {
		rows = append(rows, r.byNumber[number]...)
	}
	for _, id := range []string{string(c.CampaignID), string(c.TCRCampaignID)} {
		rows = append(rows, r.byCampaign[id]...)
	}
	return rows
}
