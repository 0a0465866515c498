package assigner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/notice"
	"greenlight/internal/plan"
	"greenlight/internal/telemetry"
	"greenlight/internal/telnyx"
)

const (
	// DefaultResync is how often every planned campaign is read when nothing
	// else happens. Approval takes days, so a quarter of an hour loses little
	// when every webhook was lost, and costs one call a campaign.
	DefaultResync = 15 * time.Minute
	// DefaultConcurrency is how many calls to Telnyx are under way at once. It
	// only keeps latency from lowering the rate; the limiter sets the rate.
	DefaultConcurrency = 8
	// DefaultPendingDeadline is how long Telnyx may take to finish a request. It
	// speaks of up to 72 hours
	// (https://developers.telnyx.com/docs/messaging/10dlc/phone-number-assignment).
	DefaultPendingDeadline = 72 * time.Hour
	// DefaultSettle is how long a request whose answer was lost may still take
	// effect. Before that a number without a record is not tried again.
	DefaultSettle = 30 * time.Second

	// Workers: most take prompt requests only, so that an approval waits for none of
	// the others; some take routine ones as well, and one takes everything.
	promptWorkers   = 24
	routineWorkers  = 31
	strangerWorkers = 1
	// retryLeast and retryMost bound the wait after a reconcile that could not be
	// recorded.
	retryLeast = time.Second
	retryMost  = time.Minute
	// askAgain is when the server is asked again for what an assigner needs there. Of two
	// that ask a cluster for the same bucket at once, now and then neither is answered,
	// though it is made (seen with NATS 2.15.2); asking again helps.
	askAgain = 3 * time.Second
	// ledgerTimeout bounds reading all campaigns of the ledger.
	ledgerTimeout = 10 * time.Second
	// takeoverAfter is how old a process must be for a new pin to mean that it
	// has taken over. A younger one has reconciled everything by itself.
	takeoverAfter = 10 * time.Second
	// poolConfirm is how long after a pool lost numbers it is read again.
	poolConfirm = 30 * time.Second
)

// Config is what an Assigner needs.
type Config struct {
	// Telnyx calls the API. Required.
	Telnyx *telnyx.Client
	// JetStream holds streams and ledger, which are made if they are not there.
	// Required.
	JetStream jetstream.JetStream
	// Plans returns the plan set that is in force. Required; must be safe for
	// concurrent use and never return nil.
	Plans func() *plan.Set
	// PlanFault says why the plan files as they are now are not in force, nil when they
	// are. It must be safe for concurrent use. Nil knows of no fault.
	PlanFault func() error
	// Resync is the time between two reconciles of every planned campaign. Default
	// DefaultResync, at least a second.
	Resync time.Duration
	// Concurrency bounds the calls that are under way at once, unless Telnyx has a
	// Limiter of its own. Default DefaultConcurrency.
	Concurrency int
	// PruneLimit is how many numbers an entry with prune: true may have removed without a
	// person, if that is more than a third of its numbers.
	PruneLimit int
	// Replicas of streams and ledger: 1 for one NATS server, 3 for a cluster.
	Replicas int
	// Settle is how long a request whose answer was lost may still take effect.
	// Default DefaultSettle.
	Settle time.Duration
	// PendingDeadline is how long a number may be pending before it is called
	// stuck. Default DefaultPendingDeadline.
	PendingDeadline time.Duration
	// Timing of the consumer. The zero value means its defaults.
	Timing events.Timing
	// Log gets a line for each decision that matters. The zero value logs
	// nothing.
	Log zerolog.Logger
	// Metrics registers the assigner's metrics. Nil registers them nowhere.
	Metrics prometheus.Registerer
	// Tracer gets a trace of what follows from each delivery. Nil gets none.
	Tracer *telemetry.Tracer
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() (Config, error) {
	if c.Telnyx == nil || c.JetStream == nil || c.Plans == nil {
		return c, errors.New("assigner: Telnyx, JetStream and Plans are all needed")
	}
	c.Resync, c.Concurrency = cmp.Or(c.Resync, DefaultResync), cmp.Or(c.Concurrency, DefaultConcurrency)
	c.Settle, c.PendingDeadline = cmp.Or(c.Settle, DefaultSettle), cmp.Or(c.PendingDeadline, DefaultPendingDeadline)
	if c.PlanFault == nil {
		c.PlanFault = func() error { return nil }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Resync < time.Second || c.Concurrency < 1 || c.Settle < 0 || c.PendingDeadline < 0 {
		return c, fmt.Errorf("assigner: resync %s must be a second or more, concurrency %d one or more, settle %s and pending deadline %s not negative",
			c.Resync, c.Concurrency, c.Settle, c.PendingDeadline)
	}
	return c, nil
}

// Assigner attaches planned numbers. Make one with [New], or with [Prepare] where
// NATS may not be there yet, and run it once.
type Assigner struct {
	config    Config
	client    *telnyx.Client
	ledger    *ledger.Ledger
	publisher *events.Publisher
	notices   *notice.Publisher
	consumer  *events.Consumer
	observer  *Observer
	queue     *queue
	claims    *claims
	pools     *pools
	carriers  *Carriers
	breaker   *breaker
	plans     planMark
	log       zerolog.Logger
	metrics   *metrics
	// began gets a value when this assigner begins to work.
	began chan struct{}
	// resynced is when every planned campaign was put into the queue last, in
	// nanoseconds since 1970.
	resynced atomic.Int64
	now      func() time.Time
	// isPinned reports whether the server still has this assigner as the one that works.
	isPinned func(context.Context) bool
	// jitter spreads waits: it returns a number from 0 up to 1.
	jitter func() float64
	// failuresEvery is the pause between two readings of Telnyx's log of failed deliveries.
	failuresEvery time.Duration
	// hold is the hold as it was heard of last.
	hold atomic.Pointer[ledger.Hold]
}

// New returns an assigner that has joined the others; see [Assigner.Join].
func New(ctx context.Context, config Config) (*Assigner, error) {
	a, err := Prepare(config)
	if err != nil {
		return nil, err
	}
	return a, a.Join(ctx)
}

// Prepare returns an assigner that must join before it is used, or an error that says
// which setting is missing or wrong.
func Prepare(config Config) (*Assigner, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	a := &Assigner{
		config:    config,
		publisher: events.NewPublisher(config.JetStream),
		queue:     newQueue(),
		claims:    newClaims(config.Settle),
		pools:     newPools(),
		began:     make(chan struct{}, 1),
		log:       config.Log.With().Str(telemetry.KeyPart, "assigner").Logger(),
		now:       config.Now,
		jitter:    rand.Float64,

		failuresEvery: failuresEvery,
	}
	a.client = a.watching(config.Telnyx)
	if a.client.Limiter == nil {
		a.client.Limiter = telnyx.NewLimiter(telnyx.LimiterConfig{Ceiling: unlimited, Concurrency: config.Concurrency})
	}
	a.carriers = NewCarriers(a.client)
	a.breaker = &breaker{now: config.Now, checkKey: a.client.CheckKey, healed: func() {
		a.log.Info().Msg("Telnyx accepts the API key again; work continues")
	}}
	a.hold.Store(&ledger.Hold{})
	a.isPinned = a.works
	a.resynced.Store(config.Now().UnixNano())
	a.observer = newObserver(a.client, config.Concurrency, config.Now)
	return a, nil
}

// unlimited is the rate of a client that has no limiter, as in tests.
const unlimited = 100000

// perCampaign is how many calls one campaign may have waiting or under way: half of
// all, so that one of five numbers is not stuck behind one of five thousand.
func (a *Assigner) perCampaign() int { return max(a.config.Concurrency/2, 1) }

// rate is how many calls a second the limiter allows now.
func (a *Assigner) rate() float64 { return max(a.client.Limiter.Rate(), 0.1) }

// Join makes the streams and buckets that are not there yet, joins the consumer, and
// learns what the ledger knows. After an error it may be called again.
func (a *Assigner) Join(ctx context.Context) error {
	if err := a.provide(ctx); err != nil {
		return err
	}
	if a.metrics == nil { // they ask the consumer
		a.metrics = newMetrics(a.config.Metrics, a)
	}
	if err := a.takeOverPause(ctx); err != nil {
		return err
	}
	return a.recall(ctx)
}

// provide makes what is not there yet: streams, ledger, notices and consumer.
func (a *Assigner) provide(ctx context.Context) error {
	js, replicas := a.config.JetStream, a.config.Replicas
	streams := func(ctx context.Context) error { return events.EnsureStreams(ctx, js, replicas) }
	records := func(ctx context.Context) (err error) {
		a.ledger, err = ledger.Create(ctx, js, replicas)
		return err
	}
	notices := func(ctx context.Context) (err error) {
		a.notices, err = notice.NewPublisher(ctx, js, replicas)
		return err
	}
	consumer := func(ctx context.Context) (err error) {
		a.consumer, err = events.NewConsumer(ctx, js, a.config.Timing, func(err error) {
			a.log.Warn().Err(err).Msg("the consumer has a problem; it keeps trying")
		})
		return err
	}
	for _, step := range []func(context.Context) error{streams, records, notices, consumer} {
		if err := insist(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

// insist repeats what had no answer after askAgain.
func insist(ctx context.Context, do func(context.Context) error) error {
	for {
		bounded, cancel := context.WithTimeout(ctx, askAgain)
		err := do(bounded)
		cancel()
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
}

// takeOverPause turns a hold in a first edition's data folder, a paused consumer, into a
// record.
func (a *Assigner) takeOverPause(ctx context.Context) error {
	_, err := events.TakeOverPause(ctx, a.config.JetStream, func(ctx context.Context) error {
		return a.ledger.Hold(ctx, nil, ledger.HeldBy{By: "unknown", At: a.now().UTC(), Reason: "held with an earlier version of Greenlight"})
	})
	return err
}

// watching returns a copy of the client that reports its calls to this assigner.
func (a *Assigner) watching(client *telnyx.Client) *telnyx.Client {
	watched := client.Copy()
	watched.OnCall = a.watchCall
	return watched
}

// recall learns the campaigns that the ledger knows.
func (a *Assigner) recall(ctx context.Context) error {
	known, err := a.ledger.Campaigns(ctx)
	if err != nil {
		return err
	}
	for _, entry := range known {
		a.observer.campaigns.learn(entry.Campaign)
	}
	return nil
}

// LedgerMadeAgain must be called after a lost bucket was made again. The plan is marked
// there once more, and the campaigns are learned from what the ledger still has.
func (a *Assigner) LedgerMadeAgain(ctx context.Context) {
	a.plans.forget()
	if err := a.recall(ctx); err != nil {
		a.log.Warn().Err(err).Msg("the campaigns of the ledger that was made again could not be read; the resync reads them")
	}
}

// Run works until ctx ends; then it finishes the calls under way, gives the rest
// back, and returns nil. An error means that it cannot continue, for example because
// somebody deleted its consumer.
//
// A start is a resync: whatever happened meanwhile, everything planned is reconciled
// once.
func (a *Assigner) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a.markPlans(ctx, a.nobodyWorks)
	if err := a.publisher.ScheduleResync(ctx, a.config.Resync); err != nil {
		return err
	}
	if err := a.publisher.Trigger(ctx, events.KindResync, ""); err != nil {
		return err
	}
	var workers sync.WaitGroup
	for highest, count := range []int{promptWorkers, routineWorkers, strangerWorkers} {
		for range count {
			workers.Go(func() { a.work(ctx, class(highest)) })
		}
	}
	// No more than this can be open, so that handing over never blocks.
	deliveries := make(chan *events.Delivery, events.MaxOpen)
	workers.Go(func() { a.receiveAll(ctx, deliveries) })
	workers.Go(func() { a.keepPlansMarked(ctx) })
	workers.Go(func() { a.followHold(ctx) })
	workers.Go(func() { a.followFailures(ctx) })
	a.log.Info().Str(telemetry.KeyPlanHash, a.config.Plans().Hash).Int(telemetry.KeyCampaigns, len(a.config.Plans().Campaigns)).
		Stringer(telemetry.KeyResync, a.config.Resync).Msg("assigner runs")
	return a.consumer.Run(ctx, func(d *events.Delivery) { deliveries <- d }, func() {
		cancel() // not every end is that of ctx
		close(deliveries)
		a.queue.close()
		workers.Wait()
	})
}

// Ready returns nil when this process can do its work or stand by for it, else an
// error that says why not.
func (a *Assigner) Ready(ctx context.Context) error {
	if err := a.breaker.err(); err != nil {
		return err
	}
	_, err := a.consumer.State(ctx)
	return err
}

// work reconciles campaigns until the queue is closed.
func (a *Assigner) work(ctx context.Context, highest class) {
	for {
		req, ok := a.queue.take(highest)
		if !ok {
			return
		}
		work := ctx
		if req.class != prompt {
			work = telnyx.Routine(ctx)
		}
		a.serve(work, req)
		a.queue.finish(req.key)
	}
}

// serve reconciles one campaign. When the ledger has the outcome, the message that asked
// is acknowledged; until then it stays open, and the reconcile is repeated. So is one whose
// outcome is only that it could not be done, if a recheck would not be the same. If
// another assigner has taken over meanwhile, that one is asked for a recheck instead.
func (a *Assigner) serve(ctx context.Context, req request) {
	if req.tries > 0 && a.standsBy(ctx) && a.publisher.ScheduleRecheck(ctx, req.key, 0) == nil {
		req.settled()
		return
	}
	ctx, span := a.beginSpan(ctx, req)
	err := a.guard(req.key, func() error { return a.reconcile(ctx, req) })
	endSpan(span, err)
	if elsewhere, ok := errors.AsType[*knownAs](err); ok {
		req.key = elsewhere.key
		req.class = min(req.class, routine)
		a.queue.add(req)
		return
	}
	a.metrics.reconciles.WithLabelValues(reconcileOutcome(err)).Inc()
	if err != nil && ctx.Err() != nil {
		return // the message stays open and is given back with the rest
	}
	undone, recorded := errors.AsType[*undoneError](err)
	switch {
	case err == nil, recorded && !req.urgent && !req.changed: // the recheck that is scheduled does the same
		req.settled()
		return
	case recorded:
		req.wait = undone.wait
		if !req.urgent { // what a person asked for must outlive this process
			req.settled()
			req.settle = nil
		}
	default:
		req.wait = jittered(waitAfter(retryLeast, retryMost, 2, req.tries+1), a.jitter())
		a.log.Warn().Str(telemetry.KeyCampaign, req.key).Err(err).Stringer(telemetry.KeyWait, req.wait).
			Msg("a reconcile failed and is repeated")
	}
	req.tries++
	a.queue.add(req)
}

// undoneError ends a reconcile that had to leave undone what an event or a person asked
// for. The ledger says why.
type undoneError struct {
	cause error
	wait  time.Duration
}

func (u *undoneError) Error() string { return u.cause.Error() }
func (u *undoneError) Unwrap() error { return u.cause }

// guard turns a panic into an error, so that one campaign's surprise does not stop
// the others.
func (a *Assigner) guard(key string, work func() error) (err error) {
	defer func() {
		if surprise := recover(); surprise != nil {
			err = fmt.Errorf("panic while reconciling campaign %s: %v", key, surprise)
			a.log.Error().Str(telemetry.KeyCampaign, key).Bytes(telemetry.KeyStack, debug.Stack()).Err(err).
				Msg("this is a bug in Greenlight, please report it")
		}
	}()
	return work()
}

// jittered shortens a wait by up to a fifth; jitter is from 0 to 1.
func jittered(wait time.Duration, jitter float64) time.Duration {
	return wait - time.Duration(float64(wait)/5*jitter)
}
