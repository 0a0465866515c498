package assigner

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
)

const (
	// gateRest is how long all work rests after Telnyx refused the account.
	gateRest = time.Minute
	// gateDoubt is after how long without another refusal any call that works
	// opens the gate: it may be that nothing calls the refused route any more.
	gateDoubt = time.Hour
)

// gate stops all work when Telnyx refuses the account itself: then no number
// has failed, and every further call would be refused too. It closes for a
// while, then lets one look at a time try, and opens for good when a call of the
// very route works that was refused: a key that may read campaigns and not attach
// numbers is not healed by reading. Safe for concurrent use.
type gate struct {
	now func() time.Time

	mu        sync.Mutex
	until     time.Time
	reason    ledger.Reason
	detail    string
	route     string // of the latest refusal, such as "POST /10dlc/phone_number_campaigns"
	refusedAt time.Time
	// trying says that a look is under way that may open it.
	trying bool
	// alarmed is when the latest alarm was raised, and about what.
	alarmed      time.Time
	alarmedAbout string
}

// stopped is the error of work that the gate did not let through.
type stopped struct {
	reason ledger.Reason
	detail string
	until  time.Time
}

func (s *stopped) Error() string {
	return fmt.Sprintf("all work rests until %s (%s): %s", s.until.UTC().Format(time.RFC3339), s.reason, s.detail)
}

// pass lets a look through, or returns a *stopped. Whoever is let through must
// call done.
func (g *gate) pass() (done func(), rest *stopped) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.reason == "":
		return func() {}, nil
	case g.trying || g.now().Before(g.until):
		return nil, g.stopped()
	}
	g.trying = true
	return g.tried, nil
}

// tried says that the look that was let through while the gate was closed has
// ended. The next one may try at once, unless this one was refused again.
func (g *gate) tried() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.trying = false
}

// stopped returns the error for those who have to wait. g.mu is held.
func (g *gate) stopped() *stopped {
	until := g.until
	if next := g.now().Add(gateRest); !g.now().Before(until) {
		until = next // another look is trying just now
	}
	return &stopped{reason: g.reason, detail: g.detail, until: until}
}

// close stops all work for gateRest. Alarm reports whether a person must be told:
// once, and not for every call, nor every time when one route is refused again and
// again while others work.
func (g *gate) close(reason ledger.Reason, cause error) (err *stopped, alarm bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refusedAt = g.now()
	again := cause.Error() == g.alarmedAbout && g.refusedAt.Sub(g.alarmed) < gateDoubt
	if alarm = g.reason == "" && !again; alarm {
		g.alarmed, g.alarmedAbout = g.refusedAt, cause.Error()
	}
	g.until, g.reason, g.detail = g.refusedAt.Add(gateRest), reason, cause.Error()
	if answer, ok := errors.AsType[*telnyx.APIError](cause); ok {
		g.route = answer.Method + " " + answer.Route
	}
	return g.stopped(), alarm
}

// worked says that a call of a route worked. It reports whether that ends a stop.
func (g *gate) worked(method, route string) (healed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.reason == "" || method+" "+route != g.route && g.now().Sub(g.refusedAt) < gateDoubt {
		return false
	}
	g.until, g.reason, g.detail, g.route = time.Time{}, "", "", ""
	return true
}

// trouble returns why work was stopped, nil if it was not. It stays until a
// call works again, also while the next try is due.
func (g *gate) trouble() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.reason == "" {
		return nil
	}
	return &stopped{reason: g.reason, detail: g.detail, until: g.until}
}
