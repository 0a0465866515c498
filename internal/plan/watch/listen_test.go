package watch

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

// deaf is a system that gives no events.
func deaf() (*fsnotify.Watcher, error) { return nil, errors.New("too many open files") }

// tapped lets a test speak for the system through the latest watcher.
func tapped(w *witness) *atomic.Pointer[fsnotify.Watcher] {
	var latest atomic.Pointer[fsnotify.Watcher]
	w.newEvents = func() (*fsnotify.Watcher, error) {
		events, err := fsnotify.NewWatcher()
		latest.Store(events)
		return events, err
	}
	return &latest
}

func TestRun_PollsWithoutEvents(t *testing.T) {
	dir := t.TempDir()
	write(t, campaign("a", 1), dir, "a.yaml")
	w := observe(t, dir, Options{Poll: 10 * time.Millisecond, Settle: time.Millisecond})
	w.newEvents = deaf
	w.start()
	write(t, campaign("a", 2), dir, "a.yaml")
	w.wait("a=2")
	write(t, campaign("b", 3), dir, "x/b.yaml")
	w.wait("a=2 b=3")
	w.stop()
	if _, _, blind := w.told(); len(blind) != 1 || !strings.Contains(blind[0], "too many open files") {
		t.Errorf("OnBlind: got %q, want the reason, once", blind)
	}
}

func TestEar_TellsAFailureAgainOnceAllWasHeard(t *testing.T) {
	told := 0
	e := ear{newEvents: deaf, onBlind: func(error) { told++ }}
	for range 3 {
		e.open()
		e.forgive() // there is nothing to forgive while it fails
	}
	if told != 1 {
		t.Errorf("the same failure was told %d times, want once", told)
	}
	e.newEvents = fsnotify.NewWatcher
	e.open()
	e.forgive()
	e.close()
	e.newEvents = deaf
	e.open()
	if told != 2 {
		t.Errorf("after a time without it, it was told %d times, want once more", told)
	}
}

func TestRun_LooksWhenEventsWereLost(t *testing.T) {
	dir := t.TempDir()
	write(t, campaign("a", 1), dir, "a.yaml")
	w := observe(t, dir, Options{})
	events := tapped(w)
	w.start().listening()
	must(t, events.Load().Remove(resolved(t, dir)))
	write(t, campaign("a", 2), dir, "a.yaml")
	events.Load().Errors <- fsnotify.ErrEventOverflow
	w.wait("a=2")
	write(t, campaign("a", 3), dir, "a.yaml") // and the folder is watched again
	w.wait("a=3")
	if _, _, blind := w.told(); len(blind) > 0 {
		t.Errorf("OnBlind: got %q, want nothing: the next look made up for it", blind)
	}
}

func TestRun_ListensAgainAfterAnError(t *testing.T) {
	dir := t.TempDir()
	write(t, campaign("a", 1), dir, "a.yaml")
	w := observe(t, dir, Options{})
	events := tapped(w)
	w.start().listening()
	first := events.Load()
	first.Errors <- errors.New("bad descriptor")
	eventually(t, "another watcher", func() bool { return events.Load() != first })
	w.listening()
	write(t, campaign("a", 2), dir, "a.yaml")
	w.wait("a=2")
	if _, _, blind := w.told(); len(blind) != 1 || !strings.Contains(blind[0], "bad descriptor") {
		t.Errorf("OnBlind: got %q, want the reason, once", blind)
	}
}

func TestRun_EventsWithoutEndPutOffALookUntilThePollAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quiet := time.NewTimer(never)
		r := &run{Watcher: &Watcher{options: Options{Settle: time.Second, Poll: 10 * time.Second}}, quiet: quiet}
		events := time.NewTicker(500 * time.Millisecond)
		defer events.Stop()
		began := time.Now()
		for {
			select {
			case <-events.C:
				r.stir()
				if time.Since(began) > time.Minute {
					t.Fatal("put off for a minute")
				}
			case <-quiet.C:
				// The first event came half a second after the beginning.
				if got, want := time.Since(began), 10500*time.Millisecond; got != want || !r.overdue() {
					t.Errorf("a look is due after %s, overdue %t; want %s and true", got, r.overdue(), want)
				}
				return
			}
		}
	})
}

// TestRun_PollWaitsForQuiet has files that move between poll and look without an
// event. What is read first is not what was there first.
func TestRun_PollWaitsForQuiet(t *testing.T) {
	dir := t.TempDir()
	write(t, campaign("a", 1), dir, "a.yaml")
	w := observe(t, dir, Options{})
	quiet := time.NewTimer(never)
	r := &run{Watcher: w.Watcher, ear: ear{newEvents: deaf, onBlind: func(error) {}}, quiet: quiet}

	r.poll()
	if r.stirred() {
		t.Error("stirred by files that are as they were")
	}
	write(t, campaign("a", 22), dir, "a.yaml")
	r.poll()
	write(t, campaign("a", 333), dir, "a.yaml")
	r.look(context.Background())
	if got := plans(w.Set()); got != "a=1" || !r.stirred() {
		t.Errorf("in force after the first look: got %s, stirred %v, want a=1 and another look due", got, r.stirred())
	}
	r.look(context.Background())
	if got := plans(w.Set()); got != "a=333" || r.stirred() {
		t.Errorf("in force after the second look: got %s, stirred %v, want a=333 and calm", got, r.stirred())
	}
}
