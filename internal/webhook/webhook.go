package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/semaphore"

	"greenlight/internal/events"
	"greenlight/internal/telemetry"
	"greenlight/internal/telnyx"
)

// Path is where Telnyx posts.
const Path = "/webhooks/telnyx"

const healthPath = "/healthz"

// methods are the public paths, each with its only method. Telnyx's portal also accepts a
// webhook URL that ends in a slash.
var methods = map[string]string{Path: http.MethodPost, Path + "/": http.MethodPost, healthPath: http.MethodGet}

const (
	// DefaultMaxBody is the largest accepted body in bytes. Telnyx's notifications are
	// under 2 KiB.
	DefaultMaxBody = 256 << 10
	// MaxMaxBody follows from NATS: a message has 1 MiB at most (the server's default
	// max_payload), and a dead letter's headers need up to 2 KiB of it.
	MaxMaxBody = 1<<20 - 8<<10
	// bodyTimeout is how long a body may take after its headers: Telnyx gives up on an
	// answer after two seconds.
	bodyTimeout = 2 * time.Second
	// answerTimeout is how long the answer may take after the headers. It allows for a
	// slow body and for storing it.
	answerTimeout = 5 * time.Second
	// publishTimeout is how long storing the event may take after the headers: it leaves
	// half a second of Telnyx's two for the network.
	publishTimeout = 1500 * time.Millisecond
	// minPublishTime is what storing gets after a slow body. Stored too late, the event is a
	// duplicate when Telnyx sends it again.
	minPublishTime = 250 * time.Millisecond

	// maxPlaces is how many deliveries are verified and stored at once. Others wait for a
	// place, at most as long as storing may take.
	maxPlaces = 256
	// firstRead is the first buffer of a body in bytes; Telnyx's bodies fit.
	firstRead = 2 << 10
	// At most maxLarge bodies of smallBody bytes and more are in memory at once. Clients
	// that send them slowly can keep others' large bodies out, which Telnyx never sends;
	// a small body needs none of these slots.
	smallBody = 16 << 10
	maxLarge  = 128
)

// DefaultEventTypes are the event types that are kept. A messaging webhook that posts
// here by mistake must not fill the stream.
func DefaultEventTypes() []string { return []string{"10dlc.*", "brand.*", "campaign.*"} }

// Config is what a Webhook needs.
type Config struct {
	// Verifier checks that Telnyx signed a delivery. Its keys may be replaced while it is
	// in use; see [Webhook.KeysReplaced]. Required.
	Verifier *telnyx.Verifier
	// JetStream has the streams. They may be created later; see NotReady. Required.
	JetStream jetstream.JetStream
	// NotReady returns why nothing can be stored yet, for example because the streams do not
	// exist, or nil. Deliveries are answered 503 meanwhile. Nil holds nothing.
	NotReady func() error
	// EventTypes are the event types that are kept; a star at the end matches anything.
	// Default DefaultEventTypes.
	EventTypes []string
	// MaxBody is the largest body in bytes. Default DefaultMaxBody.
	MaxBody int64
	// GroupCommit stores events that arrive at the same time with one commit. That is
	// faster if the server syncs every message to disk, and slower if it does not.
	GroupCommit bool
	// Log gets a line for each stored event, and at most a hundred a second of each other
	// kind. The zero value logs nothing.
	Log zerolog.Logger
	// Metrics registers the webhook's metrics. Nil registers them nowhere.
	Metrics prometheus.Registerer
	// Tracer traces each verified delivery. Nil traces none.
	Tracer *telemetry.Tracer
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Webhook answers Telnyx's deliveries. Safe for concurrent use.
type Webhook struct {
	verifier  *telnyx.Verifier
	js        jetstream.JetStream
	publisher *events.Publisher
	// publish stores an event; see [events.Publisher.Publish].
	publish    func(context.Context, events.Event) (events.Receipt, error)
	notReady   func() error
	eventTypes []string
	maxBody    int64
	log        zerolog.Logger
	metrics    *metrics
	tracer     *telemetry.Tracer
	now        func() time.Time
	// places are held while a delivery is verified and stored, and never while anything is
	// read from a client or written to it. large bounds the memory of large bodies.
	places, large *semaphore.Weighted
	strays        *strays
	// stopping says that the process is stopping.
	stopping atomic.Bool
	// Each of these logs has its own limit, so that a flood of one kind does not hide the
	// others: requests that were refused, our own failures, and verified deliveries that
	// stored no event, which whoever caught one can replay.
	refusedLog, failedLog, noEventLog zerolog.Logger
}

// New returns a webhook, or an error that names each setting that is missing
// or wrong.
func New(c Config) (*Webhook, error) {
	var errs []error
	if c.Verifier == nil {
		errs = append(errs, errors.New("webhook: no verifier"))
	}
	if c.JetStream == nil {
		errs = append(errs, errors.New("webhook: no JetStream"))
	}
	if c.MaxBody == 0 {
		c.MaxBody = DefaultMaxBody
	}
	if c.MaxBody < 0 || c.MaxBody > MaxMaxBody {
		errs = append(errs, fmt.Errorf("webhook: largest body %d: must be between 1 and %d bytes", c.MaxBody, MaxMaxBody))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if c.EventTypes == nil {
		c.EventTypes = DefaultEventTypes()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.NotReady == nil {
		c.NotReady = func() error { return nil }
	}
	w := &Webhook{
		notReady:   c.NotReady,
		verifier:   c.Verifier,
		js:         c.JetStream,
		publisher:  events.NewPublisher(c.JetStream),
		eventTypes: c.EventTypes,
		maxBody:    c.MaxBody,
		log:        c.Log.With().Str(telemetry.KeyPart, "webhook").Logger(),
		metrics:    newMetrics(c.Metrics),
		tracer:     c.Tracer,
		now:        c.Now,
		places:     semaphore.NewWeighted(maxPlaces),
		large:      semaphore.NewWeighted(maxLarge),
		strays:     newStrays(),
	}
	w.refusedLog, w.failedLog, w.noEventLog = limited(w.log), limited(w.log), limited(w.log)
	w.publish = w.publisher.Publish
	if c.GroupCommit {
		w.publish = events.NewBatcher(c.JetStream).Publish
	}
	w.KeysReplaced()
	return w, nil
}

// KeysReplaced must be called after the verifier's keys were replaced. It adds a counter
// for each new key.
func (w *Webhook) KeysReplaced() { w.metrics.keys(w.verifier.Keys()) }

// Stop makes readiness and /healthz fail from now on. Deliveries are still accepted.
func (w *Webhook) Stop() { w.stopping.Store(true) }

// Handler returns the public routes: the webhook and /healthz, nothing else.
func (w *Webhook) Handler() http.Handler {
	e := echo.New()
	e.HTTPErrorHandler = w.answerError
	e.POST(Path, w.traced(w.deliver))
	e.POST(Path+"/", w.traced(w.deliver))
	e.GET(healthPath, func(c echo.Context) error {
		if w.stopping.Load() {
			return &refusal{
				status: http.StatusServiceUnavailable, code: "stopping",
				message: "this process is stopping; send to another one",
			}
		}
		endConnection(c)
		return ok(c.Request().Context(), c, healthy)
	})
	for path := range methods {
		// Otherwise Echo answers 204.
		e.OPTIONS(path, func(echo.Context) error { return echo.ErrMethodNotAllowed })
	}
	return e
}

// Ready returns nil if an event that came now would be stored, else why not.
func (w *Webhook) Ready(ctx context.Context) error {
	if w.stopping.Load() {
		return errStopping
	}
	if err := w.notReady(); err != nil {
		return err
	}
	if err := events.RoomForEvents(ctx, w.js); err != nil {
		return err
	}
	return events.CanPublish(ctx, w.js)
}

var errStopping = errors.New("this process is stopping")

// keeps reports whether events of the type are stored.
func (w *Webhook) keeps(eventType string) bool {
	return slices.ContainsFunc(w.eventTypes, func(kept string) bool {
		prefix, wild := strings.CutSuffix(kept, "*")
		return eventType == kept || wild && strings.HasPrefix(eventType, prefix)
	})
}
