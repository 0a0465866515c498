package webhook_test

import (
	"net/http"
	"strings"
	"testing"

	"greenlight/internal/webhook"
)

func TestWebhook_AcceptsATrailingSlash(t *testing.T) {
	d := open(t)
	body := verified(t, "id-1")
	got, _ := d.do(d.request(http.MethodPost, webhook.Path+"/", signed(body), strings.NewReader(string(body))))
	assertAnswer(t, got, answer{200, "accepted"})
	if n := len(d.stored("EVENTS")); n != 1 {
		t.Errorf("got %d events stored, want 1", n)
	}
}

func TestWebhook_NotesASignedDeliveryOnAWrongPath(t *testing.T) {
	d := open(t)
	body := verified(t, "id-1")
	forged := signed([]byte("another body"))
	for _, h := range []http.Header{nil, forged} {
		d.do(d.request(http.MethodPost, "/", h, strings.NewReader(string(body))))
	}
	if err := d.hook.Astray(t.Context()); err != nil || strings.Contains(d.logged(), "wrong path") {
		t.Fatalf("unsigned: got %v, want nothing noted", err)
	}
	for range 3 {
		got, _ := d.do(d.request(http.MethodPost, "//webhooks/telnyx", signed(body), strings.NewReader(string(body))))
		assertAnswer(t, got, answer{404, "not_found"})
	}
	if err := d.hook.Astray(t.Context()); err == nil || !strings.Contains(err.Error(), `"//webhooks/telnyx"`) || !strings.Contains(err.Error(), webhook.Path) {
		t.Errorf("got %v, want where it came and where it should", err)
	}
	if n := strings.Count(d.logged(), `"level":"warn"`); n != 1 || !strings.Contains(d.logged(), "arrived at the wrong path") {
		t.Errorf("got %d warnings in a minute, want 1:\n%s", n, d.logged())
	}
	d.assertStored()
}
