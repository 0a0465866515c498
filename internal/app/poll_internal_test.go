package app

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// file is what a poller looks at: a number that is its digest and its content.
type file struct {
	content, used string
	err           error
	reads         int
	faults        []string
	// whileRead is called when it is read.
	whileRead func()
}

// poll has a poller look at a file until the test ends.
func poll(t *testing.T, f *file) *poller {
	p := newPoller(func() string { return f.content }, func() (func() error, error) {
		f.reads++
		content, err := f.content, f.err
		if f.whileRead != nil {
			f.whileRead()
		}
		return func() error { f.used = content; return nil }, err
	})
	p.onFault = func(err error) { f.faults = append(f.faults, err.Error()) }
	p.used, f.used = f.content, f.content
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); p.run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return &p
}

func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestPoller_ReadsAFileThatHoldsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &file{content: "1"}
		poll(t, f)
		after(10 * pollEvery)
		if f.reads != 0 {
			t.Errorf("%d reads of a file that did not change", f.reads)
		}
		after(pollEvery / 2)
		f.content = "2"
		after(pollEvery)
		if f.used != "1" {
			t.Error("read before it held still")
		}
		after(pollEvery)
		if f.used != "2" || f.reads != 1 {
			t.Errorf("got %s in use after %d reads", f.used, f.reads)
		}
	})
}

func TestPoller_ThrowsAwayWhatChangedWhileItWasRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &file{content: "1"}
		f.whileRead = func() { f.content, f.whileRead = "3", nil }
		poll(t, f)
		f.content = "2"
		after(3 * pollEvery)
		if f.used != "1" || f.reads != 1 {
			t.Errorf("got %s in use after %d reads, want the mix thrown away", f.used, f.reads)
		}
		after(2 * pollEvery)
		if f.used != "3" {
			t.Errorf("got %s in use", f.used)
		}
	})
}

func TestPoller_ReportsAFileThatNeverHoldsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &file{content: "x"}
		p := poll(t, f)
		for range int(pollRestless/pollEvery) + 2 {
			f.content += "x"
			after(pollEvery)
		}
		if !errors.Is(p.Err(), errRestless) || len(f.faults) != 1 {
			t.Errorf("got %v and faults %q", p.Err(), f.faults)
		}
		after(2 * pollEvery)
		if p.Err() != nil || f.used != f.content {
			t.Errorf("got %v, and %d characters in use", p.Err(), len(f.used))
		}
	})
}

func TestPoller_ReportsAFaultOnceAndReadsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &file{content: "1"}
		p := poll(t, f)
		f.content, f.err = "2", errors.New("broken")
		after(10 * pollFault)
		if len(f.faults) != 1 || p.Err() == nil || f.used != "1" {
			t.Errorf("got faults %q, %v, %s in use", f.faults, p.Err(), f.used)
		}
		if f.reads < 8 || f.reads > 12 {
			t.Errorf("got %d reads in ten times %s", f.reads, pollFault)
		}
		f.err = nil // without a change of the file
		after(pollFault + pollEvery)
		if p.Err() != nil || f.used != "2" {
			t.Errorf("got %v, %s in use", p.Err(), f.used)
		}
	})
}

func TestPoller_ReadsAtOnceWhenAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &file{content: "1"}
		p := poll(t, f)
		f.content = "2"
		p.Reload()
		p.Reload()
		synctest.Wait()
		if f.used != "2" {
			t.Errorf("got %s in use", f.used)
		}
	})
}

func TestPoller_CallsNobodyOnceItIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &file{content: "1"}
		p := newPoller(func() string { return f.content }, nil)
		ctx, cancel := context.WithCancel(t.Context())
		p.read = func() (func() error, error) {
			cancel() // in the middle of the reading
			return func() error { f.used = f.content; return nil }, nil
		}
		p.Reload()
		p.run(ctx)
		if f.used != "" {
			t.Error("something was put in use after the stop")
		}
	})
}
