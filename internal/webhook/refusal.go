package webhook

import (
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"greenlight/internal/telemetry"
)

// The codes that several causes share; see causeOf.
const (
	codeOverloaded = "overloaded"
	codeNotStored  = "not_stored"
)

// refusal is an answer other than 200. Its message is for whoever posted; the
// cause is for the log only.
type refusal struct {
	status     int
	code       string
	message    string
	cause      error
	retryAfter time.Duration
	// closes says that the rest of the request is not wanted, if there is any.
	// Without it the server reads on, up to 256 KiB, before it sends the answer.
	closes bool
	// unverified says that nobody has seen whether Telnyx signed what is refused.
	unverified bool
}

func (r *refusal) Error() string { return r.message }

// answerError answers a request that deliver refused, or that reached no route,
// in the one shape that all refusals have.
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
	if refused.retryAfter > 0 {
		c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(int(refused.retryAfter.Seconds())))
	}
	if refused.closes && c.Request().ContentLength != 0 {
		c.Response().Header().Set(echo.HeaderConnection, "close")
	}
	if refused.status == http.StatusMethodNotAllowed {
		c.Response().Header().Set(echo.HeaderAllow, methods[c.Request().URL.Path])
	}
	body := map[string]map[string]string{"error": {"code": refused.code, "message": refused.message}}
	if err := c.JSON(refused.status, body); err != nil {
		w.log.Debug().Err(err).Msg("the client did not wait for the answer")
	}
}

// logRefusal writes a line for a refusal, unless there were very many this second: a
// flood must not fill the disk. The next line then tells how many were left out, and
// the counter counts them all.
func (w *Webhook) logRefusal(refused *refusal, c echo.Context) {
	lines := &w.refusedLines
	if refused.status >= http.StatusInternalServerError {
		lines = &w.failedLines // a flood of strangers must not hide our own trouble
	}
	leave, unlogged := lines.take(w.now())
	if !leave {
		return
	}
	line := w.log.Warn()
	if refused.status == http.StatusNotFound || refused.status == http.StatusMethodNotAllowed {
		line = w.log.Debug() // scanners knock on every public door
	}
	if unlogged > 0 {
		line = line.Int(telemetry.KeyUnlogged, unlogged)
	}
	line.Str(telemetry.KeyRemote, remote(c)).Str(telemetry.KeyAnswer, refused.code).Err(refused.cause).Msg(refused.message)
}

// linesPerSecond bounds the lines about refusals of a kind.
const linesPerSecond = 100

// quota limits the log lines in each second. The zero value is ready for use.
type quota struct {
	mu       sync.Mutex
	second   int64
	used     int
	unlogged int
}

// take returns whether to log a line now, and how many were not logged since the last one.
func (q *quota) take(now time.Time) (leave bool, unlogged int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if second := now.Unix(); second != q.second {
		q.second, q.used = second, 0
	}
	if q.used >= linesPerSecond {
		q.unlogged++
		return false, 0
	}
	q.used++
	unlogged, q.unlogged = q.unlogged, 0
	return true, unlogged
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
		return &refusal{status: http.StatusNotFound, code: "not_found", closes: true, message: "there is nothing here; Telnyx posts to " + Path}
	case http.StatusMethodNotAllowed:
		return &refusal{status: http.StatusMethodNotAllowed, code: "method_not_allowed", closes: true, message: "this path does not take that method; Telnyx posts to " + Path}
	default:
		return &refusal{status: http.StatusInternalServerError, code: "internal", closes: true, message: "something went wrong here; send it again", cause: err}
	}
}

// byteCount writes a size for people.
func byteCount(n int64) string {
	if n%(1<<10) == 0 {
		return strconv.FormatInt(n>>10, 10) + " KiB"
	}
	return strconv.FormatInt(n, 10) + " bytes"
}
