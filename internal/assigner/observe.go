package assigner

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

const (
	// rowsPerPage is the page size by which the cost of a list is estimated.
	rowsPerPage = 250
	// sparePages is how many pages more than its own numbers a campaign may cause to
	// be read, so that accounts of usual size are read as a whole: a complete list
	// needs no filter that Telnyx may understand otherwise.
	sparePages = 3
	// listKept is how long a list is kept for requests that were made before it was
	// read.
	listKept = 30 * time.Second
)

// Observer reads what Telnyx has of campaigns and numbers, and says what of it is
// proven. Requests that were made before a list was read share it. Safe for
// concurrent use.
type Observer struct {
	client      *telnyx.Client
	campaigns   *campaigns
	concurrency int
	assignments shared[telnyx.Assignment]
	numbers     shared[telnyx.Number]
}

// NewObserver returns an observer that has at most concurrency calls under way at
// once when it reads records one by one.
func NewObserver(client *telnyx.Client, concurrency int) *Observer {
	return newObserver(client, concurrency, time.Now)
}

func newObserver(client *telnyx.Client, concurrency int, now func() time.Time) *Observer {
	return &Observer{client: client, campaigns: newCampaigns(client, now), concurrency: max(concurrency, 1)}
}

// Observation is what was read of one campaign's numbers.
type Observation struct {
	// Records are those of the numbers on the campaign and of the planned numbers,
	// wherever these are. AllOn says that none on the campaign is missing.
	Records []telnyx.Assignment
	AllOn   bool
	// Unknown says of planned numbers why their records do not settle where they are.
	Unknown map[plan.E164]string
	// Account has the numbers that were found on the account, of those that are not on
	// the campaign. Absent are proven not to be there; the rest is not known.
	Account map[plan.E164]telnyx.Number
	Absent  map[plan.E164]bool
}

// question asks for an [Observation].
type question struct {
	want     plan.Campaign // with the numbers of its pool
	campaign telnyx.Campaign
	// asked is when the request was made: nothing read before answers it.
	asked time.Time
	// requested reports a number for which a request was sent. A list may lag behind,
	// so that one that does not show such a number is not enough.
	requested func(plan.E164) bool
	// likelyFree are numbers whose settings are probably needed; reading them at the
	// same time as the records saves a round trip. Nil: the records come first.
	likelyFree []plan.E164
	// sharedBy is how many campaigns are about to ask the same, at least 1.
	sharedBy int
}

// maxPages is how long a list of the account may be to be read as a whole.
func (q question) maxPages(numbers int) int {
	return (numbers+rowsPerPage-1)/rowsPerPage + sparePages + q.sharedBy - 1
}

// observe reads everything that must be known before a write, at least cost: the
// records first, or beside them, the settings of the numbers that may have to be
// attached. An error means that nothing can be decided about any number.
func (o *Observer) observe(ctx context.Context, q question) (Observation, error) {
	seen := Observation{Unknown: map[plan.E164]string{}}
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return o.readRecords(groupCtx, q, &seen) })
	if len(q.likelyFree) > 0 {
		group.Go(func() error { return o.readNumbers(groupCtx, q, q.likelyFree, &seen) })
	}
	if err := group.Wait(); err != nil {
		return seen, err
	}
	var left []plan.E164
	for _, change := range plan.Diff(q.want, q.campaign, seen.onCampaign(q.campaign)) {
		_, found := seen.Account[change.Number]
		if change.Action == plan.Attach && !found && !seen.Absent[change.Number] && !slices.Contains(q.likelyFree, change.Number) {
			left = append(left, change.Number)
		}
	}
	return seen, o.readNumbers(ctx, q, left, &seen)
}

// onCampaign are the records on the campaign itself.
func (s Observation) onCampaign(c telnyx.Campaign) []telnyx.Assignment {
	var on []telnyx.Assignment
	for _, record := range s.Records {
		if record.On(c) {
			on = append(on, record)
		}
	}
	return on
}

// live counts the numbers on the campaign, planned or not.
func (s Observation) live(c telnyx.Campaign) int {
	live := map[string]bool{}
	for _, record := range s.onCampaign(c) {
		if record.AssignmentStatus != telnyx.FailedAssignment {
			live[record.PhoneNumber] = true
		}
	}
	return len(live)
}

// readRecords reads the records: the whole account's if that is no more pages than
// fit, else the campaign's own list and then one by one those of the planned numbers
// that it does not have.
func (o *Observer) readRecords(ctx context.Context, q question, seen *Observation) error {
	all, err := o.assignments.read(ctx, q.asked, q.maxPages(len(q.want.Numbers)), o.client.Assignments)
	if err != nil {
		return err
	}
	var alone []plan.E164
	if all.Complete {
		seen.Records, seen.AllOn = slices.Clip(all.All), true // others append to it as well
		for _, n := range missingFrom(q.want.Numbers, all.All) {
			if q.requested(n) {
				alone = append(alone, n)
			}
		}
	} else {
		on, err := o.client.AssignmentsOn(ctx, q.campaign)
		if err != nil {
			return err
		}
		seen.Records, seen.AllOn = on.All, on.Complete
		alone = missingFrom(q.want.Numbers, on.All)
	}
	return o.readEach(ctx, alone, all.Complete, seen)
}

// missingFrom returns the numbers that no live record names. A failed record does not
// hold a number, so there may be another.
func missingFrom(numbers []plan.E164, records []telnyx.Assignment) []plan.E164 {
	held := make(map[string]bool, len(records))
	for _, record := range records {
		if record.AssignmentStatus != telnyx.FailedAssignment {
			held[record.PhoneNumber] = true
		}
	}
	var missing []plan.E164
	for _, n := range numbers {
		if !held[string(n)] {
			missing = append(missing, n)
		}
	}
	return missing
}

// readEach reads records one by one. One that cannot be read leaves its number
// unknown and does not keep the others from being read, unless the failure concerns
// the account. A 404 that does not speak Telnyx's language, and a 403, which may be what
// Telnyx answers for a number without a record, count only together with a complete list
// that does not show the number either.
func (o *Observer) readEach(ctx context.Context, numbers []plan.E164, listed bool, seen *Observation) error {
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(o.concurrency)
	for _, n := range numbers {
		group.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			record, err := o.client.Assignment(ctx, string(n))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				seen.Records = append(seen.Records, record)
			case telnyx.IsNotFound(err), listed && (telnyx.Is404(err) || telnyx.Classify(err) == telnyx.ClassForbidden):
			case ctx.Err() != nil:
				return ctx.Err()
			case telnyx.Classify(err) == telnyx.ClassUnauthorized, !telnyx.WasSent(err):
				return err
			default:
				seen.Unknown[n] = fmt.Sprintf("Telnyx's record of the number cannot be read: %s", errorWords(err))
			}
			return nil
		})
	}
	return group.Wait()
}

// readNumbers reads the settings of numbers.
func (o *Observer) readNumbers(ctx context.Context, q question, numbers []plan.E164, seen *Observation) error {
	if len(numbers) == 0 {
		return nil
	}
	if q.sharedBy > 1 {
		all, err := o.numbers.read(ctx, q.asked, q.maxPages(len(numbers)), o.client.AccountNumbers)
		if err != nil {
			return err
		}
		if all.Complete {
			seen.takeNumbers(numbers, all.All)
			return nil
		}
	}
	texts := make([]string, len(numbers))
	for i, n := range numbers {
		texts[i] = string(n)
	}
	found, err := o.client.Numbers(ctx, texts)
	if err != nil {
		return err
	}
	if seen.Account == nil {
		seen.Account, seen.Absent = map[plan.E164]telnyx.Number{}, map[plan.E164]bool{}
	}
	for _, n := range numbers {
		if number, ok := found.Found[string(n)]; ok {
			seen.Account[n] = number
		} else if found.Absent[string(n)] {
			seen.Absent[n] = true
		}
	}
	return nil
}

// takeNumbers takes the numbers out of a complete list of the account.
func (s *Observation) takeNumbers(numbers []plan.E164, all []telnyx.Number) {
	owned := make(map[string]telnyx.Number, len(all))
	for _, number := range all {
		owned[number.PhoneNumber] = number
	}
	if s.Account == nil {
		s.Account, s.Absent = map[plan.E164]telnyx.Number{}, map[plan.E164]bool{}
	}
	for _, n := range numbers {
		if number, ok := owned[string(n)]; ok {
			s.Account[n] = number
		} else {
			s.Absent[n] = true
		}
	}
}

// pool lists the long codes on a messaging profile. Complete says that none is
// missing.
func (o *Observer) pool(ctx context.Context, profileID string) (numbers []plan.E164, complete bool, err error) {
	rows, err := o.client.ProfileNumbers(ctx, profileID)
	if err != nil {
		return nil, false, err
	}
	for _, row := range rows.All {
		n, err := plan.ParseE164(row.PhoneNumber)
		if err == nil && !row.Type.IsOther() {
			numbers = append(numbers, n)
		}
	}
	return numbers, rows.Complete, nil
}

// shared is a list that several requests read once. A read serves every request that
// was made before it began.
type shared[T any] struct {
	mu     sync.Mutex
	latest *sharedRead[T]
}

type sharedRead[T any] struct {
	began time.Time
	done  chan struct{}
	rows  telnyx.Rows[T]
	err   error
}

// read returns the list as it was read after the given time, if it has no more than
// maxPages pages; otherwise it is not complete.
func (s *shared[T]) read(ctx context.Context, asked time.Time, maxPages int, read func(context.Context, int) (telnyx.Rows[T], error)) (telnyx.Rows[T], error) {
	for {
		s.mu.Lock()
		latest := s.latest
		if latest == nil || latest.began.Before(asked) || latest.tooShort(maxPages) {
			latest = &sharedRead[T]{began: time.Now(), done: make(chan struct{})}
			s.latest = latest
			s.mu.Unlock()
			latest.rows, latest.err = read(ctx, maxPages)
			close(latest.done)
			time.AfterFunc(listKept, func() { s.drop(latest) })
			return latest.rows, latest.err
		}
		s.mu.Unlock()
		select {
		case <-latest.done:
		case <-ctx.Done():
			return telnyx.Rows[T]{}, ctx.Err()
		}
		if latest.err == nil {
			return latest.rows, nil
		}
		s.drop(latest) // whoever read it may have been cancelled
	}
}

// tooShort reports a read that stopped because the list was longer than its reader
// wanted, and not longer than this one wants.
func (r *sharedRead[T]) tooShort(maxPages int) bool {
	select {
	case <-r.done:
		return r.err == nil && !r.rows.Complete && r.rows.Pages > 0 && r.rows.Pages <= maxPages
	default:
		return false
	}
}

func (s *shared[T]) drop(r *sharedRead[T]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.latest == r {
		s.latest = nil
	}
}
