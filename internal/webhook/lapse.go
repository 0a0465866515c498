package webhook

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
)

// lapseLasts is for how long an event that could not be stored speaks against being
// ready. Not for good: where deliveries go by readiness, none would come any more to
// show that it works again.
const lapseLasts = 10 * time.Second

// lapse knows whether the latest event could be stored. A server may answer every
// question well and store nothing: after an error on its disk it leaves publishers
// without an answer until it is started anew. The zero value is ready for use.
type lapse struct {
	mu    sync.Mutex
	count int // of events since the last that was stored
	last  time.Time
	cause error
}

// watch returns store, and notes what comes of it.
func (l *lapse) watch(store storeFunc, now func() time.Time) storeFunc {
	return func(ctx context.Context, e events.Event) (events.Receipt, error) {
		receipt, err := store(ctx, e)
		if unstorable(err) {
			return receipt, err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.cause = err
		if err == nil {
			l.count = 0
		} else {
			l.count++
			l.last = now()
		}
		return receipt, err
	}
}

// unstorable reports whether an event could not be stored for what it is, which says
// nothing of the next one.
func unstorable(err error) bool {
	if refused, ok := errors.AsType[*jetstream.APIError](err); ok {
		return refused.ErrorCode == tooLargeForStream
	}
	return errors.Is(err, events.ErrSubject) || errors.Is(err, nats.ErrMaxPayload)
}

// tooLargeForStream is how JetStream refuses a message over the stream's
// max_msg_size (https://github.com/nats-io/nats-server, server/errors.json).
const tooLargeForStream jetstream.ErrorCode = 10054

// ready returns nil unless the latest event could not be stored, and that not long
// ago.
func (l *lapse) ready(now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	ago := now.Sub(l.last)
	if l.count == 0 || ago >= lapseLasts {
		return nil
	}
	return fmt.Errorf("the NATS server answers, but the last event was not stored (%s ago, %d without one that was): %w; if it stays so, look into the server's log: after an error on its disk it must be restarted",
		ago.Round(time.Second), l.count, l.cause)
}
