package rehearsal

import (
	"errors"
	"net/http"
	"sync"
	"time"
)

// holdUp is how long a delivery is held up: several that were sent after it arrive
// before it.
const holdUp = 400 * time.Millisecond

// errRoad is what the sender of a spoilt delivery gets to know.
var errRoad = errors.New("the connection was lost (rehearsed)")

// Road carries deliveries from a simulated Telnyx to a webhook, and while it is bad
// spoils them: of four attempts one is lost on the way, one arrives and its answer is
// lost, one is held up so that later ones overtake it, and one arrives as usual. It is
// safe for concurrent use. The zero value is a good road over [http.DefaultTransport].
type Road struct {
	// Next carries what gets through. Nil: [http.DefaultTransport].
	Next http.RoundTripper

	mu    sync.Mutex
	bad   bool
	tolls Tolls
	seen  int
}

// Tolls counts what a bad road did to deliveries.
type Tolls struct {
	// Lost never arrived. Unanswered arrived, and the sender does not know. Late
	// were overtaken.
	Lost, Unanswered, Late int
}

// SetBad makes the road bad or good from now on.
func (r *Road) SetBad(bad bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bad = bad
}

// Tolls returns what the road did so far.
func (r *Road) Tolls() Tolls {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tolls
}

// RoundTrip carries one attempt.
func (r *Road) RoundTrip(request *http.Request) (*http.Response, error) {
	next := r.Next
	if next == nil {
		next = http.DefaultTransport
	}
	lost, unanswered, late := r.fate()
	if lost {
		return nil, errRoad
	}
	if late {
		select {
		case <-time.After(holdUp):
		case <-request.Context().Done():
			return nil, request.Context().Err()
		}
	}
	response, err := next.RoundTrip(request)
	if err == nil && unanswered {
		return nil, errors.Join(errRoad, response.Body.Close())
	}
	return response, err
}

// fate says what becomes of the next attempt. It goes by turns rather than by chance,
// so that a rehearsal of few deliveries has some of each.
func (r *Road) fate() (lost, unanswered, late bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.bad {
		return false, false, false
	}
	r.seen++
	switch r.seen % 4 {
	case 1:
		r.tolls.Lost++
		return true, false, false
	case 2:
		r.tolls.Unanswered++
		return false, true, false
	case 3:
		r.tolls.Late++
		return false, false, true
	default:
		return false, false, false
	}
}
