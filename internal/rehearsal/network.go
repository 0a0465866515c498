package rehearsal

import (
	"errors"
	"net/http"
	"sync"
	"time"
)

// delay is how long a late delivery is held back, so that several later ones overtake it.
const delay = 400 * time.Millisecond

// errLost is the sender's error for a delivery that was lost or lost its answer.
var errLost = errors.New("the connection was lost (rehearsed)")

// Network carries deliveries from a simulated Telnyx to a webhook. While it is faulty, of
// four attempts one is lost, one loses its answer, one is late, and one arrives as usual.
// It is safe for concurrent use. The zero value is not faulty.
type Network struct {
	// Next carries the deliveries. Default [http.DefaultTransport].
	Next http.RoundTripper

	mu     sync.Mutex
	faulty bool
	counts NetworkCounts
	seen   int
}

// NetworkCounts counts the faults of a [Network].
type NetworkCounts struct {
	// Lost deliveries never arrived. Unanswered ones arrived, but the sender got no
	// answer. Late ones were overtaken.
	Lost, Unanswered, Late int
}

// SetFaulty starts or stops the faults.
func (n *Network) SetFaulty(faulty bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faulty = faulty
}

// Counts returns the faults so far.
func (n *Network) Counts() NetworkCounts {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.counts
}

// RoundTrip makes one attempt.
func (n *Network) RoundTrip(request *http.Request) (*http.Response, error) {
	next := n.Next
	if next == nil {
		next = http.DefaultTransport
	}
	lost, unanswered, late := n.fault()
	if lost {
		return nil, errLost
	}
	if late {
		select {
		case <-time.After(delay):
		case <-request.Context().Done():
			return nil, request.Context().Err()
		}
	}
	response, err := next.RoundTrip(request)
	if err == nil && unanswered {
		return nil, errors.Join(errLost, response.Body.Close())
	}
	return response, err
}

// fault chooses the fault of the next attempt. The faults take turns and are not random,
// so that a few deliveries meet all of them.
func (n *Network) fault() (lost, unanswered, late bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.faulty {
		return false, false, false
	}
	n.seen++
	switch n.seen % 4 {
	case 1:
		n.counts.Lost++
		return true, false, false
	case 2:
		n.counts.Unanswered++
		return false, true, false
	case 3:
		n.counts.Late++
		return false, false, true
	default:
		return false, false, false
	}
}
