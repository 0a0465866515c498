package webhook

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"greenlight/internal/events"
)

// stored is a store that takes so long, unless ctx ends before.
func stored(ctx context.Context, takes time.Duration, calls *atomic.Int64) func() (events.Receipt, error) {
	return func() (events.Receipt, error) {
		calls.Add(1)
		select {
		case <-time.After(takes):
			return events.Receipt{Sequence: 7}, nil
		case <-ctx.Done():
			return events.Receipt{}, ctx.Err()
		}
	}
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestFlights_TheSameAtTheSameTimeIsStoredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f flights
		var calls, others, copies atomic.Int64
		ctx := within(t, time.Minute)
		go func() {
			got, err := f.do(ctx, "other", stored(ctx, time.Second, &others))
			if err != nil || got.Duplicate {
				t.Errorf("another delivery: %+v, %v", got, err)
			}
		}()
		for range 50 {
			go func() {
				got, err := f.do(ctx, "caught", stored(ctx, time.Second, &calls))
				if err != nil || got.Sequence != 7 {
					t.Errorf("got %+v, %v", got, err)
				}
				if got.Duplicate {
					copies.Add(1)
				}
			}()
			synctest.Wait()
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if calls.Load() != 1 || others.Load() != 1 || copies.Load() != 49 {
			t.Errorf("stored %d times, another %d times, %d are called copies; want once each, and 49", calls.Load(), others.Load(), copies.Load())
		}
		if len(f.underWay) > 0 {
			t.Errorf("%d are still under way", len(f.underWay))
		}
	})
}

// Telnyx's own delivery must not fail because somebody sent it again with less time.
func TestFlights_WhoHasMoreTimeTriesItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f flights
		var calls atomic.Int64
		go func() {
			short := within(t, 250*time.Millisecond)
			if _, err := f.do(short, "s", stored(short, time.Second, &calls)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the one with little time: %v", err)
			}
		}()
		synctest.Wait()
		long := within(t, 1500*time.Millisecond)
		got, err := f.do(long, "s", stored(long, time.Second, &calls))
		if err != nil || got.Duplicate || calls.Load() != 2 {
			t.Errorf("got %+v, %v after %d tries", got, err, calls.Load())
		}
	})
}

// Nobody waits past his own end for somebody else.
func TestFlights_WhoHasLessTimeGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f flights
		var calls atomic.Int64
		long := within(t, 1500*time.Millisecond)
		go func() { _, _ = f.do(long, "s", stored(long, time.Hour, &calls)) }()
		synctest.Wait()
		began := time.Now()
		short := within(t, 250*time.Millisecond)
		_, err := f.do(short, "s", stored(short, time.Hour, &calls))
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != 250*time.Millisecond {
			t.Errorf("got %v after %s", err, took)
		}
		time.Sleep(2 * time.Second)
	})
}

func TestFlights_APanicEndsThem(t *testing.T) {
	var f flights
	func() {
		defer func() { _ = recover() }()
		_, _ = f.do(t.Context(), "s", func() (events.Receipt, error) { panic("storage") })
	}()
	if got, err := f.do(t.Context(), "s", func() (events.Receipt, error) { return events.Receipt{Sequence: 1}, nil }); err != nil || got.Sequence != 1 {
		t.Errorf("after a panic: %+v, %v", got, err)
	}
}
