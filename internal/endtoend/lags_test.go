package endtoend_test

import (
	"strings"
	"testing"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// Telnyx's answers may lag behind what it has taken. Each number is asked for once
// all the same, and the ledger ends up right by itself.
func TestLaggingReads_AttachOnceAndEndSendable(t *testing.T) {
	t.Parallel()
	const settle = 1500 * time.Millisecond
	for name, options := range map[string]telnyxsim.Options{
		"lists, longer than a pass":             {Dialect: telnyxsim.Dialect{ListLag: 400 * time.Millisecond}},
		"lists, longer than a request settles":  {Dialect: telnyxsim.Dialect{ListLag: time.Minute}},
		"reads, longer than a pass":             {Dialect: telnyxsim.Dialect{ReadLag: 400 * time.Millisecond}},
		"reads, nearly until a request settles": {Dialect: telnyxsim.Dialect{ReadLag: settle - 200*time.Millisecond}, AssignDelay: 200 * time.Millisecond},
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
// has taken. Greenlight asks again, ever more seldom, which changes nothing, and
// believes the record once there is one.
func TestRecordThatDoesNotShow_IsAskedForEverMoreSeldom(t *testing.T) {
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
			clock.pass(25 * time.Second)
			w.look(campaignID)
			w.posted(number, 1) // it may still be under way
			const looks = 48
			for range looks {
				clock.pass(5 * time.Minute)
				w.look(campaignID)
			}
			if posts := w.posts()[number]; posts < 2 || posts > 12 {
				t.Errorf("%d requests in four hours and %d looks, want a few", posts, looks)
			}
			w.must(w.sim.AttachNumber(number, campaignID, telnyx.Assigned)) // now it shows
			w.look(campaignID)
			w.numberIs(campaignID, number, ledger.Sendable, "")
			w.attachedTo(campaignID, number)
		})
	}
}

// A failed record of before may be what reads show for a while. It is no news about
// the request that was sent since.
func TestOldFailure_IsNotTakenForANewOne(t *testing.T) {
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
				t.Error("the old failure was told as a new one")
			}
		})
	}
}
