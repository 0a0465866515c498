package webhook

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

	"greenlight/internal/telemetry"
)

const (
	// strayChecks is how many requests a second to unknown paths are read and verified:
	// enough to find Telnyx's deliveries among scanners, too few to matter in a flood.
	strayChecks = 10
	// strayBody limits the body of such a request, in bytes. Telnyx's are under 2 KiB.
	strayBody = 16 << 10
	// strayLine is the minimum time between two log lines about deliveries to a wrong path.
	strayLine = time.Minute
	// strayLasts is how long readiness shows one. Telnyx tries a delivery for two
	// minutes, and events of a campaign come hours apart.
	strayLasts = time.Hour
)

// strays notices deliveries signed by Telnyx that arrive at a path without a handler: the
// webhook URL of a campaign or of the account is wrong.
type strays struct {
	checks, lines *rate.Limiter

	mu   sync.Mutex
	path string // of the last one
	at   time.Time
}

func newStrays() *strays {
	return &strays{checks: rate.NewLimiter(strayChecks, strayChecks), lines: rate.NewLimiter(rate.Every(strayLine), 1)}
}

func (s *strays) found(path string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.path, s.at = path, now
}

// noteStray checks whether Telnyx signed a request to an unknown path. The request is
// refused in either case.
func (w *Webhook) noteStray(c echo.Context) {
	request := c.Request()
	if request.Method != http.MethodPost || request.ContentLength > strayBody {
		return
	}
	claim, err := w.verifier.Claim(request.Header)
	if err != nil || !w.strays.checks.AllowN(w.now(), 1) {
		return
	}
	limitTime(c, time.Now())
	signed := bytes.NewBuffer(claim.AppendPrefix(nil))
	if _, err := signed.ReadFrom(http.MaxBytesReader(c.Response().Writer, request.Body, strayBody)); err != nil {
		return
	}
	if _, err := claim.Check(signed.Bytes()); err != nil {
		return
	}
	path := clip(request.URL.Path)
	w.strays.found(path, w.now())
	if w.strays.lines.AllowN(w.now(), 1) {
		w.log.Warn().Str(telemetry.KeyPath, path).Str(telemetry.KeyRemote, remote(c)).Str(telemetry.KeyAnswer, "not_found").
			Msg("a delivery signed by Telnyx arrived at the wrong path and got 404; the webhook URL must end in " + Path)
	}
}

// Astray returns an error about the last delivery signed by Telnyx that arrived at a wrong
// path, or nil if there was none in the last hour.
func (w *Webhook) Astray(context.Context) error {
	s := w.strays
	s.mu.Lock()
	defer s.mu.Unlock()
	ago := w.now().Sub(s.at)
	if s.at.IsZero() || ago >= strayLasts {
		return nil
	}
	return fmt.Errorf("a delivery signed by Telnyx arrived at %q %s ago and got 404; the webhook URL of the campaign or the account must end in %s", s.path, ago.Round(time.Second), Path)
}
