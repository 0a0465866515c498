//go:build unix

package torture

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

var (
	errDropped    = errors.New("the delivery was lost on its way")
	errAnswerLost = errors.New("the answer was lost on its way")
)

// network carries notifications from Telnyx to the webhook, badly: it drops them,
// loses the answers, doubles them, and has them overtake each other. It notes what
// the webhook answered with 200.
type network struct {
	next  http.RoundTripper
	dice  *dice
	tally *tally
	// reliable makes it carry everything, blocked nothing.
	reliable, blocked atomic.Bool
	// strays are doubles that are still on their way.
	strays sync.WaitGroup

	mu       sync.Mutex
	accepted map[string]bool
	// newest is the latest time of an event that arrived, by campaign.
	newest map[string]string
}

func (r *network) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	if r.reliable.Load() {
		return r.carry(request, body)
	}
	if r.blocked.Load() || r.dice.chance(0.15) {
		r.tally.add("deliveries", "dropped")
		return nil, errDropped
	}
	if r.dice.chance(0.25) {
		r.tally.add("deliveries", "delayed")
		if err := pause(request.Context(), r.dice.between(0, 1200*time.Millisecond)); err != nil {
			return nil, err
		}
	}
	if r.dice.chance(0.15) {
		r.tally.add("deliveries", "doubled")
		wait := r.dice.between(0, 1500*time.Millisecond)
		r.strays.Go(func() { r.stray(request, body, wait) })
	}
	answer, err := r.carry(request, body)
	if err == nil && r.dice.chance(0.1) {
		answer.Body.Close()
		r.tally.add("deliveries", "answer lost")
		return nil, errAnswerLost
	}
	return answer, err
}

// stray delivers a copy later, whatever became of the first.
func (r *network) stray(request *http.Request, body []byte, wait time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), wait+2*time.Second)
	defer cancel()
	if pause(ctx, wait) != nil {
		return
	}
	if answer, err := r.carry(request.WithContext(ctx), body); err == nil {
		answer.Body.Close()
	}
}

// carry delivers a body and notes the answer.
func (r *network) carry(request *http.Request, body []byte) (*http.Response, error) {
	copied := request.Clone(request.Context())
	copied.Body = io.NopCloser(bytes.NewReader(body))
	r.noteOrder(body)
	answer, err := r.next.RoundTrip(copied)
	if err != nil {
		r.tally.add("deliveries", "not taken")
		return nil, err
	}
	r.tally.add("answers", http.StatusText(answer.StatusCode))
	if answer.StatusCode == http.StatusOK {
		r.mu.Lock()
		r.accepted[deliveryID(body)] = true
		r.mu.Unlock()
	}
	return answer, nil
}

// noteOrder counts events that come after a later one about the same campaign.
func (r *network) noteOrder(body []byte) {
	var event struct {
		Data struct {
			OccurredAt string `json:"occurred_at"`
			Payload    struct {
				CampaignID string `json:"campaignId"`
			} `json:"payload"`
		} `json:"data"`
	}
	if json.Unmarshal(body, &event) != nil {
		return // junk has no order
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	campaign := event.Data.Payload.CampaignID
	if event.Data.OccurredAt < r.newest[campaign] {
		r.tally.add("deliveries", "out of order")
		return
	}
	r.newest[campaign] = event.Data.OccurredAt
}

// taken returns the ids of all that was answered with 200.
func (r *network) taken() (ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range r.accepted {
		ids = append(ids, id)
	}
	return ids
}

// deliveryID is the event's id, by which the stream knows it too; of a body that is
// no event it is the digest.
func deliveryID(body []byte) string {
	var event struct {
		Data struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if json.Unmarshal(body, &event) == nil && event.Data.ID != "" {
		return event.Data.ID
	}
	digest := sha256.Sum256(body)
	return hex.EncodeToString(digest[:])
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
