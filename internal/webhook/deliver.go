package webhook

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/rs/zerolog"

	"greenlight/internal/events"
	"greenlight/internal/telemetry"
	"greenlight/internal/telnyx"
)

// The answers with status 200, the last of them to a question about health.
const (
	accepted     = "accepted"
	duplicate    = "duplicate"
	ignored      = "ignored"
	deadLettered = "dead_lettered"
	healthy      = "ok"
)

// deliver answers one delivery. It is the only place that decides on an answer.
// The order is: cap, headers, room, signature over the raw bytes, and only then what
// they say.
func (w *Webhook) deliver(c echo.Context) error {
	delivery, err := w.admit(c)
	if err != nil {
		refused := asRefusal(err)
		refused.unverified = true
		return refused
	}
	body := delivery.body
	receivedAt := w.now()
	ctx, cancel := context.WithTimeout(w.detached(c), max(publishTimeout-time.Since(delivery.arrived), publishLeast))
	defer cancel()

	event, err := telnyx.ParseEvent(body)
	if held := w.held(); held != nil && (err != nil || w.keeps(event.Type)) {
		return notStored(fmt.Errorf("%w: %w", errHeld, held))
	}
	if err != nil {
		return w.bury(ctx, c, body, "not_an_event", err)
	}
	if !w.keeps(event.Type) {
		w.metrics.event(event.Type, ignored)
		w.line(c, event).Str(telemetry.KeyAnswer, ignored).Msg("event of a type that is not kept")
		return ok(ctx, c, ignored)
	}
	publishCtx, publishing := beginPublish(ctx, event)
	signature := c.Request().Header.Get(telnyx.SignatureHeader)
	receipt, err := w.once(publishCtx, signature, func() (events.Receipt, error) {
		return w.store(publishCtx, events.Event{
			ID:          event.ID,
			Type:        event.Type,
			About:       event.About(),
			ReceivedAt:  receivedAt,
			Timestamp:   c.Request().Header.Get(telnyx.TimestampHeader),
			Signature:   signature,
			TraceParent: telemetry.Parent(publishCtx),
			Body:        body,
		})
	})
	publishing.End(err == nil)
	if errors.Is(err, events.ErrSubject) {
		return w.bury(ctx, c, body, "unroutable", err)
	}
	w.metrics.publish.Observe(w.now().Sub(receivedAt).Seconds())
	if err != nil {
		return notStored(err)
	}
	answer := accepted
	if receipt.Duplicate {
		answer = duplicate
	}
	w.metrics.event(event.Type, answer)
	w.line(c, event).Str(telemetry.KeyAnswer, answer).Uint64(telemetry.KeySequence, receipt.Sequence).
		Int64(telemetry.KeyElapsed, w.now().Sub(receivedAt).Milliseconds()).Msg("event stored")
	return ok(ctx, c, answer)
}

// once has a verified delivery stored, and counts it among those that wait for that;
// see [flights].
func (w *Webhook) once(ctx context.Context, signature string, store func() (events.Receipt, error)) (events.Receipt, error) {
	return w.storing.do(ctx, signature, func() (events.Receipt, error) {
		w.load.begin()
		defer w.load.end()
		return store()
	})
}

// detached returns a context that does not end with the request: the client's patience
// must not decide whether an event is stored, for it may hang up while the
// acknowledgement is on its way. It holds the request's values if there is a trace among
// them; else there is nothing that a look through them all could find.
func (w *Webhook) detached(c echo.Context) context.Context {
	if w.tracer == nil {
		return context.Background()
	}
	return context.WithoutCancel(c.Request().Context())
}

// bury stores a verified body that cannot be an event as a dead letter, so that
// Telnyx need not send it again and a person can look at it.
func (w *Webhook) bury(ctx context.Context, c echo.Context, body []byte, reason string, cause error) error {
	digest := sha256.Sum256(body)
	_, err := w.once(ctx, c.Request().Header.Get(telnyx.SignatureHeader), func() (events.Receipt, error) {
		return events.Receipt{}, w.publisher.DeadLetter(ctx, events.DeadLetter{
			Origin:   "webhook",
			Reason:   reason,
			Detail:   cause.Error(),
			Attempts: 1,
			Key:      "webhook-" + hex.EncodeToString(digest[:]),
			Header: map[string][]string{
				events.HeaderTimestamp: c.Request().Header.Values(telnyx.TimestampHeader),
				events.HeaderSignature: c.Request().Header.Values(telnyx.SignatureHeader),
			},
			Body: body,
		})
	})
	if err != nil {
		return notStored(err)
	}
	w.metrics.event("", deadLettered)
	w.log.Warn().Str(telemetry.KeyRemote, remote(c)).Str(telemetry.KeyAnswer, deadLettered).
		Str(telemetry.KeyReason, reason).Err(cause).Msg("a verified body is kept as a dead letter")
	return ok(ctx, c, deadLettered)
}

func (w *Webhook) line(c echo.Context, event telnyx.Event) *zerolog.Event {
	return w.log.Info().Str(telemetry.KeyEvent, clip(event.ID)).Str(telemetry.KeyType, clip(event.Type)).
		Str(telemetry.KeyCampaign, clip(event.About()))
}

// remote returns the client's address. A proxy's header may name it, so it can be
// any text.
func remote(c echo.Context) string { return clip(c.RealIP()) }

// clip bounds a text from outside for the log.
func clip(text string) string {
	const most = 200
	if len(text) > most {
		return text[:most]
	}
	return text
}

// okBodies are the bodies of the answers with status 200, which are all that there
// are.
var okBodies = func() map[string][]byte {
	bodies := map[string][]byte{}
	for _, status := range []string{accepted, duplicate, ignored, deadLettered, healthy} {
		bodies[status] = []byte(`{"status":"` + status + `"}` + "\n")
	}
	return bodies
}()

// ok answers 200, and says so in the span of ctx if there is one.
func ok(ctx context.Context, c echo.Context, status string) error {
	telemetry.Of(ctx).Text(telemetry.AttrAnswer, status)
	return c.JSONBlob(http.StatusOK, okBodies[status])
}

func tooLarge(most int64) error {
	return &refusal{
		status: http.StatusRequestEntityTooLarge, code: "body_too_large",
		closes:  true,
		message: "the body is larger than " + byteCount(most) + "; raise --max-body if Telnyx really sends such bodies",
	}
}

func unreadable(err error) error {
	return &refusal{
		status: http.StatusBadRequest, code: "body_unreadable",
		message: "the body could not be read to its end; send it again", cause: err,
	}
}

// unauthorized refuses what is not signed. Unread says that the body was not read.
func unauthorized(err error, unread bool) error {
	code := "signature_mismatch"
	if refused, ok := errors.AsType[*telnyx.SignatureError](err); ok {
		code = string(refused.Code)
	}
	return &refusal{status: http.StatusUnauthorized, code: code, message: err.Error(), closes: unread}
}

func notStored(err error) error {
	return &refusal{
		status: http.StatusServiceUnavailable, code: codeNotStored,
		message: "the event could not be stored in time; send it again", cause: err, retryAfter: time.Second,
	}
}
