package status_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"greenlight/internal/status"
	"greenlight/internal/testkit"
)

// closed shows which checks fail, but no messages without its token.
var closed = status.Guard{Token: "a token of the test", Exposed: true}

// private runs a private listener with the given checks and returns its address.
func private(t *testing.T, guard status.Guard, checks ...status.Check) string {
	t.Helper()
	server := httptest.NewServer(status.Handler(status.Config{
		View: status.NewView(status.ViewConfig{JetStream: testkit.JetStream(t, testkit.Embedded(t))}), Checks: checks, Metrics: prometheus.NewRegistry(), Guard: guard,
	}))
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	must(t, err)
	return at.Host
}

func TestAskReady_ReturnsTheReadinessOfTheProcess(t *testing.T) {
	t.Parallel()
	good := status.Check{Name: "nats", Says: func(context.Context) string { return "connected to n1" }}
	away := status.Check{Name: "webhook", Ready: func(context.Context) error { return errors.New("the stream is away") }}
	faulty := status.Check{Name: "plans", Advisory: true, Ready: func(context.Context) error { return errors.New("spring.yaml is at fault") }}
	for name, test := range map[string]struct {
		guard  status.Guard
		checks []status.Check
		want   string
	}{
		"ready":                  {closed, []status.Check{good}, ""},
		"ready all the same":     {closed, []status.Check{good, faulty}, ""},
		"not ready":              {closed, []status.Check{good, away}, "not ready: webhook: not ok"},
		"not ready, and a few":   {closed, []status.Check{away, faulty}, "not ready: plans: not ok; webhook: not ok"},
		"not ready, and may ask": {status.Guard{}, []status.Check{away, good, faulty}, "not ready: plans: spring.yaml is at fault; webhook: the stream is away"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := status.AskReady(t.Context(), private(t, test.guard, test.checks...)); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestAskReady_UsesLoopbackForAnUnspecifiedAddress(t *testing.T) {
	t.Parallel()
	_, port, err := net.SplitHostPort(private(t, closed, status.Check{Name: "nats"}))
	must(t, err)
	for _, address := range []string{":" + port, "0.0.0.0:" + port, "localhost:" + port} {
		if err := status.AskReady(t.Context(), address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestAskReady_FailsIfAnotherProgramAnswers(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(nil)
	gone.Close()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"ok": true}`)) }))
	defer other.Close()
	elsewhere := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusFound))
	defer elsewhere.Close()
	for address, want := range map[string]string{
		strings.TrimPrefix(gone.URL, "http://"):      "connection refused",
		strings.TrimPrefix(other.URL, "http://"):     "another program answers there (200 OK)",
		strings.TrimPrefix(elsewhere.URL, "http://"): "another program answers there (302 Found)",
		"8081": "missing port in address",
	} {
		err := status.AskReady(t.Context(), address)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "ask "+address+" whether it is ready: ") {
			t.Errorf("%s: got %v, want %q", address, err, want)
		}
	}
}

func TestAskReady_TimesOutOnAnIncompleteAnswer(t *testing.T) {
	t.Parallel()
	half := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(`{"status": "rea`))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer half.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := status.AskReady(ctx, strings.TrimPrefix(half.URL, "http://")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
}

// A process that hangs accepts the connection and sends nothing.
func TestAskReady_TimesOutOnASilentProcess(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	if err := status.AskReady(t.Context(), listener.Addr().String()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
}
