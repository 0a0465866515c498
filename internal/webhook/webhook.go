package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"greenlight/internal/events"
	"greenlight/internal/logging"
	"greenlight/internal/telnyx"
	"greenlight/internal/tracing"
)

// Path is where Telnyx posts.
const Path = "/webhooks/telnyx"

const healthPath = "/healthz"

// methods are the public paths, each with the one method that it takes.
var methods = map[string]string{Path: http.MethodPost, healthPath: http.MethodGet}

const (
	// DefaultMaxBody is the largest body that is read, in bytes. Telnyx's own
	// notifications are under 2 KiB.
	DefaultMaxBody = 256 << 10
	// MaxMaxBody is what NATS takes: a message of 1 MiB (the server's default
	// max_payload), of which a dead letter's headers need up to 2 KiB.
	MaxMaxBody = 1<<20 - 8<<10
	// maxTypeLength bounds an event type, since it becomes part of a subject: the
	// server hangs up on a line of over 4 KiB. Telnyx's are under 30 characters.
	maxTypeLength = 255
	// publishTimeout is how long storing may take: Telnyx gives up after two
	// seconds, and half of one is left for the network.
	publishTimeout = 1500 * time.Millisecond
)

// DefaultEventTypes are the event types that are kept. A messaging webhook that
// was pointed here by mistake must not fill the stream.
func DefaultEventTypes() []string { return []string{"10dlc.*", "brand.*", "campaign.*"} }

// Config is what a Webhook needs.
type Config struct {
	// Verifier tells Telnyx's deliveries from others. Required.
	Verifier *telnyx.Verifier
	// JetStream holds the streams, which must exist. Required.
	JetStream jetstream.JetStream
	// EventTypes are the event types that are kept; a star at the end stands for
	// anything. Default DefaultEventTypes.
	EventTypes []string
	// MaxBody is the largest body in bytes. Default DefaultMaxBody.
	MaxBody int64
	// Log gets a line for each delivery. The zero value logs nothing.
	Log zerolog.Logger
	// Metrics registers the webhook's metrics. Nil registers them nowhere.
	Metrics prometheus.Registerer
	// Tracer gets a trace of each verified delivery. Nil gets none.
	Tracer *tracing.Tracer
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Webhook answers Telnyx's deliveries. Safe for concurrent use.
type Webhook struct {
	verifier   *telnyx.Verifier
	js         jetstream.JetStream
	publisher  *events.Publisher
	eventTypes []string
	maxBody    int64
	log        zerolog.Logger
	metrics    *metrics
	tracer     *tracing.Tracer
	now        func() time.Time
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
	return &Webhook{
		verifier:   c.Verifier,
		js:         c.JetStream,
		publisher:  events.NewPublisher(c.JetStream),
		eventTypes: c.EventTypes,
		maxBody:    c.MaxBody,
		log:        c.Log.With().Str(logging.KeyPart, "webhook").Logger(),
		metrics:    newMetrics(c.Metrics),
		tracer:     c.Tracer,
		now:        c.Now,
	}, nil
}

// Handler returns the public routes: the webhook and /healthz, nothing else.
func (w *Webhook) Handler() http.Handler {
	e := echo.New()
	e.HTTPErrorHandler = w.answerError
	e.POST(Path, w.traced(w.deliver))
	e.GET(healthPath, func(c echo.Context) error {
		return c.JSON(http.StatusOK, map[string]string{"status": "ok"})
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
	return events.RoomForEvents(ctx, w.js)
}

// keeps reports whether events of the type are stored.
func (w *Webhook) keeps(eventType string) bool {
	return slices.ContainsFunc(w.eventTypes, func(kept string) bool {
		beginning, wild := strings.CutSuffix(kept, "*")
		return eventType == kept || wild && strings.HasPrefix(eventType, beginning)
	})
}
