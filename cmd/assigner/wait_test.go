package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"greenlight/config"
	"greenlight/internal/ledger"
	"greenlight/internal/testkit"
	"greenlight/internal/testkit/commandtest"
)

// startWaiting runs the command before its NATS server is there.
func startWaiting(t *testing.T, server *testkit.Process, baseURL string) *commandtest.Process {
	t.Helper()
	plans := filepath.Join(t.TempDir(), "plan.yaml")
	must(t, os.WriteFile(plans, config.ExamplePlan, 0o600))
	return commandtest.Start(t, commandName, "status page at", "NATS_URL="+server.URL, "ADMIN_LISTEN=127.0.0.1:0",
		"TELNYX_API_KEY="+commandtest.APIKey, "TELNYX_BASE_URL="+baseURL, "TELNYX_RATE=100", "PLANS="+plans, "RESYNC=1h")
}

func TestAssigner_WaitsForNATS(t *testing.T) {
	t.Parallel()
	server := testkit.NewProcess(t)
	sim, baseURL := commandtest.StartTelnyx(t)
	_, campaign := commandtest.Stage(t, sim, "")
	worker := startWaiting(t, server, baseURL)
	private := "http://" + worker.Address("status")
	ready := func() (code int, text string) {
		t.Helper()
		return commandtest.Get(t, http.DefaultClient, private+"/readyz")
	}
	code, text := ready()
	for _, want := range []string{"the NATS server is not connected; Greenlight keeps trying at " + server.URL, `"assigner": "could not join the assigners yet"`} {
		if code != http.StatusServiceUnavailable || !strings.Contains(text, want) {
			t.Errorf("/readyz: %d %s, want %q in it", code, text, want)
		}
	}

	server.Start()
	testkit.Within(t, commandtest.Patience, func() error {
		if code, text := ready(); code != http.StatusOK {
			return fmt.Errorf("/readyz: %d %s", code, text)
		}
		return nil
	})
	commandtest.Reaches(t, commandtest.Connect(t, server.URL), campaign, ledger.Planned)
	worker.Stop()
	http.DefaultClient.CloseIdleConnections()
}

func TestAssigner_StopsWhileItWaitsForNATS(t *testing.T) {
	t.Parallel()
	_, baseURL := commandtest.StartTelnyx(t)
	startWaiting(t, testkit.NewProcess(t), baseURL).Stop()
}
