package assigner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

// confirmWait is how long a forecast waits before it confirms an absence with a second read.
// It is short, since a person waits for the forecast.
const confirmWait = 300 * time.Millisecond

// Forecast is what an assigner would do about one campaign now. It ignores the ledger, so
// waits after failed tries and unfinished requests are not in it.
type Forecast struct {
	// Plan is the plan's entry, and Expanded the same with the numbers of its pool.
	// PoolComplete says that all of these are known; if not, PoolUnknown says why.
	Plan, Expanded plan.Campaign
	PoolComplete   bool
	PoolUnknown    string
	// Campaign is the campaign as read, the zero value if Err is not nil.
	Campaign telnyx.Campaign
	// Err is why the campaign could not be read. An error that concerns the account or all of
	// Telnyx ends the forecast instead.
	Err error
	// Duplicate is another entry of the set for the same campaign, which counts instead.
	Duplicate *plan.Campaign
	// Phase is the campaign's phase, and Detail a short reason for it.
	Phase  ledger.Phase
	Detail string
	// Capacity is how many numbers the campaign can have, by its use case and the plan.
	Capacity int
	// Numbers are the decisions, sorted by number. If the campaign is not approved or not
	// found, they are made as if it were approved, see [Forecast.Waits]. If it could not be
	// read, there are none.
	Numbers []NumberForecast
	// Others counts the numbers on the campaign that the plan does not name.
	Others int
}

// Waits reports whether nothing is done before the campaign changes.
func (f Forecast) Waits() bool { return f.Phase != ledger.PhaseApproved }

// NumberForecast is what would be done about one number. The Decision is zero for a number
// that the plan does not name.
type NumberForecast struct {
	plan.Change
	Decision
	// Then is the next decision, once the number has left a campaign or is attached to one
	// that it may be moved from; nil for other numbers.
	Then *Decision
}

// ErrKeyRefused is matched by the error of a forecast that ended because Telnyx refuses the
// API key: a call that names no number or campaign was refused too.
var ErrKeyRefused = errors.New("the API key is refused")

// ForecastPlans returns what an assigner would do about every campaign of each set. It uses the
// assigner's code to observe and decide, and sends no write. Every campaign, pool and list is
// read once for all sets. An error means that Telnyx did not answer; it matches
// [ErrKeyRefused] if Telnyx refuses the key.
func ForecastPlans(ctx context.Context, o *Observer, sets ...*plan.Set) ([][]Forecast, error) {
	s := forecaster{o: o, began: time.Now()}
	forecasts := make([][]Forecast, len(sets))
	for i, set := range sets {
		forecasts[i] = make([]Forecast, len(set.Campaigns))
		for j, want := range set.Campaigns {
			forecasts[i][j] = Forecast{Plan: want, Expanded: want, PoolComplete: true}
			s.entries = append(s.entries, &forecastEntry{Forecast: &forecasts[i][j], set: set})
		}
	}
	for _, read := range []func(context.Context) error{s.readCampaigns, s.readPools, s.observe, s.confirmAbsence} {
		if err := read(ctx); err != nil {
			return nil, s.explain(ctx, err)
		}
	}
	for _, e := range s.entries {
		e.decide()
	}
	return forecasts, nil
}

// explain wraps an error in [ErrKeyRefused] if the key is the cause.
func (s *forecaster) explain(ctx context.Context, err error) error {
	switch telnyx.Classify(err) {
	case telnyx.ClassUnauthorized:
		return fmt.Errorf("%w: %w", ErrKeyRefused, err)
	case telnyx.ClassForbidden:
		if class := telnyx.Classify(s.o.client.CheckKey(ctx)); class == telnyx.ClassForbidden || class == telnyx.ClassUnauthorized {
			return fmt.Errorf("%w: %w", ErrKeyRefused, err)
		}
	}
	return err
}

// forecaster reads what one forecast needs.
type forecaster struct {
	o       *Observer
	began   time.Time
	entries []*forecastEntry
	// answered says that Telnyx has answered about at least one campaign.
	answered atomic.Bool
}

// forecastEntry is one entry of a set and what was observed about it.
type forecastEntry struct {
	*Forecast
	set      *plan.Set
	settings map[plan.E164]telnyx.Number // of the numbers of its pool
	seen     Observation
}

// each calls f for every group of entries with the same key, several at once, until one
// returns an error. It skips entries with an empty key.
func (s *forecaster) each(ctx context.Context, key func(*forecastEntry) string, f func(context.Context, []*forecastEntry) error) error {
	groups := map[string][]*forecastEntry{}
	for _, e := range s.entries {
		if k := key(e); k != "" {
			groups[k] = append(groups[k], e)
		}
	}
	keys := slices.Sorted(maps.Keys(groups))
	if len(keys) > 0 && !s.answered.Load() { // alone, so that an unreachable Telnyx is noticed once
		if err := f(ctx, groups[keys[0]]); err != nil {
			return err
		}
		keys = keys[1:]
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.o.concurrency)
	for _, k := range keys {
		group.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err() // another call has failed
			}
			return f(ctx, groups[k])
		})
	}
	return group.Wait()
}

func (s *forecaster) readCampaigns(ctx context.Context) error {
	err := s.each(ctx, func(e *forecastEntry) string { return searchedFor(e.Plan) }, func(ctx context.Context, same []*forecastEntry) error {
		want := same[0].Plan
		campaign, refused, err := s.readCampaign(ctx, want)
		if err != nil {
			return fmt.Errorf("plan %s: %w", want.Name, err)
		}
		for _, e := range same {
			e.setCampaign(campaign, refused)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(s.entries) > 0 && !s.answered.Load() {
		return fmt.Errorf("plan %s: %w", s.entries[0].Plan.Name, s.entries[0].Err)
	}
	for _, e := range s.entries {
		if duplicate, named := OtherEntry(e.set, e.Plan.ID(), e.Campaign); named && e.Err == nil && duplicate.Rank() < e.Plan.Rank() {
			e.Duplicate, e.Phase, e.Detail = &duplicate, ledger.PhaseUnknown, namedTwice(duplicate)
		}
	}
	return nil
}

// readCampaign reads a campaign, twice if Telnyx refuses it. refused is why it could not be
// read. err ends the forecast: the account is refused, Telnyx cannot be reached, or it has
// answered about no campaign yet and does not answer other calls either.
func (s *forecaster) readCampaign(ctx context.Context, want plan.Campaign) (c telnyx.Campaign, refused, err error) {
	c, refused = s.o.campaigns.read(ctx, want)
	class := telnyx.Classify(refused)
	if class == telnyx.ClassForbidden || class == telnyx.ClassRefused {
		wait(ctx, confirmWait)
		s.o.campaigns.forgetMiss(want)
		c, refused = s.o.campaigns.read(ctx, want)
		class = telnyx.Classify(refused)
	}
	switch {
	case ctx.Err() != nil:
		return c, nil, context.Cause(ctx)
	case class == telnyx.ClassUnauthorized, class == telnyx.ClassAccount, telnyx.IsRateLimited(refused), telnyx.IsUnreachable(refused):
		return c, nil, refused
	case class == telnyx.ClassForbidden:
		s.answered.Store(true)
		return c, refused, s.o.client.CheckKey(ctx)
	case class != telnyx.ClassTransient:
		s.answered.Store(true)
		return c, refused, nil
	}
	if !s.answered.Load() && telnyx.Classify(s.o.client.CheckKey(ctx)) == telnyx.ClassTransient {
		return c, nil, refused
	}
	return c, refused, nil
}

// setCampaign sets the campaign, or why it could not be read.
func (f *Forecast) setCampaign(campaign telnyx.Campaign, refused error) {
	if refused == nil {
		f.Campaign = campaign
		f.Phase, f.Detail = PhaseOf(campaign)
		f.Capacity = CapacityOf(f.Plan, campaign)
		return
	}
	f.Err, f.Phase, f.Capacity = refused, ledger.PhaseUnread, f.Plan.MaxNumbers
	if isMissing(refused, telnyx.Classify(refused)) {
		f.Phase = ledger.PhaseMissing
	}
	if !telnyx.IsNotFound(refused) {
		f.Detail = errorWords(refused)
	}
}

// readPools reads the pools, and with them the settings of their numbers.
func (s *forecaster) readPools(ctx context.Context) error {
	return s.each(ctx, func(e *forecastEntry) string { return e.Plan.NumberPool }, func(ctx context.Context, same []*forecastEntry) error {
		rows, err := s.readPool(ctx, same[0].Plan.NumberPool)
		if err != nil {
			return err
		}
		numbers, settings := PoolOf(rows.All)
		for _, e := range same {
			e.settings = settings
			e.Expanded, e.PoolComplete, e.PoolUnknown = e.set.WithPool(e.Plan, numbers), rows.Complete, rows.Why
		}
		return nil
	})
}

// readPool reads one pool. If Telnyx refuses the pool and not the key, the pool stays unknown.
func (s *forecaster) readPool(ctx context.Context, profile string) (telnyx.Rows[telnyx.Number], error) {
	rows, err := s.o.client.ProfileNumbers(ctx, profile)
	switch telnyx.Classify(err) {
	case telnyx.ClassForbidden, telnyx.ClassRefused:
		return telnyx.Rows[telnyx.Number]{Why: errorWords(err)}, s.o.client.CheckKey(ctx)
	}
	return rows, err
}

// observe observes each campaign and its numbers.
func (s *forecaster) observe(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.o.concurrency)
	for _, e := range s.entries {
		if e.Phase == ledger.PhaseUnread {
			continue
		}
		group.Go(func() (err error) {
			e.seen, err = s.o.observe(ctx, question{
				want: e.Expanded, campaign: e.Campaign, asked: s.began, settings: e.settings,
				requested: func(plan.E164) bool { return false }, sharedBy: len(s.entries), forecast: true,
			})
			return err
		})
	}
	return group.Wait()
}

// afterWait has the actions that follow those that only wait.
var afterWait = map[plan.Action]plan.Action{plan.WaitToAttach: plan.Attach, plan.WaitToMove: plan.Move}

// confirmAbsence reads the numbers again that seem to be absent from the account. Only those
// absent in both reads stay absent.
func (s *forecaster) confirmAbsence(ctx context.Context) error {
	var absent []plan.E164
	for _, e := range s.entries {
		absent = slices.AppendSeq(absent, maps.Keys(e.seen.Absent))
	}
	if len(absent) == 0 {
		return nil
	}
	slices.Sort(absent)
	wait(ctx, confirmWait)
	s.o.client.ForgetNumbers()
	again := newObservation()
	if err := s.o.readNumbers(ctx, question{sharedBy: 1, asked: time.Now()}, slices.Compact(absent), &again); err != nil {
		return err
	}
	for _, e := range s.entries {
		for n := range e.seen.Absent {
			if number, found := again.Account[n]; found {
				e.seen.Account[n] = number
			}
			if _, still := again.Absent[n]; !still {
				delete(e.seen.Absent, n)
			}
		}
	}
	return nil
}

// decide decides on every number as if it had never been tried and the campaign were
// approved, which shows in advance what would fail.
func (e *forecastEntry) decide() {
	if e.Phase == ledger.PhaseUnread {
		return
	}
	now := time.Now()
	forecasts := map[plan.E164]*NumberForecast{}
	var cases []Case
	changes := plan.Diff(e.Expanded, e.Campaign, e.seen.Records)
	for _, change := range changes {
		e.Numbers = append(e.Numbers, NumberForecast{Change: change})
	}
	for i := range e.Numbers {
		n := &e.Numbers[i]
		if n.Action == plan.Extra {
			e.Others++
			continue
		}
		c := Case{
			Entry: e.Expanded, Campaign: e.Campaign, Phase: ledger.PhaseApproved, PendingDeadline: DefaultPendingDeadline, Now: now,
			Record: ledger.Number{Since: now, Tries: ledger.Tries{Absent: absentReads}}, // absences are confirmed
		}
		c.observed(n.Change, &e.seen)
		cases = append(cases, c)
		forecasts[n.Number] = n
		if later, waits := afterWait[n.Action]; waits {
			c.Change.Action = later
			decision := Decide(c)
			n.Then = &decision
		}
	}
	for _, d := range decideInOrder(cases, e.Capacity-liveOn(e.Campaign, changes)) {
		forecasts[plan.E164(d.Record.Number)].Decision = d
	}
}
