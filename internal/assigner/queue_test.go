package assigner

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// asked returns an errand with a ticket of its own.
func asked(key string) errand { return errand{key: key, ticket: &ticket{}} }

func TestQueue_ServesFirstComeFirstServed(t *testing.T) {
	q := newQueue()
	for _, key := range []string{"a", "b", "c"} {
		if q.add(asked(key)) != nil {
			t.Errorf("%s was not added", key)
		}
	}
	for _, want := range []string{"a", "b", "c"} {
		got, ok := q.take(false)
		if !ok || got.key != want {
			t.Errorf("got %q, want %q", got.key, want)
		}
	}
}

func TestQueue_MergesWhatWaitsAndKeepsUrgency(t *testing.T) {
	q := newQueue()
	routine, event, nudge, late := asked("a"), asked("a"), asked("a"), asked("a")
	routine.routine, nudge.urgent = true, true
	q.add(routine)
	if q.add(event) != event.ticket {
		t.Error("a second errand for a waiting campaign was added")
	}
	if q.add(nudge) != routine.ticket || q.add(late) != late.ticket {
		t.Error("the person's ticket does not stand for the others")
	}
	got, _ := q.take(false)
	if !got.urgent || got.ticket != nudge.ticket {
		t.Error("the person's nudge was lost in the merge")
	}
	if depth := q.depth(); depth != 0 {
		t.Errorf("got depth %d, want 0", depth)
	}
}

func TestQueue_RoutineComesLastUntilSomethingHappens(t *testing.T) {
	q := newQueue()
	for _, key := range []string{"a", "b", "c"} {
		q.add(errand{key: key, routine: true})
	}
	q.add(errand{key: "event"})
	if q.add(asked("c")) == nil {
		t.Error("an event for a waiting campaign was not merged")
	}
	var got []string
	for range 4 {
		e, _ := q.take(false)
		got = append(got, e.key)
	}
	if want := []string{"event", "c", "a", "b"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestQueue_NeverGivesOutACampaignTwiceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		q.add(errand{key: "a"})
		q.take(false)
		if q.add(asked("a")) != nil {
			t.Fatal("an errand that came during the look must cause another look")
		}
		q.add(errand{key: "b"})
		if got, _ := q.take(false); got.key != "b" {
			t.Fatalf("got %q while a was being looked at, want b", got.key)
		}
		taken := make(chan string)
		go func() {
			e, _ := q.take(false)
			taken <- e.key
		}()
		synctest.Wait()
		select {
		case key := <-taken:
			t.Fatalf("%s was given out while it was being looked at", key)
		default:
		}
		q.finish("a")
		if key := <-taken; key != "a" {
			t.Errorf("got %q, want a", key)
		}
	})
}

func TestQueue_CloseWakesEveryone(t *testing.T) {
	q := newQueue()
	q.add(errand{key: "a"})
	q.take(false)
	done := make(chan bool, 2)
	for range 2 {
		go func() {
			_, ok := q.take(false)
			done <- ok
		}()
	}
	q.close()
	for range 2 {
		if <-done {
			t.Error("a closed queue gave something out")
		}
	}
}

func TestBackoff_DoublesUpToTheMostAndNeverOverflows(t *testing.T) {
	for _, tt := range []struct {
		attempts int
		jitter   float64
		want     time.Duration
	}{
		{attempts: 0, want: time.Second},
		{attempts: 1, want: time.Second},
		{attempts: 2, want: 2 * time.Second},
		{attempts: 5, want: 16 * time.Second},
		{attempts: 7, want: time.Minute},
		{attempts: 1000, want: time.Minute},
		{attempts: 2, jitter: 1, want: 1600 * time.Millisecond},
	} {
		if got := backoff(time.Second, time.Minute, tt.attempts, tt.jitter); got != tt.want {
			t.Errorf("attempt %d, jitter %v: got %s, want %s", tt.attempts, tt.jitter, got, tt.want)
		}
	}
}

func TestQueue_KeepsPromptWorkersForWhatHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		q.add(errand{key: "resync", routine: true})
		got := make(chan string, 1)
		go func() {
			e, _ := q.take(true)
			got <- e.key
		}()
		synctest.Wait()
		if len(got) != 0 {
			t.Fatalf("a prompt worker took %q", <-got)
		}
		q.add(errand{key: "event"})
		if key := <-got; key != "event" {
			t.Errorf("got %q, want the event's", key)
		}
		if e, _ := q.take(false); e.key != "resync" {
			t.Errorf("got %q, want the resync's for the others", e.key)
		}
	})
}

func TestQueue_HoldsBackWhatMayWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		started := time.Now()
		q.add(errand{key: "a", wait: 10 * time.Second})
		second := asked("a")
		second.wait = 8 * time.Second
		if q.add(second) == nil {
			t.Error("a second event was not merged")
		}
		q.add(errand{key: "b", wait: time.Hour})
		q.add(errand{key: "b", interrupts: true})
		if e, _ := q.take(false); e.key != "b" || time.Since(started) != 0 {
			t.Errorf("got %q after %s, want b at once, since something happened", e.key, time.Since(started))
		}
		if e, _ := q.take(false); e.key != "a" || time.Since(started) != 10*time.Second {
			t.Errorf("got %q after %s, want a after 10s", e.key, time.Since(started))
		}
		q.add(errand{key: "c", wait: time.Minute})
		q.close()
		time.Sleep(time.Hour) // in the bubble: the timer of c must not run any more
		if _, ok := q.take(false); ok {
			t.Error("something was taken from a closed queue")
		}
	})
}

func TestQueue_TellsALookUnderWayThatItsCampaignChanged(t *testing.T) {
	q := newQueue()
	q.add(errand{key: "a", interrupts: true})
	if _, ok := q.take(false); !ok || q.interrupted("a") {
		t.Error("a look is interrupted by the errand that it is made for")
	}
	q.add(errand{key: "a"})
	if q.interrupted("a") {
		t.Error("an event about a number interrupts")
	}
	q.add(errand{key: "a", interrupts: true})
	if !q.interrupted("a") {
		t.Error("an event about the campaign does not interrupt")
	}
}
