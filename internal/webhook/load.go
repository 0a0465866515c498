package webhook

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// loadMost is how many verified deliveries may wait to be stored for any length of
	// time. So many keep the disk busy; more only wait for each other.
	loadMost = 128
	// loadBurst is how long there may be more, however many, and loadCalm for how long
	// there must have been no more before that. In a tenth of a second a burst of a
	// thousand is stored.
	loadBurst = 100 * time.Millisecond
	loadCalm  = time.Second
)

var errLoad = errors.New("more deliveries come than can be stored")

// load knows when more deliveries come than can be stored. Those that come then are
// refused before anything is done for them, so that there is time to store the others
// before Telnyx gives up on them. Only what is verified counts, and the same delivery at
// the same time counts once: neither what strangers make up nor what they caught can
// have anybody refused. The zero value is ready for use.
type load struct {
	storing atomic.Int64

	mu sync.Mutex
	// began and latest are when a delivery came that was one too many: the first of a
	// burst, and the latest.
	began, latest time.Time
}

// refuses says whether a delivery that comes now is too many.
func (l *load) refuses(now time.Time) bool {
	if l.storing.Load() < loadMost {
		return false
	}
	// Both times change together: between the two, the first of a burst would look as if
	// it came long after the last one had begun.
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.latest) > loadCalm {
		l.began = now
	}
	l.latest = now
	return now.Sub(l.began) > loadBurst
}

// begin counts a delivery until end is called.
func (l *load) begin() { l.storing.Add(1) }
func (l *load) end()   { l.storing.Add(-1) }
