package webhook

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
)

func TestLapse_SpeaksOfTheLatestEventForAWhile(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	var result error
	var l lapse
	store := l.watch(func(context.Context, events.Event) (events.Receipt, error) {
		return events.Receipt{Sequence: 7}, result
	}, func() time.Time { return now })
	publish := func(err error) {
		t.Helper()
		result = err
		if receipt, got := store(t.Context(), events.Event{}); receipt.Sequence != 7 || got != err {
			t.Errorf("got %+v, %v, want what the store returned", receipt, got)
		}
	}
	if err := l.ready(now); err != nil {
		t.Errorf("before any event: %v", err)
	}
	publish(context.DeadlineExceeded)
	publish(context.DeadlineExceeded)
	now = now.Add(3 * time.Second)
	err := l.ready(now)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "3s ago, 2 without one that was") {
		t.Errorf("after two that were not stored: %v", err)
	}
	if err := l.ready(now.Add(lapseLasts - 3*time.Second)); err != nil {
		t.Errorf("a while later: %v, want that it is tried again", err)
	}
	publish(nil)
	if err := l.ready(now); err != nil {
		t.Errorf("after one that was stored: %v", err)
	}
}

// An event that nobody could store says nothing of the server, for better or worse.
func TestLapse_PassesOverWhatIsTheEventsOwnFault(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for name, fault := range map[string]error{
		"no subject":               fmt.Errorf("publish event: %w", events.ErrSubject),
		"too large for the server": fmt.Errorf("publish event: %w", nats.ErrMaxPayload),
		"too large for the stream": fmt.Errorf("publish event: %w", &jetstream.APIError{ErrorCode: 10054}),
	} {
		t.Run(name, func(t *testing.T) {
			var result error
			var l lapse
			store := l.watch(func(context.Context, events.Event) (events.Receipt, error) {
				return events.Receipt{}, result
			}, func() time.Time { return now })
			for _, step := range []struct {
				err   error
				ready bool
			}{{fault, true}, {context.DeadlineExceeded, false}, {fault, false}, {nil, true}, {fault, true}} {
				result = step.err
				if _, err := store(t.Context(), events.Event{}); err != step.err {
					t.Errorf("got %v, want what the store returned", err)
				}
				if err := l.ready(now); (err == nil) != step.ready {
					t.Errorf("after %v: %v, want ready %t", step.err, err, step.ready)
				}
			}
		})
	}
}
