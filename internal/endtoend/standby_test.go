package endtoend_test

import (
	"fmt"
	"testing"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// The plan moves a number to another campaign while a request for the first is in flight.
// Telnyx does not show it yet, and the claims have two keys. Only the first campaign's
// claim prevents requests for both.
func TestNumberMovedInThePlan_WaitsForTheRequestInFlight(t *testing.T) {
	t.Parallel()
	const other, moved = "11111111-907b-43a9-8ada-ba1dc8335b07", "+15551234567"
	w := newWorld(t, telnyxsim.Options{})
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	w.campaign(other, telnyx.CampaignMNOProvisioned)
	w.stage(campaignID + ": " + moved)
	w.sim.Inject(telnyxsim.Fault{Method: "POST", PathPrefix: "/10dlc/phone_number_campaigns", Kind: telnyxsim.Hang()})
	w.start()
	w.reaches(campaignID, ledger.Attaching)
	w.stage(other + ": " + moved)
	w.nudge(other)
	w.eventually("the other campaign waits", func() (bool, string) {
		n := w.number(other, moved)
		return n.State == ledger.Planned && n.Reason == ledger.BeingProcessed, fmt.Sprintf("%+v", n)
	})
	w.reaches(other, ledger.Sendable)
	w.attachedOnce(moved)
}

func TestStandby_TakesOverAndWritesNothingTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{Latency: 20 * time.Millisecond})
	var planned string
	for i := range 45 {
		planned += fmt.Sprintf(" +1212555%04d", i)
	}
	w.config.Concurrency = 1
	w.stage(campaignID + ":" + planned)
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	stopFirst := w.start()
	w.start()
	w.eventually("some numbers are attached", func() (bool, string) { return len(w.posts()) >= 5, fmt.Sprint(len(w.posts())) })
	stopFirst()
	if done := len(w.posts()); done == 45 {
		t.Fatal("the first assigner did it all, so this proves nothing")
	}
	w.reaches(campaignID, ledger.Sendable)
	w.onePost(campaignID)
}
