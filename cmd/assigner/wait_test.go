package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/config"
	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/natstest"
)

// startWaiting runs the command before its NATS server is there.
func startWaiting(t *testing.T, server *natstest.Process, baseURL string) *running {
	t.Helper()
	plans := filepath.Join(t.TempDir(), "plan.yaml")
	must(t, os.WriteFile(plans, config.ExamplePlan, 0o600))
	return start(t, "status page at", "NATS_URL="+server.URL, "ADMIN_LISTEN=127.0.0.1:0",
		"TELNYX_API_KEY="+apiKey, "TELNYX_BASE_URL="+baseURL, "TELNYX_RATE=100", "PLANS="+plans, "RESYNC=1h")
}

func TestAssigner_WaitsForNATS(t *testing.T) {
	server := natstest.NewProcess(t)
	sim, baseURL := startTelnyx(t)
	_, campaign := stage(t, sim, "")
	worker := startWaiting(t, server, baseURL)
	address := regexp.MustCompile(`"part":"status","address":"([^"]+)"`).FindStringSubmatch(worker.log())
	ready := func() (code int, text string) {
		t.Helper()
		answer, err := http.Get("http://" + address[1] + "/readyz")
		must(t, err)
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		must(t, err)
		return answer.StatusCode, string(body)
	}
	code, text := ready()
	for _, want := range []string{"the NATS server is not connected; trying again all the time at " + server.URL, `"assigner": "could not join the assigners yet"`} {
		if code != http.StatusServiceUnavailable || !strings.Contains(text, want) {
			t.Errorf("/readyz: %d %s, want %q in it", code, text, want)
		}
	}

	server.Start()
	natstest.Within(t, patience, func() error {
		if code, text := ready(); code != http.StatusOK {
			return fmt.Errorf("/readyz: %d %s", code, text)
		}
		return nil
	})
	nc, err := events.Connect(server.URL, t.Name())
	must(t, err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	must(t, err)
	reaches(t, js, campaign, ledger.Planned)
	worker.stop()
	http.DefaultClient.CloseIdleConnections()
}

func TestAssigner_StopsWhileItWaitsForNATS(t *testing.T) {
	_, baseURL := startTelnyx(t)
	startWaiting(t, natstest.NewProcess(t), baseURL).stop()
}
