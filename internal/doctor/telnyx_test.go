package doctor_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"greenlight/internal/doctor"
	"greenlight/internal/telnyx"
)

func TestTelnyx_DistinguishesAnswers(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "60") // prevents retries
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		want    doctor.Level
		says    string
	}{
		{"all is well", answer(200, `{"records":[{"brandId":"b"}],"totalRecords":1}`), doctor.OK, "has 1 brand."},
		{"wrong key", answer(401, `{"errors":[{"code":"10009","title":"Authentication failed","detail":"No key found"}]}`), doctor.Fail, "does not accept the API key (401: No key found)."},
		{"not allowed", answer(403, `{"errors":[{"code":"10010","title":"Authorization failed"}]}`), doctor.Fail, "knows the API key, but does not let"},
		{"rate limit", answer(429, ``), doctor.Warn, "rate limit is used up (429)"},
		{"outage", answer(503, ``), doctor.Warn, "has an outage (503)"},
		{"another server", answer(200, `<html>`), doctor.Fail, "not Telnyx's API"},
		{"not found", answer(404, ``), doctor.Fail, "unexpected status (404)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			findings := doctor.Telnyx(t.Context(), &telnyx.Client{APIKey: "KEY0123456789_s3cret", BaseURL: telnyxAt(t, tt.handler), HTTPClient: &http.Client{Transport: ownTransport(t)}})
			got := findings[0]
			if got.Level != tt.want || !strings.Contains(got.Message, tt.says) || strings.Contains(got.Message, "s3cret") {
				t.Errorf("got %+v, want %s and %q", got, tt.want, tt.says)
			}
			if got := findings[1]; got.Check != doctor.CheckTelnyxClock || got.Level != doctor.OK {
				t.Errorf("got %+v, want that clocks agree", got)
			}
		})
	}
}

func ownTransport(t *testing.T) *http.Transport {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func TestTelnyx_OnlyReadsAndOnce(t *testing.T) {
	var calls []string
	url := telnyxAt(t, func(w http.ResponseWriter, r *http.Request) {
		calls = append(calls, r.Method+" "+r.URL.Path)
		_, _ = w.Write([]byte(`{"records":[],"totalRecords":0}`))
	})
	doctor.Telnyx(t.Context(), &telnyx.Client{APIKey: "KEY0123456789_s3cret", BaseURL: url, HTTPClient: &http.Client{Transport: ownTransport(t)}})
	if len(calls) != 1 || calls[0] != "GET /10dlc/brand" {
		t.Errorf("got %q, want one read", calls)
	}
}

func TestTelnyx_SaysThatItCannotBeReached(t *testing.T) {
	t.Parallel()
	findings := doctor.Telnyx(t.Context(), &telnyx.Client{APIKey: "KEY0123456789_s3cret", BaseURL: "http://127.0.0.1:1/v2"})
	if got := findings[0]; got.Level != doctor.Fail || !strings.HasPrefix(got.Message, "Telnyx cannot be reached: connection refused.") {
		t.Errorf("got %+v, want that it cannot be reached", got)
	}
	if got := findings[1]; got.Level != doctor.Unknown {
		t.Errorf("got %+v, want that the clock is unknown", got)
	}
}

func TestTelnyx_ReadsItsClock(t *testing.T) {
	url := telnyxAt(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(-10*time.Minute).UTC().Format(http.TimeFormat))
		_, _ = w.Write([]byte(`{"records":[],"totalRecords":0}`))
	})
	findings := doctor.Telnyx(t.Context(), &telnyx.Client{BaseURL: url, HTTPClient: &http.Client{Transport: ownTransport(t)}})
	if got := findings[1]; got.Level != doctor.Fail || !strings.Contains(got.Message, "Every delivery is refused") {
		t.Errorf("got %+v, want that deliveries are refused", got)
	}
}

func TestPlans_ReportsFaults(t *testing.T) {
	got := doctor.Plans(filepath.Join("..", "..", "config", "plan.example.yaml"))
	if got.Level != doctor.OK || got.Facts["hash"] == "" || got.Facts["faults"] != 0 {
		t.Errorf("got %+v, want that the example is valid", got)
	}
	if got := doctor.Plans(filepath.Join(t.TempDir(), "none")); got.Level != doctor.Unknown {
		t.Errorf("got %+v, want unknown", got)
	}
	if got := doctor.Plans(t.TempDir()); got.Level != doctor.Fail || got.Facts["faults"] != 1 {
		t.Errorf("got %+v, want a fault for a folder without plans", got)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"plan.yaml": "version: 1\ncampaigns:\n  - {name: a, campaign_id: C1, numbers_file: list.csv, skip_invalid: true}\n",
		"list.csv":  "Phone\n+12125550142\nnobody\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := doctor.Plans(dir); got.Level != doctor.OK || got.Facts["set_aside"] != 1 || !strings.Contains(got.Message, "leaves out 1 row") {
		t.Errorf("got %+v, want that one row is set aside", got)
	}
}

func TestAgreed_NeedsEveryKeeper(t *testing.T) {
	three := []string{"n1", "n2", "n3"}
	for _, tt := range []struct {
		name string
		says map[string]doctor.Sync
		want doctor.Sync
	}{
		{"all", map[string]doctor.Sync{"n1": doctor.SyncAlways, "n2": doctor.SyncAlways, "n3": doctor.SyncAlways}, doctor.SyncAlways},
		{"two of three", map[string]doctor.Sync{"n1": doctor.SyncAlways, "n2": doctor.SyncAlways}, doctor.SyncUnknown},
		{"one does not", map[string]doctor.Sync{"n1": doctor.SyncAlways, "n2": doctor.SyncLater}, doctor.SyncLater},
		{"nobody", nil, doctor.SyncUnknown},
		{"without JetStream", map[string]doctor.Sync{"n1": doctor.SyncUnknown, "n2": doctor.SyncAlways, "n3": doctor.SyncAlways}, doctor.SyncUnknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, _ := doctor.Agreed(tt.says, three, "/varz"); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
