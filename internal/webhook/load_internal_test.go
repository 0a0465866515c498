package webhook

import (
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
