package deploytest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/nats-io/nats-server/v2/server"
)

// patience is longer than a first start, when all four create the same streams concurrently.
const patience = 2 * time.Minute

// TestCompose_RunsToTheEnd runs the processes of compose.yaml with their settings, on three
// NATS servers with their configuration, against the simulator of compose.dev.yaml, until
// every number can send. Only addresses and file paths differ from the containers.
func TestCompose_RunsToTheEnd(t *testing.T) {
	t.Parallel()
	project := load(t, "compose.yaml")
	secrets := makeSecrets(t)
	url := read(t, secrets+"/nats-url")
	var urls []string
	for _, address := range startCluster(t, natsFolder(t, secrets)) {
		urls = append(urls, strings.Replace(url, "@nats:4222", "@"+address, 1))
	}
	must(t, os.WriteFile(secrets+"/nats-url", []byte(strings.Join(urls, ",")), 0o600))

	const plan = root + "/config/plan.example.yaml"
	api := free(t)
	private := map[string]string{}
	public := ""
	var stops []func() // all at once, since each waits until Caddy has noticed
	// settings are those of a service, with local paths of its secrets.
	settings := func(service types.ServiceConfig) map[string]string {
		set := environment(service)
		for variable, value := range set {
			if file, is := strings.CutPrefix(value, "/run/secrets/"); is {
				set[variable] = filepath.Join(secrets, file)
			}
		}
		return set
	}
	for _, name := range []string{"webhook-1", "webhook-2", "assigner-1", "assigner-2"} {
		service := project.Services[name]
		set := settings(service)
		set["ADMIN_LISTEN"] = free(t)
		private[name] = set["ADMIN_LISTEN"]
		switch ours(service)[0] {
		case "webhook":
			set["LISTEN"] = free(t)
			public = set["LISTEN"]
		case "assigner":
			set["PLANS"] = plan
			set["TELNYX_BASE_URL"] = "http://" + api + "/v2"
		}
		stops = append(stops, start(t, name, set, ours(service)...))
	}
	t.Cleanup(func() {
		for _, stop := range stops {
			stop()
		}
	})
	start(t, "simulator", nil, "greenlight", "simulator", "--addr", api, "--from", plan, "--key-file", deploy+"/compose/simulator.key",
		"--webhook-url", "http://"+public+"/webhooks/telnyx", "--review", "200ms", "--assign", "200ms", "--mapping", "200ms")

	// The standby is ready too. Each check runs as in the container.
	for name, address := range private {
		test := project.Services[name].HealthCheck.Test
		poll(t, name+" is ready", func() error {
			check := exec.Command(filepath.Join(bin, test[1]), test[2:]...)
			check.Env = append(os.Environ(), "ADMIN_LISTEN="+address)
			out, err := check.CombinedOutput()
			if err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		})
	}
	poll(t, "every number can send", func() error {
		status := exec.Command(filepath.Join(bin, "greenlight"), "status", "--json")
		status.Env = os.Environ()
		for variable, value := range settings(project.Services[tool]) {
			status.Env = append(status.Env, variable+"="+value)
		}
		out, err := status.CombinedOutput()
		if sendable := strings.Count(string(out), `"state": "sendable"`); err != nil || sendable != 5 {
			return fmt.Errorf("%d can: %w\n%s", sendable, err, out)
		}
		return nil
	})
	for name, address := range private {
		paths := []string{"/metrics"}
		if strings.HasPrefix(name, "assigner") {
			paths = append(paths, "/status")
		}
		for shown, want := range map[string]int{read(t, secrets+"/admin-token"): http.StatusOK, "": http.StatusUnauthorized} {
			for _, path := range paths {
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
				must(t, err)
				request.Header.Set("Authorization", "Bearer "+shown)
				answer, err := http.DefaultClient.Do(request)
				must(t, err)
				answer.Body.Close()
				if answer.StatusCode != want {
					t.Errorf("%s: %s: got %d, want %d", name, path, answer.StatusCode, want)
				}
			}
		}
	}
}

// startCluster starts the three servers, and returns where clients connect.
func startCluster(t *testing.T, folder string) (clients []string) {
	t.Helper()
	routes := make([]string, 3)
	for i := range routes {
		routes[i] = free(t)
	}
	var servers []*server.Server
	for i := range routes {
		// The environment is that of all tests.
		named := fmt.Sprintf("%s/nats-%d.conf", folder, i+1)
		must(t, os.WriteFile(named, []byte(strings.ReplaceAll(read(t, folder+"/nats.conf"), "$SERVER_NAME", fmt.Sprintf("nats-%d", i+1))), 0o600))
		options := natsOptions(t, named)
		options.Host, options.Port, options.HTTPPort = "127.0.0.1", server.RANDOM_PORT, 0
		options.StoreDir = t.TempDir()
		options.NoSigs, options.NoLog = true, true
		options.Cluster.Host = "127.0.0.1"
		fmt.Sscan(portOf(t, routes[i]), &options.Cluster.Port)
		options.Routes = server.RoutesFromStr("nats://" + strings.Join(routes, ",nats://"))
		node, err := server.NewServer(options)
		must(t, err)
		node.Start()
		t.Cleanup(func() { node.Shutdown(); node.WaitForShutdown() })
		servers = append(servers, node)
	}
	for _, node := range servers {
		if !node.ReadyForConnections(patience) {
			t.Fatalf("%s does not start", node.Name())
		}
		clients = append(clients, node.Addr().String())
	}
	poll(t, "the cluster has a leader", func() error {
		if !slices.ContainsFunc(servers, (*server.Server).JetStreamIsLeader) {
			return fmt.Errorf("none")
		}
		return nil
	})
	return clients
}

// journal is what a process wrote.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// start runs a command until the test ends or stop is called. Then it sends SIGTERM, as
// Docker does, and at the end fails if the command does not exit with 0.
func start(t *testing.T, name string, set map[string]string, command ...string) (stop func()) {
	t.Helper()
	process := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(bin, command[0]), command[1:]...)
	process.Env = os.Environ()
	for variable, value := range set {
		process.Env = append(process.Env, variable+"="+value)
	}
	var said journal
	process.Stdout, process.Stderr = &said, &said
	must(t, process.Start())
	stop = sync.OnceFunc(func() { _ = process.Process.Signal(syscall.SIGTERM) })
	t.Cleanup(func() {
		stop()
		if err := process.Wait(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if t.Failed() {
			t.Logf("%s:\n%s", name, said.String())
		}
	})
	return stop
}

// free returns an unused address.
func free(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

func portOf(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	must(t, err)
	return port
}

// poll waits until f returns nil.
func poll(t *testing.T, what string, f func() error) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not %s: %v", what, err)
		}
	}
}
