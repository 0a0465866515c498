package webhook_test

import (
	"crypto/ed25519"
	"net/http"
	"strings"
	"testing"

	"greenlight/internal/telnyx"
	"greenlight/internal/webhook"
)

func TestWebhook_RoutesNothingElse(t *testing.T) {
	d := open(t)
	ok := answer{200, "ok"}
	notFound, notAllowed := answer{404, "not_found"}, answer{405, "method_not_allowed"}
	body := verified(t, "id-1")
	for _, tt := range []struct {
		method, path string
		want         answer
		allow        string
	}{
		{http.MethodGet, "/healthz", ok, ""},
		{http.MethodGet, "/healthz?verbose", ok, ""},
		{http.MethodPost, "/healthz", notAllowed, "GET"},
		{http.MethodOptions, "/healthz", notAllowed, "GET"},
		{http.MethodGet, webhook.Path, notAllowed, "POST"},
		{http.MethodPut, webhook.Path, notAllowed, "POST"},
		{http.MethodPatch, webhook.Path, notAllowed, "POST"},
		{http.MethodDelete, webhook.Path, notAllowed, "POST"},
		{http.MethodOptions, webhook.Path, notAllowed, "POST"},
		{"BREW", webhook.Path, notAllowed, "POST"},
		{http.MethodGet, "/", notFound, ""},
		{http.MethodPost, "/", notFound, ""},
		{http.MethodOptions, "/", notFound, ""},
		{http.MethodGet, webhook.Path + "/", notAllowed, "POST"},
		{http.MethodPost, webhook.Path + "/x", notFound, ""},
		{http.MethodPost, "/webhooks", notFound, ""},
		{http.MethodPost, "/WEBHOOKS/TELNYX", notFound, ""},
		{http.MethodPost, "//webhooks/telnyx", notFound, ""},
		{http.MethodPost, "/webhooks/../webhooks/telnyx", notFound, ""},
		{http.MethodGet, "/metrics", notFound, ""},
		{http.MethodGet, "/readyz", notFound, ""},
		{http.MethodGet, "/status", notFound, ""},
		{http.MethodGet, "/debug/pprof/", notFound, ""},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			got, h := d.do(d.request(tt.method, tt.path, signed(body), strings.NewReader(string(body))))
			assertAnswer(t, got, tt.want)
			if allow := h.Get("Allow"); allow != tt.allow {
				t.Errorf("Allow is %q, want %q", allow, tt.allow)
			}
		})
	}
	d.assertStored()
}

func TestWebhook_AnswersHeadWithoutABody(t *testing.T) {
	d := open(t)
	for path, want := range map[string]int{webhook.Path: 405, "/healthz": 405, "/": 404} {
		response, err := d.client.Do(d.request(http.MethodHead, path, nil, nil))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("HEAD %s: %d, want %d", path, response.StatusCode, want)
		}
	}
}

func TestNew_NamesEveryWrongSetting(t *testing.T) {
	for name, tt := range map[string]struct {
		config webhook.Config
		want   []string
	}{
		"nothing given": {webhook.Config{}, []string{"no verifier", "no JetStream"}},
		"negative cap":  {webhook.Config{MaxBody: -1}, []string{"no verifier", "no JetStream", "largest body -1"}},
		"cap too large": {webhook.Config{MaxBody: webhook.MaxMaxBody + 1}, []string{"largest body"}},
	} {
		t.Run(name, func(t *testing.T) {
			hook, err := webhook.New(tt.config)
			if err == nil || hook != nil {
				t.Fatalf("got %v, %v; want an error alone", hook, err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
}

func TestNew_NeedsOnlyVerifierAndJetStream(t *testing.T) {
	d := open(t)
	verifier, err := telnyx.NewVerifier(publicKeys([]ed25519.PrivateKey{telnyxKey}), nil)
	if err != nil {
		t.Fatal(err)
	}
	hook, err := webhook.New(webhook.Config{Verifier: verifier, JetStream: d.js})
	if err != nil {
		t.Fatal(err)
	}
	if err := hook.Ready(t.Context()); err != nil {
		t.Errorf("Ready: %v", err)
	}
}

func TestWebhook_IsNotReadyWhileItStopsAndStillAcceptsDeliveries(t *testing.T) {
	d := open(t)
	if err := d.hook.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.hook.Stop()
	if err := d.hook.Ready(t.Context()); err == nil || err.Error() != "this process is stopping" {
		t.Errorf("Ready: %v", err)
	}
	got, _ := d.do(d.request(http.MethodGet, "/healthz", nil, nil))
	assertAnswer(t, got, answer{503, "stopping"})
	body := verified(t, "id-1")
	assertAnswer(t, d.deliver(body), accepted)
	d.assertStored(wantEvent(verifiedSubject, "id-1", signed(body), body))
}
