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
	"greenlight/internal/webhook"
)

// A campaign with five numbers is approved while eight campaigns with hundreds of numbers
// each are being attached, more than the number of concurrent calls.
func TestPace_ASmallCampaignIsNotStuckBehindLargeOnes(t *testing.T) {
	t.Parallel()
	const large, each, small = 8, 400, "51515151-907b-43a9-8ada-ba1dc8335b07"
	w := newWorld(t, telnyxsim.Options{AssignDelay: telnyxsim.Never, Latency: 5 * time.Millisecond, MaxNumbersPerCampaign: each})
	w.config.Telnyx.Limiter = telnyx.NewLimiter(telnyx.LimiterConfig{Ceiling: 400, Concurrency: 8})
	w.config.Concurrency = 4
	all := many(large*each + 5)
	w.own(all...)
	var yaml strings.Builder
	yaml.WriteString("version: 1\ncampaigns:\n")
	for i := range large {
		id := fmt.Sprintf("%08d-907b-43a9-8ada-ba1dc8335b07", i)
		w.sim.AddCampaign(telnyxsim.Campaign{ID: id, CampaignStatus: telnyx.CampaignMNOProvisioned})
		fmt.Fprintf(&yaml, "- name: large-%d\n  campaign_id: %s\n  max_numbers: %d\n  numbers: [%s]\n",
			i, id, each, strings.Join(all[i*each:(i+1)*each], ", "))
	}
	five := all[large*each:]
	fmt.Fprintf(&yaml, "- name: small\n  campaign_id: %s\n  numbers: [%s]\n", small, strings.Join(five, ", "))
	w.plan(yaml.String())
	w.sim.AddCampaign(telnyxsim.Campaign{ID: small, CampaignStatus: telnyx.CampaignMNOPending, WebhookURL: w.hook.URL + webhook.Path})
	w.start()
	w.eventually("the large ones have started", func() (bool, string) {
		return len(w.sim.Writes()) > 100, fmt.Sprint(len(w.sim.Writes()))
	})
	w.must(w.sim.Approve(small))
	before := len(w.sim.Writes())
	w.reaches(small, ledger.Pending)
	writes := w.sim.Writes()
	last := 0
	for i, write := range writes {
		if write.CampaignID == small {
			last = i
		}
	}
	// The campaigns take turns: five rounds for the requests, and about five for the reads.
	if between := last - before; between > 20*large {
		t.Errorf("%d requests were sent before the small campaign's five were, want at most %d", between, 20*large)
	}
	if len(writes) >= large*each {
		t.Error("the large ones were done as well, so this proves nothing")
	}
	t.Logf("%d requests for large campaigns until the small one was done", last-before-4)
}

// 429 slows all requests and is not counted against any number.
func TestPace_TooManyRequestsAreWaitedOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{RateLimit: 40})
	w.config.Telnyx.Limiter = telnyx.NewLimiter(telnyx.LimiterConfig{Ceiling: 40, Concurrency: 8})
	clock := w.movableClock()
	w.sim.Inject(telnyxsim.Fault{Method: http.MethodPost, Times: 2, Kind: telnyxsim.RateLimited(time.Second)})
	numbers := many(30)
	w.stageMany(campaignID, telnyx.CampaignMNOProvisioned, numbers)
	w.start()
	w.eventually("all are sendable but those that were refused", func() (bool, string) {
		sendable, refused := 0, 0
		for _, n := range w.numbersOf(campaignID) {
			switch {
			case n.State == ledger.Sendable:
				sendable++
			case n.Reason == ledger.RateLimited:
				refused++
			}
		}
		return refused > 0 && sendable+refused == len(numbers), fmt.Sprintf("%d and %d", sendable, refused)
	})
	clock.advance(time.Minute)
	w.recheck(campaignID)
	w.sendable(campaignID, numbers)
	refused := 0
	for _, write := range w.sim.Writes() {
		if write.AnswerStatus == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused < 2 || refused > 8 {
		t.Errorf("%d requests were answered 429, want the two and the few that were in flight", refused)
	}
	w.attachedOnce(numbers...)
}
