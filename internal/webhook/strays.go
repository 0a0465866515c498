package webhook

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"greenlight/internal/telemetry"
)

const (
	// strayChecks is how many requests a second to paths that do not exist are read and
	// verified, and strayRoom how many at once: enough to find Telnyx's deliveries among
	// scanners, too few to cost anything in a flood.
	strayChecks = 10
	strayRoom   = 2
	// strayBody and strayTime bound one of them, in bytes and in time. Telnyx's deliveries
	// are under 2 KiB and come in one piece.
	strayBody = 16 << 10
	strayTime = 500 * time.Millisecond
	// strayLine is the minimum time between two log lines about deliveries to a wrong path.
	strayLine = time.Minute
	// strayLasts is how long readiness shows one. Telnyx tries a delivery for two
	// minutes, and events of a campaign come hours apart.
	strayLasts = time.Hour
)

// strays notices deliveries signed by Telnyx that arrive at a path without a handler: the
// webhook URL of a campaign or of the account is wrong. The zero value is ready for use.
type strays struct {
	mu      sync.Mutex
	second  int64
	checked int // in that second
	under   int // checks that are under way

	path     string // of the last one
	at       time.Time
	logged   time.Time
	unlogged int
}

// enter reports whether one more request may be checked now; if so, leave must follow.
func (s *strays) enter(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if second := now.Unix(); second != s.second {
		s.second, s.checked = second, 0
	}
	if s.checked >= strayChecks || s.under >= strayRoom {
		return false
	}
	s.checked++
	s.under++
	return true
}

func (s *strays) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.under--
}

// found notes a signed delivery. It returns whether to log it, and how many were not
// logged since the last line.
func (s *strays) found(path string, now time.Time) (line bool, unlogged int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.path, s.at = path, now
	if !s.logged.IsZero() && now.Sub(s.logged) < strayLine {
		s.unlogged++
		return false, 0
	}
	unlogged, s.unlogged, s.logged = s.unlogged, 0, now
	return true, unlogged
}

// noteStray checks whether Telnyx signed a request to a path that does not exist. Whatever
// it finds, the request is refused.
func (w *Webhook) noteStray(c echo.Context) {
	request := c.Request()
	if request.Method != http.MethodPost || request.ContentLength > strayBody {
		return
	}
	claim, err := w.verifier.Claim(request.Header)
	if err != nil || !w.strays.enter(w.now()) {
		return
	}
	defer w.strays.leave()
	// The connection is closed after the answer, so the deadline affects nothing else.
	_ = http.NewResponseController(c.Response()).SetReadDeadline(time.Now().Add(strayTime))
	signed, err := readInto(claim.AppendPrefix(make([]byte, 0, firstRead)), http.MaxBytesReader(c.Response().Writer, request.Body, strayBody))
	if err != nil {
		return
	}
	if _, err := claim.Check(signed); err != nil {
		return
	}
	path := clip(request.URL.Path)
	line, unlogged := w.strays.found(path, w.now())
	if !line {
		return
	}
	entry := w.log.Warn().Str(telemetry.KeyPath, path).Str(telemetry.KeyRemote, remote(c)).Str(telemetry.KeyAnswer, "not_found")
	if unlogged > 0 {
		entry = entry.Int(telemetry.KeyUnlogged, unlogged)
	}
	entry.Msg("a delivery signed by Telnyx arrived at the wrong path and got 404; the webhook URL must end in " + Path)
}

// Astray returns nil, or for an hour an error about the last delivery signed by Telnyx
// that arrived at a wrong path.
func (w *Webhook) Astray(context.Context) error {
	s := &w.strays
	s.mu.Lock()
	defer s.mu.Unlock()
	ago := w.now().Sub(s.at)
	if s.at.IsZero() || ago >= strayLasts {
		return nil
	}
	return fmt.Errorf("a delivery signed by Telnyx arrived at %q %s ago and got 404; the webhook URL of the campaign or the account must end in %s", s.path, ago.Round(time.Second), Path)
}
