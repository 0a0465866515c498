package assigner

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// settled counts how often a message was acknowledged.
type settled int

// asked returns the request of a message, and a count of its acknowledgments.
func asked(key string) (request, *settled) {
	count := new(settled)
	return request{key: key, settle: func() { *count++ }}, count
}

func TestQueue_ServesFirstComeFirstServed(t *testing.T) {
	q := newQueue()
	for _, key := range []string{"a", "b", "c"} {
		q.add(request{key: key})
	}
	for _, want := range []string{"a", "b", "c"} {
		if got, ok := q.take(prompt); !ok || got.key != want {
			t.Errorf("got %q, want %q", got.key, want)
		}
	}
}

func TestQueue_MergesWhatWaitsAndKeepsUrgency(t *testing.T) {
	q := newQueue()
	resync, resynced := asked("a")
	event, seen := asked("a")
	person, answered := asked("a")
	late, lateSeen := asked("a")
	resync.class, person.urgent = routine, true
	for _, r := range []request{resync, event, person, late} {
		q.add(r)
	}
	if *resynced != 1 || *seen != 1 || *answered != 0 || *lateSeen != 1 {
		t.Errorf("acknowledged: resync %d, event %d, person %d, late event %d; want all but the person's", *resynced, *seen, *answered, *lateSeen)
	}
	got, _ := q.take(prompt)
	if !got.urgent || got.class != prompt {
		t.Errorf("got %+v, want the person's urgency kept", got)
	}
	if got.settled(); *answered != 1 {
		t.Error("the merged request does not settle the person's message")
	}
	if depth := q.depth(); depth != 0 {
		t.Errorf("got depth %d, want 0", depth)
	}
}

// A read from before a request does not answer it.
func TestQueue_MergedRequestAsksForWhatIsReadAfterTheLatest(t *testing.T) {
	q := newQueue()
	noon := time.Date(2026, 8, 7, 12, 0, 0, 0, time.UTC)
	q.add(request{key: "a", made: noon, noticed: noon})
	q.add(request{key: "a", made: noon.Add(time.Minute), noticed: noon.Add(time.Minute)})
	got, _ := q.take(prompt)
	if !got.made.Equal(noon.Add(time.Minute)) || !got.noticed.Equal(noon) {
		t.Errorf("made %s, noticed %s; want the later and the earlier", got.made, got.noticed)
	}
}

func TestQueue_RoutineComesLastUntilSomethingHappens(t *testing.T) {
	q := newQueue()
	for _, key := range []string{"a", "b", "c"} {
		q.add(request{key: key, class: routine})
	}
	noticed := time.Date(2026, 8, 7, 12, 0, 0, 0, time.UTC)
	q.add(request{key: "stranger", class: unplanned})
	q.add(request{key: "event"})
	q.add(request{key: "c", cause: "an event", trace: "its trace", noticed: noticed})
	var got []string
	for range 5 {
		r, _ := q.take(unplanned)
		got = append(got, r.key)
		if r.key == "c" && (r.cause != "an event" || r.trace != "its trace" || !r.noticed.Equal(noticed)) {
			t.Errorf("got %+v, want the cause, trace and time of the event", r)
		}
	}
	if want := []string{"event", "c", "a", "b", "stranger"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestQueue_BoundsStrangersAndNothingElse(t *testing.T) {
	q := newQueue()
	dropped := 0
	for i := range maxUnplanned + 5 {
		q.add(request{key: fmt.Sprint("stranger ", i), class: unplanned, settle: func() { dropped++ }})
	}
	if dropped != 5 || q.depth() != maxUnplanned {
		t.Errorf("%d dropped and %d wait, want 5 and %d", dropped, q.depth(), maxUnplanned)
	}
	q.add(request{key: "planned"})
	if got, _ := q.take(unplanned); got.key != "planned" {
		t.Errorf("got %q, want the planned campaign", got.key)
	}
}

func TestQueue_NeverHandsOutACampaignTwiceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		q.add(request{key: "a"})
		q.take(prompt)
		again, done := asked("a")
		q.add(again)
		if *done != 0 {
			t.Fatal("a request that came during the reconcile must cause another one")
		}
		q.add(request{key: "b"})
		if got, _ := q.take(prompt); got.key != "b" {
			t.Fatalf("got %q while a was being reconciled, want b", got.key)
		}
		taken := make(chan string)
		go func() {
			r, _ := q.take(prompt)
			taken <- r.key
		}()
		synctest.Wait()
		select {
		case key := <-taken:
			t.Fatalf("%s was handed out while it was being reconciled", key)
		default:
		}
		q.finish("a")
		if key := <-taken; key != "a" {
			t.Errorf("got %q, want a", key)
		}
	})
}

func TestQueue_CloseWakesEveryWorkerAndSettlesNothing(t *testing.T) {
	q := newQueue()
	q.add(request{key: "a"})
	q.take(prompt)
	waits, count := asked("a")
	q.add(waits)
	done := make(chan bool, 2)
	for range 2 {
		go func() {
			_, ok := q.take(prompt)
			done <- ok
		}()
	}
	q.close()
	for range 2 {
		if <-done {
			t.Error("a closed queue handed something out")
		}
	}
	if *count != 0 {
		t.Error("a message that nobody has worked on was settled")
	}
}

func TestQueue_KeepsPromptWorkersForWhatHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		q.add(request{key: "resync", class: routine})
		q.add(request{key: "stranger", class: unplanned})
		got := make(chan string, 1)
		go func() {
			r, _ := q.take(prompt)
			got <- r.key
		}()
		synctest.Wait()
		if len(got) != 0 {
			t.Fatalf("a prompt worker took %q", <-got)
		}
		q.add(request{key: "event"})
		if key := <-got; key != "event" {
			t.Errorf("got %q, want the event's", key)
		}
		if r, _ := q.take(routine); r.key != "resync" {
			t.Errorf("got %q, want the resync's", r.key)
		}
		if r, _ := q.take(unplanned); r.key != "stranger" {
			t.Errorf("got %q, want the stranger's", r.key)
		}
	})
}

func TestQueue_DelaysWhatMayWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		started := time.Now()
		q.add(request{key: "a", wait: 10 * time.Second})
		q.add(request{key: "a", wait: 8 * time.Second})
		q.add(request{key: "b", wait: time.Hour})
		q.add(request{key: "b", changed: true})
		if r, _ := q.take(prompt); r.key != "b" || time.Since(started) != 0 {
			t.Errorf("got %q after %s, want b at once, since something happened", r.key, time.Since(started))
		}
		if r, _ := q.take(prompt); r.key != "a" || time.Since(started) != 10*time.Second {
			t.Errorf("got %q after %s, want a after 10s", r.key, time.Since(started))
		}
		q.add(request{key: "c", wait: time.Minute})
		q.close()
		time.Sleep(time.Hour) // in the bubble: the timer of c must not run any more
		if _, ok := q.take(prompt); ok {
			t.Error("something was taken from a closed queue")
		}
	})
}

func TestQueue_SaysWhatCameDuringAReconcile(t *testing.T) {
	q := newQueue()
	began := time.Now()
	q.add(request{key: "a", made: began, changed: true, urgent: true})
	if _, ok := q.take(prompt); !ok || q.changedSince("a", began.Add(-time.Second)) || q.isUrgent("a") {
		t.Error("its own request counts as a later one")
	}
	q.add(request{key: "a", made: began.Add(time.Second)})
	if q.changedSince("a", began) {
		t.Error("an event about a number says that the campaign has changed")
	}
	q.add(request{key: "a", made: began.Add(2 * time.Second), changed: true})
	if !q.changedSince("a", began) || q.changedSince("a", began.Add(2*time.Second)) {
		t.Error("an event about the campaign does not say that it has changed since")
	}
	q.add(request{key: "a", made: began, urgent: true})
	if !q.isUrgent("a") {
		t.Error("a person's request is not urgent")
	}
}

func TestWaitAfter_GrowsUpToTheMostAndNeverOverflows(t *testing.T) {
	for _, tt := range []struct {
		factor, tries int
		want          time.Duration
	}{
		{2, 0, time.Second},
		{2, 1, time.Second},
		{2, 2, 2 * time.Second},
		{2, 5, 16 * time.Second},
		{2, 7, time.Minute},
		{2, 100000, time.Minute},
		{3, 3, 9 * time.Second},
	} {
		if got := waitAfter(time.Second, time.Minute, tt.factor, tt.tries); got != tt.want {
			t.Errorf("factor %d, try %d: got %s, want %s", tt.factor, tt.tries, got, tt.want)
		}
	}
	if got := jittered(10*time.Second, 1); got != 8*time.Second {
		t.Errorf("got %s, want a fifth less at most", got)
	}
}
