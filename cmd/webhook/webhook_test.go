package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"greenlight/internal/assigner"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
	"greenlight/internal/testkit/commandtest"
	"greenlight/internal/webhook"
)

// The command under test, run by its name through testscript.
const commandName = "webhook"

func TestMain(m *testing.M) { commandtest.Main(m, commandName, main) }

func TestScripts(t *testing.T) { commandtest.RunScripts(t) }

func TestWebhook_HandsADeliveryToTheAssigner(t *testing.T) {
	t.Parallel()
	address, js := commandtest.StartNATS(t)
	sim, baseURL := commandtest.StartTelnyx(t)
	door := commandtest.Start(t, commandName, "webhook accepts deliveries",
		"NATS_URL="+address, "TELNYX_PUBLIC_KEY="+sim.PublicKey(), "LISTEN=127.0.0.1:0", "ADMIN_LISTEN=127.0.0.1:0")
	set, campaign := commandtest.Stage(t, sim, "http://"+door.Address("webhook")+webhook.Path)

	worker, err := assigner.New(t.Context(), assigner.Config{
		Telnyx: &telnyx.Client{APIKey: commandtest.APIKey, BaseURL: baseURL, Limiter: telnyx.NewLimiter(telnyx.LimiterConfig{Ceiling: 100, Concurrency: 8})},
		Plans:  func() *plan.Set { return set }, JetStream: js,
		Resync: time.Hour, // so that nothing but the delivery can do it
	})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	worked := make(chan error, 1)
	go func() { worked <- worker.Run(ctx) }()
	defer func() { cancel(); must(t, <-worked) }()
	commandtest.Reaches(t, js, campaign, ledger.Planned)

	must(t, sim.Approve(campaign.ID())) // posts a signed VERIFIED
	commandtest.Reaches(t, js, campaign, ledger.Sendable)
	door.Stop()
	token := strings.TrimPrefix(strings.Split(address, "@")[0], "nats://")
	if strings.Contains(door.Log(), token) {
		t.Error("its log contains the token of NATS")
	}
}

// SIGHUP is what people send after they changed a key. It must not take the door away
// when there is no file to read one from.
func TestWebhook_SaysOnSIGHUPThatItsKeysAreNotInAFile(t *testing.T) {
	t.Parallel()
	address, _ := commandtest.StartNATS(t)
	sim, _ := commandtest.StartTelnyx(t)
	door := commandtest.Start(t, commandName, "status page at",
		"NATS_URL="+address, "TELNYX_PUBLIC_KEY="+sim.PublicKey(), "LISTEN=127.0.0.1:0", "ADMIN_LISTEN=127.0.0.1:0")
	for hangups := 1; hangups <= 2; hangups++ {
		door.Signal(syscall.SIGHUP)
		door.SaysWithin(commandtest.Patience, "use TELNYX_PUBLIC_KEY_FILE", hangups)
	}
	door.Stop()
}

// With its keys in a file it reads them, and has nothing to explain.
func TestWebhook_ReadsItsKeysAnewOnSIGHUP(t *testing.T) {
	t.Parallel()
	address, _ := commandtest.StartNATS(t)
	old, _ := commandtest.StartTelnyx(t)
	next, _ := commandtest.StartTelnyx(t)
	dir := t.TempDir()
	point := func(folder, keys string) {
		must(t, os.Mkdir(filepath.Join(dir, folder), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, folder, "keys"), []byte(keys), 0o600))
		must(t, os.Symlink(folder, filepath.Join(dir, "new")))
		must(t, os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "link")))
	}
	point("first", old.PublicKey())
	file := filepath.Join(dir, "link", "keys")
	door := commandtest.Start(t, commandName, "status page at",
		"NATS_URL="+address, "TELNYX_PUBLIC_KEY_FILE="+file, "LISTEN=127.0.0.1:0", "ADMIN_LISTEN=127.0.0.1:0")
	reads := func(limit time.Duration, keys ...string) {
		t.Helper()
		for i, key := range keys {
			keys[i] = strconv.Quote(key[:8])
		}
		door.SaysWithin(limit, `"public_keys":[`+strings.Join(keys, ",")+"]", 1)
	}
	// It has read the file once, and checks it, when it sees this.
	must(t, os.WriteFile(file, []byte(old.PublicKey()+","+next.PublicKey()), 0o600))
	reads(commandtest.Patience, old.PublicKey(), next.PublicKey())
	point("second", next.PublicKey())
	door.Signal(syscall.SIGHUP)
	reads(commandtest.Patience, next.PublicKey())
	if strings.Contains(door.Log(), "not in a file") {
		t.Error("it says that its keys are in no file")
	}
	door.Stop()
}

// TestRoles_CarryNoServer keeps the roles small: each is a client of NATS.
func TestRoles_CarryNoServer(t *testing.T) {
	t.Parallel()
	list, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "greenlight/cmd/webhook", "greenlight/cmd/assigner").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, list)
	}
	if bytes.Contains(list, []byte("github.com/nats-io/nats-server/")) {
		t.Error("webhook or assigner imports the NATS server")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
