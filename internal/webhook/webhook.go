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

// methods are the public paths, each with the one method that it takes. Telnyx's portal takes
// a webhook URL with a slash at its end too.
var methods = map[string]string{Path: http.MethodPost, Path + "/": http.MethodPost, healthPath: http.MethodGet}

const (
	// DefaultMaxBody is the largest body that is read, in bytes. Telnyx's own
	// notifications are under 2 KiB.
	DefaultMaxBody = 256 << 10
	// MaxMaxBody is what NATS takes: a message of 1 MiB (the server's default
	// max_payload), of which a dead letter's headers need up to 2 KiB.
	MaxMaxBody = 1<<20 - 8<<10
	// bodyTimeout is how long a body may take after its headers: Telnyx gives up on an
	// answer after two seconds.
	bodyTimeout = 2 * time.Second
	// answerTimeout is when the answer must be written, after the headers. It leaves time
	// for a slow body and for storing it.
	answerTimeout = 5 * time.Second
	// publishTimeout is by when the event must be stored, after the headers: half of one of
	// Telnyx's two seconds is left for the network.
	publishTimeout = 1500 * time.Millisecond
	// publishLeast is what a slow body leaves of it: it can be stored all the same, and
	// is a duplicate when Telnyx sends it again.
	publishLeast = 250 * time.Millisecond

	// maxPlaces is how many deliveries are verified and stored at once. More wait for a
	// place, as long as storing may take.
	maxPlaces = 256
	// firstRead is the memory in bytes that a body gets at first; Telnyx's fit.
	firstRead = 2 << 10
	// Of bodies over smallBody bytes, maxLarge may be in memory at once. Telnyx sends none.
	smallBody = 16 << 10
	maxLarge  = 128
)

// DefaultEventTypes are the event types that are kept. A messaging webhook that
// was pointed here by mistake must not fill the stream.
func DefaultEventTypes() []string { return []string{"10dlc.*", "brand.*", "campaign.*"} }

// Config is what a Webhook needs.
type Config struct {
	// Verifier tells Telnyx's deliveries from others. Its keys may be replaced while
	// it is in use; see [Webhook.KeysReplaced]. Required.
	Verifier *telnyx.Verifier
	// JetStream holds the streams, which must exist, if not at once; see Held.
	// Required.
	JetStream jetstream.JetStream
	// Held returns why nothing may be stored yet, such as streams that were not made,
	// or nil. Deliveries are answered 503 meanwhile. Nil holds nothing.
	Held func() error
	// EventTypes are the event types that are kept; a star at the end stands for
	// anything. Default DefaultEventTypes.
	EventTypes []string
	// MaxBody is the largest body in bytes. Default DefaultMaxBody.
	MaxBody int64
	// GroupCommit stores events that come at the same time with one commit, which
	// pays where the server syncs every message to disk and costs where not.
	GroupCommit bool
	// Log gets a line for each delivery, and at most a hundred a second for
	// refusals. The zero value logs nothing.
	Log zerolog.Logger
	// Metrics registers the webhook's metrics. Nil registers them nowhere.
	Metrics prometheus.Registerer
	// Tracer gets a trace of each verified delivery. Nil gets none.
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
	held       func() error
	eventTypes []string
	maxBody    int64
	log        zerolog.Logger
	metrics    *metrics
	tracer     *telemetry.Tracer
	now        func() time.Time
	// places are held by deliveries that are verified and stored, large by large bodies.
	places, large *semaphore.Weighted
	strays        *strays
	// stopping says that the process stops.
	stopping atomic.Bool
	// The logs of refusals, for what others and for what we did wrong.
	refusedLog, failedLog zerolog.Logger
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
	if c.Held == nil {
		c.Held = func() error { return nil }
	}
	w := &Webhook{
		held:       c.Held,
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
	w.refusedLog, w.failedLog = limited(w.log), limited(w.log)
	w.publish = w.publisher.Publish
	if c.GroupCommit {
		w.publish = events.NewBatcher(c.JetStream).Publish
	}
	w.KeysReplaced()
	return w, nil
}

// KeysReplaced tells the webhook that its verifier has other keys now, so that each
// has a counter from the beginning.
func (w *Webhook) KeysReplaced() { w.metrics.keys(w.verifier.Keys()) }

// Stop turns readiness and /healthz to false, for good. Deliveries are taken as
// before, as long as they come.
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
				message: "this process stops; send to another one",
			}
		}
		endConnection(c)
		return ok(c.Request().Context(), c, healthy)
	})
	for path := range methods {
		// Echo would answer 204 by itself.
		e.OPTIONS(path, func(echo.Context) error { return echo.ErrMethodNotAllowed })
	}
	return e
}

// Ready returns nil when an event that comes now would be stored, else a
// sentence that says why not.
func (w *Webhook) Ready(ctx context.Context) error {
	if w.stopping.Load() {
		return errStopping
	}
	if err := w.held(); err != nil {
		return err
	}
	if err := events.RoomForEvents(ctx, w.js); err != nil {
		return err
	}
	return events.CanPublish(ctx, w.js)
}

var errStopping = errors.New("it was told to stop")

// keeps reports whether events of the type are stored.
func (w *Webhook) keeps(eventType string) bool {
	return slices.ContainsFunc(w.eventTypes, func(kept string) bool {
		beginning, wild := strings.CutSuffix(kept, "*")
		return eventType == kept || wild && strings.HasPrefix(eventType, beginning)
	})
}
