package assigner

import (
	"errors"
	"testing"
	"time"

	"greenlight/internal/telnyx"
)

// refusedWrite is Telnyx refusing the key for a write.
var refusedWrite = &telnyx.APIError{Method: "POST", Route: "/10dlc/phone_number_campaigns", Status: 403}

func newGate() (*gate, *time.Time) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return &gate{now: func() time.Time { return now }}, &now
}

func TestGate_ClosesWithOneAlarmAndLetsOneTryThroughAtATime(t *testing.T) {
	g, now := newGate()
	done, rest := g.pass()
	if rest != nil {
		t.Fatalf("a new gate is closed: %v", rest)
	}
	if _, alarm := g.close("unauthorized", refusedWrite); !alarm {
		t.Error("the first refusal raised no alarm")
	}
	if _, alarm := g.close("unauthorized", refusedWrite); alarm {
		t.Error("the second refusal raised another alarm")
	}
	done()
	if _, rest := g.pass(); rest == nil || !rest.until.Equal(now.Add(gateRest)) {
		t.Errorf("got %v, want all work to rest for a minute", rest)
	}
	*now = now.Add(gateRest)
	done, rest = g.pass()
	if rest != nil {
		t.Fatalf("no try is let through after the rest: %v", rest)
	}
	if _, rest := g.pass(); rest == nil || !rest.until.After(*now) {
		t.Errorf("got %v, want a second try to wait while the first is under way", rest)
	}
	done()
	if _, rest := g.pass(); rest != nil {
		t.Errorf("got %v, want the next try let through", rest)
	}
	if g.trouble() == nil {
		t.Error("trouble was forgotten before a call worked")
	}
}

func TestGate_HealsWhenWhatWasRefusedWorks(t *testing.T) {
	g, _ := newGate()
	g.close("unauthorized", refusedWrite)
	if g.worked("GET", "/10dlc/campaign/{id}") || g.trouble() == nil {
		t.Error("a read healed a refusal of writes")
	}
	if !g.worked(refusedWrite.Method, refusedWrite.Route) || g.trouble() != nil {
		t.Error("a write that worked did not open the gate")
	}
	if g.worked(refusedWrite.Method, refusedWrite.Route) {
		t.Error("healed twice")
	}
}

// The number whose request was refused may be gone by now, so that nothing calls
// the refused route any more.
func TestGate_HealsInTimeWithoutTheRefusedRoute(t *testing.T) {
	g, now := newGate()
	g.close("unauthorized", refusedWrite)
	*now = now.Add(gateDoubt)
	if !g.worked("GET", "/10dlc/campaign/{id}") || g.trouble() != nil {
		t.Error("an hour later a read did not open the gate")
	}
}

func TestGate_RaisesTheSameAlarmOnceAnHour(t *testing.T) {
	g, now := newGate()
	alarms := 0
	for range 121 { // once a minute the same refusal, and something else works in between
		if _, alarm := g.close("unauthorized", refusedWrite); alarm {
			alarms++
		}
		g.worked(refusedWrite.Method, refusedWrite.Route)
		*now = now.Add(time.Minute)
	}
	if alarms != 3 {
		t.Errorf("%d alarms in two hours, want one at once and one an hour", alarms)
	}
	if _, alarm := g.close("account_blocked", errors.New("another trouble")); !alarm {
		t.Error("another trouble raised no alarm")
	}
}
