package main

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"greenlight/config"
	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/testkit/commandtest"
	"greenlight/internal/webhook"
)

// The command under test, run by its name through testscript.
const commandName = "assigner"

func TestMain(m *testing.M) { commandtest.Main(m, commandName, main) }

func TestScripts(t *testing.T) { commandtest.RunScripts(t) }

func TestAssigner_AttachesWhatADeliverySpeaksOf(t *testing.T) {
	t.Parallel()
	address, js := commandtest.StartNATS(t)
	must(t, events.EnsureStreams(t.Context(), js, 1))
	sim, baseURL := commandtest.StartTelnyx(t)
	key, err := telnyx.ParsePublicKey(sim.PublicKey())
	must(t, err)
	verifier, err := telnyx.NewVerifier([]telnyx.PublicKey{key}, time.Now)
	must(t, err)
	hook, err := webhook.New(webhook.Config{Verifier: verifier, JetStream: js})
	must(t, err)
	door := httptest.NewServer(hook.Handler())
	defer door.Close()
	_, campaign := commandtest.Stage(t, sim, door.URL+webhook.Path)
	dir := t.TempDir()
	plans, keyFile := filepath.Join(dir, "plan.yaml"), filepath.Join(dir, "key")
	must(t, os.WriteFile(plans, config.ExamplePlan, 0o600))
	must(t, os.WriteFile(keyFile, []byte(commandtest.APIKey+"\n"), 0o600))

	worker := commandtest.Start(t, commandName, "assigner runs", "NATS_URL="+address, "ADMIN_LISTEN=127.0.0.1:0",
		"TELNYX_API_KEY_FILE="+keyFile, "TELNYX_BASE_URL="+baseURL, "TELNYX_RATE=100", "PLANS="+plans, "RESYNC=1h")
	commandtest.Reaches(t, js, campaign, ledger.Planned)
	must(t, sim.Approve(campaign.ID())) // posts a signed VERIFIED
	commandtest.Reaches(t, js, campaign, ledger.Sendable)
	worker.Stop()
	for _, secret := range []string{strings.TrimPrefix(strings.Split(address, "@")[0], "nats://"), commandtest.APIKey} {
		if strings.Contains(worker.Log(), secret) {
			t.Errorf("its log contains the secret %s", secret)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
