package endtoend_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

func TestZZ_FirstPost(t *testing.T) {
	const latency = 150 * time.Millisecond
	w := newWorld(t, telnyxsim.Options{AssignDelay: telnyxsim.Never, Latency: latency})
	w.sim.DropDeliveries(true)
	w.stage(campaignID + ": " + numbers)
	w.campaign(campaignID, telnyx.CampaignMNOPending)
	w.start()
	w.phase(campaignID, ledger.PhaseInReview)
	w.idle()
	before := w.sim.Calls()
	w.must(w.sim.SetCampaignStatus(campaignID, telnyx.CampaignMNOProvisioned))
	w.post(verified("one-event", campaignID), http.StatusOK)
	at := time.Now()
	w.reaches(campaignID, ledger.Pending)
	for _, write := range w.sim.Writes() {
		t.Logf("%s %s after %s", write.Method, write.PhoneNumber, write.At.Sub(at))
	}
	by, _ := w.callsSince(before)
	t.Log(by)
}

func TestZZ_Resync500(t *testing.T) {
	w := newWorld(t, telnyxsim.Options{MaxNumbersPerCampaign: 1000})
	w.config.Telnyx.Limiter = telnyx.NewLimiter(telnyx.LimiterConfig{Ceiling: 200, Concurrency: 8})
	var yaml strings.Builder
	yaml.WriteString("version: 1\ncampaigns:\n")
	all := many(20000)
	for i := range 500 {
		id := fmt.Sprintf("%08d-907b-43a9-8ada-ba1dc8335b07", i)
		w.sim.AddCampaign(telnyxsim.Campaign{ID: id, CampaignStatus: telnyx.CampaignMNOProvisioned})
		fmt.Fprintf(&yaml, "- name: c-%d\n  campaign_id: %s\n  max_numbers: 400\n  numbers: [%s]\n", i, id, strings.Join(all[i*40:(i+1)*40], ", "))
	}
	for _, n := range all {
		w.sim.AddNumbers(telnyxsim.Number{PhoneNumber: n, MessagingProfileID: profileID})
	}
	for i, n := range all {
		w.must(w.sim.AttachNumber(n, fmt.Sprintf("%08d-907b-43a9-8ada-ba1dc8335b07", i/40), telnyx.Assigned))
	}
	w.plan(yaml.String())
	at := time.Now()
	w.start()
	w.eventuallyWithin(3*time.Minute, "all", func() (bool, string) {
		stream, err := w.js.Stream(t.Context(), "KV_NUMBERS")
		w.must(err)
		return stream.CachedInfo().State.Msgs >= 20000, fmt.Sprint(stream.CachedInfo().State.Msgs)
	})
	t.Logf("all recorded after %s", time.Since(at))
	w.idle()
	by, total := w.callsSince(nil)
	t.Log(total, by)
}
