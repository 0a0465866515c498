package webhook

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestLoad_TakesABurstAndRefusesWhatGoesOn(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	after := func(d time.Duration) time.Time { return start.Add(d) }
	var l load
	for range loadMost {
		if l.refuses(start) {
			t.Fatal("refuses although there is room")
		}
		l.begin()
	}
	for _, step := range []struct {
		name    string
		at      time.Duration
		refuses bool
	}{
		{"the first of a burst", 0, false},
		{"the last of a burst", loadBurst, false},
		{"it goes on", loadBurst + 1, true},
		{"and on", loadCalm, true},
		{"a burst too soon after", 2 * loadCalm, true},
		{"a burst after calm", 3*loadCalm + 1, false},
		{"which goes on", 3*loadCalm + loadBurst + 2, true},
	} {
		if got := l.refuses(after(step.at)); got != step.refuses {
			t.Errorf("%s: refuses is %t, want %t", step.name, got, step.refuses)
		}
	}
	l.end()
	if l.refuses(after(3*loadCalm + loadBurst + 3)) {
		t.Error("refuses although one has made room")
	}
}

// A burst begins with many at once, and none of them is refused.
func TestLoad_TakesABurstThatComesAllAtOnce(t *testing.T) {
	for round := range 2000 {
		var l load
		for range loadMost {
			l.begin()
		}
		l.refuses(time.Unix(1_700_000_000, 0)) // the last burst
		now := time.Unix(1_700_000_000, 0).Add(time.Minute)
		var refused atomic.Int64
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				if l.refuses(now) {
					refused.Add(1)
				}
			})
		}
		all.Wait()
		if n := refused.Load(); n > 0 {
			t.Fatalf("round %d: %d of a burst were refused as it began", round, n)
		}
	}
}
