package webhook

import (
	"testing"
	"time"
)

func TestStrays_AreCheckedWithinAShare(t *testing.T) {
	var s strays
	now := time.Unix(1_700_000_000, 0)
	for i := range strayRoom {
		if !s.enter(now) {
			t.Fatalf("check %d: refused, want room for %d at once", i+1, strayRoom)
		}
	}
	if s.enter(now) {
		t.Errorf("more than %d at once", strayRoom)
	}
	s.leave()
	checked := strayRoom
	for range 1000 {
		if s.enter(now) {
			checked++
			s.leave()
		}
	}
	if checked != strayChecks {
		t.Errorf("got %d checks in a second, want %d", checked, strayChecks)
	}
	if !s.enter(now.Add(time.Second)) {
		t.Error("refused in the next second")
	}
}

func TestStrays_LeaveALineAMinute(t *testing.T) {
	var s strays
	now := time.Unix(1_700_000_000, 0)
	for _, step := range []struct {
		after    time.Duration
		line     bool
		unlogged int
	}{{0, true, 0}, {time.Second, false, 0}, {59 * time.Second, false, 0}, {time.Minute, true, 2}} {
		if line, unlogged := s.found("/", now.Add(step.after)); line != step.line || unlogged != step.unlogged {
			t.Errorf("after %s: got %t, %d; want %t, %d", step.after, line, unlogged, step.line, step.unlogged)
		}
	}
}
