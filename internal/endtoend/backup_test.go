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
	"sync"
	"syscall"
	"testing"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
)

// upProcess runs the real `greenlight up` in a world, on a data folder.
type upProcess struct {
	*world
	commands, plans string
	// env are additional environment variables.
	env []string
}

// run starts it and returns when it is ready. Stop ends it and requires exit code 0.
func (u upProcess) run(data string) (out *testkit.Buffer, stop func()) {
	u.t.Helper()
	command, out := u.command(data)
	u.must(command.Start())
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	stop = sync.OnceFunc(func() {
		_ = command.Process.Signal(syscall.SIGTERM) // it may have exited
		if err := <-ended; err != nil {
			u.t.Errorf("greenlight up: %v\n%s", err, out.String())
		}
	})
	u.t.Cleanup(stop)
	u.eventually("it is up", func() (bool, string) { return strings.Contains(out.String(), "assigner runs"), out.String() })
	return out, stop
}

func (u upProcess) command(data string) (*exec.Cmd, *testkit.Buffer) {
	out := &testkit.Buffer{}
	command := exec.Command(u.commands+"greenlight", "up")
	command.Env = append(os.Environ(), "DATA="+data, "PLANS="+u.plans, "RESYNC=1s", "LISTEN=127.0.0.1:0", "ADMIN_LISTEN=127.0.0.1:0",
		"TELNYX_API_KEY="+apiKey, "TELNYX_BASE_URL="+u.api.URL+"/v2", "TELNYX_RATE=100", "TELNYX_PUBLIC_KEY="+u.sim.PublicKey())
	command.Env = append(command.Env, u.env...)
	command.Stdout, command.Stderr = out, out
	return command, out
}

// seen is what `greenlight status` shows.
type seen struct {
	Totals    map[ledger.State]int
	Campaigns []struct {
		Plan, Since string
		Reported    string `json:"reported"`
	}
}

// noticed is the latest notice about the campaign with that name in the plan.
func (s seen) noticed(plan string) string {
	for _, c := range s.Campaigns {
		if c.Plan == plan {
			return c.Reported
		}
	}
	return ""
}

// status runs greenlight status, and returns its text too.
func (u upProcess) status(data string) (s seen, text string) {
	u.t.Helper()
	out, err := exec.Command(u.commands+"greenlight", "status", "--data", data, "--json").Output()
	if err != nil {
		return s, err.Error()
	}
	u.must(json.Unmarshal(out, &s))
	var compact bytes.Buffer
	u.must(json.Compact(&compact, out))
	return s, compact.String()
}

// The steps of docs/operations.md, Backups: stop, copy the data folder, start elsewhere.
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

	old, copied := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "elsewhere")
	up := upProcess{world: w, commands: commands, plans: plans}
	_, stop := up.run(old)
	w.eventually("the campaign is read", func() (bool, string) {
		s, text := up.status(old)
		return s.Totals[ledger.Planned] == 6, text
	})
	w.must(w.sim.Approve(campaignID))
	w.eventually("all but one are sendable", func() (bool, string) {
		s, text := up.status(old)
		return s.Totals[ledger.Sendable] == 5 && s.Totals[ledger.Failed] == 1 && len(s.Campaigns) == 1 && strings.HasPrefix(s.Campaigns[0].Reported, "partial"), text
	})
	before, _ := up.status(old)
	stop()
	writes := len(w.sim.Writes())
	w.must(os.CopyFS(copied, os.DirFS(old)))
	if _, err := os.Stat(filepath.Join(copied, "nats.url")); err == nil {
		t.Error("a folder that was stopped has an address in it")
	}

	log, stop := up.run(copied)
	w.eventually("it has read the folder", func() (bool, string) {
		s, text := up.status(copied)
		return s.Totals[ledger.Sendable] == 5 && strings.Contains(log.String(), "assigner runs"), text
	})
	after, _ := up.status(copied)
	if fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("got %+v, want it as it stopped: %+v", after, before)
	}
	stop()
	if got := len(w.sim.Writes()); got != writes {
		t.Errorf("%d more writes at Telnyx", got-writes)
	}
	for _, word := range []string{"number is", "campaign is", "Partly done"} {
		if strings.Contains(log.String(), word) {
			t.Errorf("it reports old changes as new:\n%s", log.String())
		}
	}
}
