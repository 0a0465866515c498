package webhook_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"greenlight/internal/events"
	"greenlight/internal/telnyx"
	"greenlight/internal/webhook"
)

// Every test asserts at its end that the log holds no signature, key or body. This one
// checks what the log does hold, and that no word of a body is in it.
func TestWebhook_LogsEveryAnswerInOneLineWithoutTheBody(t *testing.T) {
	t.Parallel()
	d := open(t)
	const canary = "canary-4e1f"
	mark := func(body []byte) []byte {
		return bytes.Replace(body, []byte(`"VERIFIED"`), []byte(`"`+canary+`"`), 1)
	}
	event := mark(verified(t, "id-1"))
	d.deliver(event)
	d.deliver(event)
	d.deliver(mark(envelope(t, "message.received", "id-2", "")))
	d.deliver([]byte("a " + canary))
	d.deliver(mark(envelope(t, "10dlc.*", "id-3", campaign)))
	d.post(nil, event)
	d.post(telnyx.Sign(strangerKey, now, event), event)
	d.upload(bytes.Repeat([]byte(canary), 30_000), false)
	d.do(d.request("POST", "/"+canary, nil, bytes.NewReader(event)))
	d.do(d.request("GET", "/webhooks/telnyx?"+canary, nil, nil))
	d.do(d.request("GET", "/healthz", nil, nil))
	if err := d.js.DeleteStream(t.Context(), events.StreamEvents); err != nil {
		t.Fatal(err)
	}
	d.deliver(mark(verified(t, "id-4")))

	if strings.Contains(d.logged(), canary) {
		t.Errorf("the log contains a word of a body or an address:\n%s", d.logged())
	}
	var got []string
	for line := range strings.Lines(d.logged()) {
		fields := map[string]any{}
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if text, _ := fields["message"].(string); fields["part"] != "webhook" || text == "" {
			t.Errorf("got line %s", line)
		}
		words := []string{}
		for _, key := range []string{"level", "answer", "event_id"} {
			if word, ok := fields[key].(string); ok {
				words = append(words, word)
			}
		}
		got = append(got, strings.Join(words, " "))
	}
	want := []string{
		"info accepted id-1", "info duplicate id-1", "info ignored id-2", "warn dead_lettered", "warn dead_lettered",
		"warn signature_missing", "warn signature_mismatch", "warn body_too_large", "debug not_found", "debug method_not_allowed",
		"warn not_stored",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestWebhook_BoundsWhatALineTakesFromOutside(t *testing.T) {
	d := open(t)
	long := strings.Repeat("a", 10_000)
	body := envelope(t, long, long, long)
	h := signed(body)
	h.Set("X-Forwarded-For", long)
	assertAnswer(t, d.post(h, body), ignored)
	assertAnswer(t, d.post(h, envelope(t, "10dlc."+long, long, long)), answer{401, "signature_mismatch"})
	hostile := envelope(t, "10dlc."+long, long, long)
	h = signed(hostile)
	h.Set("X-Forwarded-For", long)
	assertAnswer(t, d.post(h, hostile), deadLettered)
	lines := slices.Collect(strings.Lines(d.logged()))
	if len(lines) != 3 {
		t.Errorf("%d lines, want 3", len(lines))
	}
	for _, line := range lines {
		if len(line) > 1000 {
			t.Errorf("a line of %d bytes: %.300s…", len(line), line)
		}
	}
}

// A captured delivery that stores no event can be replayed: the metrics count each one, and
// the log is limited.
func TestWebhook_LimitsLinesAboutDeliveriesThatStoreNoEvent(t *testing.T) {
	t.Parallel()
	d := open(t)
	noEvent, other, event := []byte("not an event"), envelope(t, "message.received", "id-1", ""), verified(t, "id-2")
	handler := d.hook.Handler()
	const each = 150
	began := time.Now()
	for range each {
		for _, body := range [][]byte{noEvent, other, event} {
			request := httptest.NewRequest(http.MethodPost, webhook.Path, bytes.NewReader(body))
			maps.Copy(request.Header, signed(body))
			handler.ServeHTTP(httptest.NewRecorder(), request)
		}
	}
	seconds := 2 + int(time.Since(began)/time.Second) // that have begun
	if got, most := strings.Count(d.logged(), "\n"), 1+100*seconds; got > most {
		t.Errorf("got %d lines in %d seconds, want %d at most", got, seconds, most)
	}
	if counted := d.counters()[`greenlight_webhook_events_total{answer="dead_lettered",type="other"}`]; counted != each {
		t.Errorf("got %v dead letters counted, want %d", counted, each)
	}
}

// A flood of refused requests must not hide our own failures in the log.
func TestWebhook_LogsItsFailuresDuringAFlood(t *testing.T) {
	t.Parallel()
	d := open(t, func(s *setup) { s.config.NotReady = func() error { return errors.New("no streams yet") } })
	handler := d.hook.Handler()
	for range 300 {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, webhook.Path, nil))
	}
	assertAnswer(t, d.deliver(verified(t, "id-1")), notStored)
	if !strings.Contains(d.logged(), "no streams yet") {
		t.Error("the log does not have the failure")
	}
}
