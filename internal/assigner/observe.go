package assigner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

const (
	// rowsPerPage is the page size for estimating the cost of a list.
	rowsPerPage = 250
	// sparePages is how many extra pages may be read for a campaign, so that usual accounts are
	// read completely: a complete list needs no filter, which Telnyx may interpret differently.
	sparePages = 3
	// listKept is how long a list is kept for requests that were made before it was read.
	listKept = 30 * time.Second
	// wholeListEvery is how often the list of a large account is read to resolve a doubt: it
	// takes hundreds of calls.
	wholeListEvery = 10 * time.Minute
)

// Observer reads campaigns and numbers from Telnyx, and determines what is proven. Requests
// that were made before a list was read share it. Safe for concurrent use.
type Observer struct {
	client      *telnyx.Client
	campaigns   *campaigns
	concurrency int
	assignments shared[telnyx.Assignment, recordIndex]
	// whole is the account's complete list, of any length, for numbers that remain in doubt.
	whole shared[telnyx.Assignment, recordIndex]
	// knowsNotFound says that Telnyx has answered its usual 404 for a number without a record,
	// so an unusual answer does not mean the same.
	knowsNotFound atomic.Bool
	numbers       shared[telnyx.Number, map[string]telnyx.Number]
	// filed are the account's campaigns, for a resync of many.
	filed shared[telnyx.Campaign, map[telnyx.CampaignID]telnyx.Campaign]
}

// NewObserver returns an observer. Concurrency bounds the calls that run at once when it reads
// records one by one.
func NewObserver(client *telnyx.Client, concurrency int) *Observer {
	return newObserver(client, concurrency, time.Now)
}

func newObserver(client *telnyx.Client, concurrency int, now func() time.Time) *Observer {
	return &Observer{
		client: client, campaigns: newCampaigns(client, now), concurrency: max(concurrency, 1),
		assignments: shared[telnyx.Assignment, recordIndex]{index: indexRecords, kept: listKept},
		whole:       shared[telnyx.Assignment, recordIndex]{index: indexRecords, kept: wholeListEvery},
		numbers:     shared[telnyx.Number, map[string]telnyx.Number]{index: indexNumbers, kept: listKept},
		filed:       shared[telnyx.Campaign, map[telnyx.CampaignID]telnyx.Campaign]{index: indexCampaigns, kept: wholeListEvery},
	}
}

// recordIndex finds the records of a list by number and by any id of their campaign.
type recordIndex struct {
	byNumber, byCampaign map[string][]int
	all                  []telnyx.Assignment
}

func indexRecords(all []telnyx.Assignment) recordIndex {
	x := recordIndex{byNumber: make(map[string][]int, len(all)), byCampaign: map[string][]int{}, all: all}
	for i, record := range all {
		x.byNumber[record.PhoneNumber] = append(x.byNumber[record.PhoneNumber], i)
		for _, id := range campaignIDs(record.CampaignID, string(record.TelnyxCampaignID), string(record.TCRCampaignID)) {
			x.byCampaign[id] = append(x.byCampaign[id], i)
		}
	}
	return x
}

// campaignIDs returns the distinct ids, without regard to case.
func campaignIDs(ids ...string) []string {
	for i := range ids {
		ids[i] = strings.ToLower(ids[i])
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	return slices.DeleteFunc(ids, func(id string) bool { return id == "" })
}

// of returns all records of the numbers, and those on the campaign.
func (x recordIndex) of(numbers []plan.E164, c telnyx.Campaign) []telnyx.Assignment {
	var places []int
	for _, n := range numbers {
		places = append(places, x.byNumber[string(n)]...)
	}
	for _, id := range campaignIDs(string(c.CampaignID), string(c.TCRCampaignID)) {
		places = append(places, x.byCampaign[id]...)
	}
	slices.Sort(places)
	places = slices.Compact(places)
	records := make([]telnyx.Assignment, len(places))
	for i, place := range places {
		records[i] = x.all[place]
	}
	return records
}

func indexNumbers(all []telnyx.Number) map[string]telnyx.Number {
	index := make(map[string]telnyx.Number, len(all))
	for _, number := range all {
		index[number.PhoneNumber] = number
	}
	return index
}

// Observation is what was read about one campaign's numbers.
type Observation struct {
	// Records are the records on the campaign, and all records of the planned numbers.
	Records []telnyx.Assignment
	// Unknown says why the records of planned numbers do not show where they are.
	Unknown map[plan.E164]string
	// Account has the settings of numbers that are on the account and may have to be attached.
	// Absent has those proven not to be on it, with the time when that read began. Others are
	// unknown.
	Account map[plan.E164]telnyx.Number
	Absent  map[plan.E164]time.Time
}

// question asks for an [Observation].
type question struct {
	want     plan.Campaign // with the numbers of its pool
	campaign telnyx.Campaign
	// asked is when the request was made. Earlier reads do not count.
	asked time.Time
	// requested reports whether a request was sent for a number. Lists may lag behind, so a
	// list without such a number proves nothing.
	requested func(plan.E164) bool
	// likelyFree are numbers whose settings are probably needed. Reading them together with
	// the records saves a round trip. If nil, the records are read first.
	likelyFree []plan.E164
	// settings are settings of numbers that are already known.
	settings map[plan.E164]telnyx.Number
	// sharedBy is how many campaigns are about to ask for the same lists, at least 1.
	sharedBy int
	// forecast asks for the settings of waiting numbers too, and allows lists of any length if
	// they take fewer calls: nothing asks again soon.
	forecast bool
}

// maxPages is the length up to which a list of the account is read completely.
func (q question) maxPages(numbers int) int {
	return (numbers+rowsPerPage-1)/rowsPerPage + sparePages + q.sharedBy - 1
}

// observe reads what must be known before a write, with as few calls as possible: the records,
// and the settings of the numbers that may have to be attached. An error means that nothing
// can be decided.
func (o *Observer) observe(ctx context.Context, q question) (Observation, error) {
	seen := newObservation()
	maps.Copy(seen.Account, q.settings)
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return o.readRecords(groupCtx, q, &seen) })
	if len(q.likelyFree) > 0 {
		group.Go(func() error { return o.readNumbers(groupCtx, q, q.likelyFree, &seen) })
	}
	if err := group.Wait(); err != nil {
		return seen, err
	}
	var left []plan.E164
	for _, change := range plan.Diff(q.want, q.campaign, seen.Records) {
		_, found := seen.Account[change.Number]
		needed := change.Action == plan.Attach || change.Action == plan.Move || q.forecast && afterWait[change.Action] != ""
		if needed && !found && seen.Unknown[change.Number] == "" && !slices.Contains(q.likelyFree, change.Number) {
			left = append(left, change.Number)
		}
	}
	return seen, o.readNumbers(ctx, q, left, &seen)
}

func newObservation() Observation {
	return Observation{Unknown: map[plan.E164]string{}, Account: map[plan.E164]telnyx.Number{}, Absent: map[plan.E164]time.Time{}}
}

// readRecords reads the account's list if it is short enough, else the campaign's list and the
// records of the planned numbers that are not in it.
func (o *Observer) readRecords(ctx context.Context, q question, seen *Observation) error {
	all, err := o.assignments.read(ctx, q.asked, q.maxPages(len(q.want.Numbers)), o.client.Assignments)
	if err != nil {
		return err
	}
	var alone []plan.E164
	if !all.rows.Complete {
		if q.campaign.AssignmentID() != "" { // the campaign was found
			on, err := o.client.AssignmentsOn(ctx, q.campaign)
			if err != nil {
				return err
			}
			seen.Records = on.All
		}
		alone = q.withoutRecord(seen.Records)
		if q.forecast && all.rows.Pages <= len(alone)*q.sharedBy {
			if all, err = o.assignments.read(ctx, q.asked, all.rows.Pages, o.client.Assignments); err != nil {
				return err
			}
		}
	}
	if all.rows.Complete {
		seen.Records = all.indexed.of(q.want.Numbers, q.campaign)
		alone = slices.DeleteFunc(q.withoutRecord(seen.Records), func(n plan.E164) bool { return !q.requested(n) })
	}
	return o.readEach(ctx, alone, all.rows.Complete, seen)
}

// withoutRecord returns the planned numbers without a live record. A number with a failed
// record may have another one.
func (q question) withoutRecord(records []telnyx.Assignment) []plan.E164 {
	var numbers []plan.E164
	for _, change := range plan.Diff(q.want, q.campaign, records) {
		if change.Action == plan.Attach {
			numbers = append(numbers, change.Number)
		}
	}
	return numbers
}

// liveOn counts the numbers on the campaign, planned or not.
func liveOn(c telnyx.Campaign, changes plan.Changes) int {
	live := 0
	for _, change := range changes {
		if isLive(c, change) {
			live++
		}
	}
	return live
}

// isLive reports whether Telnyx's record shows the number on the campaign. A failed record does
// not.
func isLive(c telnyx.Campaign, change plan.Change) bool {
	return change.Record != nil && change.Record.On(c) && change.Action != plan.Attach
}

// readEach reads records one by one. If one cannot be read, its number is unknown and the
// others are still read, unless the failure concerns the account or Telnyx cannot be reached.
// An answer other than Telnyx's usual 404 counts only with a complete list that lacks the
// number too.
func (o *Observer) readEach(ctx context.Context, numbers []plan.E164, listed bool, seen *Observation) error {
	var mu sync.Mutex
	var unusual []plan.E164
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(o.concurrency)
	for _, n := range numbers {
		group.Go(func() error {
			if groupCtx.Err() != nil {
				return groupCtx.Err()
			}
			record, err := o.client.Assignment(groupCtx, string(n))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				seen.Records = append(seen.Records, record)
			case telnyx.IsNotFound(err):
				o.knowsNotFound.Store(true)
			case groupCtx.Err() != nil:
				return groupCtx.Err()
			case telnyx.Classify(err) == telnyx.ClassUnauthorized, telnyx.IsUnreachable(err), !telnyx.WasSent(err):
				return err
			default:
				seen.Unknown[n] = fmt.Sprintf("Telnyx's record of the number cannot be read: %s", errorWords(err))
				if isUnusual(err) {
					unusual = append(unusual, n)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil || len(unusual) == 0 {
		return err
	}
	switch {
	case listed:
		seen.markFree(unusual)
		return nil
	case o.knowsNotFound.Load():
		return nil // for a number without a record, Telnyx would have answered 404
	default:
		return o.readWholeList(ctx, unusual, seen)
	}
}

// isUnusual reports an unusual answer about a record: a different 404, another refusal, or a
// 200 without a record. Server errors, missing answers and broken answers prove nothing.
func isUnusual(err error) bool {
	if unreadable, ok := errors.AsType[*telnyx.UnreadableError](err); ok {
		return unreadable.IsWhole()
	}
	return telnyx.Classify(err) != telnyx.ClassTransient
}

// markFree notes that a complete list does not have the numbers.
func (s *Observation) markFree(numbers []plan.E164) {
	for _, n := range numbers {
		delete(s.Unknown, n)
	}
}

// readWholeList resolves doubts with the account's complete list, of any length. The list may
// be minutes old, so it is not enough to move a number. To attach one is safe, because Telnyx
// refuses a number that is in use.
func (o *Observer) readWholeList(ctx context.Context, numbers []plan.E164, seen *Observation) error {
	all, err := o.whole.read(ctx, time.Now().Add(-wholeListEvery), 0, o.client.Assignments)
	if err != nil {
		return err
	}
	if !all.rows.Complete {
		return nil
	}
	seen.markFree(numbers)
	seen.Records = append(seen.Records, all.indexed.of(numbers, telnyx.Campaign{})...)
	return nil
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
		if all.rows.Complete {
			seen.takeNumbers(numbers, all.indexed, all.rows.Began)
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
	isOld := found.Read.Before(q.asked)
	var doubtful []telnyx.Number
	for _, n := range numbers {
		number, ok := found.Found[string(n)]
		switch obstacle, _ := obstacleIn(number, q.want.MessagingProfileID); {
		case ok && isOld && obstacle != "":
			doubtful = append(doubtful, number)
		case ok:
			seen.Account[n] = number
		case found.Absent[string(n)] && !isOld:
			seen.Absent[n] = found.Read
		}
	}
	return o.readDoubtful(ctx, doubtful, seen)
}

// readDoubtful reads numbers one by one whose cached settings say that they cannot be attached:
// the settings may have changed. Those that cannot be read stay unknown.
func (o *Observer) readDoubtful(ctx context.Context, numbers []telnyx.Number, seen *Observation) error {
	var mu sync.Mutex
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(o.concurrency)
	for _, kept := range numbers {
		group.Go(func() error {
			number, err := o.client.NumberNow(groupCtx, kept)
			switch {
			case err == nil:
				number.Status = kept.Status
				mu.Lock()
				defer mu.Unlock()
				seen.Account[plan.E164(kept.PhoneNumber)] = number
			case telnyx.Classify(err) == telnyx.ClassUnauthorized, !telnyx.WasSent(err):
				return err
			}
			return nil
		})
	}
	return group.Wait()
}

// takeNumbers takes the numbers from a complete list of the account, whose read began then.
func (s *Observation) takeNumbers(numbers []plan.E164, owned map[string]telnyx.Number, began time.Time) {
	for _, n := range numbers {
		if number, ok := owned[string(n)]; ok {
			s.Account[n] = number
		} else {
			s.Absent[n] = began
		}
	}
}

// PoolOf returns the long codes among the numbers of a messaging profile, and their settings.
func PoolOf(rows []telnyx.Number) (numbers []plan.E164, settings map[plan.E164]telnyx.Number) {
	settings = make(map[plan.E164]telnyx.Number, len(rows))
	for _, row := range rows {
		n, err := plan.ParseE164(row.PhoneNumber)
		if err == nil && !row.Type.IsOther() {
			numbers = append(numbers, n)
			settings[n] = row
		}
	}
	return numbers, settings
}

// shared is a list that several requests share, with an index of its rows. A read serves every
// request that was made before it began.
type shared[T, Index any] struct {
	index func([]T) Index
	// kept is how long the list is kept after it was read.
	kept time.Duration

	mu     sync.Mutex
	latest *sharedRead[T, Index]
}

type sharedRead[T, Index any] struct {
	began   time.Time
	done    chan struct{}
	rows    telnyx.Rows[T]
	indexed Index
	err     error
}

// errNotRead is the error of a read that ended in a panic.
var errNotRead = errors.New("the list was not read to its end")

// read returns the list, read after the given time. It is incomplete if it has more than
// maxPages pages.
func (s *shared[T, Index]) read(ctx context.Context, asked time.Time, maxPages int, read func(context.Context, int) (telnyx.Rows[T], error)) (*sharedRead[T, Index], error) {
	for {
		s.mu.Lock()
		latest := s.latest
		if latest == nil || latest.began.Before(asked) || latest.tooShort(maxPages) {
			latest = &sharedRead[T, Index]{began: time.Now(), done: make(chan struct{}), err: errNotRead}
			s.latest = latest
			s.mu.Unlock()
			func() {
				defer close(latest.done) // also after a panic, so that no request waits forever
				rows, err := read(ctx, maxPages)
				latest.rows, latest.indexed, latest.err = rows, s.index(rows.All), err
			}()
			time.AfterFunc(s.kept, func() { s.drop(latest) })
			return latest, latest.err
		}
		s.mu.Unlock()
		select {
		case <-latest.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if latest.err == nil {
			return latest, nil
		}
		s.drop(latest) // its reader may have been cancelled
	}
}

// tooShort reports a read that stopped at its own maxPages, although the list has no more pages
// than this caller accepts.
func (r *sharedRead[T, Index]) tooShort(maxPages int) bool {
	select {
	case <-r.done:
		return r.err == nil && !r.rows.Complete && r.rows.Pages > 0 && r.rows.Pages <= maxPages
	default:
		return false
	}
}

func (s *shared[T, Index]) drop(r *sharedRead[T, Index]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.latest == r {
		s.latest = nil
	}
}
