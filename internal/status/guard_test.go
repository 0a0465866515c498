package status_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"greenlight/internal/plan"
	"greenlight/internal/status"
)

const token = "0123456789abcdef-s3cret"

// guarded answers one request to the private listener.
func guarded(guard status.Guard, path, host string, with func(*http.Request)) *httptest.ResponseRecorder {
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the page") })
	handler := status.Handler(status.Config{Metrics: prometheus.NewRegistry(), Page: page, Guard: guard})
	request := httptest.NewRequest(http.MethodGet, path, nil)
	request.Host = host
	if with != nil {
		with(request)
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	return answer
}

func bearer(shown string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+shown) }
}

// Messages of checks need access, because a fault in a plan names phone numbers.
func TestReadyz_ShowsMessagesOnlyWithAccess(t *testing.T) {
	t.Parallel()
	_, fault := plan.LoadBytes("plan.yaml", []byte("version: 1\ncampaigns:\n"+
		"- {name: a, campaign_id: 751c6a5c-907b-43a9-8ada-ba1dc8335b07, numbers: [\"+15551234567\"]}\n"+
		"- {name: b, campaign_id: 851c6a5c-907b-43a9-8ada-ba1dc8335b07, numbers: [\"+15551234567\"]}\n"))
	if fault == nil || !strings.Contains(fault.Error(), "15551234567") {
		t.Fatalf("this fault names no number: %v", fault)
	}
	checks := []status.Check{
		{Name: "plans", Advisory: true, Ready: func(context.Context) error { return fault }},
		{Name: "guarantee", Advisory: true, Says: func(context.Context) string { return "server nats.internal syncs" }},
	}
	for name, test := range map[string]struct {
		guard status.Guard
		host  string
		with  func(*http.Request)
		shown bool
	}{
		"this machine":              {status.Guard{}, "localhost", nil, true},
		"with the token":            {status.Guard{Token: token, Exposed: true}, "10.0.0.7:8081", bearer(token), true},
		"without the token":         {status.Guard{Token: token, Exposed: true}, "10.0.0.7:8081", nil, false},
		"without it, this machine":  {status.Guard{Token: token}, "localhost", nil, false},
		"with another":              {status.Guard{Token: token, Exposed: true}, "10.0.0.7:8081", bearer("wrong"), false},
		"exposed and without token": {status.Guard{Exposed: true}, "10.0.0.7:8081", nil, false},
	} {
		handler := status.Handler(status.Config{Metrics: prometheus.NewRegistry(), Guard: test.guard, Checks: checks})
		request := httptest.NewRequest(http.MethodGet, "/readyz", nil)
		request.Host = test.host
		if test.with != nil {
			test.with(request)
		}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		body := answer.Body.String()
		if shown := strings.Contains(body, "15551234567") && strings.Contains(body, "nats.internal"); answer.Code != 200 || shown != test.shown {
			t.Errorf("%s: got %d %s", name, answer.Code, body)
		}
		if !test.shown && (!strings.Contains(body, `"plans": "not ok"`) || !strings.Contains(body, `"guarantee": "ok"`) || strings.Contains(body, "1555")) {
			t.Errorf("%s: got %s", name, body)
		}
	}
}

func TestGuard_DecidesAboutAccess(t *testing.T) {
	t.Parallel()
	basic := func(user, password string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(user, password) }
	}
	inside, behind := status.Guard{}, status.Guard{Token: token}
	outside, open := status.Guard{Token: token, Exposed: true}, status.Guard{Exposed: true}
	for name, test := range map[string]struct {
		guard      status.Guard
		path, host string
		with       func(*http.Request)
		want       int
	}{
		"this machine":                    {inside, "/status", "127.0.0.1:8081", nil, 200},
		"this machine by name":            {inside, "/status", "localhost:8081", nil, 200},
		"this machine, IPv6":              {inside, "/status", "[::1]:8081", nil, 200},
		"another name for it":             {inside, "/status", "evil.example:8081", nil, 421},
		"a name that begins alike":        {inside, "/status", "127.0.0.1.evil.example", nil, 421},
		"another name, metrics":           {inside, "/metrics", "evil.example", nil, 421},
		"another name, probe":             {inside, "/readyz", "evil.example", nil, 421},
		"no name":                         {inside, "/status", "", nil, 421},
		"a token, none shown":             {behind, "/status", "127.0.0.1:8081", nil, 401},
		"bearer":                          {outside, "/metrics", "10.0.0.7:8081", bearer(token), 200},
		"bearer in another case":          {outside, "/metrics", "10.0.0.7:8081", func(r *http.Request) { r.Header.Set("Authorization", "bearer "+token) }, 200},
		"basic":                           {outside, "/status", "status.example", basic("ops", token), 200},
		"basic without user":              {outside, "/status", "status.example", basic("", token), 200},
		"basic with another password":     {outside, "/status.json", "status.example", basic("ops", token+"x"), 401},
		"the token as user":               {outside, "/status", "status.example", basic(token, ""), 401},
		"wrong bearer":                    {outside, "/status", "status.example", bearer("wrong"), 401},
		"the beginning of the token":      {outside, "/status", "status.example", bearer(token[:20]), 401},
		"empty bearer":                    {outside, "/status", "status.example", bearer(""), 401},
		"the token without a scheme":      {outside, "/status", "status.example", func(r *http.Request) { r.Header.Set("Authorization", token) }, 401},
		"the token in the address":        {outside, "/status?token=" + token, "status.example", nil, 401},
		"a path below":                    {outside, "/status/events", "status.example", nil, 401},
		"no such path":                    {outside, "/nothing", "status.example", nil, 401},
		"probe of life":                   {outside, "/healthz", "10.0.0.7:8081", nil, 200},
		"probe of readiness":              {outside, "/readyz", "10.0.0.7:8081", nil, 200},
		"a path like a probe":             {outside, "/readyz/../status", "10.0.0.7:8081", nil, 401},
		"exposed without a token":         {open, "/status", "127.0.0.1:8081", nil, 403},
		"exposed without a token, bearer": {open, "/metrics", "127.0.0.1:8081", bearer(""), 403},
		"exposed without a token, probe":  {open, "/readyz", "10.0.0.7:8081", nil, 200},
	} {
		t.Run(name, func(t *testing.T) {
			answer := guarded(test.guard, test.path, test.host, test.with)
			if answer.Code != test.want {
				t.Errorf("got %d %s, want %d", answer.Code, answer.Body, test.want)
			}
			if strings.Contains(answer.Body.String(), token) {
				t.Errorf("the answer has the token: %s", answer.Body)
			}
			if asks := len(answer.Header().Values("WWW-Authenticate")); (asks == 2) != (test.want == 401) {
				t.Errorf("it asks for a token in %d ways", asks)
			}
		})
	}
}

func TestToken_IsNeverPrinted(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q"} {
		if text := fmt.Sprintf(verb, status.Guard{Token: token}) + fmt.Sprintf(verb, status.Token(token)); strings.Contains(text, token) {
			t.Errorf("%s: %s", verb, text)
		}
	}
}

func TestIsLoopback(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"127.0.0.1:8081": true, "127.8.9.1:0": true, "localhost:1": true, "[::1]:8081": true,
		":8081": false, "0.0.0.0:8081": false, "[::]:8081": false, "10.0.0.7:8081": false, "localhost.evil.example:1": false, "x": false,
	} {
		if got := status.IsLoopback(address); got != want {
			t.Errorf("%s: got %v, want %v", address, got, want)
		}
	}
}

// Every answer of the private listener has the headers of the page, refusals too.
func TestHandler_SetsSecurityHeaders(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/status", "/readyz", "/healthz", "/metrics", "/nothing"} {
		for name, answer := range map[string]*httptest.ResponseRecorder{
			"answered": guarded(status.Guard{}, path, "localhost", nil),
			"refused":  guarded(status.Guard{Token: token}, path, "localhost", nil),
		} {
			for key, want := range map[string]string{
				"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
				"Cross-Origin-Resource-Policy": "same-origin",
			} {
				if got := answer.Header().Get(key); got != want {
					t.Errorf("%s, %s: %s is %q, want %q", path, name, key, got, want)
				}
			}
			if !strings.HasPrefix(answer.Header().Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("%s, %s: no Content-Security-Policy", path, name)
			}
		}
	}
}
