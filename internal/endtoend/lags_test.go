package endtoend_test

import (
	"strings"
	"testing"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// Telnyx's reads may lag behind its writes. Each number is still requested once, and the
// ledger becomes correct unattended.
func TestLaggingReads_AttachOnceAndEndSendable(t *testing.T) {
	t.Parallel()
	const settle = 5 * time.Second
	for name, options := range map[string]telnyxsim.Options{
		"lists, longer than a reconcile":        {Dialect: telnyxsim.Dialect{ListLag: 400 * time.Millisecond}},
		"lists, longer than a request settles":  {Dialect: telnyxsim.Dialect{ListLag: time.Minute}},
		"reads, longer than a reconcile":        {Dialect: telnyxsim.Dialect{ReadLag: 400 * time.Millisecond}},
		"reads, nearly until a request settles": {Dialect: telnyxsim.Dialect{ReadLag: settle - time.Second}, AssignDelay: 200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options)
			w.config.Settle = settle
			w.stage(campaignID + ": " + numbers)
			w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
			w.start()
			w.reaches(campaignID, ledger.Sendable)
			w.idle()
			w.attachedTo(campaignID, strings.Fields(numbers)...)
			w.onePost(campaignID)
			if letters := w.deadLetters(); len(letters) != 0 {
				t.Errorf("%d dead letters, want none", len(letters))
			}
		})
	}
}

// For hours, far longer than a request takes to settle, no read shows what Telnyx
// has accepted. Greenlight repeats the request less and less often, which changes nothing,
// and accepts the record once there is one.
func TestMissingRecord_IsRequestedLessAndLessOften(t *testing.T) {
	t.Parallel()
	const number = "+15551234567"
	for name, dialect := range map[string]telnyxsim.Dialect{
		"a repeated request is answered": {},
		"a repeated request is refused":  {RefuseRepeats: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, telnyxsim.Options{Dialect: telnyxsim.Merge(dialect, telnyxsim.Dialect{ReadLag: time.Hour})})
			clock := w.movableClock()
			w.config.Settle = 30 * time.Second
			w.stage(campaignID + ": " + number)
			w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
			w.start()
			w.numberReaches(campaignID, number, ledger.Pending)
			w.idle()
			clock.advance(25 * time.Second)
			w.reconcile(campaignID)
			w.posted(number, 1) // it may still be in flight
			const reconciles = 24
			for range reconciles {
				clock.advance(10 * time.Minute)
				w.reconcile(campaignID)
			}
			if posts := w.posts()[number]; posts < 2 || posts > 12 {
				t.Errorf("%d requests in four hours and %d reconciles, want a few", posts, reconciles)
			}
			w.must(w.sim.AttachNumber(number, campaignID, telnyx.Assigned)) // now reads show it
			w.reconcile(campaignID)
			w.numberIs(campaignID, number, ledger.Sendable, "")
			w.attachedTo(campaignID, number)
		})
	}
}

// Reads may show an older failed record for a while. It says nothing about the request that
// was sent since.
func TestOldFailure_IsNotReportedAsANewOne(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]telnyxsim.Options{
		"lists lag": {Dialect: telnyxsim.Dialect{ListLag: time.Hour}},
		"reads lag": {Dialect: telnyxsim.Dialect{ReadLag: 700 * time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const number = "+15551234567"
			w := newWorld(t, options)
			w.stage(campaignID + ": " + number)
			w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
			w.must(w.sim.AttachNumber(number, campaignID, telnyx.FailedAssignment, "an old story"))
			w.start()
			w.numberReaches(campaignID, number, ledger.Sendable)
			w.attachedTo(campaignID, number)
			w.posted(number, 1)
			if w.logged(string(ledger.CarrierFailed)) > 0 {
				t.Error("the old failure was reported as a new one")
			}
		})
	}
}
