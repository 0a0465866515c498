package assigner

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

// confirmWait is how long a forecast waits before it asks again about what Telnyx says
// is not there, since one answer does not prove that.
const confirmWait = time.Second

// Forecast is what an assigner would do about one campaign now, if it had never tried
// before: waits after failed tries, and requests under way, are known to the ledger
// alone.
type Forecast struct {
	// Plan is the entry as the plan has it, Expanded the same with the numbers of its
	// pool. PoolComplete says that all of these are known.
	Plan, Expanded plan.Campaign
	PoolComplete   bool
	// Campaign is the campaign as read, the zero value if Err is not nil.
	Campaign telnyx.Campaign
	// Err is why the campaign could not be read, if the trouble is its own: that of the
	// account ends the whole forecast.
	Err error
	// Twin is another entry of the set for the same campaign, which counts instead.
	Twin *plan.Campaign
	// Phase is that of the campaign; Detail says why in a few words.
	Phase  ledger.Phase
	Detail string
	// Numbers are the decisions, sorted by number. Those of a campaign that is not
	// approved are made as if it were, see [Forecast.Waits].
	Numbers []NumberForecast
	// Others counts the numbers on the campaign that the plan does not name.
	Others int
}

// Waits reports whether nothing is done before the campaign changes.
func (f Forecast) Waits() bool { return f.Phase != ledger.PhaseApproved }

// NumberForecast is what would be done about one number.
type NumberForecast struct {
	plan.Change
	Decision
}

// Foresee says what an assigner would do about every campaign of the set, by the
// assigner's own code: it observes and decides, and leaves out the rest. It only
// reads, if the observer's client does no more. An error means that Telnyx could not be
// asked.
func Foresee(ctx context.Context, o *Observer, set *plan.Set) ([]Forecast, error) {
	forecasts := make([]Forecast, len(set.Campaigns))
	asked := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(o.concurrency)
	for i, want := range set.Campaigns {
		group.Go(func() (err error) {
			if ctx.Err() != nil {
				return ctx.Err() // another campaign failed already
			}
			if forecasts[i], err = foreseeCampaign(ctx, o, set, want, asked); err != nil {
				return fmt.Errorf("plan %s: %w", want.Name, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return forecasts, nil
}

func foreseeCampaign(ctx context.Context, o *Observer, set *plan.Set, want plan.Campaign, asked time.Time) (Forecast, error) {
	f := Forecast{Plan: want, Expanded: want, PoolComplete: true}
	var err error
	if f.Campaign, err = foreseenCampaign(ctx, o, want); err != nil {
		return f.unread(ctx, o, err)
	}
	f.Phase, f.Detail = PhaseOf(f.Campaign)
	if twin, named := otherEntry(set, want.ID(), f.Campaign); named && twin.Rank() < want.Rank() {
		f.Twin = &twin
		f.Phase, f.Detail = ledger.PhaseUnknown, namedTwice(twin)
	}
	if want.NumberPool != "" {
		pool, complete, err := o.pool(ctx, want.NumberPool)
		if err != nil {
			return f, err
		}
		f.Expanded, f.PoolComplete = set.WithPool(want, pool), complete
	}
	seen, err := o.observe(ctx, question{
		want: f.Expanded, campaign: f.Campaign, asked: asked, sharedBy: len(set.Campaigns),
		requested: func(plan.E164) bool { return false },
	})
	if err != nil {
		return f, err
	}
	absentBefore := len(seen.Absent) > 0
	if absentBefore {
		if err := confirmAbsence(ctx, o, f, &seen); err != nil {
			return f, err
		}
	}
	f.decide(seen)
	return f, nil
}

// foreseenCampaign reads the campaign, twice if Telnyx says that it is not there.
func foreseenCampaign(ctx context.Context, o *Observer, want plan.Campaign) (telnyx.Campaign, error) {
	c, err := o.campaigns.read(ctx, want)
	if !telnyx.IsNotFound(err) {
		return c, err
	}
	wait(ctx, confirmWait)
	return o.campaigns.read(ctx, want)
}

// unread is the forecast of a campaign that could not be read.
func (f Forecast) unread(ctx context.Context, o *Observer, cause error) (Forecast, error) {
	class := telnyx.Classify(cause)
	switch class {
	case telnyx.ClassUnauthorized, telnyx.ClassAccount, telnyx.ClassTransient, telnyx.ClassInvalid:
		return f, cause
	case telnyx.ClassForbidden:
		if check := o.client.CheckKey(ctx); check != nil {
			return f, check
		}
	}
	f.Err, f.Phase = cause, ledger.PhaseUnread
	if isMissing(cause, class) {
		f.Phase = ledger.PhaseMissing
	}
	if !telnyx.IsNotFound(cause) {
		f.Detail = errorWords(cause)
	}
	for _, n := range f.Expanded.Numbers {
		decision := Decide(Case{Entry: f.Expanded, Phase: f.Phase, Why: f.Detail, Change: plan.Change{Number: n}, Now: o.campaigns.now()})
		f.Numbers = append(f.Numbers, NumberForecast{Change: plan.Change{Number: n}, Decision: decision})
	}
	return f, nil
}

// confirmAbsence asks once more about the numbers that the account does not seem to
// have, and keeps what both readings say.
func confirmAbsence(ctx context.Context, o *Observer, f Forecast, seen *Observation) error {
	wait(ctx, confirmWait)
	var absent []plan.E164
	for n := range seen.Absent {
		absent = append(absent, n)
	}
	again := Observation{}
	if err := o.readNumbers(ctx, question{want: f.Expanded, campaign: f.Campaign, sharedBy: 1}, absent, &again); err != nil {
		return err
	}
	for _, n := range absent {
		if number, found := again.Account[n]; found {
			seen.Account[n] = number
			delete(seen.Absent, n)
		} else if !again.Absent[n] {
			delete(seen.Absent, n) // the two readings disagree
		}
	}
	return nil
}

// decide decides about every number as if nothing had been tried and as if the campaign
// were approved: what would fail on the day is known before.
func (f *Forecast) decide(seen Observation) {
	now := time.Now()
	room := capacityOf(f.Expanded, f.Campaign) - seen.live(f.Campaign)
	changes := map[plan.E164]plan.Change{}
	var cases []Case
	for _, change := range plan.Diff(f.Expanded, f.Campaign, seen.Records) {
		if change.Action == plan.Extra {
			f.Others++
			f.Numbers = append(f.Numbers, NumberForecast{Change: change})
			continue
		}
		changes[change.Number] = change
		c := Case{
			Entry: f.Expanded, Campaign: f.Campaign, Phase: ledger.PhaseApproved, PendingDeadline: DefaultPendingDeadline, Now: now,
			Record: ledger.Number{Since: now, Tries: ledger.Tries{Absent: 1}}, // absence was confirmed
		}
		c.takes(change, &seen)
		cases = append(cases, c)
	}
	for _, d := range decideInOrder(cases, room) {
		n := plan.E164(d.Record.Number)
		f.Numbers = append(f.Numbers, NumberForecast{Change: changes[n], Decision: d})
	}
	sortForecasts(f.Numbers)
}

func sortForecasts(numbers []NumberForecast) {
	slices.SortFunc(numbers, func(a, b NumberForecast) int { return cmp.Compare(a.Change.Number, b.Change.Number) })
}
