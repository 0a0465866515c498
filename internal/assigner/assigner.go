package assigner

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"greenlight/internal/account"
	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/logging"
	"greenlight/internal/notice"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
	"greenlight/internal/tracing"
)

const (
	// DefaultResync is how often every planned campaign is read when nothing
	// else happens. Approval takes days, so a quarter of an hour loses little
	// when every webhook was lost, and costs one call a campaign.
	DefaultResync = 15 * time.Minute
	// DefaultConcurrency is how many calls to Telnyx are under way at once. It
	// only keeps latency from lowering the rate; the pacer sets the rate.
	DefaultConcurrency = 8
	// DefaultPendingDeadline is how long Telnyx may take to finish a request. It
	// speaks of up to 72 hours
	// (https://developers.telnyx.com/docs/messaging/10dlc/phone-number-assignment).
	DefaultPendingDeadline = 72 * time.Hour
	// DefaultSettle is how long a request whose answer was lost may still take
	// effect. Before that a number without a record is not tried again.
	DefaultSettle = 30 * time.Second

	// maxLooks is how many campaigns are looked at at once: many, so that a small
	// one is not held up by large ones, with which it takes turns call by call.
	// Some workers leave what a resync asks for to the others.
	maxLooks    = 256
	promptLooks = 8
	// patience is how often and how long a delivery whose look could not be
	// finished is tried before it becomes a dead letter.
	patience     = 12
	patienceTime = time.Hour
	// askAgain is when the server is asked again for what an assigner needs there. Of two
	// that ask a cluster for the same bucket at once, now and then neither is answered,
	// though it is made (seen with NATS 2.15.2); who asks again is.
	askAgain = 3 * time.Second
	// ledgerTimeout bounds reading all campaigns of the ledger.
	ledgerTimeout = 10 * time.Second
	// takeoverAfter is how old a process must be for a new pin to mean that it
	// has taken over. A younger one has looked at everything by itself.
	takeoverAfter = 30 * time.Second
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
	// Resync is the time between two looks at every planned campaign. Default
	// DefaultResync, at least a second.
	Resync time.Duration
	// Concurrency bounds the calls that are under way at once, unless Telnyx has
	// Turns of its own. Default DefaultConcurrency.
	Concurrency int
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
	Tracer *tracing.Tracer
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() (Config, error) {
	if c.Telnyx == nil || c.JetStream == nil || c.Plans == nil {
		return c, errors.New("assigner: Telnyx, JetStream and Plans are all needed")
	}
	if c.Resync == 0 {
		c.Resync = DefaultResync
	}
	if c.Concurrency == 0 {
		c.Concurrency = DefaultConcurrency
	}
	if c.Settle == 0 {
		c.Settle = DefaultSettle
	}
	if c.PendingDeadline == 0 {
		c.PendingDeadline = DefaultPendingDeadline
	}
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
	telnyx    *telnyx.Client
	ledger    *ledger.Ledger
	publisher *events.Publisher
	notices   *notice.Publisher
	consumer  *events.Consumer
	reader    *account.Reader
	directory *directory
	queue     *queue
	claims    *claims
	gate      *gate
	plans     *planMark
	log       zerolog.Logger
	metrics   *metrics
	resyncs   resyncs
	now       func() time.Time
	// jitter spreads waits: it returns a number from 0 up to 1.
	jitter func() float64
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
		directory: newDirectory(),
		queue:     newQueue(),
		claims:    newClaims(),
		gate:      &gate{now: config.Now},
		plans:     newPlanMark(),
		log:       config.Log.With().Str(logging.KeyPart, "assigner").Logger(),
		now:       config.Now,
		jitter:    rand.Float64,
	}
	a.telnyx = a.watching(config.Telnyx)
	a.resyncs.finished(config.Now())
	if a.telnyx.Turns == nil {
		a.telnyx.Turns = telnyx.NewTurns(config.Concurrency)
	}
	a.reader = account.NewReader(a.telnyx, config.Concurrency)
	return a, nil
}

// Join makes the streams and buckets that are not there yet, joins the consumer, and
// learns what the ledger knows. After an error it may be called again.
func (a *Assigner) Join(ctx context.Context) error {
	if err := a.provide(ctx); err != nil {
		return err
	}
	if a.metrics == nil { // they ask the consumer
		a.metrics = newMetrics(a.config.Metrics, a)
	}
	return a.recall(ctx)
}

// provide makes what is not there yet: streams, ledger and consumer.
func (a *Assigner) provide(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		func(ctx context.Context) error {
			return events.EnsureStreams(ctx, a.config.JetStream, a.config.Replicas)
		},
		func(ctx context.Context) (err error) {
			a.ledger, err = ledger.Create(ctx, a.config.JetStream, a.config.Replicas)
			return err
		},
		func(ctx context.Context) (err error) {
			a.notices, err = notice.NewPublisher(ctx, a.config.JetStream, a.config.Replicas)
			return err
		},
		func(ctx context.Context) (err error) {
			a.consumer, err = events.NewConsumer(ctx, a.config.JetStream, a.config.Timing, func(err error) {
				a.log.Warn().Err(err).Msg("trouble with the consumer, going on")
			})
			return err
		},
	} {
		if err := insist(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

// insist does something again each time that it had no answer after askAgain.
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

// watching returns a copy of the client of whose calls this assigner is told as
// well.
func (a *Assigner) watching(client *telnyx.Client) *telnyx.Client {
	watched := *client
	watched.OnCall = func(call telnyx.Call) {
		a.called(call)
		if client.OnCall != nil {
			client.OnCall(call)
		}
	}
	a.traceCalls(&watched)
	return &watched
}

// recall learns the campaigns that the ledger knows.
func (a *Assigner) recall(ctx context.Context) error {
	known, err := a.ledger.Campaigns(ctx)
	if err != nil {
		return err
	}
	for _, entry := range known {
		a.learn(entry.Campaign)
		a.directory.lookedUnder(entry.Campaign.ID, entry.Campaign.EntryHash)
	}
	return nil
}

// learn takes in the ids of a campaign.
func (a *Assigner) learn(c ledger.Campaign) {
	a.directory.learn(c)
	a.reader.Learn(c.ID, telnyx.CampaignID(c.TelnyxID))
}

// Run works until ctx ends; then it finishes the calls under way, gives the rest
// back, and returns nil. An error means that it cannot go on, such as a consumer
// that somebody deleted.
//
// A start is a resync: whatever happened meanwhile, everything planned is looked
// at once.
func (a *Assigner) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a.markPlans(ctx, a.nobodyWorks)
	stopWatching, err := a.watchHold(ctx)
	if err != nil {
		return err
	}
	defer stopWatching()
	if err := a.publisher.ScheduleResync(ctx, a.config.Resync); err != nil {
		return err
	}
	if err := a.publisher.Trigger(ctx, events.KindResync, ""); err != nil {
		return err
	}
	var workers sync.WaitGroup
	for i := range maxLooks {
		workers.Go(func() { a.work(ctx, i < promptLooks) })
	}
	// No more than this can be open, so that handing over never blocks.
	deliveries := make(chan *events.Delivery, events.MaxOpen)
	workers.Go(func() { a.receiveAll(ctx, deliveries) })
	workers.Go(func() { a.keepPlansMarked(ctx) })
	a.log.Info().Str(logging.KeyPlanHash, a.config.Plans().Hash).Int(logging.KeyCampaigns, len(a.config.Plans().Campaigns)).
		Stringer(logging.KeyResync, a.config.Resync).Msg("assigner runs")
	return a.consumer.Run(ctx, func(d *events.Delivery) { deliveries <- d }, func() {
		cancel() // not every end is that of ctx
		close(deliveries)
		a.queue.close()
		workers.Wait()
	})
}

// watchHold tells the log when a person holds or resumes the assigner, and whether it is
// held to begin with. Who reads the log would look for why nothing is done.
func (a *Assigner) watchHold(ctx context.Context) (stop func(), err error) {
	var mu sync.Mutex
	told := false // that it is held
	tell := func(held bool) {
		if held == told {
			return
		}
		told = held
		if held {
			a.log.Info().Msg("on hold: nothing is begun until a person resumes; events are kept")
		} else {
			a.log.Info().Msg("resumed: work goes on")
		}
	}
	// Watched before it is asked for, so that no change falls between the two; what is
	// heard meanwhile waits until the answer is told.
	mu.Lock()
	defer mu.Unlock()
	stop, err = events.WatchHold(a.config.JetStream, func(held bool) {
		mu.Lock()
		defer mu.Unlock()
		tell(held)
	})
	if err != nil {
		return nil, err
	}
	held, err := events.IsHeld(ctx, a.config.JetStream)
	if err != nil {
		stop()
		return nil, err
	}
	tell(held)
	return stop, nil
}

// Ready returns nil when this process can do its work or stand by for it, else
// a sentence that says why not.
func (a *Assigner) Ready(ctx context.Context) error {
	if err := a.gate.trouble(); err != nil {
		return err
	}
	_, err := a.consumer.State(ctx)
	return err
}

// work looks at campaigns until the queue is closed.
func (a *Assigner) work(ctx context.Context, promptOnly bool) {
	for {
		errand, ok := a.queue.take(promptOnly)
		if !ok {
			return
		}
		a.serve(telnyx.InLane(ctx, errand.key, errand.routine), errand)
		a.queue.finish(errand.key)
	}
}

// serve looks at one campaign and tells the ticket what came of it.
func (a *Assigner) serve(ctx context.Context, e errand) {
	ctx, span := a.beginLook(ctx, e)
	err := a.guard(e.key, func() error { return a.look(ctx, e) })
	endLook(span, err)
	if elsewhere, ok := errors.AsType[*knownAs](err); ok {
		e.key = elsewhere.key
		a.ask(ctx, e)
		return
	}
	a.metrics.look(err)
	_, resting := errors.AsType[*stopped](err)
	failures := a.directory.countFailure(e.key, err != nil && !resting)
	if err != nil {
		a.directory.lookedUnder(e.key, "") // so that a changed entry counts as changed still
	}
	if ctx.Err() != nil && err != nil {
		return // the delivery stays open and is given back with the rest
	}
	a.report(e.key, err)
	ctx = context.WithoutCancel(ctx)
	after, bury := a.afterFailedLook(err, e.ticket.delivery, failures)
	if err != nil && a.lookAlone(ctx, e, err, after) {
		err = nil
	}
	e.ticket.looked(ctx, err, after, bury)
}

// lookAlone orders another look at a campaign that was one of many on its ticket,
// so that the others are not looked at again because of it. When all work rests
// the ticket itself comes again, since all of it rests.
func (a *Assigner) lookAlone(ctx context.Context, e errand, err error, after time.Duration) bool {
	if _, resting := errors.AsType[*stopped](err); resting || e.ticket.campaigns < 2 {
		return false
	}
	if err := a.publisher.ScheduleRecheck(ctx, e.key, after); err != nil {
		a.report(e.key, err)
		return false
	}
	return true
}

// ask puts a campaign in line. If it is in line already, one look is enough and one
// of the two tickets is answered by it.
func (a *Assigner) ask(ctx context.Context, e errand) {
	if answered := a.queue.add(e); answered != nil {
		answered.looked(context.WithoutCancel(ctx), nil, 0, "")
	}
}

func (a *Assigner) report(key string, err error) {
	if err == nil {
		return
	}
	if _, resting := errors.AsType[*stopped](err); resting {
		return // one alarm was raised when the gate closed
	}
	a.log.Warn().Str(logging.KeyCampaign, key).Err(err).Msg("a look at a campaign could not be finished and is repeated")
}

// afterFailedLook decides when a delivery whose look failed comes again, or that
// it becomes a dead letter: looks that fail that often in a row, and not because
// all work rests, fail for a reason of their own, and the resync goes on looking
// anyway.
func (a *Assigner) afterFailedLook(err error, d *events.Delivery, failures int) (after time.Duration, bury string) {
	if rest, ok := errors.AsType[*stopped](err); ok {
		return max(rest.until.Sub(a.now()), time.Second), ""
	}
	if failures >= patience && a.now().Sub(d.StoredAt) > patienceTime {
		return 0, "look_failed"
	}
	return backoff(time.Second, time.Minute, d.Attempt, a.jitter()), ""
}

// guard turns a panic into an error, so that one campaign's surprise does not stop
// the others.
func (a *Assigner) guard(key string, work func() error) (err error) {
	defer func() {
		if surprise := recover(); surprise != nil {
			err = fmt.Errorf("panic while looking at campaign %s: %v", key, surprise)
			a.log.Error().Str(logging.KeyCampaign, key).Bytes(logging.KeyStack, debug.Stack()).Err(err).
				Msg("this is a mistake in Greenlight, please report it")
		}
	}()
	return work()
}

// backoff returns how long to wait after the given number of failed attempts:
// base, twice that, and so on up to most, less up to a fifth by jitter (0 to 1).
func backoff(base, most time.Duration, attempts int, jitter float64) time.Duration {
	wait := most
	if shift := attempts - 1; shift < 20 {
		wait = min(most, base<<max(shift, 0))
	}
	return wait - time.Duration(float64(wait)/5*jitter)
}
