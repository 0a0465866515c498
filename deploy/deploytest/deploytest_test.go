// Package deploytest compares the files of deploy with the program, with their formats and
// with each other, and runs what they describe without containers. It is a separate module,
// because Compose's loader, kustomize and the Kubernetes types need many modules that
// Greenlight does not use.
package deploytest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// root is the repository, deploy the folder under test.
const (
	root   = "../.."
	deploy = ".."
)

// bin has the three commands, built once.
var bin string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if bin, err = os.MkdirTemp("", "deploytest"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(bin)
	build := exec.Command("go", "build", "-o", bin+"/", "./cmd/...")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	return m.Run()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	return string(text)
}

// options are the variables and flags in a command's help.
type options struct{ variables, flags map[string]bool }

var (
	variable = regexp.MustCompile(`\[\$([A-Z0-9_]+)\]`)
	flag     = regexp.MustCompile(`(?m)^ +(?:-\w, +)?(--[a-z-]+)`)
)

// optionsOf returns the options of a command, for example "webhook" or "greenlight up".
func optionsOf(t *testing.T, command ...string) options {
	t.Helper()
	help, err := exec.Command(filepath.Join(bin, command[0]), append(slices.Clone(command[1:]), "--help")...).Output()
	must(t, err)
	found := options{map[string]bool{}, map[string]bool{}}
	for _, match := range variable.FindAllStringSubmatch(string(help), -1) {
		found.variables[match[1]] = true
	}
	for _, match := range flag.FindAllStringSubmatch(string(help), -1) {
		found.flags[match[1]] = true
	}
	if !found.flags["--help"] {
		t.Fatalf("%v: no flags in\n%s", command, help)
	}
	return found
}

// checkVariables fails for variables that the command does not know, and for secrets
// that are not in a file. It returns the values.
func checkVariables(t *testing.T, set map[string]string, command ...string) {
	t.Helper()
	known := optionsOf(t, command...)
	for name := range set {
		if !known.variables[name] {
			t.Errorf("%s is not a setting of %v", name, command)
		}
		if known.variables[name+"_FILE"] {
			t.Errorf("%s is in the environment, where it can be read by many; use %s_FILE", name, name)
		}
	}
}

// stopTime is the longest time that a process takes to stop: the delay, and then the public
// and the private listener, one after the other.
func stopTime(t *testing.T, drainDelay string) time.Duration {
	t.Helper()
	if drainDelay == "" {
		drainDelay = "0s"
	}
	delay, err := time.ParseDuration(drainDelay)
	must(t, err)
	const drainTimeout = 5 * time.Second // app.DrainTimeout
	return delay + 2*drainTimeout
}

// callTime is how long a call to Telnyx may take, which an assigner finishes.
const callTime = 20 * time.Second

// natsOptions reads a configuration as the server does.
func natsOptions(t *testing.T, path string) *server.Options {
	t.Helper()
	options, err := server.ProcessConfigFile(path)
	must(t, err)
	return options
}

// checkNATSImage fails for a server that is older than Greenlight needs.
func checkNATSImage(t *testing.T, tag string) {
	t.Helper()
	version := regexp.MustCompile(`^2\.(\d+)(\.\d+)?-alpine$`).FindStringSubmatch(tag)
	least := regexp.MustCompile(`MinServerVersion = "2\.(\d+)`).FindStringSubmatch(read(t, root+"/internal/events/connect.go"))
	if version == nil || least == nil || len(version[1]) < len(least[1]) || version[1] < least[1] {
		t.Errorf("NATS is %q, want 2.%v or newer", tag, least)
	}
}

// makeSecrets runs secrets.sh and adds the two secrets from Telnyx.
func makeSecrets(t *testing.T) (folder string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "secrets")
	script := func() string {
		out, err := exec.Command("sh", deploy+"/secrets.sh", folder).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	if out := script(); strings.Count(out, "missing: ") != 2 {
		t.Errorf("secrets.sh prints %q, want the two missing secrets", out)
	}
	before := read(t, folder+"/nats-url")
	must(t, os.WriteFile(folder+"/telnyx-api-key", []byte("simulated\n"), 0o600))
	must(t, os.WriteFile(folder+"/telnyx-public-key", []byte(simulatorKey+"\n"), 0o600))
	if out := script(); out != "" {
		t.Errorf("secrets.sh prints %q, want nothing missing", out)
	}
	if read(t, folder+"/nats-url") != before {
		t.Error("secrets.sh did not keep what was there")
	}
	return folder
}

func TestSecrets_AreForTheirOwnerAndReadableInContainers(t *testing.T) {
	folder := makeSecrets(t)
	if got, err := os.Stat(folder); err != nil || got.Mode().Perm() != 0o700 {
		t.Errorf("folder: got %v, %v", got.Mode(), err)
	}
	files, err := os.ReadDir(folder)
	must(t, err)
	seen := map[string]string{}
	for _, file := range files {
		info, err := file.Info()
		must(t, err)
		if info.Mode().Perm() != 0o644 {
			t.Errorf("%s: got %v, want it readable by the user of a container, and its owner able to write it", file.Name(), info.Mode())
		}
		text := read(t, filepath.Join(folder, file.Name()))
		if other, there := seen[text]; there {
			t.Errorf("%s and %s are the same", file.Name(), other)
		}
		seen[text] = file.Name()
	}
	if _, err := os.Stat(deploy + "/secrets"); err == nil {
		ignored := exec.Command("git", "check-ignore", "-q", "deploy/secrets/admin-token")
		ignored.Dir = root
		if ignored.Run() != nil {
			t.Error("deploy/secrets is not ignored by git")
		}
	}
}

// TestSecrets_NATSUserIsSwitchedWithoutAStop follows operations.md, NATS's password, on a
// server with the configuration of compose.yaml.
func TestSecrets_NATSUserIsSwitchedWithoutAStop(t *testing.T) {
	folder := makeSecrets(t)
	t.Setenv("SERVER_NAME", "nats-1")
	mount, store, cluster, client := natsFolder(t, folder), t.TempDir(), portOf(t, free(t)), portOf(t, free(t))
	options := func() *server.Options {
		must(t, os.WriteFile(mount+"/auth.conf", []byte(read(t, folder+"/nats-auth.conf")), 0o600))
		options := natsOptions(t, mount+"/nats.conf")
		options.StoreDir = store
		options.Host, options.Cluster.Host, options.HTTPPort = "127.0.0.1", "127.0.0.1", 0
		fmt.Sscan(client, &options.Port)
		fmt.Sscan(cluster, &options.Cluster.Port)
		options.Routes = server.RoutesFromStr("nats://127.0.0.1:" + cluster) // the others are away
		options.NoSigs, options.NoLog = true, true
		return options
	}
	node, err := server.NewServer(options())
	must(t, err)
	node.Start()
	t.Cleanup(func() { node.Shutdown(); node.WaitForShutdown() })
	if !node.ReadyForConnections(patience) {
		t.Fatal("NATS does not start")
	}
	reload := func() {
		t.Helper()
		must(t, node.ReloadOptions(options()))
	}
	connect := func() (*nats.Conn, error) {
		return nats.Connect(strings.Replace(read(t, folder+"/nats-url"), "@nats:4222", "@"+node.Addr().String(), 1), nats.NoReconnect())
	}
	script := func(mode string) {
		t.Helper()
		before, err := os.Stat(folder + "/nats-auth.conf")
		must(t, err)
		if out, err := exec.Command("sh", deploy+"/secrets.sh", mode, folder).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", mode, err, out)
		}
		after, err := os.Stat(folder + "/nats-auth.conf")
		must(t, err)
		if !os.SameFile(before, after) {
			t.Errorf("%s: the file is another, and containers keep the one that they have", mode)
		}
	}
	for range 2 { // from a to b, and back
		old, err := connect()
		must(t, err)
		previous := read(t, folder+"/nats-url")
		script("nats-switch")
		if read(t, folder+"/nats-url") == previous {
			t.Fatal("nats-url is as it was")
		}
		reload()
		if again, err := nats.Connect(strings.Replace(previous, "@nats:4222", "@"+node.Addr().String(), 1)); err != nil || old.FlushTimeout(patience) != nil {
			t.Errorf("the old user is out before the new one is in use: %v", err)
		} else {
			again.Close()
		}
		fresh, err := connect()
		must(t, err)
		now := read(t, folder+"/nats-url")
		script("nats-retire")
		reload()
		poll(t, "the old user is out", func() error {
			if !old.IsClosed() {
				return errors.New("it is connected")
			}
			return nil
		})
		if err := fresh.FlushTimeout(patience); err != nil || read(t, folder+"/nats-url") != now {
			t.Errorf("the new user is out: %v", err)
		}
		if _, err := nats.Connect(strings.Replace(previous, "@nats:4222", "@"+node.Addr().String(), 1)); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("the old password: got %v", err)
		}
		fresh.Close()
	}
}

var healthCheck = regexp.MustCompile(`(?m)^FROM base AS (\w+)\n(?:.*\n)*?HEALTHCHECK .* CMD \["/(\w+)"(.*)\]$`)

func TestDockerfile_HasAHealthCheckForEachCommand(t *testing.T) {
	text := read(t, root+"/Dockerfile")
	found := map[string]bool{}
	for _, match := range healthCheck.FindAllStringSubmatch(text, -1) {
		target, command, rest := match[1], match[2], match[3]
		found[target] = true
		asks := []string{command}
		if target == "greenlight" {
			asks = append(asks, "up")
		}
		if want := strings.Join(append(asks, "--healthcheck"), `", "`); target != command || `"`+command+`"`+rest != `"`+want+`"` {
			t.Errorf("%s: got %s%s, want %s", target, command, rest, want)
		}
		if !optionsOf(t, asks...).flags["--healthcheck"] {
			t.Errorf("%v has no --healthcheck", asks)
		}
	}
	if len(found) != 3 {
		t.Errorf("got health checks for %v, want three targets", found)
	}
	if strings.Count(text, "USER 65532:65532") != 1 || strings.Count(text, "FROM base AS ") != 3 {
		t.Error("not every image is of the base that runs as nobody")
	}
}
