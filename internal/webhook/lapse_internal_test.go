package webhook

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

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
