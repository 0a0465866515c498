package webhook_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"greenlight/internal/events"
	"greenlight/internal/events/embedded"
	"greenlight/internal/testkit"
)

// While nothing is stored and more comes, it is refused at once, before the deadline
// of those that wait; strangers are told the same as always; and what was refused is
// taken when it comes again.
func TestWebhook_RefusesAtOnceWhatIsTooMuchToStore(t *testing.T) {
	t.Parallel()
	var wire testkit.Wire
	d := open(t, func(s *setup) {
		s.listen, s.config.GroupCommit = true, true
		s.connect = func(server *embedded.Server) (*nats.Conn, error) {
			return events.Connect(wire.Start(t, server.URL()), "webhook")
		}
	})
	overloaded := answer{http.StatusServiceUnavailable, "overloaded"}
	body := func(i int) []byte { return verified(t, fmt.Sprintf("id-%d", i)) }
	wire.Freeze()
	var waiting sync.WaitGroup
	var refused atomic.Bool
	sent := 0
	for ; sent < 1000 && !refused.Load(); sent++ {
		event := body(sent)
		waiting.Go(func() {
			switch got := d.deliver(event); got {
			case overloaded:
				refused.Store(true)
			case notStored:
			default:
				t.Errorf("answered %v while nothing can be stored", got)
			}
		})
		if got := d.post(http.Header{}, event); got.Status != http.StatusUnauthorized {
			t.Errorf("an unsigned one was answered %v, want 401", got)
		}
	}
	if !refused.Load() {
		t.Errorf("none of %d was refused before its time", sent)
	}
	waiting.Wait()
	wire.Thaw()
	for i := range sent {
		// At first the connection may still be on its way back.
		got := d.deliver(body(i))
		for back := time.Now().Add(30 * time.Second); got == notStored && time.Now().Before(back); {
			got = d.deliver(body(i))
		}
		if got != accepted && got != duplicate {
			t.Errorf("event %d, sent again: answered %v", i, got)
		}
	}
	if got := len(d.stored(events.StreamEvents)); got != sent {
		t.Errorf("%d events are stored, want %d", got, sent)
	}
}
