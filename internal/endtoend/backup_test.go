//go:build unix

package endtoend_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
	"greenlight/internal/webhook"
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

// seen is what the status shows.
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

// statusPage is the address in the log of a program that has a status page.
var statusPage = regexp.MustCompile(`status page at (http://[^/"]+)`)

// status returns what the status page of the program with that log has, and its text.
func (u upProcess) status(log *testkit.Buffer) (s seen, text string) {
	u.t.Helper()
	page := statusPage.FindStringSubmatch(log.String())
	if page == nil {
		return s, "no status page"
	}
	answer, err := http.Get(page[1] + "/status.json")
	if err != nil {
		return s, err.Error()
	}
	defer answer.Body.Close()
	var out, compact bytes.Buffer
	if _, err := out.ReadFrom(answer.Body); err != nil {
		return s, err.Error()
	}
	u.must(json.Unmarshal(out.Bytes(), &s))
	u.must(json.Compact(&compact, out.Bytes()))
	return s, compact.String()
}

// backedUp is a Greenlight that is backed up and lost: greenlight up on a data folder, or
// webhook and assigner on a server of their own.
type backedUp struct {
	upProcess
	// data is the folder of greenlight up, else empty.
	data string
	nats *testkit.Process
	// log is what its programs have logged since the latest start.
	log *testkit.Buffer
}

// start starts it and returns how to kill it.
func (b *backedUp) start() (kill func()) {
	b.t.Helper()
	var all []*exec.Cmd
	if b.data != "" {
		all = append(all, b.program("greenlight", "up"))
	} else {
		all = append(all, b.program("webhook"), b.program("assigner"))
	}
	b.log = &testkit.Buffer{}
	for _, command := range all {
		command.Stdout, command.Stderr = b.log, b.log
		b.must(command.Start())
	}
	kill = sync.OnceFunc(func() {
		for _, command := range all {
			_ = command.Process.Kill()
			_ = command.Wait()
		}
	})
	b.t.Cleanup(kill)
	b.eventually("it is up", func() (bool, string) {
		log := b.log.String()
		return strings.Contains(log, "assigner runs") && strings.Contains(log, "webhook accepts deliveries"), log
	})
	return kill
}

func (b *backedUp) program(name string, args ...string) *exec.Cmd {
	command := exec.Command(b.commands+name, args...)
	command.Env = append(os.Environ(), "PLANS="+b.plans, "RESYNC=1s", "ADMIN_LISTEN=127.0.0.1:0", "TELNYX_API_KEY="+apiKey,
		"TELNYX_BASE_URL="+b.api.URL+"/v2", "TELNYX_RATE=100", "TELNYX_PUBLIC_KEY="+b.sim.PublicKey())
	command.Env = append(command.Env, b.env...)
	if b.data != "" {
		command.Env = append(command.Env, "DATA="+b.data)
	} else {
		command.Env = append(command.Env, "NATS_URL="+b.nats.URL)
	}
	return command
}

// lose removes everything that was stored. Nothing may be running.
func (b *backedUp) lose() {
	b.t.Helper()
	if b.data != "" {
		b.must(os.RemoveAll(b.data))
		return
	}
	b.nats.Kill()
	b.nats = testkit.StartInMemory(b.t)
}

// run runs an operator's command and returns what it prints.
func (b *backedUp) run(args ...string) (string, error) {
	out, err := b.program("greenlight", args...).CombinedOutput()
	return string(out), err
}

func (b *backedUp) does(args ...string) string {
	b.t.Helper()
	out, err := b.run(args...)
	if err != nil {
		b.t.Fatalf("greenlight %v: %v\n%s", args, err, out)
	}
	return out
}

// shows waits until the status has the text, in compact JSON.
func (b *backedUp) shows(what, text string) {
	b.t.Helper()
	b.eventually(what, func() (bool, string) {
		_, got := b.status(b.log)
		return strings.Contains(got, text), got
	})
}

// asBefore waits until the state is the given one.
func (b *backedUp) asBefore(want string) {
	b.t.Helper()
	b.eventually("all is as before", func() (bool, string) {
		if shown := b.statusPart(); !strings.HasPrefix(want, shown) {
			return false, shown + "\nwant\n" + want
		}
		got := b.state()
		return got == want, got + "\nwant\n" + want
	})
}

// statusPart is the part of the state that the status has.
func (b *backedUp) statusPart() string {
	s, text := b.status(b.log)
	return fmt.Sprint(s, " held: ", strings.Contains(text, "repair of the office"))
}

// state is what must not get lost: the status, the history of a number, and the dead letters.
func (b *backedUp) state() string {
	why, _ := b.run("why", "+12125550142")
	letters, _ := b.run("deadletters", "list", "--json")
	history, _, _ := strings.Cut(why, "\nNow:") // what follows is relative to now
	return fmt.Sprint(b.statusPart(), letters, history)
}

func TestBackup_OfUpRestoresWhatIsLost(t *testing.T) {
	t.Parallel()
	newBackedUp(t, true).isRestored()
}

func TestBackup_OfAnOutsideServerRestoresWhatIsLost(t *testing.T) {
	if !testkit.Full {
		t.Skip("it takes 14 s, most of which is as with greenlight up; make test runs this with GREENLIGHT_FULL=1")
	}
	t.Parallel()
	newBackedUp(t, false).isRestored()
}

// A backup is taken while Greenlight runs. Then it is killed and everything is lost. After
// the restore, nothing is attached twice, and no history is lost: also if Greenlight was
// started before the restore.
func (b *backedUp) isRestored() {
	b.t.Helper()
	kill := b.start()
	b.shows("the campaigns are read", `"planned":6`)
	b.must(b.sim.Approve(campaignID))
	b.shows("all numbers of the campaign are sendable", `"sendable":5`)
	b.shows("its completion is noticed", "completed")
	b.does("hold", "--reason", "repair of the office")
	b.shows("all work is held", "repair of the office")
	b.deadLetter()
	before, writes := b.state(), len(b.sim.Writes())
	for _, part := range []string{"held: true", "Telnyx reported on the campaign", "Sent: POST", `"reason"`} {
		if !strings.Contains(before, part) {
			b.t.Fatalf("there is no %q to lose in\n%s", part, before)
		}
	}
	file := filepath.Join(b.t.TempDir(), "backup.tar")
	b.does("backup", file)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		b.t.Errorf("the backup has mode %v: %v", info.Mode(), err)
	}

	kill()
	b.lose()
	b.does("restore", file)
	kill = b.start()
	b.asBefore(before)

	kill()
	b.lose()
	kill = b.start()
	b.shows("it has read everything from Telnyx", `"sendable":5`)
	b.does("restore", file)
	b.asBefore(before)
	if got := len(b.sim.Writes()); got != writes {
		b.t.Errorf("%d more writes at Telnyx", got-writes)
	}
	if kept, _ := filepath.Glob(file + ".before-*"); len(kept) != 1 {
		b.t.Errorf("what was replaced is kept in %v", kept)
	}

	b.does("resume")
	b.must(b.sim.Approve(laterID))
	b.shows("it continues", `"sendable":6`)
	if got := len(b.sim.Writes()); got != writes+1 {
		b.t.Errorf("%d more writes at Telnyx, want one", got-writes)
	}
	if out, err := b.run("restore", file); err == nil || !strings.Contains(out, "--replace") {
		b.t.Errorf("a restore over other history: %v\n%s", err, out)
	}
	b.does("restore", "--replace", file)
	b.shows("the hold of the backup is back", "repair of the office")
	if kept, _ := filepath.Glob(file + ".before-*"); len(kept) == 0 {
		b.t.Error("what was replaced is not kept")
	}
	if got := len(b.sim.Writes()); got != writes+1 {
		b.t.Errorf("%d more writes at Telnyx, want one", got-writes)
	}
	kill()
}

// newBackedUp returns one with two campaigns in review.
func newBackedUp(t *testing.T, embedded bool) *backedUp {
	t.Helper()
	commands, err := buildCommands()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, telnyxsim.Options{})
	w.stage(campaignID+": "+numbers, laterID+": "+laterNumber)
	address := "127.0.0.1:" + testkit.FreePort(t)
	for _, id := range []string{campaignID, laterID} {
		w.sim.AddCampaign(telnyxsim.Campaign{ID: id, CampaignStatus: telnyx.CampaignMNOPending, WebhookURL: "http://" + address + webhook.Path})
	}
	b := &backedUp{upProcess: upProcess{world: w, commands: commands, plans: w.planFile(), env: []string{"LISTEN=" + address}}}
	if embedded {
		b.data = filepath.Join(testkit.MemoryDir(t), "data")
	} else {
		b.nats = testkit.StartInMemory(t)
	}
	return b
}

// deadLetter stores a dead letter.
func (b *backedUp) deadLetter() {
	b.t.Helper()
	address := ""
	if b.data != "" {
		text, err := os.ReadFile(filepath.Join(b.data, events.EmbeddedURLFile))
		b.must(err)
		address = strings.TrimSpace(string(text))
	} else {
		address = b.nats.URL
	}
	nc, err := events.Connect(address, "test")
	b.must(err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	b.must(err)
	_, err = js.Publish(b.t.Context(), "deadletter.telnyx.test", []byte("{}"))
	b.must(err)
}
