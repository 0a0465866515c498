package webhook

import (
	"context"
	"errors"
	"sync"

	"greenlight/internal/events"
)

// flights has the same delivery at the same time stored once. Whoever caught one can
// send it again and again while its timestamp passes; so many of it take the place of
// one among those that wait to be stored. The zero value is ready for use. Safe for
// concurrent use.
type flights struct {
	mu       sync.Mutex
	underWay map[string]*flight // by signature
}

// flight is a delivery that is being stored.
type flight struct {
	done    chan struct{} // closed when the rest is there
	receipt events.Receipt
	err     error
}

// errCutShort is what comes of a flight that ended in a panic.
var errCutShort = errors.New("another delivery of the event, at the same time, failed")

// do calls store, unless the same delivery is under way: then it waits for what comes of
// that, and the receipt says that this one is a copy. Each waits only until its own ctx
// ends. One that outlives whom it waited for tries itself.
func (f *flights) do(ctx context.Context, signature string, store func() (events.Receipt, error)) (events.Receipt, error) {
	for {
		other, first := f.join(signature)
		if first {
			return f.fly(signature, other, store)
		}
		select {
		case <-other.done:
		case <-ctx.Done():
			return events.Receipt{}, ctx.Err()
		}
		switch {
		case other.err == nil:
			receipt := other.receipt
			receipt.Duplicate = true
			return receipt, nil
		case ctx.Err() != nil || !ranOutOfTime(other.err):
			return events.Receipt{}, other.err
		}
	}
}

func (f *flights) join(signature string) (one *flight, first bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if one := f.underWay[signature]; one != nil {
		return one, false
	}
	if f.underWay == nil {
		f.underWay = map[string]*flight{}
	}
	one = &flight{done: make(chan struct{}), err: errCutShort}
	f.underWay[signature] = one
	return one, true
}

func (f *flights) fly(signature string, own *flight, store func() (events.Receipt, error)) (events.Receipt, error) {
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.underWay, signature)
		close(own.done)
	}()
	own.receipt, own.err = store()
	return own.receipt, own.err
}

func ranOutOfTime(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
