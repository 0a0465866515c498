package endtoend_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// many returns that many numbers.
func many(count int) []string {
	numbers := make([]string, count)
	for i := range numbers {
		numbers[i] = fmt.Sprintf("+1212%07d", 5550000+i)
	}
	return numbers
}

// stageMany plans one campaign with room for all of the numbers.
func (w *world) stageMany(id string, status telnyx.CampaignStatus, numbers []string) {
	w.t.Helper()
	for _, number := range numbers {
		w.sim.AddNumbers(telnyxsim.Number{PhoneNumber: number, MessagingProfileID: profileID})
	}
	w.sim.AddCampaign(telnyxsim.Campaign{ID: id, CampaignStatus: status, WebhookURL: w.hook.URL + "/webhooks/telnyx", MaxNumbers: len(numbers)})
	w.plan(fmt.Sprintf("version: 1\ncampaigns:\n- name: many\n  campaign_id: %s\n  max_numbers: %d\n  numbers: [%s]\n",
		id, len(numbers), strings.Join(numbers, ", ")))
}

// callsSince counts the requests to Telnyx by route since the earlier counts.
func (w *world) callsSince(before map[string]int) (byRoute map[string]int, total int) {
	byRoute = map[string]int{}
	for route, count := range w.sim.Calls() {
		if made := count - before[route]; made > 0 {
			byRoute[route] = made
			total += made
		}
	}
	return byRoute, total
}

func TestCost_OfAttachingIsACallANumberAndFewMore(t *testing.T) {
	t.Parallel()
	for _, count := range []int{1, 49, sized(400)} {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, telnyxsim.Options{AssignDelay: telnyxsim.Never})
			w.stageMany(campaignID, telnyx.CampaignMNOProvisioned, many(count))
			w.start()
			w.reaches(campaignID, ledger.Pending)
			w.idle()
			byRoute, total := w.callsSince(nil)
			if most := count + count/100 + 10; total > most {
				t.Errorf("attaching %d numbers took %d calls, want at most %d: %v", count, total, most, byRoute)
			}
			t.Logf("%d numbers, %d calls: %v", count, total, byRoute)
			w.onePost(campaignID)
		})
	}
}

// Thousands of carrier events must not cost much more, although each event may cause a
// reconcile and each reconcile reads all numbers.
func TestCost_OfAStormOfEventsIsBounded(t *testing.T) {
	const count = 250
	w := newWorld(t, telnyxsim.Options{AssignDelay: 100 * time.Millisecond, MappingDelay: 100 * time.Millisecond, MappingGap: 100 * time.Millisecond})
	w.stageMany(campaignID, telnyx.CampaignMNOProvisioned, many(count))
	w.start()
	w.reaches(campaignID, ledger.Sendable)
	w.idle()
	byRoute, total := w.callsSince(nil)
	delivered := len(w.sim.Deliveries())
	t.Logf("%d numbers, %d events, %d calls: %v", count, delivered, total, byRoute)
	if delivered < 3*count {
		t.Errorf("got only %d events", delivered)
	}
	if reads := total - count; reads > count/10 {
		t.Errorf("%d calls beside the %d requests to attach, want a tenth at most: %v", reads, count, byRoute)
	}
}

func TestCost_OfAResyncOfAttachedNumbersIsOneList(t *testing.T) {
	t.Parallel()
	count := sized(1499) // six pages; one more is read after a full last one
	w := newWorld(t, telnyxsim.Options{MaxNumbersPerCampaign: count})
	numbers := many(count)
	w.stageMany(campaignID, telnyx.CampaignMNOProvisioned, numbers)
	for _, number := range numbers {
		w.must(w.sim.AttachNumber(number, campaignID, telnyx.Assigned))
	}
	w.start()
	w.reaches(campaignID, ledger.Sendable)
	w.idle()
	before, records := w.sim.Calls(), w.lastWrite()
	w.must(events.NewPublisher(w.js).Trigger(t.Context(), events.KindResync, ""))
	w.eventually("the resync", func() (bool, string) {
		_, total := w.callsSince(before)
		return total > 0, "no call"
	})
	w.idle()
	byRoute, total := w.callsSince(before)
	if pages := (count + 249) / 250; total > pages+1 {
		t.Errorf("took %d calls, want the campaign and %d pages: %v", total, pages, byRoute)
	}
	if len(w.sim.Writes()) > 0 || w.lastWrite() != records {
		t.Errorf("%d writes at Telnyx and %d in the ledger, want none", len(w.sim.Writes()), w.lastWrite()-records)
	}
}

// BenchmarkResync does the same with 10,000 campaigns.
func TestCost_OfWaitingCampaignsIsTheirBrandsLists(t *testing.T) {
	t.Parallel()
	const brands = 4
	count := sized(300)
	w := newWorld(t, telnyxsim.Options{})
	var yaml strings.Builder
	yaml.WriteString("version: 1\ncampaigns:\n")
	id := func(i int) string { return fmt.Sprintf("campaign-%05d", i) }
	for i, number := range many(count) {
		w.sim.AddCampaign(telnyxsim.Campaign{ID: id(i), BrandID: fmt.Sprintf("brand-%d", i%brands), CampaignStatus: telnyx.CampaignMNOPending})
		fmt.Fprintf(&yaml, "- name: plan-%d\n  campaign_id: %s\n  numbers: [%s]\n", i, id(i), number)
	}
	w.plan(yaml.String())
	w.start()
	all := func() (bool, string) {
		campaigns, err := w.book.Campaigns(t.Context())
		w.must(err)
		waiting := 0
		for _, entry := range campaigns {
			if entry.Campaign.Phase == ledger.PhaseInReview {
				waiting++
			}
		}
		return waiting == count, fmt.Sprint(waiting)
	}
	w.eventually("all are known", all)
	w.idle()
	// At start the assigner lists the brands, the campaigns of each, and Telnyx's log of
	// failed deliveries. The carriers of a few campaigns are read, and their names once, or
	// again if that takes more than a second.
	const carriers = 20
	byRoute, total := w.callsSince(nil)
	total -= byRoute["GET /10dlc/campaign/{campaignId}/mnoMetadata"]
	t.Logf("start: %d calls: %v", total, byRoute)
	if total > 2+brands+carriers {
		t.Errorf("the start took %d calls, want %d at most: %v", total, 2+brands+carriers, byRoute)
	}

	// A resync finds the one that was approved, whose notification was lost.
	before := w.sim.Calls()
	number := many(78)[77]
	w.sim.AddNumbers(telnyxsim.Number{PhoneNumber: number, MessagingProfileID: profileID})
	w.must(w.sim.SetCampaignStatus(id(77), telnyx.CampaignMNOProvisioned))
	w.must(events.NewPublisher(w.js).Trigger(t.Context(), events.KindResync, ""))
	w.numberReaches(id(77), number, ledger.Pending)
	w.idle()
	byRoute, total = w.callsSince(before)
	t.Logf("resync: %d calls: %v", total, byRoute)
	if total > brands+10 {
		t.Errorf("the resync took %d calls, want %d at most: %v", total, brands+10, byRoute)
	}
	w.onePost(id(77))
}
