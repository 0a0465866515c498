package status_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"greenlight/internal/status"
	"greenlight/internal/testkit"
)

// serve runs the private listener.
func serve(t *testing.T, js jetstream.JetStream, checks ...status.Check) *httptest.Server {
	t.Helper()
	metrics := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "greenlight_test_total", Help: "Counts."})
	metrics.MustRegister(counter)
	counter.Add(3)
	server := httptest.NewServer(status.Handler(status.Config{View: run(t, js), Checks: checks, Metrics: metrics}))
	t.Cleanup(server.Close)
	return server
}

// get returns the answer, redirects not followed, and its body.
func get(t *testing.T, server *httptest.Server, path string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
	must(t, err)
	answer, err := server.Client().Transport.RoundTrip(request)
	must(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	must(t, err)
	return answer, string(body)
}

func TestPage_HasStatusAndEverythingUnderIt(t *testing.T) {
	t.Parallel()
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Method+" "+r.URL.Path) })
	server := httptest.NewServer(status.Handler(status.Config{View: run(t, testkit.JetStream(t, testkit.Embedded(t))), Metrics: prometheus.NewRegistry(), Page: page}))
	defer server.Close()
	for _, path := range []string{"/status", "/status/campaigns/C1"} {
		if _, body := get(t, server, path); body != "GET "+path {
			t.Errorf("%s: got %q", path, body)
		}
	}
}

func TestRoot_RedirectsToThePage(t *testing.T) {
	t.Parallel()
	answer, _ := get(t, serve(t, testkit.JetStream(t, testkit.Embedded(t))), "/")
	if got := answer.Header.Get("Location"); answer.StatusCode != http.StatusFound || got != "/status" {
		t.Errorf("got %d to %q, want 302 to /status", answer.StatusCode, got)
	}
}

func TestStatusJSON_IsTheSnapshot(t *testing.T) {
	t.Parallel()
	js := mixedLedger(t)
	answer, body := get(t, serve(t, js), "/status.json")
	var got status.Snapshot
	must(t, json.Unmarshal([]byte(body), &got))
	want := read(t, js)
	want.At = got.At
	if diff := cmp.Diff(want, got); diff != "" || answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %v (-want +got):\n%s", answer.StatusCode, answer.Header, diff)
	}
	if h := answer.Header; h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" || !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("got headers %v, want the page's security headers", h)
	}
	if _, pretty := get(t, serve(t, js), "/status.json?pretty"); strings.Count(body, "\n") != 1 || !strings.HasPrefix(pretty, "{\n  \"at\"") {
		t.Errorf("it has %d lines, and asked for blanks begins %.20q", strings.Count(body, "\n"), pretty)
	}
}

func TestReadyz_AnswersForEveryCheck(t *testing.T) {
	t.Parallel()
	good := func(context.Context) error { return nil }
	full := func(context.Context) error { return errors.New("stream EVENTS is full: find out what posts so many") }
	for name, test := range map[string]struct {
		checks []status.Check
		code   int
		want   string
	}{
		"no checks": {nil, 200, `{"status":"ready","checks":{}}`},
		"all well":  {[]status.Check{{Name: "nats", Ready: good}, {Name: "webhook", Ready: good}}, 200, `{"status":"ready","checks":{"nats":"ok","webhook":"ok"}}`},
		"one with a sentence": {
			[]status.Check{{Name: "guarantee", Advisory: true, Says: func(context.Context) string { return "A 200 here means much." }}}, 200,
			`{"status":"ready","checks":{"guarantee":"A 200 here means much."}}`,
		},
		"one fails": {
			[]status.Check{{Name: "webhook", Ready: full}, {Name: "nats", Ready: good}}, 503,
			`{"status":"not ready","checks":{"nats":"ok","webhook":"stream EVENTS is full: find out what posts so many"},"failing":["webhook"]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			answer, body := get(t, serve(t, testkit.JetStream(t, testkit.Embedded(t)), test.checks...), "/readyz")
			var compact bytes.Buffer
			must(t, json.Compact(&compact, []byte(body)))
			if answer.StatusCode != test.code || compact.String() != test.want {
				t.Errorf("got  %d %s\nwant %d %s", answer.StatusCode, compact.String(), test.code, test.want)
			}
		})
	}
}

// In greenlight up a refused API key must not take the webhook out of rotation.
func TestReadyz_AnswersPerRole(t *testing.T) {
	t.Parallel()
	good := func(context.Context) error { return nil }
	bad := func(context.Context) error { return errors.New("Telnyx refuses the API key") }
	checks := []status.Check{
		{Name: "nats", Ready: good}, {Name: "webhook", Role: status.RoleWebhook, Ready: good},
		{Name: "plans", Role: status.RoleAssigner, Advisory: true, Ready: bad}, {Name: "assigner", Role: status.RoleAssigner, Ready: bad},
	}
	const tail = `"checks":{"assigner":"Telnyx refuses the API key","nats":"ok","plans":"Telnyx refuses the API key","webhook":"ok"},` +
		`"roles":{"assigner":"not ready","webhook":"ready"},"check_roles":{"assigner":"assigner","plans":"assigner","webhook":"webhook"},"failing":["assigner","plans"]}`
	js := testkit.JetStream(t, testkit.Embedded(t))
	for name, test := range map[string]struct {
		checks []status.Check
		path   string
		code   int
		want   string
	}{
		"both roles":            {checks, "/readyz", 200, `{"status":"ready",` + tail},
		"the webhook's":         {checks, "/readyz?role=webhook", 200, `{"status":"ready",` + tail},
		"the assigner's":        {checks, "/readyz?role=assigner", 503, `{"status":"not ready",` + tail},
		"an assigner alone":     {checks[3:], "/readyz", 503, `{"status":"not ready","checks":{"assigner":"Telnyx refuses the API key"},"roles":{"assigner":"not ready"},"check_roles":{"assigner":"assigner"},"failing":["assigner"]}`},
		"a role that is not in": {checks[3:], "/readyz?role=webhook", 404, `{"message":"this process does not have that role; omit the role parameter"}`},
		"what every role needs": {[]status.Check{{Name: "nats", Ready: bad}, checks[1]}, "/readyz", 503, `{"status":"not ready","checks":{"nats":"Telnyx refuses the API key","webhook":"ok"},"roles":{"webhook":"not ready"},"check_roles":{"webhook":"webhook"},"failing":["nats"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			answer, body := get(t, serve(t, js, test.checks...), test.path)
			var compact bytes.Buffer
			must(t, json.Compact(&compact, []byte(body)))
			if answer.StatusCode != test.code || compact.String() != test.want {
				t.Errorf("got  %d %s\nwant %d %s", answer.StatusCode, compact.String(), test.code, test.want)
			}
		})
	}
}

func TestReadyz_BoundsItsChecks(t *testing.T) {
	t.Parallel()
	check := status.Check{Name: "nats", Ready: func(ctx context.Context) error {
		if end, bounded := ctx.Deadline(); !bounded || time.Until(end) > time.Second {
			return errors.New("no deadline within a second")
		}
		return nil
	}}
	if answer, body := get(t, serve(t, testkit.JetStream(t, testkit.Embedded(t)), check), "/readyz"); answer.StatusCode != http.StatusOK {
		t.Errorf("got %d %s", answer.StatusCode, body)
	}
}

// When NATS does not answer, each check takes its whole time limit. In sequence they would
// take longer than the client waits.
func TestReadyz_RunsItsChecksConcurrently(t *testing.T) {
	t.Parallel()
	const checks = 3
	var begun sync.WaitGroup
	begun.Add(checks)
	together := func(ctx context.Context) error {
		begun.Done()
		all := make(chan struct{})
		go func() { begun.Wait(); close(all) }()
		select {
		case <-all:
			return nil
		case <-ctx.Done():
			return errors.New("alone")
		}
	}
	var list []status.Check
	for i := range checks {
		list = append(list, status.Check{Name: fmt.Sprint(i), Ready: together})
	}
	if answer, body := get(t, serve(t, testkit.JetStream(t, testkit.Embedded(t)), list...), "/readyz"); answer.StatusCode != http.StatusOK {
		t.Errorf("got %d %s", answer.StatusCode, body)
	}
}

func TestHealthz_AnswersWhateverTheChecksSay(t *testing.T) {
	t.Parallel()
	bad := status.Check{Name: "nats", Ready: func(context.Context) error { return errors.New("away") }}
	answer, body := get(t, serve(t, testkit.JetStream(t, testkit.Embedded(t)), bad), "/healthz")
	if want := `{"status":"ok"}`; answer.StatusCode != http.StatusOK || strings.TrimSpace(body) != want {
		t.Errorf("got %d %s, want 200 %s", answer.StatusCode, body, want)
	}
}

func TestMetrics_AreThoseOfTheRegistry(t *testing.T) {
	t.Parallel()
	answer, body := get(t, serve(t, testkit.JetStream(t, testkit.Embedded(t))), "/metrics")
	if answer.StatusCode != http.StatusOK || !strings.Contains(body, "\ngreenlight_test_total 3\n") {
		t.Errorf("got %d\n%s", answer.StatusCode, body)
	}
}

func TestHandler_HasNoOtherRoutes(t *testing.T) {
	t.Parallel()
	server := serve(t, testkit.JetStream(t, testkit.Embedded(t)))
	if answer, _ := get(t, server, "/webhooks/telnyx"); answer.StatusCode != http.StatusNotFound {
		t.Errorf("the webhook's path: got %d, want 404", answer.StatusCode)
	}
	answer, err := server.Client().Post(server.URL+"/status.json", "text/plain", nil)
	must(t, err)
	answer.Body.Close()
	if answer.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: got %d, want 405", answer.StatusCode)
	}
}

func TestStatusJSON_SaysThatTheLedgerCannotBeRead(t *testing.T) {
	t.Parallel()
	js := mixedLedger(t)
	server := serve(t, js)
	js.Conn().Close()
	answer, body := get(t, server, "/status.json")
	if answer.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "the ledger cannot be read: ") {
		t.Errorf("got %d %s, want 503 with a sentence", answer.StatusCode, body)
	}
}
