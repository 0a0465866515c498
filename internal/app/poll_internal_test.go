package app

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// file is what a poller checks: a number that is its digest and its content.
type file struct {
	mu            sync.Mutex // the race detector does not know that the fake clock orders the goroutines
	content, used string
	err           error
	reads         int
	faults        []string
	// whileRead is called when it is read.
	whileRead func()
}

// do changes or checks the file.
func (f *file) do(what func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	what()
}

// poll has a poller look at a file until the test ends.
func poll(t *testing.T, f *file) *poller {
	p := newPoller(func() (digest string) {
		f.do(func() { digest = f.content })
		return digest
	}, func() (func() error, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.reads++
		content, err := f.content, f.err
		if f.whileRead != nil {
			f.whileRead()
		}
		return func() error { f.do(func() { f.used = content }); return nil }, err
	})
	p.onFault = func(err error) { f.do(func() { f.faults = append(f.faults, err.Error()) }) }
	p.used, f.used = f.content, f.content
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); p.run(ctx) }()
	f.mu.Lock()
	t.Cleanup(func() { f.mu.Unlock(); cancel(); <-ended })
	return &p
}

// after lets time pass. The test has the file at all other times.
func after(f *file, d time.Duration) {
	f.mu.Unlock()
	defer f.mu.Lock()
	time.Sleep(d)
	synctest.Wait()
}

func TestPoller_ReadsAFileThatHoldsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &file{content: "1"}
		poll(t, f)
		after(f, 10*pollEvery)
		if f.reads != 0 {
			t.Errorf("%d reads of a file that did not change", f.reads)
		}
		after(f, pollEvery/2)
		f.content = "2"
		after(f, pollEvery)
		if f.used != "1" {
			t.Error("read before it held still")
		}
		after(f, pollEvery)
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
		after(f, 3*pollEvery)
		if f.used != "1" || f.reads != 1 {
			t.Errorf("got %s in use after %d reads, want the mix thrown away", f.used, f.reads)
		}
		after(f, 2*pollEvery)
		if f.used != "3" {
			t.Errorf("got %s in use", f.used)
		}
	})
}

func TestPoller_ReportsAFileThatNeverHoldsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &file{content: "x"}
		p := poll(t, f)
		for range int(pollUnstable/pollEvery) + 2 {
			f.content += "x"
			after(f, pollEvery)
		}
		if !errors.Is(p.Err(), errUnstable) || len(f.faults) != 1 {
			t.Errorf("got %v and faults %q", p.Err(), f.faults)
		}
		after(f, 2*pollEvery)
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
		after(f, 10*pollFault)
		if len(f.faults) != 1 || p.Err() == nil || f.used != "1" {
			t.Errorf("got faults %q, %v, %s in use", f.faults, p.Err(), f.used)
		}
		if f.reads < 8 || f.reads > 12 {
			t.Errorf("got %d reads in ten times %s", f.reads, pollFault)
		}
		f.err = nil // without a change of the file
		after(f, pollFault+pollEvery)
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
		after(f, time.Millisecond)
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
