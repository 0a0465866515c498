//go:build unix

package endtoend_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/webhook"
)

// buildCommands builds every command once, into a folder of the test run.
var buildCommands = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(binaries, "all") + "/"
	out, err := exec.Command("go", "build", "-o", dir, "greenlight/cmd/webhook", "greenlight/cmd/assigner", "greenlight/cmd/greenlight").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return dir, nil
})

// The secrets of a whole run. That of NATS is made at its start.
const (
	notifyUser = "n0tify-user-s3cret"
	notifyPath = "n0tify-path-t0ken"
	adminToken = "adm1n-t0ken-s3cret"
)

// TestSecrets_AreInNoOutput runs every command through good days and bad, and looks for
// every secret in all that comes out: logs, pages, metrics, errors, notices.
func TestSecrets_AreInNoOutput(t *testing.T) {
	t.Parallel()
	commands, err := buildCommands()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, telnyxsim.Options{})
	const other = "11111111-907b-43a9-8ada-ba1dc8335b07"
	w.stage(campaignID+": "+numbers, other+": +12125550199")
	plans := filepath.Join(t.TempDir(), "plan.yaml")
	yaml, err := w.plans().YAML()
	w.must(err)
	w.must(os.WriteFile(plans, yaml, 0o600))
	natsURL, err := url.Parse(w.nats.URL())
	w.must(err)

	// The receiver refuses, and repeats the address that it was called by.
	inbox := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		http.Error(answer, r.URL.String()+r.Header.Get("Authorization"), http.StatusForbidden)
	}))
	t.Cleanup(inbox.Close)
	notifyURL := "generic+" + strings.Replace(inbox.URL, "http://", "http://"+notifyUser+":pass@", 1) + "/" + notifyPath
	environment := func(more ...string) []string {
		return append(append(os.Environ(),
			"NATS_URL="+w.nats.URL(), "TELNYX_API_KEY="+apiKey, "TELNYX_BASE_URL="+w.api.URL+"/v2", "TELNYX_RATE=100", "TELNYX_PUBLIC_KEY="+w.sim.PublicKey(),
			"PLANS="+plans, "RESYNC=1h", "LISTEN=127.0.0.1:0", "ADMIN_LISTEN=127.0.0.1:0", "NOTIFY_URL="+notifyURL, "ADMIN_TOKEN="+adminToken, "LOG_LEVEL=debug"), more...)
	}
	var all lockedBuffer // everything that comes out
	start := func(name string) (private string, out *lockedBuffer, stop func()) {
		t.Helper()
		out = &lockedBuffer{}
		command := exec.Command(commands + name)
		command.Env = environment()
		command.Stdout, command.Stderr = io.MultiWriter(out, &all), io.MultiWriter(out, &all)
		w.must(command.Start())
		var once sync.Once
		stop = func() {
			once.Do(func() {
				_ = command.Process.Signal(syscall.SIGTERM) // it may be gone
				_ = command.Wait()
			})
		}
		t.Cleanup(stop)
		page := regexp.MustCompile(`status page at (http://[^/"]+)`)
		w.eventually(name+" is up", func() (bool, string) { return page.MatchString(out.String()), out.String() })
		return page.FindStringSubmatch(out.String())[1], out, stop
	}
	door, doorLog, _ := start("webhook")
	worker, _, stopWorker := start("assigner")
	standby, standbyLog, _ := start("assigner")
	public := regexp.MustCompile(`"part":"webhook","address":"([^"]+)"`).FindStringSubmatch(doorLog.String())
	if public == nil {
		t.Fatal("the webhook's log does not tell its address")
	}
	// get asks as one who knows the token.
	client := &http.Client{Timeout: patience}
	get := func(url string) (*http.Response, error) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		w.must(err)
		request.Header.Set("Authorization", "Bearer "+adminToken)
		return client.Do(request)
	}
	look := func() {
		for _, listener := range []string{door, worker, standby} {
			for _, path := range []string{"/status", "/status.json", "/metrics", "/readyz", "/healthz", "/nowhere"} {
				answer, err := get(listener + path)
				if err != nil {
					continue // it was stopped
				}
				_, err = io.Copy(&all, answer.Body)
				answer.Body.Close()
				w.must(err)
			}
		}
	}

	for _, id := range []string{campaignID, other} {
		w.sim.AddCampaign(telnyxsim.Campaign{ID: id, CampaignStatus: telnyx.CampaignMNOPending, WebhookURL: "http://" + public[1] + webhook.Path})
	}
	w.sim.Inject(telnyxsim.Fault{Method: "GET", PathPrefix: "/10dlc/campaign", Times: 3,
		Kind: telnyxsim.StatusFault(http.StatusInternalServerError, `{"errors":[{"code":"99999","title":"odd","detail":"Bearer `+apiKey+`"}]}`)})
	for _, id := range []string{campaignID, other} {
		w.nudge(id)
		w.phase(id, ledger.Waiting)
	}
	w.must(w.sim.Approve(campaignID))
	w.reaches(campaignID, ledger.Sendable)
	w.must(w.sim.Reject(other, "no opt-in"))
	w.phase(other, ledger.Blocked)
	w.eventually("a notice is refused", func() (bool, string) {
		got := all.String()
		return strings.Contains(got, "a notice could not be sent") && strings.Contains(got, "403"), got
	})
	look()
	stopWorker()
	w.eventually("the other one works", func() (bool, string) {
		w.nudge(campaignID) // an assigner knows that it works from the first message on
		answer, err := get(standby + "/metrics")
		w.must(err)
		defer answer.Body.Close()
		metrics, err := io.ReadAll(answer.Body)
		w.must(err)
		return bytes.Contains(metrics, []byte("\ngreenlight_assigner_active 1\n")), standbyLog.String()
	})
	look()

	// The commands for people, and errors about each secret.
	for _, run := range []struct {
		name string
		args []string
		env  []string
		fine bool
		// waits says that it goes on until it is told to stop.
		waits bool
	}{
		{name: "greenlight", args: []string{"status"}, fine: true},
		{name: "greenlight", args: []string{"status", "--json"}, fine: true},
		{name: "greenlight", args: []string{"deadletters", "list"}, fine: true},
		{name: "greenlight", args: []string{"doctor"}},
		{name: "greenlight", args: []string{"up", "--help"}, fine: true},
		{name: "assigner", args: []string{"--help"}, fine: true},
		{name: "assigner", env: []string{"NOTIFY_URL=" + notifyPath}},
		{name: "assigner", env: []string{"NOTIFY_URL=slack://" + notifyUser + "/" + notifyPath}},
		{name: "assigner", env: []string{"NATS_URL=" + strings.Replace(w.nats.URL(), natsURL.Host, "127.0.0.1:1", 1)}, waits: true},
		{name: "assigner", env: []string{"NATS_URL=" + w.nats.URL() + "%zz"}},
		{name: "webhook", env: []string{"NATS_URL=" + strings.Replace(w.nats.URL(), natsURL.Host, "127.0.0.1:1", 1)}, waits: true},
		{name: "assigner", env: []string{"TELNYX_API_KEY_FILE=also"}},
	} {
		command := exec.Command(commands+run.name, run.args...)
		command.Env = environment(run.env...)
		command.Dir = t.TempDir()
		var said lockedBuffer
		command.Stdout, command.Stderr = &said, &said
		w.must(command.Start())
		if run.waits {
			w.eventually("it says that it waits", func() (bool, string) { return strings.Contains(said.String(), "NATS"), said.String() })
			w.must(command.Process.Signal(syscall.SIGTERM))
		}
		err := command.Wait()
		out := []byte(said.String())
		if failed := new(exec.ExitError); err != nil && !errors.As(err, &failed) {
			t.Fatal(err)
		}
		if run.fine && err != nil || len(bytes.TrimSpace(out)) == 0 {
			t.Errorf("%s %v: %v, %s", run.name, run.args, err, out)
		}
		fmt.Fprintf(&all, "%s", out)
	}
	for _, n := range w.notices() {
		fmt.Fprintln(&all, n.Text)
	}

	got := all.String()
	for what, secret := range map[string]string{
		"the API key": apiKey, "the token of NATS": natsURL.User.Username(), "the user in NOTIFY_URL": notifyUser,
		"the path in NOTIFY_URL": notifyPath, "ADMIN_TOKEN": adminToken,
	} {
		if len(secret) < 8 {
			t.Fatalf("%s is too short to look for", what)
		}
		for line := range strings.Lines(got) {
			if strings.Contains(line, secret) {
				t.Errorf("%s came out: %.300s", what, line)
			}
		}
	}
	for _, word := range []string{"greenlight_numbers", `"checks"`, "number is sendable", "NOTIFY_URL (--notify-url)", "<html"} {
		if !strings.Contains(got, word) {
			t.Errorf("%s did not come out, so this shows less than it should", word)
		}
	}
}
