package webhook

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/rs/zerolog"

	"greenlight/internal/events"
	"greenlight/internal/telemetry"
	"greenlight/internal/telnyx"
)

// The answers with status 200; healthy is that of /healthz.
const (
	accepted     = "accepted"
	duplicate    = "duplicate"
	ignored      = "ignored"
	deadLettered = "dead_lettered"
	healthy      = "ok"
)

// deliver answers one delivery: it reads, verifies and stores it. A place is held only
// while nothing is read from the client or written to it.
func (w *Webhook) deliver(c echo.Context) error {
	arrived := time.Now()
	claim, err := w.claim(c.Request())
	if err != nil {
		return err
	}
	signed, release, err := w.read(c, claim, arrived)
	if err != nil {
		return err
	}
	// Without the request's cancellation: an event is stored even if the client hangs up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request().Context()), max(publishTimeout-time.Since(arrived), minPublishTime))
	defer cancel()
	answer, err := func() (string, error) {
		defer release() // before anything is written to the client
		return w.take(ctx, c, claim, signed)
	}()
	if err != nil {
		return err
	}
	return ok(ctx, c, answer)
}

// claim refuses what the headers alone show to be wrong.
func (w *Webhook) claim(request *http.Request) (telnyx.Claim, error) {
	if request.ContentLength > w.maxBody {
		return telnyx.Claim{}, tooLarge(w.maxBody)
	}
	claim, err := w.verifier.Claim(request.Header)
	if err != nil {
		return telnyx.Claim{}, unauthorized(err)
	}
	return claim, nil
}

// read returns the bytes that the claim says are signed, which end in the body. A large
// body holds one of maxLarge slots until release is called.
func (w *Webhook) read(c echo.Context, claim telnyx.Claim, arrived time.Time) (signed []byte, release func(), err error) {
	limitTime(c, arrived)
	body := http.MaxBytesReader(c.Response().Writer, c.Request().Body, w.maxBody)
	buffer := bytes.NewBuffer(claim.AppendPrefix(make([]byte, 0, firstRead)))
	n, err := buffer.ReadFrom(io.LimitReader(body, smallBody))
	if err != nil {
		return nil, nil, w.unreadable(err)
	}
	if n < smallBody {
		return buffer.Bytes(), func() {}, nil
	}
	if !w.large.TryAcquire(1) {
		return nil, nil, overloaded(errors.New("too many large bodies at once"))
	}
	release = func() { w.large.Release(1) }
	if _, err := buffer.ReadFrom(body); err != nil {
		release()
		return nil, nil, w.unreadable(err)
	}
	return buffer.Bytes(), release, nil
}

// limitTime makes the connection's reads and writes fail if the client takes too long.
func limitTime(c echo.Context, arrived time.Time) {
	connection := http.NewResponseController(c.Response())
	_ = connection.SetReadDeadline(arrived.Add(bodyTimeout)) // the recorders of tests do not support it
	_ = connection.SetWriteDeadline(arrived.Add(answerTimeout))
}

// take verifies and stores the delivery, and returns the word for the answer. It holds
// one of the places.
func (w *Webhook) take(ctx context.Context, c echo.Context, claim telnyx.Claim, signed []byte) (answer string, err error) {
	if err := w.places.Acquire(ctx, 1); err != nil {
		return "", overloaded(err)
	}
	defer w.places.Release(1)
	key, err := claim.Check(signed)
	if err != nil {
		return "", unauthorized(err)
	}
	w.metrics.verified.WithLabelValues(key.Fingerprint()).Inc()
	body := signed[len(claim.AppendPrefix(nil)):len(signed):len(signed)]
	event, err := telnyx.ParseEvent(body)
	if err == nil && !w.keeps(event.Type) {
		w.metrics.event(event.Type, ignored)
		eventLine(w.noEventLog, event).Str(telemetry.KeyAnswer, ignored).Msg("an event was ignored, because its type is not stored")
		return ignored, nil
	}
	if err := w.notReady(); err != nil {
		return "", notStored(fmt.Errorf("%w: %w", errNotReady, err))
	}
	if err != nil {
		return w.deadLetter(ctx, c, body, "not_an_event", err)
	}
	return w.store(ctx, c, event, body)
}

// store stores the event.
func (w *Webhook) store(ctx context.Context, c echo.Context, event telnyx.Event, body []byte) (answer string, err error) {
	began := w.now()
	publishCtx, publishing := beginPublish(ctx, event)
	receipt, err := w.publish(publishCtx, events.Event{
		ID:          event.ID,
		Type:        event.Type,
		About:       event.About(),
		ReceivedAt:  began,
		Timestamp:   c.Request().Header.Get(telnyx.TimestampHeader),
		Signature:   c.Request().Header.Get(telnyx.SignatureHeader),
		TraceParent: telemetry.Parent(publishCtx),
		Body:        body,
	})
	publishing.End(err == nil)
	if errors.Is(err, events.ErrSubject) {
		return w.deadLetter(ctx, c, body, "unroutable", err)
	}
	took := w.now().Sub(began)
	w.metrics.publish.Observe(took.Seconds())
	if err != nil {
		return "", notStored(err)
	}
	answer, log := accepted, w.log
	if receipt.Duplicate {
		answer, log = duplicate, w.noEventLog
	}
	w.metrics.event(event.Type, answer)
	eventLine(log, event).Str(telemetry.KeyAnswer, answer).Uint64(telemetry.KeySequence, receipt.Sequence).
		Int64(telemetry.KeyElapsed, took.Milliseconds()).Msg("event stored")
	return answer, nil
}

// deadLetter stores a verified body that is not an event as a dead letter, so that Telnyx does
// not send it again and a person can see it.
func (w *Webhook) deadLetter(ctx context.Context, c echo.Context, body []byte, reason string, cause error) (answer string, err error) {
	digest := sha256.Sum256(body)
	err = w.publisher.DeadLetter(ctx, events.DeadLetter{
		Origin:   "webhook",
		Reason:   reason,
		Detail:   cause.Error(),
		Attempts: 1,
		Key:      "webhook-" + hex.EncodeToString(digest[:]),
		Header: map[string][]string{
			telnyx.TimestampHeader: c.Request().Header.Values(telnyx.TimestampHeader),
			telnyx.SignatureHeader: c.Request().Header.Values(telnyx.SignatureHeader),
		},
		Body: body,
	})
	if err != nil {
		return "", notStored(err)
	}
	w.metrics.event("", deadLettered)
	w.noEventLog.Warn().Str(telemetry.KeyRemote, remote(c)).Str(telemetry.KeyAnswer, deadLettered).
		Str(telemetry.KeyReason, reason).Err(cause).Msg("a verified body is kept as a dead letter")
	return deadLettered, nil
}

func eventLine(log zerolog.Logger, event telnyx.Event) *zerolog.Event {
	return log.Info().Str(telemetry.KeyEvent, clip(event.ID)).Str(telemetry.KeyType, clip(event.Type)).
		Str(telemetry.KeyCampaign, clip(event.About()))
}

// remote returns the client's address. It may come from a proxy's header, so it can be
// any text.
func remote(c echo.Context) string { return clip(c.RealIP()) }

// clip bounds a text from outside.
func clip(text string) string {
	const limit = 200
	if len(text) > limit {
		return text[:limit]
	}
	return text
}

// okBodies are the bodies of all answers with status 200.
var okBodies = func() map[string][]byte {
	bodies := map[string][]byte{}
	for _, status := range []string{accepted, duplicate, ignored, deadLettered, healthy} {
		bodies[status] = []byte(`{"status":"` + status + `"}` + "\n")
	}
	return bodies
}()

// ok answers 200, and notes the answer in the span of ctx.
func ok(ctx context.Context, c echo.Context, status string) error {
	telemetry.Of(ctx).Text(telemetry.AttrAnswer, status)
	return c.JSONBlob(http.StatusOK, okBodies[status])
}
