package endtoend_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"greenlight/internal/app"
	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// runCommand runs the webhook or the assigner, and exits, if the test binary was started
// under that name. So neither has to be linked for the tests.
func runCommand() {
	name := filepath.Base(os.Args[0])
	var command interface {
		Run(context.Context, io.Writer) error
	}
	switch name {
	case "webhook":
		command = &app.WebhookCommand{}
	case "assigner":
		command = &app.AssignerCommand{}
	default:
		return
	}
	os.Exit(app.Main(name, func(ctx context.Context) error {
		if _, done, err := app.Parse(command, name, "", os.Args[1:], os.Stdout); done || err != nil {
			return err
		}
		return command.Run(ctx, os.Stderr)
	}))
}

// linkCommands makes a folder of the test run with webhook and assigner.
func linkCommands() (folder string, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	folder, err = os.MkdirTemp("", "greenlight-test-")
	if err != nil {
		return "", err
	}
	for _, name := range []string{"webhook", "assigner"} {
		if err := os.Symlink(self, filepath.Join(folder, name)); err != nil {
			return "", err
		}
	}
	return folder, nil
}

// buildCommands adds greenlight to that folder, once, and returns the folder with a slash.
var buildCommands = sync.OnceValues(func() (string, error) {
	dir := binaries + "/"
	out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", dir, "greenlight/cmd/greenlight").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return dir, nil
})

// process starts the assigner as a separate process, on the world's plan. More
// settings override its defaults.
func (w *world) process(plans string, more ...string) *exec.Cmd {
	w.t.Helper()
	command := exec.Command(filepath.Join(binaries, "assigner"))
	command.Env = append(os.Environ(),
		"NATS_URL="+w.nats.URL(), "TELNYX_API_KEY="+apiKey, "TELNYX_BASE_URL="+w.api.URL+"/v2", "TELNYX_RATE=100",
		"PLANS="+plans, "RESYNC=1h", "ADMIN_LISTEN=127.0.0.1:0")
	command.Env = append(command.Env, more...)
	command.Stdout, command.Stderr = w.log, w.log
	w.must(command.Start())
	w.t.Cleanup(func() {
		_ = command.Process.Kill() // it may have exited
		_ = command.Wait()
	})
	return command
}

// kill starts an assigner as a separate process, and kills it once the first request for a
// number has reached the fault.
func (w *world) kill(fault telnyxsim.Fault, reached <-chan struct{}) {
	w.t.Helper()
	fault.Method, fault.PathPrefix, fault.Times = http.MethodPost, assignPath, 1
	w.sim.Inject(fault)
	first := w.process(w.planFile())
	select {
	case <-reached:
	case <-time.After(patience):
		w.t.Fatal("no request came")
	}
	w.must(first.Process.Kill())
	_ = first.Wait()
}

// killAfterTheEffect is kill while the request has taken effect and is not answered.
func (w *world) killAfterTheEffect() {
	w.t.Helper()
	applied := make(chan struct{})
	w.kill(telnyxsim.Fault{Kind: telnyxsim.EffectThenHang(), OnApplied: sync.OnceFunc(func() { close(applied) })}, applied)
}

// After a kill between the effect of a request and its answer, the next assigner reads the
// effect.
func TestKilledProcess_WithAnEffectRepeatsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	w.stage(campaignID + ": " + numbers)
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	w.killAfterTheEffect()
	w.start() // in this process, with a short Settle
	w.sendable(campaignID, w.planned(campaignID))
	w.attachedOnce(w.planned(campaignID)...)
	w.onePost(campaignID)
}

// While reads lag, only the claim of a killed process shows that the number was requested.
func TestKilledProcess_LeavesItsClaim(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{Dialect: telnyxsim.Dialect{ReadLag: time.Hour}})
	w.stage(campaignID + ": " + reasonNumber)
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	w.killAfterTheEffect()
	clock := w.movableClock()
	w.config.Settle = time.Minute
	w.start()
	w.reconcile(campaignID)
	clock.advance(30 * time.Second)
	w.reconcile(campaignID)
	w.posted(reasonNumber, 1)
	w.must(w.sim.AttachNumber(reasonNumber, campaignID, telnyx.Assigned)) // now reads show it
	w.reconcile(campaignID)
	w.numberIs(campaignID, reasonNumber, ledger.Sendable, "")
	w.onePost(campaignID)
}

// After a kill before a request took effect, the next assigner repeats it.
func TestKilledProcess_WithoutAnEffectIsRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	w.stage(campaignID + ": " + numbers)
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	arrived := make(chan struct{})
	arrive := sync.OnceFunc(func() { close(arrived) })
	w.kill(telnyxsim.Fault{Kind: telnyxsim.Hang(), Match: func(*http.Request) bool { arrive(); return true }}, arrived)
	w.start() // in this process, with a short Settle
	w.sendable(campaignID, w.planned(campaignID))
	w.attachedOnce(w.planned(campaignID)...)
}
