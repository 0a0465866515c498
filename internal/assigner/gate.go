package assigner

import (
	"fmt"
	"sync"
	"time"

	"greenlight/internal/ledger"
)

// gateRest is how long all work rests after Telnyx refused the account.
const gateRest = time.Minute

// gate stops all work when Telnyx refuses the account itself: then no number
// has failed, and every further call would be refused too. It closes for a
// while, lets the next look try, and opens for good when a call works. Safe for
// concurrent use.
type gate struct {
	now func() time.Time

	mu     sync.Mutex
	until  time.Time
	reason ledger.Reason
	detail string
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

// check returns a *stopped while the gate is closed.
func (g *gate) check() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.now().Before(g.until) {
		return &stopped{reason: g.reason, detail: g.detail, until: g.until}
	}
	return nil
}

// close stops all work for gateRest. First reports whether work went on before,
// so that there is one alarm and not one a call.
func (g *gate) close(reason ledger.Reason, detail string) (err *stopped, first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	first = g.reason == ""
	g.until, g.reason, g.detail = g.now().Add(gateRest), reason, detail
	return &stopped{reason: reason, detail: detail, until: g.until}, first
}

// open says that a call worked. It reports whether work had been stopped.
func (g *gate) open() (healed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	healed = g.reason != ""
	g.until, g.reason, g.detail = time.Time{}, "", ""
	return healed
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
