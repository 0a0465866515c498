package doctor_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"greenlight/internal/doctor"
	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/testkit"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, testkit.ServerLeaks()...)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// outside starts a NATS server that is not ours. User "all" may do everything, "some"
// what the permissions allow.
func outside(t *testing.T, permissions *server.Permissions) *server.Server {
	t.Helper()
	ns, err := server.NewServer(&server.Options{
		ServerName: "outside", Host: "127.0.0.1", Port: server.RANDOM_PORT, HTTPHost: "127.0.0.1", HTTPPort: server.RANDOM_PORT,
		NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir(),
		Users: []*server.User{{Username: "all", Password: "s3cret"}, {Username: "some", Password: "s3cret", Permissions: permissions}},
	})
	must(t, err)
	ns.Start()
	if !ns.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not start")
	}
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	return ns
}

func connect(t *testing.T, ns *server.Server, user string) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	nc, err := events.Connect(ns.ClientURL(), t.Name(), nats.UserInfo(user, "s3cret"),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})) // nats.go prints them otherwise
	must(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	must(t, err)
	return nc, js
}

// createStreams creates what webhook and assigner create.
func createStreams(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	must(t, events.EnsureStreams(t.Context(), js, 1))
	_, err := ledger.Create(t.Context(), js, 1)
	must(t, err)
}

// runChecks returns the findings about a server, by check.
func runChecks(t *testing.T, n doctor.NATS) (*doctor.Report, map[doctor.Check]doctor.Finding) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	n.HTTP = &http.Client{Transport: transport}
	report := doctor.NewReport(time.Now())
	n.Check(ctx, report)
	found := map[doctor.Check]doctor.Finding{}
	for _, f := range report.Findings {
		found[f.Check] = f
		if f.Message == "" || !strings.HasSuffix(f.Message, ".") || f.Level == doctor.OK && f.Fix != "" {
			t.Errorf("got %+v, want a sentence, and a fix only if it is not ok", f)
		}
	}
	text, err := json.Marshal(report)
	must(t, err)
	if strings.Contains(string(text), "s3cret") {
		t.Errorf("the password shows: %s", text)
	}
	return report, found
}

// telnyxAt serves an answer in Telnyx's place.
func telnyxAt(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}
