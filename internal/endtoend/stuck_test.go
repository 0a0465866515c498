package endtoend_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// Telnyx answers every request with 500 for days. Greenlight must slow down, report the
// number as stuck, retry once an hour, and recover.
func TestServerErrors_EndAsStuckAndRecover(t *testing.T) {
	t.Parallel()
	const number = "+15551234567"
	w := newWorld(t, telnyxsim.Options{})
	// The assigner's clock stops between reconciles. Otherwise, on a slow machine, the next
	// try would be due before the test can check that it is not made too soon.
	began, passed := time.Now(), atomic.Int64{}
	w.config.Now = func() time.Time { return began.Add(time.Duration(passed.Load())) }
	w.stage(campaignID + ": " + number)
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	w.sim.Inject(telnyxsim.Fault{
		Method: "POST", Times: -1, Kind: telnyxsim.StatusFault(500, `{"errors":[{"code":"10007","title":"Unexpected error"}]}`),
	})
	w.start()
	// after advances the clock and reconciles, like the assigner's own recheck.
	after := func(d time.Duration) {
		passed.Add(int64(d))
		w.must(events.NewPublisher(w.js).Trigger(t.Context(), events.KindRecheck, campaignID))
	}
	var last ledger.Number
	for tries := 1; tries <= 12; tries++ {
		reason := ledger.TelnyxUnavailable
		if tries == 12 {
			reason = ledger.Stuck
		}
		w.eventually(fmt.Sprintf("try %d", tries), func() (bool, string) {
			last = w.number(campaignID, number)
			return triesOf(last) == tries && last.Reason == reason, fmt.Sprintf("%+v", last)
		})
		w.idle()
		after(time.Second) // too soon: nothing may be sent
		w.idle()
		if posts := w.posts()[number]; posts != tries {
			t.Fatalf("%d requests after %d tries", posts, tries)
		}
		if reason != ledger.Stuck {
			after(2 * time.Hour)
		}
	}
	w.eventually("stuck", func() (bool, string) {
		last = w.number(campaignID, number)
		return last.State == ledger.Attaching && last.Reason == ledger.Stuck && last.NeedsPerson, fmt.Sprintf("%+v", last)
	})
	if !strings.Contains(last.Detail, "10007") || !last.NextAt.After(w.config.Now()) {
		t.Errorf("got %+v, want Telnyx's words and the time of the next try", last)
	}
	if !strings.Contains(w.log.String(), `"level":"warn"`) {
		t.Error("no alarm in the log")
	}

	w.sim.ClearFaults()
	after(2 * time.Hour)
	w.numberReaches(campaignID, number, ledger.Sendable)
	if n := w.number(campaignID, number); triesOf(n) != 0 || n.Reason != "" {
		t.Errorf("got %+v, want a clean slate", n)
	}
}

// A stuck number is tried once an hour for as long as it takes. One warning is enough.
func TestStuckNumber_IsTriedHourlyWithOneWarning(t *testing.T) {
	t.Parallel()
	const number = "+15551234567"
	for name, tt := range map[string]struct {
		kind  telnyxsim.FaultKind
		state ledger.State
	}{
		"the request is refused":    {refusal(422, "10036", "Resource is being processed", ""), ledger.Planned},
		"the answers say 502 alone": {telnyxsim.HTML502(), ledger.Attaching},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, telnyxsim.Options{})
			clock := w.movableClock()
			w.stage(campaignID + ": " + number)
			w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
			w.sim.Inject(telnyxsim.Fault{Method: "POST", Times: -1, Kind: tt.kind})
			w.start()
			w.posted(number, 1)
			w.idle() // the result must be recorded before time passes
			for tries := 1; tries < 12; tries++ {
				clock.advance(2 * time.Hour)
				w.reconcile(campaignID)
				w.posted(number, tries+1)
			}
			w.numberIs(campaignID, number, tt.state, ledger.Stuck)
			for tries := 13; tries < 18; tries++ {
				clock.advance(61 * time.Minute)
				w.reconcile(campaignID)
				w.posted(number, tries)
				if n := w.number(campaignID, number); n.Reason != ledger.Stuck || n.Detail == "" || !n.NextAt.After(clock.now()) {
					t.Errorf("after try %d: got %+v, want it stuck still, with Telnyx's words and the time of the next try", tries, n)
				}
			}
			if warned := w.logged(`"level":"warn"`, number, string(ledger.Stuck)); warned != 1 {
				t.Errorf("%d warnings, want one", warned)
			}
			w.sim.ClearFaults()
			clock.advance(61 * time.Minute)
			w.reconcile(campaignID)
			w.numberIs(campaignID, number, ledger.Sendable, "")
			w.attachedOnce(number)
		})
	}
}
