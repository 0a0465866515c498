package endtoend_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"greenlight/internal/app"
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

// buildCommands makes a folder of the test run with every command, once.
var buildCommands = sync.OnceValues(func() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	for _, name := range []string{"webhook", "assigner"} {
		if err := os.Symlink(self, filepath.Join(binaries, name)); err != nil {
			return "", err
		}
	}
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
	commands, err := buildCommands()
	w.must(err)
	command := exec.Command(commands + "assigner")
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

// After a kill with a request in flight, the next assigner repeats the request only if it
// had no effect.
func TestKilledProcess_WritesNothingTwice(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		kind    telnyxsim.FaultKind
		applied bool // whether the request at which the process is killed took effect
	}{
		"after the request took effect and before its answer": {telnyxsim.EffectThenHang(), true},
		"before the request took effect":                      {telnyxsim.Hang(), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, telnyxsim.Options{})
			w.stage(campaignID + ": " + numbers)
			w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
			plans := w.planFile()

			reached := make(chan struct{})
			var once sync.Once
			fault := telnyxsim.Fault{Method: "POST", PathPrefix: "/10dlc/phone_number_campaigns", Times: 1, Kind: tt.kind}
			if tt.applied {
				fault.OnApplied = func() { once.Do(func() { close(reached) }) }
			}
			w.sim.Inject(fault)
			first := w.process(plans)
			if !tt.applied {
				// Hang gives no signal. Four requests have ended, and one is claimed and hangs.
				w.eventually("four of five", func() (bool, string) { return len(w.posts()) >= 4, fmt.Sprint(w.posts()) })
				once.Do(func() { close(reached) })
			}
			select {
			case <-reached:
			case <-time.After(patience):
				t.Fatal("no request came")
			}
			w.must(first.Process.Kill())
			_ = first.Wait()
			effective := len(w.sim.Assignments())

			w.start() // in this process, with a short Settle
			waited := time.Now()
			w.sendable(campaignID, w.planned(campaignID))
			t.Logf("killed with %d of 5 in effect; the next assigner was done after %s", effective, time.Since(waited).Round(time.Second))
			w.attachedOnce(w.planned(campaignID)...)
			if tt.applied {
				w.onePost(campaignID) // a second request was not needed
			}
		})
	}
}
