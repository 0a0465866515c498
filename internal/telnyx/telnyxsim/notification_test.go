package telnyxsim_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"greenlight/internal/telnyx/telnyxsim"
)

// described identifies a kind of notification.
type described struct{ eventType, kind, status, tcr, fields string }

func describe(t *testing.T, body []byte) described {
	t.Helper()
	var e struct {
		Data struct {
			EventType  string          `json:"event_type"`
			RecordType string          `json:"record_type"`
			ID         string          `json:"id"`
			OccurredAt time.Time       `json:"occurred_at"`
			Payload    json.RawMessage `json:"payload"`
		} `json:"data"`
	}
	var fields map[string]any
	if err := json.Unmarshal(body, &e); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(e.Data.Payload, &fields); err != nil {
		t.Fatal(err)
	}
	if e.Data.RecordType != "event" || e.Data.ID == "" {
		t.Errorf("no event: %s", body)
	}
	word := func(name string) string { s, _ := fields[name].(string); return s }
	return described{
		e.Data.EventType, word("type"), word("status"), word("eventType"),
		strings.Join(slices.Sorted(maps.Keys(fields)), " "),
	}
}

func TestNotifications_AreThoseThatArePublished(t *testing.T) {
	files, err := filepath.Glob("../testdata/events/10dlc.*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no published notifications: %v", err)
	}
	want := map[described]bool{}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// An older name of TCR_BRAND_UPDATE, which Telnyx no longer has.
		if d := describe(t, body); d.kind != "TCR_BRAND_WEBHOOK" {
			want[d] = true
		}
	}
	got, names := map[described]bool{}, map[string]bool{}
	for _, n := range telnyxsim.Notifications() {
		body, _ := n.Body(telnyxsim.About{}, time.Unix(1723051357, 0), "http://127.0.0.1/")
		got[describe(t, body)], names[n.Name] = true, true
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(described{})); diff != "" {
		t.Errorf("published (-) and simulated (+):\n%s", diff)
	}
	if len(names) != len(got) {
		t.Errorf("%d names for %d kinds", len(names), len(got))
	}
}

func TestNotification_IsAboutWhatIsAskedFor(t *testing.T) {
	about := telnyxsim.About{CampaignID: "own-campaign", TCRCampaignID: "COWN123", BrandID: "own-brand", PhoneNumber: "+15550001111"}
	for _, n := range telnyxsim.Notifications() {
		body, _ := n.Body(about, time.Now(), "http://127.0.0.1/")
		for _, example := range []string{"751c6a5c", "C6X6M95", "97091164", "+16715455939"} {
			if strings.Contains(string(body), example) {
				t.Errorf("%s is about the published example %s:\n%s", n.Name, example, body)
			}
		}
	}
}
