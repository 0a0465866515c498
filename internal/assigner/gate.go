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
// while, lets the next look try, and opens for good when a call of the refused
// kind works: a key that may read and not write is not healed by reading. Safe
// for concurrent use.
type gate struct {
	now func() time.Time

	mu      sync.Mutex
	until   time.Time
	reason  ledger.Reason
	detail  string
	refused callKind
}

// callKind tells calls that change something from those that do not.
type callKind int

const (
	reading callKind = iota
	writing
)

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
func (g *gate) check() *stopped {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.now().Before(g.until) {
		return &stopped{reason: g.reason, detail: g.detail, until: g.until}
	}
	return nil
}

// close stops all work for gateRest. First reports whether work went on before,
// so that there is one alarm and not one a call.
func (g *gate) close(kind callKind, reason ledger.Reason, detail string) (err *stopped, first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	first = g.reason == ""
	g.until, g.reason, g.detail = g.now().Add(gateRest), reason, detail
	g.refused = max(g.refused, kind)
	return &stopped{reason: reason, detail: detail, until: g.until}, first
}

// open says that a call of the kind worked. It reports whether that ends a stop.
func (g *gate) open(kind callKind) (healed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.reason == "" || kind < g.refused {
		return false
	}
	g.until, g.reason, g.detail, g.refused = time.Time{}, "", "", reading
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
