package endtoend_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
	"greenlight/internal/webhook"
)

// verified is the body of a VERIFIED notification.
func verified(eventID, campaignID string, attempt ...int) []byte {
	number := 1
	if len(attempt) > 0 {
		number = attempt[0]
	}
	return fmt.Appendf(nil, `{
  "data": {
    "event_type": "10dlc.campaign.update",
    "id": %q,
    "occurred_at": "2024-08-07T17:22:37.328+00:00",
    "payload": {"brandId": "b", "campaignId": %q, "type": "VERIFIED", "isTMobileRegistered": true},
    "record_type": "event"
  },
  "meta": {"attempt": %d, "delivered_to": "https://example.com"}
}`, eventID, campaignID, number)
}

// post signs a body, posts it to the webhook and checks the answer's status.
func (w *world) post(body []byte, want int) {
	w.t.Helper()
	request, err := http.NewRequest(http.MethodPost, w.hook.URL+webhook.Path, bytes.NewReader(body))
	if err != nil {
		w.t.Error(err)
		return
	}
	request.Header = w.sim.SignedHeader(time.Now(), body)
	answer, err := w.hook.Client().Do(request)
	if err != nil {
		w.t.Error(err)
		return
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != want {
		w.t.Errorf("posted %.80s: got %d %s, want %d", body, answer.StatusCode, text, want)
	}
}

// nudge requests a reconcile of a campaign, as a person would.
func (w *world) nudge(campaignID string) {
	w.t.Helper()
	w.must(events.NewPublisher(w.js).Trigger(w.t.Context(), events.KindCampaign, campaignID))
}

// hookCalls counts the notifications in the stream.
func (w *world) hookCalls() int {
	w.t.Helper()
	stream, err := w.js.Stream(w.t.Context(), events.StreamEvents)
	w.must(err)
	info, err := stream.Info(w.t.Context(), jetstream.WithSubjectFilter("telnyx.event.>"))
	w.must(err)
	return len(info.State.Subjects)
}

func (w *world) deadLetters() []*jetstream.RawStreamMsg {
	w.t.Helper()
	stream, err := w.js.Stream(w.t.Context(), events.StreamDeadLetters)
	w.must(err)
	var letters []*jetstream.RawStreamMsg
	for seq := stream.CachedInfo().State.FirstSeq; seq <= stream.CachedInfo().State.LastSeq && seq > 0; seq++ {
		letter, err := stream.GetMsg(w.t.Context(), seq)
		w.must(err)
		letters = append(letters, letter)
	}
	return letters
}

// fixtures returns every published notification, by the name of its file.
func fixtures(t *testing.T) map[string]map[string]any {
	t.Helper()
	files, err := filepath.Glob("../telnyx/testdata/events/*.json")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d fixtures, %v", len(files), err)
	}
	bodies := make(map[string]map[string]any, len(files))
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var body map[string]any
		if err := json.Unmarshal(data, &body); err != nil {
			t.Fatal(err)
		}
		bodies[strings.TrimSuffix(filepath.Base(file), ".json")] = body
	}
	return bodies
}

// about replaces the published ids of campaigns and brands in the fixture, and gives the
// event a new id.
func about(fixture map[string]any, eventID, campaignID, tcrID, brandID string) []byte {
	data, err := json.Marshal(fixture)
	if err != nil {
		panic(err)
	}
	var body map[string]any
	if err := json.Unmarshal(data, &body); err != nil {
		panic(err)
	}
	payload := body
	if envelope, ok := body["data"].(map[string]any); ok {
		envelope["id"] = eventID
		payload = envelope["payload"].(map[string]any)
	} else {
		payload["description"] = eventID // a flat body has no id: make its bytes unique
	}
	if id, ok := payload["campaignId"].(string); ok {
		payload["campaignId"] = campaignID
		if strings.HasPrefix(id, "C") {
			payload["campaignId"] = tcrID
		}
	}
	if _, ok := payload["brandId"]; ok {
		payload["brandId"] = brandID
	}
	out, err := json.MarshalIndent(body, "", "  ")
	if err != nil {
		panic(err)
	}
	return out
}

// everyCampaignStatus has the published enum, a word outside it, and an empty one.
var everyCampaignStatus = []telnyx.CampaignStatus{
	telnyx.CampaignTCRPending, telnyx.CampaignTCRSuspended, telnyx.CampaignTCRExpired, telnyx.CampaignTCRAccepted,
	telnyx.CampaignTCRFailed, telnyx.CampaignTelnyxAccepted, telnyx.CampaignTelnyxFailed, telnyx.CampaignMNOPending,
	telnyx.CampaignMNOAccepted, telnyx.CampaignMNORejected, telnyx.CampaignMNOProvisioned,
	telnyx.CampaignMNOProvisioningFailed, "MNO_SOMETHING_NEW",
}

// statuses returns the campaign statuses to combine with the nth notification: all, or in
// the usual run the provisioned one and another in turn.
func statuses(n int) []telnyx.CampaignStatus {
	if testkit.Full {
		return everyCampaignStatus
	}
	return []telnyx.CampaignStatus{telnyx.CampaignMNOProvisioned, everyCampaignStatus[n%len(everyCampaignStatus)]}
}

// Any campaign event causes a reconcile, and only a campaign that reads MNO_PROVISIONED
// gets numbers: every published notification against every status that a campaign can have.
// The simulator's campaigns have status ACTIVE from the start, as Telnyx's have, so this
// also shows that ACTIVE means nothing.
func TestEveryNotification_AttachesOnlyWhenTheCampaignIsProvisioned(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{AssignDelay: telnyxsim.Never})
	w.config.Concurrency = 4
	type row struct {
		fixture, campaignID, tcrID, brandID, number string
		status                                      telnyx.CampaignStatus
	}
	var rows []row
	var staged []string
	notifications := fixtures(t)
	for n, fixture := range slices.Sorted(maps.Keys(notifications)) {
		for _, status := range statuses(n) {
			i := len(rows)
			r := row{
				fixture: fixture, status: status,
				campaignID: fmt.Sprintf("%08d-907b-43a9-8ada-ba1dc8335b07", i), tcrID: fmt.Sprintf("CT%05d", i),
				brandID: fmt.Sprintf("%08d-e814-435c-9c1b-14ab2d18e987", i), number: fmt.Sprintf("+1212555%04d", i),
			}
			rows = append(rows, r)
			staged = append(staged, r.campaignID+": "+r.number)
			w.sim.AddCampaign(telnyxsim.Campaign{ID: r.campaignID, TCRID: r.tcrID, BrandID: r.brandID, CampaignStatus: telnyx.CampaignMNOPending})
		}
	}
	w.stage(staged...)
	w.start()
	w.eventually("every campaign was reconciled once", func() (bool, string) {
		known, err := w.book.Campaigns(t.Context())
		w.must(err)
		return len(known) == len(rows), fmt.Sprint(len(known))
	})
	w.idle()
	if posts := w.posts(); len(posts) != 0 {
		t.Fatalf("requests before anything was provisioned: %v", posts)
	}

	for i, r := range rows {
		w.must(w.sim.SetCampaignStatus(r.campaignID, r.status))
		w.post(about(notifications[r.fixture], fmt.Sprintf("row-%d", i), r.campaignID, r.tcrID, r.brandID), http.StatusOK)
	}
	// On a busy machine a request may be delayed, so idle is not enough.
	w.eventually("every campaign was reconciled after its notification", func() (bool, string) {
		known, err := w.book.Campaigns(t.Context())
		w.must(err)
		status := map[string]string{}
		for _, entry := range known {
			status[entry.Campaign.ID] = entry.Campaign.Status
		}
		posts := w.posts()
		for _, r := range rows {
			if status[r.campaignID] != string(r.status) || r.status == telnyx.CampaignMNOProvisioned && posts[r.number] == 0 {
				return false, fmt.Sprintf("%s: the ledger says %q of a campaign that is %s, %d requests", r.fixture, status[r.campaignID], r.status, posts[r.number])
			}
		}
		return true, ""
	})
	w.idle()
	posts := w.posts()
	for _, r := range rows {
		want := 0
		if r.status == telnyx.CampaignMNOProvisioned {
			want = 1
		}
		if posts[r.number] != want {
			t.Errorf("%s, campaign %s: %d requests, want %d", r.fixture, r.status, posts[r.number], want)
		}
	}
	t.Logf("%d pairs of a notification and a status", len(rows))
}

// campaignRecord returns the ledger's record of a campaign.
func (w *world) campaignRecord(campaignID string) ledger.Campaign {
	w.t.Helper()
	entry, _, err := w.book.Campaign(w.t.Context(), campaignID)
	w.must(err)
	return entry.Campaign
}
