package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// journal notes what the parts of a process do.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) note(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

// part returns a part that takes its time to stop, so that a part which is
// stopped too early would be seen.
func (j *journal) part(name string, stopping time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		<-ctx.Done()
		j.note(name + " stops")
		time.Sleep(stopping)
		j.note(name + " stopped")
		return nil
	}
}

func TestRun_StopsThePartsInTheOrderInWhichTheyWereAdded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p Process
		var j journal
		p.add("door", j.part("door", 3*time.Second))
		p.add("work", j.part("work", 2*time.Second))
		p.add("window", j.part("window", time.Second))
		p.last = func() { j.note("traces sent") }
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		synctest.Wait()
		j.note("stop")
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("got %v, want nil", err)
		}
		want := []string{"stop", "door stops", "door stopped", "work stops", "work stopped", "window stops", "window stopped", "traces sent"}
		if !slices.Equal(j.lines, want) {
			t.Errorf("got  %q\nwant %q", j.lines, want)
		}
	})
}

func TestRun_StopsAllWhenAPartFailsAndNamesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p Process
		var j journal
		consumerGone := errors.New("the consumer was deleted")
		p.add("webhook", j.part("webhook", time.Second))
		p.add("assigner", func(context.Context) error { return consumerGone })
		p.add("status", j.part("status", time.Second))
		err := p.Run(t.Context())
		if !errors.Is(err, consumerGone) || err.Error() != "assigner: the consumer was deleted" {
			t.Errorf("got %v, want the part's error under its name", err)
		}
		if want := []string{"webhook stops", "webhook stopped", "status stops", "status stopped"}; !slices.Equal(j.lines, want) {
			t.Errorf("got %q, want %q", j.lines, want)
		}
	})
}

func TestRun_ReportsWhatFailsWhileStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p Process
		p.add("webhook", func(ctx context.Context) error { <-ctx.Done(); return errors.New("requests were cut off") })
		p.add("assigner", func(context.Context) error { return errors.New("the consumer was deleted") })
		err := p.Run(t.Context())
		for _, want := range []string{"webhook: requests were cut off", "assigner: the consumer was deleted"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s in it", err, want)
			}
		}
	})
}

func TestRun_TakesAStopDuringTheStartForNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p Process
		p.add("assigner", func(ctx context.Context) error {
			<-ctx.Done()
			return fmt.Errorf("look up schedule: %w", ctx.Err())
		})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := p.Run(ctx); err != nil {
			t.Errorf("got %v, want nil", err)
		}
	})
}

func TestRun_ReportsACancelledCallOfAPartThatWasNotStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p Process
		p.add("assigner", func(context.Context) error { return context.Canceled })
		if err := p.Run(t.Context()); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the part's error", err)
		}
	})
}

func TestRun_EndsWhenAPartEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p Process
		var j journal
		p.add("webhook", j.part("webhook", time.Second))
		p.add("assigner", func(context.Context) error { return nil })
		if err := p.Run(t.Context()); err != nil || len(j.lines) != 2 {
			t.Errorf("got %v, %q; want nil and the webhook stopped", err, j.lines)
		}
	})
}

func TestRun_KeepsTheValuesOfItsContext(t *testing.T) {
	type key struct{}
	var p Process
	p.add("part", func(ctx context.Context) error {
		if got := ctx.Value(key{}); got != "value" {
			return errors.New("the value is lost")
		}
		return nil
	})
	if err := p.Run(context.WithValue(t.Context(), key{}, "value")); err != nil {
		t.Error(err)
	}
}

// People send SIGHUP after they have changed a key, also while the process stops. Uncaught,
// the signal would end the test.
func TestRun_CatchesHangupsToTheEnd(t *testing.T) {
	p := Process{hangups: make(chan os.Signal, 1)}
	signal.Notify(p.hangups, syscall.SIGHUP)
	defer signal.Stop(p.hangups)
	p.reloads = append(p.reloads, func() { t.Error("reloaded during the stop") })
	p.add("part", func(ctx context.Context) error {
		<-ctx.Done()
		return syscall.Kill(os.Getpid(), syscall.SIGHUP)
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Run(ctx); err != nil {
		t.Error(err)
	}
	select {
	case <-p.hangups:
	case <-time.After(10 * time.Second):
		t.Error("the hangup was not caught")
	}
}
