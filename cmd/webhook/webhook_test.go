package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"greenlight/config"
	"greenlight/internal/assigner"
	"greenlight/internal/events"
	"greenlight/internal/events/embedded"
	"greenlight/internal/leaktest"
	"greenlight/internal/ledger"
	"greenlight/internal/natstest"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/keyfile"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/webhook"
)

// The command under test, run by its name through testscript.
const commandName = "webhook"

const (
	apiKey   = "KEY0123_s3cret"
	patience = 10 * time.Second
)

// leakChecked fails the tests, but not the command, for goroutines left behind.
type leakChecked struct{ *testing.M }

func (m leakChecked) Run() int {
	code := m.M.Run()
	err := goleak.Find(leaktest.Server()...)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func TestMain(m *testing.M) {
	natstest.Main()
	testscript.Main(leakChecked{m}, map[string]func(){commandName: main})
}

// TestScripts has a server at $NATS, and one that is too old at $OLD_NATS.
func TestScripts(t *testing.T) {
	old := oldServer(t, "2.10.29")
	address, _ := startNATS(t)
	_, current, _ := strings.Cut(address, "@")
	t.Run("script", func(t *testing.T) { // whose parallel scripts end before the server does
		testscript.Run(t, testscript.Params{
			Dir:                 "testdata/script",
			RequireExplicitExec: true,
			Setup: func(env *testscript.Env) error {
				env.Setenv("OLD_NATS", old)
				env.Setenv("NATS", current)
				// Else the race detector makes each command wait a second at its end.
				env.Setenv("GORACE", "atexit_sleep_ms=0")
				return nil
			},
		})
	})
}

func TestWebhook_HandsADeliveryToTheAssigner(t *testing.T) {
	address, js := startNATS(t)
	sim, baseURL := startTelnyx(t)
	door := start(t, "webhook takes deliveries",
		"NATS_URL="+address, "TELNYX_PUBLIC_KEY="+sim.PublicKey(), "LISTEN=127.0.0.1:0", "ADMIN_LISTEN=127.0.0.1:0")
	listens := regexp.MustCompile(`"part":"webhook","address":"([^"]+)"`).FindStringSubmatch(door.log())
	if listens == nil {
		t.Fatal("its log does not name the address")
	}
	set, campaign := stage(t, sim, "http://"+listens[1]+webhook.Path)

	worker, err := assigner.New(t.Context(), assigner.Config{
		Telnyx: &telnyx.Client{APIKey: apiKey, BaseURL: baseURL, Pacer: telnyx.NewPacer(telnyx.PacerConfig{Ceiling: 100})},
		Plans:  func() *plan.Set { return set }, JetStream: js,
		Resync: time.Hour, // so that nothing but the delivery can do it
	})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	worked := make(chan error, 1)
	go func() { worked <- worker.Run(ctx) }()
	defer func() { cancel(); must(t, <-worked) }()
	reaches(t, js, campaign, ledger.Planned)

	must(t, sim.Approve(campaign.ID())) // posts a signed VERIFIED
	reaches(t, js, campaign, ledger.Sendable)
	door.stop()
	token := strings.TrimPrefix(strings.Split(address, "@")[0], "nats://")
	if strings.Contains(door.log(), token) {
		t.Error("its log tells the token of NATS")
	}
}

// SIGHUP is what people send after they changed a key. It must not take the door away
// when there is no file to read one from.
func TestWebhook_SaysOnSIGHUPThatItsKeysAreNotInAFile(t *testing.T) {
	address, _ := startNATS(t)
	sim, _ := startTelnyx(t)
	door := start(t, "status page at",
		"NATS_URL="+address, "TELNYX_PUBLIC_KEY="+sim.PublicKey(), "LISTEN=127.0.0.1:0", "ADMIN_LISTEN=127.0.0.1:0")
	for hangups := 1; hangups <= 2; hangups++ {
		must(t, door.command.Process.Signal(syscall.SIGHUP))
		for deadline := time.Now().Add(patience); strings.Count(door.log(), "name a file that holds them with TELNYX_PUBLIC_KEY_FILE") < hangups; time.Sleep(5 * time.Millisecond) {
			select {
			case <-door.ended:
				t.Fatalf("SIGHUP ended it: %v", door.err)
			default:
			}
			if time.Now().After(deadline) {
				t.Fatal("its log does not say how keys can be read anew")
			}
		}
	}
	door.stop()
}

// With its keys in a file it reads them, and has nothing to explain. The file changes
// behind a link further up, which nobody listens to: only SIGHUP finds it before the
// poll does.
func TestWebhook_ReadsItsKeysAnewOnSIGHUP(t *testing.T) {
	address, _ := startNATS(t)
	old, _ := startTelnyx(t)
	next, _ := startTelnyx(t)
	dir := t.TempDir()
	point := func(folder, keys string) {
		must(t, os.Mkdir(filepath.Join(dir, folder), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, folder, "keys"), []byte(keys), 0o600))
		must(t, os.Symlink(folder, filepath.Join(dir, "new")))
		must(t, os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "link")))
	}
	point("first", old.PublicKey())
	file := filepath.Join(dir, "link", "keys")
	door := start(t, "status page at",
		"NATS_URL="+address, "TELNYX_PUBLIC_KEY_FILE="+file, "LISTEN=127.0.0.1:0", "ADMIN_LISTEN=127.0.0.1:0")
	reads := func(limit time.Duration, keys ...string) {
		t.Helper()
		for i, key := range keys {
			keys[i] = strconv.Quote(key[:8])
		}
		want := `"public_keys":[` + strings.Join(keys, ",") + "]"
		for deadline := time.Now().Add(limit); !strings.Contains(door.log(), want); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("its log does not have %s", want)
			}
		}
	}
	// It has looked for the first time, and listens, when it sees this.
	must(t, os.WriteFile(file, []byte(old.PublicKey()+","+next.PublicKey()), 0o600))
	reads(patience, old.PublicKey(), next.PublicKey())
	point("second", next.PublicKey())
	must(t, door.command.Process.Signal(syscall.SIGHUP))
	reads(keyfile.Poll-2*time.Second, next.PublicKey())
	if strings.Contains(door.log(), "not in a file") {
		t.Error("it says that its keys are in no file")
	}
	door.stop()
}

// TestRoles_CarryNoServer keeps the roles small: each is a client of NATS.
func TestRoles_CarryNoServer(t *testing.T) {
	list, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "greenlight/cmd/webhook", "greenlight/cmd/assigner").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, list)
	}
	if bytes.Contains(list, []byte("github.com/nats-io/nats-server/")) {
		t.Error("webhook or assigner imports the NATS server")
	}
}

// start runs the command as a process of its own, with nothing in its
// environment but these settings, and waits until its log has the line.
func start(t *testing.T, line string, settings ...string) *running {
	t.Helper()
	r := &running{t: t, command: exec.CommandContext(t.Context(), commandName), ready: make(chan struct{})}
	r.command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0"}, settings...)
	r.command.Stdout, r.command.Stderr = &r.stdout, r
	r.line = line
	must(t, r.command.Start())
	r.ended = make(chan struct{})
	go func() {
		defer close(r.ended)
		r.err = r.command.Wait()
	}()
	t.Cleanup(func() {
		_ = r.command.Process.Kill() // if the test failed before stop
		<-r.ended
		if t.Failed() {
			t.Logf("%s wrote:\n%s", commandName, r.log())
		}
	})
	select {
	case <-r.ready:
	case <-r.ended:
		t.Fatalf("it ended: %v", r.err)
	case <-time.After(patience):
		t.Fatalf("no %q in its log within %s", line, patience)
	}
	return r
}

// running is the command under way. It is also where its log goes.
type running struct {
	t       *testing.T
	command *exec.Cmd
	stdout  bytes.Buffer
	line    string
	ready   chan struct{}
	ended   chan struct{}
	err     error

	mu    sync.Mutex
	buf   bytes.Buffer
	found bool
}

func (r *running) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.buf.Write(p)
	if !r.found && strings.Contains(r.buf.String(), r.line) {
		r.found = true
		close(r.ready)
	}
	return len(p), nil
}

func (r *running) log() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}

// stop tells the command to stop, as systemd, Docker and Kubernetes do, and fails
// unless it ends well.
func (r *running) stop() {
	r.t.Helper()
	must(r.t, r.command.Process.Signal(syscall.SIGTERM))
	select {
	case <-r.ended:
	case <-time.After(patience):
		r.t.Fatalf("still running %s after SIGTERM", patience)
	}
	if r.err != nil || r.stdout.Len() > 0 {
		r.t.Errorf("it ended with %v and printed %q, want exit code 0 and nothing", r.err, r.stdout.String())
	}
}

// startNATS starts a server that listens, as one beside the command would.
func startNATS(t *testing.T) (address string, js jetstream.JetStream) {
	t.Helper()
	server, err := embedded.Start(embedded.Options{Dir: t.TempDir(), Listen: true})
	must(t, err)
	t.Cleanup(func() { must(t, server.Close()) })
	nc, err := events.Connect(server.URL(), t.Name())
	must(t, err)
	t.Cleanup(nc.Close)
	js, err = jetstream.New(nc)
	must(t, err)
	return server.URL(), js
}

// startTelnyx simulates Telnyx.
func startTelnyx(t *testing.T) (sim *telnyxsim.Simulator, baseURL string) {
	t.Helper()
	sim = telnyxsim.New(telnyxsim.Options{RequiredAPIKey: apiKey})
	t.Cleanup(sim.Close)
	api := httptest.NewServer(sim)
	t.Cleanup(api.Close)
	return sim, api.URL + "/v2"
}

// stage gives Telnyx the example plan's numbers and its campaign, which waits for
// the carriers and posts its notifications to the address.
func stage(t *testing.T, sim *telnyxsim.Simulator, webhookURL string) (*plan.Set, plan.Campaign) {
	t.Helper()
	set, err := plan.LoadBytes("plan.yaml", config.ExamplePlan)
	must(t, err)
	campaign := set.Campaigns[0]
	sim.AddCampaign(telnyxsim.Campaign{ID: campaign.ID(), CampaignStatus: telnyx.CampaignMNOPending, WebhookURL: webhookURL})
	for _, number := range campaign.Numbers {
		sim.AddNumbers(telnyxsim.Number{PhoneNumber: string(number), MessagingProfileID: "4001776e-0000-4000-8000-000000000001"})
	}
	return set, campaign
}

// reaches waits until the ledger has every number of the campaign in the state.
func reaches(t *testing.T, js jetstream.JetStream, c plan.Campaign, state ledger.State) {
	t.Helper()
	var got string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		book, err := ledger.Open(t.Context(), js)
		if err != nil {
			got = err.Error() // the assigner has not made it yet
			continue
		}
		numbers, err := book.Numbers(t.Context(), c.ID())
		must(t, err)
		reached := 0
		for _, entry := range numbers {
			if entry.Number.State == state {
				reached++
			}
		}
		if reached == len(c.Numbers) {
			return
		}
		got = fmt.Sprintf("%d of %d: %+v", reached, len(c.Numbers), numbers)
	}
	t.Fatalf("not every number %s within %s; got %s", state, patience, got)
}

// oldServer answers the first lines of NATS' protocol as a server of the given
// version would. No such server can be had beside the one that we link.
func oldServer(t *testing.T, version string) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	stopped := make(chan struct{})
	t.Cleanup(func() { listener.Close(); <-stopped })
	go func() {
		defer close(stopped)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			fmt.Fprintf(conn, "INFO {\"server_id\":\"x\",\"version\":%q,\"proto\":1,\"max_payload\":1048576,\"headers\":true}\r\n", version)
			for lines := bufio.NewScanner(conn); lines.Scan(); {
				if lines.Text() == "PING" {
					fmt.Fprint(conn, "PONG\r\n")
				}
			}
			conn.Close()
		}
	}()
	return listener.Addr().String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
