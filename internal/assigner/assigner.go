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
	// DefaultResync is how often every planned campaign is read. Approval takes days, so
	// even if every webhook is lost, 15 minutes matter little. It costs a call per campaign.
	DefaultResync = 15 * time.Minute
	// DefaultConcurrency is how many calls to Telnyx run at once. It only keeps latency from
	// lowering the rate; the limiter sets the rate.
	DefaultConcurrency = 8
	// DefaultPendingDeadline is how long Telnyx may take to finish a request: up to 72 hours
	// (https://developers.telnyx.com/docs/messaging/10dlc/phone-number-assignment).
	DefaultPendingDeadline = 72 * time.Hour
	// DefaultSettle is how long a request whose answer was lost may still take effect. A
	// number without a record is not retried before that.
	DefaultSettle = 30 * time.Second

	// Most workers take only prompt requests, so that an approval waits for no other work.
	// Some also take routine requests, and one takes everything.
	promptWorkers    = 24
	routineWorkers   = 31
	unplannedWorkers = 1
	// retryMin and retryMax bound the wait after a reconcile that could not be recorded.
	retryMin = time.Second
	retryMax = time.Minute
	// ensureTimeout bounds one request to create a stream, bucket, or consumer. If two
	// assigners ask a cluster for the same bucket at once, it is sometimes created without
	// an answer to either (seen with NATS 2.15.2), so the request is repeated.
	ensureTimeout = 3 * time.Second
	// ledgerTimeout bounds reading all campaigns of the ledger.
	ledgerTimeout = 10 * time.Second
	// takeoverAfter is the age from which a process that gets the pin has taken over from
	// another. A younger one is just starting, and reconciles everything anyway.
	takeoverAfter = 10 * time.Second
	// poolConfirm is the wait before a pool that seems to have lost numbers is read again.
	poolConfirm = 30 * time.Second
)

// Config is what an Assigner needs.
type Config struct {
	// Telnyx calls the API. Required.
	Telnyx *telnyx.Client
	// JetStream holds streams and ledger. Missing ones are created. Required.
	JetStream jetstream.JetStream
	// Plans returns the plan set in force. It must be safe for concurrent use and never
	// return nil. Required.
	Plans func() *plan.Set
	// PlanFault returns why the current plan files are not in force, or nil. It must be safe
	// for concurrent use. A nil PlanFault means no fault.
	PlanFault func() error
	// Resync is the time between two reconciles of every planned campaign. Default
	// DefaultResync, at least a second.
	Resync time.Duration
	// Concurrency bounds the calls that run at once, unless Telnyx has a Limiter. Default
	// DefaultConcurrency.
	Concurrency int
	// PruneLimit is how many numbers of an entry with prune: true may be removed without a
	// person, if that is more than a third of its numbers.
	PruneLimit int
	// Replicas of streams and ledger: 1 for one NATS server, 3 for a cluster.
	Replicas int
	// Settle is how long a request whose answer was lost may still take effect.
	// Default DefaultSettle.
	Settle time.Duration
	// PendingDeadline is how long a number may be pending before it counts as stuck. Default
	// DefaultPendingDeadline.
	PendingDeadline time.Duration
	// Timing of the consumer. The zero value means its defaults.
	Timing events.Timing
	// Log gets a line for each decision that matters. The zero value logs
	// nothing.
	Log zerolog.Logger
	// Metrics registers the assigner's metrics. Nil registers them nowhere.
	Metrics prometheus.Registerer
	// Tracer traces what follows from each delivery. Nil traces nothing.
	Tracer *telemetry.Tracer
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() (Config, error) {
	if c.Telnyx == nil || c.JetStream == nil || c.Plans == nil {
		return c, errors.New("assigner: Telnyx, JetStream and Plans are required")
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
		return c, fmt.Errorf("assigner: resync %s must be at least 1s, concurrency %d at least 1, settle %s and pending deadline %s at least 0",
			c.Resync, c.Concurrency, c.Settle, c.PendingDeadline)
	}
	return c, nil
}

// Assigner attaches planned numbers. Make one with [New], or with [Prepare] if NATS may not
// be up yet, and run it once.
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
	// began receives a value when this assigner becomes active.
	began chan struct{}
	// resynced is when every planned campaign was last queued, in nanoseconds since 1970.
	resynced atomic.Int64
	now      func() time.Time
	// isPinned reports whether the server still has the consumer pinned to this assigner.
	isPinned func(context.Context) bool
	// jitter spreads waits: it returns a number from 0 up to 1.
	jitter func() float64
	// failuresEvery is the pause between two reads of Telnyx's log of failed deliveries.
	failuresEvery time.Duration
	// hold is the latest known hold.
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

// Prepare returns an assigner that must join before use, or an error that says which setting
// is missing or wrong.
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
	a.breaker = &breaker{now: config.Now, checkKey: a.client.CheckKey, recovered: func() {
		a.log.Info().Msg("Telnyx accepts the API key again; work continues")
	}}
	a.hold.Store(&ledger.Hold{})
	a.isPinned = a.isActive
	a.resynced.Store(config.Now().UnixNano())
	a.observer = newObserver(a.client, config.Concurrency, config.Now)
	return a, nil
}

// unlimited is the rate of a client without a limiter, as in tests.
const unlimited = 100000

// perCampaign is how many calls one campaign may have waiting or running: half of all, so
// that a campaign of five numbers is not stuck behind one of five thousand.
func (a *Assigner) perCampaign() int { return max(a.config.Concurrency/2, 1) }

// rate is how many calls a second the limiter allows now.
func (a *Assigner) rate() float64 { return max(a.client.Limiter.Rate(), 0.1) }

// Join creates missing streams and buckets, joins the consumer, and reads the campaigns of
// the ledger. It may be called again after an error.
func (a *Assigner) Join(ctx context.Context) error {
	if err := a.ensure(ctx); err != nil {
		return err
	}
	if a.metrics == nil { // they ask the consumer
		a.metrics = newMetrics(a.config.Metrics, a)
	}
	if err := a.migratePause(ctx); err != nil {
		return err
	}
	return a.loadCampaigns(ctx)
}

// ensure creates what is missing: streams, ledger, notices and consumer.
func (a *Assigner) ensure(ctx context.Context) error {
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
		if err := retryTimeouts(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

// retryTimeouts repeats a request that got no answer within ensureTimeout.
func retryTimeouts(ctx context.Context, do func(context.Context) error) error {
	for {
		bounded, cancel := context.WithTimeout(ctx, ensureTimeout)
		err := do(bounded)
		cancel()
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
}

// migratePause turns the hold of the first edition of Greenlight, a paused consumer, into a
// record.
func (a *Assigner) migratePause(ctx context.Context) error {
	_, err := events.MigratePause(ctx, a.config.JetStream, func(ctx context.Context) error {
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

// loadCampaigns reads the ids of the ledger's campaigns.
func (a *Assigner) loadCampaigns(ctx context.Context) error {
	known, err := a.ledger.Campaigns(ctx)
	if err != nil {
		return err
	}
	for _, entry := range known {
		a.observer.campaigns.learn(entry.Campaign)
	}
	return nil
}

// LedgerRecreated must be called after a lost bucket was recreated. The plan set in force is
// stored there again, and the campaigns are read from what the ledger still has.
func (a *Assigner) LedgerRecreated(ctx context.Context) {
	a.plans.forget()
	if err := a.loadCampaigns(ctx); err != nil {
		a.log.Warn().Err(err).Msg("the campaigns of the recreated ledger could not be read; the resync reads them")
	}
}

// Run works until ctx ends. Then it finishes running calls, returns other messages to the
// server, and returns nil. An error means that it cannot continue, for example because its
// consumer was deleted.
//
// It starts with a resync, so that it does not matter what happened while it was down.
func (a *Assigner) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a.markPlans(ctx, a.noneActive)
	if err := a.publisher.ScheduleResync(ctx, a.config.Resync); err != nil {
		return err
	}
	if err := a.publisher.Trigger(ctx, events.KindResync, ""); err != nil {
		return err
	}
	var workers sync.WaitGroup
	for highest, count := range []int{promptWorkers, routineWorkers, unplannedWorkers} {
		for range count {
			workers.Go(func() { a.work(ctx, class(highest)) })
		}
	}
	// No more than MaxOpen are open at once, so sending to the channel never blocks.
	deliveries := make(chan *events.Delivery, events.MaxOpen)
	workers.Go(func() { a.receiveAll(ctx, deliveries) })
	workers.Go(func() { a.keepPlansMarked(ctx) })
	workers.Go(func() { a.followHold(ctx) })
	workers.Go(func() { a.followFailures(ctx) })
	a.log.Info().Str(telemetry.KeyPlanHash, a.config.Plans().Hash).Int(telemetry.KeyCampaigns, len(a.config.Plans().Campaigns)).
		Stringer(telemetry.KeyResync, a.config.Resync).Msg("assigner runs")
	return a.consumer.Run(ctx, func(d *events.Delivery) { deliveries <- d }, func() {
		cancel() // the consumer may have ended before ctx
		close(deliveries)
		a.queue.close()
		workers.Wait()
	})
}

// Ready returns nil if this process is active or on standby, else an error that says what is
// wrong.
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

// serve reconciles one campaign. Its message is acknowledged once the ledger has the outcome;
// until then, the reconcile is repeated. It is also repeated if the outcome is only that work
// is left undone, unless the scheduled recheck does the same. If another assigner has taken
// over, a recheck is scheduled for that one instead.
func (a *Assigner) serve(ctx context.Context, req request) {
	if req.tries > 0 && a.isStandby(ctx) && a.publisher.ScheduleRecheck(ctx, req.key, 0) == nil {
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
		return // the message stays open, and is returned to the server with the others
	}
	undone, recorded := errors.AsType[*undoneError](err)
	switch {
	case err == nil, recorded && !req.urgent && !req.changed: // the scheduled recheck does the same
		req.settled()
		return
	case recorded:
		req.wait = undone.wait
		if !req.urgent { // a person's request must survive a restart
			req.settled()
			req.settle = nil
		}
	default:
		req.wait = jittered(waitAfter(retryMin, retryMax, 2, req.tries+1), a.jitter())
		a.log.Warn().Str(telemetry.KeyCampaign, req.key).Err(err).Stringer(telemetry.KeyWait, req.wait).
			Msg("a reconcile failed and is repeated")
	}
	req.tries++
	a.queue.add(req)
}

// undoneError ends a reconcile that had to leave work undone. The ledger says why.
type undoneError struct {
	cause error
	wait  time.Duration
}

func (u *undoneError) Error() string { return u.cause.Error() }
func (u *undoneError) Unwrap() error { return u.cause }

// guard turns a panic into an error, so that one campaign does not stop the others.
func (a *Assigner) guard(key string, work func() error) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic while reconciling campaign %s: %v", key, panicked)
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
