package endtoend_test

import (
	"strings"
	"testing"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// While the webhook cannot be reached, Telnyx gives up on the event that says that a
// campaign was approved. The assigner finds it in Telnyx's log of deliveries, and does not
// wait for the resync.
func TestOutage_ReconcilesTheCampaignsOfFailedDeliveries(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{RetryInterval: 10 * time.Millisecond})
	w.config.FailuresEvery = 50 * time.Millisecond
	const other = "851c6a5c-907b-43a9-8ada-ba1dc8335b07"
	w.stage(campaignID+": +12125550100", other+": +12125550101")
	w.campaign(campaignID, telnyx.CampaignMNOPending)
	w.campaign(other, telnyx.CampaignMNOPending)
	w.start()
	w.phase(campaignID, ledger.PhaseInReview)
	w.phase(other, ledger.PhaseInReview)
	w.idle()

	w.hook.Close()
	w.must(w.sim.Approve(campaignID))
	w.reaches(campaignID, ledger.Sendable)
	w.onePost(campaignID)
	if got := w.campaignRecord(campaignID); !strings.HasPrefix(got.Cause, "delivery of 10dlc.") || !strings.Contains(got.Cause, " failed (event ") {
		t.Errorf("got cause %q, want the failed delivery", got.Cause)
	}
	if got := w.campaignRecord(other).Cause; !strings.HasPrefix(got, "resync") {
		t.Errorf("got cause %q for the other campaign, want none but the first resync", got)
	}
}
