package webhook

import (
	"errors"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/rs/zerolog"

	"greenlight/internal/telemetry"
	"greenlight/internal/telnyx"
)

// codeNotStored is shared by several causes; see causeOf.
const codeNotStored = "not_stored"

// refusal is an answer other than 200. The client gets the message; only the log has
// the cause.
type refusal struct {
	status  int
	code    string
	message string
	cause   error
}

func (r *refusal) Error() string { return r.message }

// answerError answers a request that deliver refused or that matched no route. All
// refusals have the same form.
func (w *Webhook) answerError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	refused := asRefusal(err)
	if refused.status == http.StatusNotFound {
		w.noteStray(c)
	}
	w.metrics.refused.WithLabelValues(refused.code, causeOf(refused)).Inc()
	w.logRefusal(refused, c)
	endConnection(c)
	if refused.status == http.StatusServiceUnavailable {
		c.Response().Header().Set(echo.HeaderRetryAfter, "1")
	}
	if refused.status == http.StatusMethodNotAllowed {
		c.Response().Header().Set(echo.HeaderAllow, methods[c.Request().URL.Path])
	}
	body := map[string]map[string]string{"error": {"code": refused.code, "message": refused.message}}
	if err := c.JSON(refused.status, body); err != nil {
		w.log.Debug().Err(err).Msg("the client did not wait for the answer")
	}
}

// endConnection makes the answer the last on its connection. Only verified deliveries
// keep theirs: strangers must connect again for each request, and queue for it.
func endConnection(c echo.Context) { c.Response().Header().Set(echo.HeaderConnection, "close") }

// linesPerSecond limits the lines of one kind: a flood must not fill the disk. The
// metrics count everything.
const linesPerSecond = 100

// limited returns a copy of the logger with its own limit.
func limited(log zerolog.Logger) zerolog.Logger {
	return log.Sample(&zerolog.BurstSampler{Burst: linesPerSecond, Period: time.Second})
}

func (w *Webhook) logRefusal(refused *refusal, c echo.Context) {
	line := w.refusedLog.Warn()
	switch {
	case refused.status >= http.StatusInternalServerError:
		line = w.failedLog.Warn() // strangers must not hide our own failures
	case refused.status == http.StatusNotFound, refused.status == http.StatusMethodNotAllowed:
		line = w.refusedLog.Debug() // scanners try every public address
	}
	line.Str(telemetry.KeyRemote, remote(c)).Str(telemetry.KeyAnswer, refused.code).Err(refused.cause).Msg(refused.message)
}

func asRefusal(err error) *refusal {
	if refused, ok := errors.AsType[*refusal](err); ok {
		return refused
	}
	status := http.StatusInternalServerError
	if routing, ok := errors.AsType[*echo.HTTPError](err); ok {
		status = routing.Code
	}
	switch status {
	case http.StatusNotFound:
		return &refusal{status: http.StatusNotFound, code: "not_found", message: "not found; Telnyx posts to " + Path}
	case http.StatusMethodNotAllowed:
		return &refusal{status: http.StatusMethodNotAllowed, code: "method_not_allowed", message: "method not allowed on this path; Telnyx posts to " + Path}
	default:
		return &refusal{status: http.StatusInternalServerError, code: "internal", message: "internal error; send it again", cause: err}
	}
}

// byteCount writes a size for people.
func byteCount(n int64) string {
	if n%(1<<10) == 0 {
		return strconv.FormatInt(n>>10, 10) + " KiB"
	}
	return strconv.FormatInt(n, 10) + " bytes"
}

func tooLarge(limit int64) error {
	return &refusal{
		status: http.StatusRequestEntityTooLarge, code: "body_too_large",
		message: "the body is larger than " + byteCount(limit) + "; raise --max-body if Telnyx really sends such bodies",
	}
}

// unreadable refuses a body that could not be read.
func (w *Webhook) unreadable(err error) error {
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return tooLarge(w.maxBody)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &refusal{
			status: http.StatusServiceUnavailable, code: "body_too_slow",
			message: "the body did not arrive within " + bodyTimeout.String() + "; send it again", cause: err,
		}
	}
	return &refusal{
		status: http.StatusBadRequest, code: "body_unreadable",
		message: "the body could not be read; send it again", cause: err,
	}
}

func unauthorized(err error) error {
	code := "signature_mismatch"
	if refused, ok := errors.AsType[*telnyx.SignatureError](err); ok {
		code = string(refused.Code)
	}
	return &refusal{status: http.StatusUnauthorized, code: code, message: err.Error()}
}

func overloaded(err error) error {
	return &refusal{
		status: http.StatusServiceUnavailable, code: "overloaded",
		message: "too many deliveries at once; send it again", cause: err,
	}
}

func notStored(err error) error {
	return &refusal{
		status: http.StatusServiceUnavailable, code: codeNotStored,
		message: "the event could not be stored in time; send it again", cause: err,
	}
}
