//go:build unix

package endtoend_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// What docs/operations.md says of backups: stop, copy the data folder, start elsewhere.
func TestBackup_StartsElsewhereAsItStopped(t *testing.T) {
	t.Parallel()
	commands, err := buildCommands()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, telnyxsim.Options{})
	w.stage(campaignID + ": " + numbers)
	// One more than Telnyx lists on the account.
	w.plan("version: 1\ncampaigns: [{name: spring, campaign_id: " + campaignID + ", numbers: [" + strings.ReplaceAll(numbers, " ", ", ") + ", +12125550199]}]")
	w.sim.AddCampaign(telnyxsim.Campaign{ID: campaignID, CampaignStatus: telnyx.CampaignMNOPending})
	plans := filepath.Join(t.TempDir(), "plan.yaml")
	yaml, err := w.plans().YAML()
	w.must(err)
	w.must(os.WriteFile(plans, yaml, 0o600))

	run := func(data string) (out *lockedBuffer, stop func()) {
		t.Helper()
		out = &lockedBuffer{}
		command := exec.Command(commands+"greenlight", "up")
		command.Env = append(os.Environ(), "DATA="+data, "PLANS="+plans, "RESYNC=1s", "LISTEN=127.0.0.1:0", "ADMIN_LISTEN=127.0.0.1:0",
			"TELNYX_API_KEY="+apiKey, "TELNYX_BASE_URL="+w.api.URL+"/v2", "TELNYX_RATE=100", "TELNYX_PUBLIC_KEY="+w.sim.PublicKey())
		command.Stdout, command.Stderr = out, out
		w.must(command.Start())
		ended := make(chan error, 1)
		go func() { ended <- command.Wait() }()
		stopped := false
		stop = func() {
			if stopped {
				return
			}
			stopped = true
			_ = command.Process.Signal(syscall.SIGTERM) // it may be gone
			if err := <-ended; err != nil {
				t.Errorf("greenlight up: %v\n%s", err, out.String())
			}
		}
		t.Cleanup(stop)
		w.eventually("it is up", func() (bool, string) { return strings.Contains(out.String(), "assigner runs"), out.String() })
		return out, stop
	}
	type seen struct {
		Totals    map[ledger.State]int
		Campaigns []struct{ Since, Told string }
	}
	status := func(data string) (s seen, text string) {
		t.Helper()
		out, err := exec.Command(commands+"greenlight", "status", "--data", data, "--json").Output()
		if err != nil {
			return s, err.Error()
		}
		w.must(json.Unmarshal(out, &s))
		var compact bytes.Buffer
		w.must(json.Compact(&compact, out))
		return s, compact.String()
	}
	old, copied := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "elsewhere")
	_, stop := run(old)
	w.eventually("the campaign is read", func() (bool, string) {
		s, text := status(old)
		return s.Totals[ledger.Planned] == 6, text
	})
	w.must(w.sim.Approve(campaignID))
	w.eventually("all but one are sendable", func() (bool, string) {
		s, text := status(old)
		return s.Totals[ledger.Sendable] == 5 && s.Totals[ledger.Failed] == 1 && len(s.Campaigns) == 1 && strings.HasPrefix(s.Campaigns[0].Told, "partial"), text
	})
	before, _ := status(old)
	stop()
	writes := len(w.sim.Writes())
	w.must(os.CopyFS(copied, os.DirFS(old)))
	if _, err := os.Stat(filepath.Join(copied, "nats.url")); err == nil {
		t.Error("a folder that was stopped has an address in it")
	}

	log, stop := run(copied)
	w.eventually("it has looked", func() (bool, string) {
		s, text := status(copied)
		return s.Totals[ledger.Sendable] == 5 && strings.Contains(log.String(), "assigner runs"), text
	})
	after, _ := status(copied)
	if fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("got %+v, want it as it stopped: %+v", after, before)
	}
	stop()
	if got := len(w.sim.Writes()); got != writes {
		t.Errorf("%d more writes at Telnyx", got-writes)
	}
	for _, word := range []string{"number is", "campaign is", "Partly done"} {
		if strings.Contains(log.String(), word) {
			t.Errorf("it tells as news what was so before:\n%s", log.String())
		}
	}
}
