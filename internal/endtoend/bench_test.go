package endtoend_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// BenchmarkApproval measures the time from the webhook's 200 to a VERIFIED notification
// until the first attach request reaches Telnyx. The metric ours/reference compares it
// with the same reads and request, made one after another by a bare client.
func BenchmarkApproval(b *testing.B) {
	for _, latency := range []time.Duration{5 * time.Millisecond, 150 * time.Millisecond} {
		b.Run(latency.String(), func(b *testing.B) { benchmarkApproval(b, latency) })
	}
}

// benchmarkApproval measures it with the given latency of every answer from Telnyx. The
// metric roundtrips is the median in units of that latency.
func benchmarkApproval(b *testing.B, latency time.Duration) {
	w := newWorld(b, telnyxsim.Options{AssignDelay: telnyxsim.Never, Latency: latency})
	id := func(i int) string { return fmt.Sprintf("%08d-907b-43a9-8ada-ba1dc8335b07", i) }
	var staged []string
	for i, number := range many(b.N + 1) {
		staged = append(staged, id(i)+": "+number)
		w.sim.AddCampaign(telnyxsim.Campaign{ID: id(i), CampaignStatus: telnyx.CampaignMNOPending})
	}
	w.stage(staged...)
	w.start()
	w.eventually("every campaign was reconciled", func() (bool, string) {
		known, err := w.book.Campaigns(b.Context())
		w.must(err)
		return len(known) == b.N+1, fmt.Sprint(len(known))
	})
	w.idle()

	var took, bare []time.Duration
	b.ResetTimer()
	for i := range b.N {
		w.must(w.sim.SetCampaignStatus(id(i), telnyx.CampaignMNOProvisioned))
		w.post(verifiedEvent(i, id(i)), http.StatusOK)
		answered := time.Now()
		var arrived time.Time
		for arrived.IsZero() {
			if writes := w.sim.Writes(); len(writes) > i {
				arrived = writes[i].At
			}
			time.Sleep(50 * time.Microsecond) // between two polls
		}
		took = append(took, arrived.Sub(answered))
		bare = append(bare, w.bareRequests(b, id(b.N), many(b.N + 1)[b.N]))
	}
	slices.Sort(took)
	slices.Sort(bare)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(bare[len(bare)/2].Microseconds())/1000, "reads-p50-ms")
	b.ReportMetric(float64(took[len(took)/2])/float64(bare[len(bare)/2]), "ours/reference")
	b.ReportMetric(float64(took[len(took)/2])/float64(latency), "roundtrips")
}

// bareRequests makes only the reads that precede an attach request.
func (w *world) bareRequests(b *testing.B, id, number string) time.Duration {
	client := &telnyx.Client{APIKey: apiKey, BaseURL: w.api.URL + "/v2"}
	started := time.Now()
	_, err := client.Campaign(b.Context(), telnyx.CampaignID(id))
	w.must(err)
	_, err = client.AssignmentsOn(b.Context(), telnyx.Campaign{CampaignID: telnyx.CampaignID(id)})
	w.must(err)
	if _, err = client.Assignment(b.Context(), number); !telnyx.IsNotFound(err) {
		b.Fatal(err)
	}
	_, err = client.Numbers(b.Context(), []string{number})
	w.must(err)
	return time.Since(started)
}

// verifiedEvent is the body of a VERIFIED notification.
func verifiedEvent(i int, campaignID string) []byte {
	return fmt.Appendf(nil, `{"data":{"event_type":"10dlc.campaign.update","id":"verified-%d","occurred_at":"2026-08-07T17:22:37.328+00:00",`+
		`"payload":{"campaignId":%q,"type":"VERIFIED"},"record_type":"event"},"meta":{"attempt":1}}`, i, campaignID)
}

// BenchmarkAttach measures the pace at a limit of 20 calls a second and 150 ms latency.
// The metric time/ideal divides the time by a twentieth of a second per number.
func BenchmarkAttach(b *testing.B) {
	const perSecond = 20
	for b.Loop() {
		w := newWorld(b, telnyxsim.Options{AssignDelay: telnyxsim.Never, Latency: 150 * time.Millisecond})
		w.config.Telnyx.Limiter = telnyx.NewLimiter(telnyx.LimiterConfig{Ceiling: perSecond, Concurrency: 8})
		const count = 300
		w.stageMany(campaignID, telnyx.CampaignMNOProvisioned, many(count))
		stop := w.start()
		w.eventually("all requested", func() (bool, string) {
			return len(w.posts()) == count, fmt.Sprint(len(w.posts()))
		})
		stop()
		writes := w.sim.Writes()
		took := writes[count-1].At.Sub(writes[0].At)
		ideal := time.Duration(count-1) * time.Second / perSecond
		b.ReportMetric(float64(took)/float64(ideal), "time/ideal")
		b.ReportMetric(0, "ns/op")
	}
}

// BenchmarkResync measures a resync of 10,000 waiting campaigns of four brands, in
// calls to Telnyx and in time.
func BenchmarkResync(b *testing.B) {
	const count, brands = 10_000, 4
	w := newWorld(b, telnyxsim.Options{})
	var yaml strings.Builder
	yaml.WriteString("version: 1\ncampaigns:\n")
	for i, number := range many(count) {
		id := fmt.Sprintf("campaign-%05d", i)
		w.sim.AddCampaign(telnyxsim.Campaign{ID: id, BrandID: fmt.Sprintf("brand-%d", i%brands), CampaignStatus: telnyx.CampaignMNOPending})
		fmt.Fprintf(&yaml, "- name: plan-%d\n  campaign_id: %s\n  numbers: [%s]\n", i, id, number)
	}
	w.plan(yaml.String())
	w.start()
	w.eventually("all are known", func() (bool, string) {
		campaigns, err := w.book.Campaigns(b.Context())
		w.must(err)
		return len(campaigns) == count && campaigns[count-1].Campaign.Phase == ledger.PhaseInReview, fmt.Sprint(len(campaigns))
	})
	w.idle()
	before := w.sim.Calls()
	for b.Loop() {
		w.must(events.NewPublisher(w.js).Trigger(b.Context(), events.KindResync, ""))
		w.idle()
	}
	_, total := w.callsSince(before)
	b.ReportMetric(float64(total)/float64(b.N), "calls/op")
}

// BenchmarkFirstResync measures the first start with 500 campaigns and 20,000 numbers
// that are attached already, at 200 calls a second. The metric time/ideal compares it
// with the time that the limit allows for the calls that were made.
func BenchmarkFirstResync(b *testing.B) {
	const campaigns, each, perSecond = 500, 40, 200
	for b.Loop() {
		w := newWorld(b, telnyxsim.Options{})
		w.config.Telnyx.Limiter = telnyx.NewLimiter(telnyx.LimiterConfig{Ceiling: perSecond, Concurrency: 8})
		var yaml strings.Builder
		yaml.WriteString("version: 1\ncampaigns:\n")
		for i, numbers := range slices.Collect(slices.Chunk(many(campaigns*each), each)) {
			id := fmt.Sprintf("campaign-%05d", i)
			w.sim.AddCampaign(telnyxsim.Campaign{ID: id, BrandID: "brand-1", CampaignStatus: telnyx.CampaignMNOProvisioned})
			for _, number := range numbers {
				w.sim.AddNumbers(telnyxsim.Number{PhoneNumber: number, MessagingProfileID: profileID})
				w.must(w.sim.AttachNumber(number, id, telnyx.Assigned))
			}
			fmt.Fprintf(&yaml, "- name: plan-%d\n  campaign_id: %s\n  numbers: [%s]\n", i, id, strings.Join(numbers, ", "))
		}
		w.plan(yaml.String())
		began := time.Now()
		stop := w.start()
		w.eventually("all are known", func() (bool, string) {
			records := w.lastWrite()
			return records >= campaigns*each, fmt.Sprint(records)
		})
		took := time.Since(began)
		stop()
		_, calls := w.callsSince(nil)
		b.ReportMetric(float64(took)/(float64(calls)*float64(time.Second)/perSecond), "time/ideal")
		b.ReportMetric(float64(calls), "calls")
		b.ReportMetric(took.Seconds(), "s")
		b.ReportMetric(0, "ns/op")
	}
}

// BenchmarkTakeover measures the time from the SIGKILL of the active assigner until
// another one calls Telnyx.
func BenchmarkTakeover(b *testing.B) {
	var took []float64
	for b.Loop() {
		w := newWorld(b, telnyxsim.Options{})
		workers := w.startWorkers(2)
		first := w.inTheMiddle(workers)
		w.must(first.command.Process.Kill())
		killed := time.Now()
		w.anotherTakesOver(first, workers)
		took = append(took, time.Since(killed).Seconds())
	}
	b.ReportMetric(slices.Max(took), "most-s")
	b.ReportMetric(0, "ns/op")
}
