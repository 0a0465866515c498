package endtoend_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// Telnyx accepts the request and announces up to 72 hours. Greenlight checks less and less
// often, by the broker's schedule, finally reports that it takes too long, and keeps
// checking until it is finished.
func TestPendingNumber_IsRecheckedLessOftenAndReportedAsStuck(t *testing.T) {
	t.Parallel()
	const number = "+15551234567"
	w := newWorld(t, telnyxsim.Options{AssignDelay: telnyxsim.Never})
	clock := w.movableClock()
	w.config.PendingDeadline = 30 * time.Hour
	w.stage(campaignID + ": " + number)
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	w.start()
	w.numberReaches(campaignID, number, ledger.Pending)
	w.idle()
	since := w.number(campaignID, number).Since
	for _, tt := range []struct{ elapsed, wait time.Duration }{
		{0, 30 * time.Second},
		{50 * time.Second, 30 * time.Second},
		{2 * time.Minute, time.Minute},
		{10 * time.Minute, 5 * time.Minute},
		{time.Hour, 30 * time.Minute},
		{5 * time.Hour, time.Hour},
		{29 * time.Hour, time.Hour},
	} {
		clock.advance(tt.elapsed - clock.now().Sub(since))
		w.reconcile(campaignID)
		w.recheckIn(clock, tt.wait, fmt.Sprintf("pending for %s", tt.elapsed))
		if n := w.number(campaignID, number); n.State != ledger.Pending || n.Reason != "" {
			t.Errorf("pending for %s: got %+v, want nothing wrong with it", tt.elapsed, n)
		}
	}

	clock.advance(31*time.Hour - clock.now().Sub(since))
	w.reconcile(campaignID)
	n := w.numberIs(campaignID, number, ledger.Pending, ledger.Stuck)
	if n.Detail == "" || !n.Since.Equal(since) {
		t.Errorf("got %+v, want since when it is pending, in words too", n)
	}
	if warnings := w.logged(`"level":"warn"`, number, string(ledger.Stuck)); warnings != 1 {
		t.Errorf("got %d warnings, want one", warnings)
	}
	w.recheckIn(clock, time.Hour, "stuck")
	clock.advance(time.Hour)
	w.reconcile(campaignID)
	if warnings := w.logged(`"level":"warn"`, number, string(ledger.Stuck)); warnings != 1 {
		t.Errorf("got %d warnings after another reconcile, want one", warnings)
	}

	w.must(w.sim.AttachNumber(number, campaignID, telnyx.Assigned))
	w.reconcile(campaignID)
	w.numberIs(campaignID, number, ledger.Sendable, "")
	w.attachedTo(campaignID, number)
	w.posted(number, 1)
}

// recheckIn fails unless the record and the broker's schedule both have the campaign's next
// reconcile after that time.
func (w *world) recheckIn(c *clock, want time.Duration, when string) {
	w.t.Helper()
	next := w.campaignRecord(campaignID).NextAt
	if got := next.Sub(c.now()); got < want-5*time.Second || got > want+5*time.Second {
		w.t.Errorf("%s: the next reconcile is in %s, want %s", when, got, want)
	}
	stream, err := w.js.Stream(w.t.Context(), "TRIGGERS")
	w.must(err)
	schedule, err := stream.GetLastMsgForSubject(w.t.Context(), "assigner.schedule.recheck."+campaignID)
	w.must(err)
	pattern := schedule.Header.Get("Nats-Schedule")
	at, err := time.Parse(time.RFC3339, strings.TrimPrefix(pattern, "@at "))
	// The broker's clock is the real one.
	due := next.Add(-time.Until(c.now()))
	if err != nil || at.Before(due.Add(-10*time.Millisecond)) || at.Sub(due) > 2*time.Second {
		w.t.Errorf("%s: the broker has %q (%v), want the reconcile at %s", when, pattern, err, due)
	}
}

// The event that Telnyx sends at the end makes the number attached immediately, long
// before the next recheck.
func TestPendingNumber_IsAttachedByItsEvent(t *testing.T) {
	t.Parallel()
	const number, slow = "+15551234567", "+15551234568"
	w := newWorld(t, telnyxsim.Options{AssignDelay: telnyxsim.Never})
	w.stage(campaignID + ": " + number + " " + slow)
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	w.start()
	w.reaches(campaignID, ledger.Pending)
	w.idle()
	w.must(w.sim.AttachNumber(number, campaignID, telnyx.Assigned))
	w.must(w.sim.Emit(campaignID, telnyxsim.EventPhoneNumber, map[string]any{
		"campaignId": campaignID, "phoneNumber": number, "status": "success", "type": "ASSIGNMENT", "reasons": []string{},
	}))
	w.numberReaches(campaignID, number, ledger.Sendable)
	if n := w.number(campaignID, number); !strings.HasPrefix(n.Cause, "event 10dlc.phone_number.update") {
		t.Errorf("the cause is %q, want the event", n.Cause)
	}
	if rechecks := w.lastRecheck(campaignID); rechecks != 0 {
		t.Error("there was a recheck, so this proves nothing")
	}
	w.numberIs(campaignID, slow, ledger.Pending, "")
	w.attachedTo(campaignID, number, slow)
}
