package status_test

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/status"
	"greenlight/internal/testkit"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, testkit.ServerLeaks()...)
}

// noon is when the snapshots are taken.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// The campaigns of the mixed ledger.
const (
	springID = "751c6a5c-907b-43a9-8ada-ba1dc8335b07"
	autumnID = "C6X6M95"
	strayID  = "9b6cf3a4-0d51-4b44-8f2c-3c6a2f2b7a10"
	winterID = "4b300164-8c7a-4ad5-9b9c-6f3a35b9c1d2"
)

// mixedLedger has campaigns and numbers with every kind of problem, and two dead letters.
func mixedLedger(t *testing.T) jetstream.JetStream {
	t.Helper()
	js := testkit.JetStream(t, testkit.Embedded(t))
	must(t, events.EnsureStreams(t.Context(), js, 1))
	book, err := ledger.Create(t.Context(), js, 1)
	must(t, err)
	for _, c := range []ledger.Campaign{
		{
			ID: springID, TelnyxID: springID, TCRID: "C6X6M94", BrandID: "b", Planned: true, Plan: "spring-promo", PlanHash: "a1b2", PlanPlace: "config/plans/spring.yaml:3",
			Phase: ledger.PhaseApproved, Status: "MNO_PROVISIONED", Extras: 2, ExtraNumbers: []string{"+12125550188", "+12125550189"},
			Carriers: []ledger.Carrier{{Network: "10017", Name: "AT&T", Status: "APPROVED"}, {Network: "10035", Name: "T-Mobile", Status: "REVIEW"}},
			Since:    noon.Add(-90 * time.Minute), Cause: "event 10dlc.campaign.update (message 12)",
		},
		{
			ID: autumnID, TCRID: autumnID, Shared: true, Planned: true, Plan: "autumn-sale-of-the-whole-catalogue-2026", PlanHash: "a1b2",
			Phase: ledger.PhaseRejected, Status: "MNO_REJECTED", Detail: "Brand's website <script>alert(1)</script> could not be reached, and the sample messages do not match the use case that was declared (code 803)",
			Since: noon.Add(-50 * time.Hour), Cause: "resync (message 3)",
		},
		{
			ID: winterID, Planned: true, Plan: "winter", PlanHash: "a1b2", Phase: ledger.PhaseUnread, Reason: ledger.TelnyxUnavailable,
			Detail: "read campaign: dial tcp 127.0.0.1:1: connect: connection refused", Attempts: 3, NextAt: noon.Add(10 * time.Second), Since: noon.Add(-30 * time.Second),
		},
		{ID: strayID, Phase: ledger.PhaseApproved, Status: "MNO_PROVISIONED", Since: noon.Add(-time.Hour)},
	} {
		_, err := book.PutCampaign(t.Context(), ledger.CampaignEntry{}, c)
		must(t, err)
	}
	for _, n := range mixedNumbers() {
		n.PlanHash = "a1b2"
		_, err := book.PutNumber(t.Context(), ledger.NumberEntry{}, n)
		must(t, err)
	}
	for i := range 2 {
		must(t, events.NewPublisher(js).DeadLetter(t.Context(), events.DeadLetter{
			Origin: "webhook", Reason: "not_an_event", Detail: "no JSON", Attempts: 1, Key: fmt.Sprint("key-", i), Body: []byte("?"),
		}))
	}
	return js
}

func mixedNumbers() []ledger.Number {
	spring := func(number string, state ledger.State, since time.Duration) ledger.Number {
		return ledger.Number{Number: number, CampaignID: springID, Plan: "spring-promo", State: state, Since: noon.Add(-since)}
	}
	conflict := spring("+15551234571", ledger.Conflict, time.Hour)
	conflict.Reason, conflict.NeedsPerson, conflict.OtherCampaignID, conflict.Detail = ledger.OtherCampaign, true, "C000001", "ASSIGNED on campaign C000001"
	failed := spring("+15551234570", ledger.Failed, 20*time.Minute)
	failed.Reason, failed.NeedsPerson, failed.Tries.Refused, failed.NextAt = ledger.Rejected, true, 3, noon.Add(40*time.Minute)
	failed.Detail = "POST /10dlc/phone_number_campaigns: 422 10015 Bad Request: The phone number <b>+15551234570</b> cannot be used for \x1b[31mmessaging\x1b[0m\nin this country, ask https://support.telnyx.com/en/articles/10684260-an-article-with-a-name-that-is-longer-than-a-line"
	pending := spring("+15551234569", ledger.Pending, 90*time.Second)
	pending.Status, pending.ClaimedAt, pending.NextAt = "PENDING_ASSIGNMENT", noon.Add(-2*time.Minute), noon.Add(30*time.Second)
	due := spring("+15551234572", ledger.Planned, 3*time.Minute)
	due.Reason, due.Tries.Busy, due.NextAt, due.Detail = ledger.DormantRetry, 1, noon.Add(-time.Second), "The campaign was dormant"
	attached := spring("+15551234573", ledger.Attached, 26*time.Hour)
	attached.Detail = "Telnyx failed to take it off; it is still attached"
	numbers := []ledger.Number{
		spring("+15551234567", ledger.Sendable, time.Hour), spring("+15551234568", ledger.Sendable, time.Hour),
		pending, failed, conflict, due, attached,
	}
	for i := range 7 { // more than are shown one by one
		numbers = append(numbers, ledger.Number{
			Number: fmt.Sprintf("+1212555014%d", i), CampaignID: autumnID, Plan: "autumn-sale-of-the-whole-catalogue-2026", State: ledger.Planned,
			Reason: ledger.CampaignRejected, NeedsPerson: true, Detail: fmt.Sprint("rejected, ", i), Since: noon.Add(-50 * time.Hour),
		})
	}
	return append(numbers, ledger.Number{
		Number: "+12125550150", CampaignID: winterID, Plan: "winter", State: ledger.Planned, Reason: ledger.TelnyxUnavailable,
		Detail: "connection refused", Since: noon.Add(-30 * time.Second),
	})
}

// run returns a view that runs until the test ends.
func run(t *testing.T, js jetstream.JetStream) *status.View {
	t.Helper()
	view := status.NewView(status.ViewConfig{JetStream: js})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- view.Run(ctx) }()
	t.Cleanup(func() { stop(); must(t, <-ended) })
	return view
}

func read(t *testing.T, js jetstream.JetStream) status.Snapshot {
	t.Helper()
	snapshot, err := status.Read(t.Context(), js, noon)
	must(t, err)
	return snapshot
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
