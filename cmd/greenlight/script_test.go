package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/alecthomas/kong"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rogpeppe/go-internal/testscript"

	"greenlight/internal/app"
	"greenlight/internal/doctor"
	"greenlight/internal/events"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
)

func TestMain(m *testing.M) {
	// Tests mostly wait for reviews and timers, so more of them run than there are processors.
	_ = flag.Set("test.parallel", strconv.Itoa(8*runtime.GOMAXPROCS(0)))
	testscript.Main(withoutSettings{m}, map[string]func(){"greenlight": main})
}

// withoutSettings runs tests without the settings of who runs them.
type withoutSettings struct{ *testing.M }

func (m withoutSettings) Run() int {
	parser, err := model()
	if err != nil {
		panic(err)
	}
	for _, leaf := range parser.Model.Leaves(false) {
		for _, flag := range leaf.Flags {
			for _, name := range flag.Envs {
				_ = os.Unsetenv(name)
			}
		}
	}
	return m.M.Run()
}

// scriptFiles returns the scripts. Under the race detector only those with something in the
// background, since short commands one after the other show nothing to it and start slowly.
func scriptFiles(t *testing.T) (files []string) {
	t.Helper()
	all, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(all) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	concurrent := regexp.MustCompile(`(?m)^exec greenlight (demo|.*&\w*&?$)`)
	for _, file := range all {
		if !testkit.UnderRace || concurrent.MatchString(read(t, file)) {
			files = append(files, file)
		}
	}
	if left := len(all) - len(files); left > 0 {
		t.Logf("the race detector: %d of %d scripts are left out, with nothing concurrent; make test runs them without it", left, len(all))
	}
	return files
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Files:               scriptFiles(t),
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"poll":     poll,
			"mode":     mode,
			"conceals": conceals,
			"sigterm":  sigterm,
			"shrink":   shrink,
			"post":     postTo,
			"telnyx":   telnyxHas,
			"code":     endsWith,
			"run":      runHere,
			"columns":  columns,
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case "programs": // that scripts run must be installed
				return os.Getenv("GREENLIGHT_PROGRAMS") != "", nil
			case "fleeting":
			default:
				return false, fmt.Errorf("no such condition: %s", name)
			}
			v, _, err := doctor.VolumeOf(t.TempDir())
			return v.Kind == "tmpfs" || v.Kind == "overlayfs", err
		},
		Setup: func(env *testscript.Env) error {
			// Else the race detector makes each command wait a second at its end.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			env.Setenv("GOGC", "400")        // short processes need not collect
			env.Setenv("TELNYX_RATE", "100") // else commands wait for the default rate
			sim := telnyxsim.New(telnyxsim.Options{RequiredAPIKey: preflightKey})
			api := httptest.NewServer(sim)
			env.Defer(sim.Close)
			for _, name := range []string{"FREE_1", "FREE_2"} {
				free, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					return err
				}
				env.Setenv(name, free.Addr().String())
				if err := free.Close(); err != nil {
					return err
				}
			}
			env.Defer(api.Close)
			env.Setenv("TELNYX_SIMULATED", api.URL+"/v2")
			chat := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			env.Defer(chat.Close)
			env.Setenv("CHAT", chat.URL)
			env.Values[simulatedKey{}] = sim
			return nil
		},
	})
}

// simulatedKey is under what a script finds its simulated Telnyx.
type simulatedKey struct{}

// telnyxHas changes the simulated Telnyx: telnyx <number>... puts numbers on the
// account, telnyx <campaign id> <campaignStatus> makes a campaign be so.
func telnyxHas(script *testscript.TestScript, neg bool, args []string) {
	sim := script.Value(simulatedKey{}).(*telnyxsim.Simulator)
	switch {
	case neg || len(args) == 0:
		script.Fatalf("usage: telnyx number... | telnyx campaign-id status")
	case strings.HasPrefix(args[0], "+"):
		for _, number := range args {
			sim.AddNumbers(telnyxsim.Number{PhoneNumber: number, MessagingProfileID: "4001776e-0000-4000-8000-000000000001"})
		}
	case len(args) == 2:
		sim.AddCampaign(telnyxsim.Campaign{ID: args[0], CampaignStatus: telnyx.CampaignStatus(args[1])})
	}
}

// endsWith runs a command that must end with a code: code <code> [exec] greenlight...
func endsWith(script *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		script.Fatalf("usage: code number [exec] greenlight argument...")
	}
	end := attempt(script, args[1:])
	end.write(script)
	if want := args[0]; strconv.Itoa(end.code) != want {
		script.Fatalf("%v ended with %d, want %s", args[1:], end.code, want)
	}
}

// runHere is exec for greenlight in this process: [!] run greenlight <argument>...
func runHere(script *testscript.TestScript, neg bool, args []string) {
	end := attempt(script, args)
	end.write(script)
	if neg == (end.code == 0) {
		script.Fatalf("%v ended with %d", args, end.code)
	}
}

// write makes it what the script's stdout and stderr match.
func (r result) write(script *testscript.TestScript) {
	_, err := io.WriteString(script.Stdout(), r.stdout)
	script.Check(err)
	_, err = io.WriteString(script.Stderr(), r.stderr)
	script.Check(err)
}

// attempt runs greenlight in this process, where it starts much faster, or with exec any
// program as a process. In this process the script's settings become flags, those that are
// paths absolute ones, which are printed as they were. What reads other files, the terminal
// or the locale needs exec.
func attempt(script *testscript.TestScript, args []string) result {
	if len(args) > 1 && args[0] == "exec" {
		err := script.Exec(args[1], args[2:]...)
		ended, failed := errors.AsType[*exec.ExitError](err)
		if !failed {
			script.Check(err)
		}
		end := result{stdout: script.ReadFile("stdout"), stderr: script.ReadFile("stderr")}
		if failed {
			end.code = ended.ExitCode()
		}
		return end
	}
	if len(args) == 0 || args[0] != "greenlight" {
		script.Fatalf("%v is not a command of greenlight", args)
	}
	args, paths := withSettings(script, args[1:])
	var stdout, stderr strings.Builder
	code := exitCode(args, output{&stdout, &stderr})
	return result{paths.Replace(stdout.String()), paths.Replace(stderr.String()), code}
}

// withSettings returns a command's arguments with the script's settings as flags, and what
// makes absolute paths relative again.
func withSettings(script *testscript.TestScript, args []string) (all []string, paths *strings.Replacer) {
	var replace []string
	for _, flag := range variableFlags(args) {
		if slices.Contains(args, "--"+flag.Name) {
			continue
		}
		value := script.Getenv(flag.Envs[0])
		if slices.Contains([]string{"PATH", "DIR", "FILE"}, flag.PlaceHolder) {
			if path := cmp.Or(value, flag.Default); path != "" {
				value = script.MkAbs(path)
				replace = append(replace, value, path)
			}
		}
		if value != "" {
			args = append(args, "--"+flag.Name, value)
		}
	}
	return args, strings.NewReplacer(replace...)
}

// exitCode runs the program as main does.
func exitCode(args []string, out output) int {
	ctx, cancel := context.WithTimeout(context.Background(), scriptPatience)
	defer cancel()
	err := run(ctx, args, out)
	if err == nil {
		return 0
	}
	coded, ok := errors.AsType[*app.ExitCode](err)
	if !ok {
		coded = &app.ExitCode{Code: 1, Err: err}
	}
	if coded.Err != nil {
		fmt.Fprintln(out.Stderr, "greenlight:", coded.Err)
	}
	return coded.Code
}

// scriptPatience is how long a script or a test waits for something that should happen soon.
const scriptPatience = 30 * time.Second

var model = sync.OnceValues(func() (*kong.Kong, error) { return newParser(io.Discard) })

// variableFlags returns the flags of a command that have a variable.
func variableFlags(args []string) (settings []*kong.Flag) {
	parser, err := model()
	if err != nil {
		return nil // running the command reports it
	}
	node := parser.Model.Node
	for _, arg := range args {
		at := slices.IndexFunc(node.Children, func(child *kong.Node) bool { return child.Name == arg })
		if at < 0 {
			break
		}
		node = node.Children[at]
	}
	for _, flag := range node.Flags {
		if len(flag.Envs) > 0 {
			settings = append(settings, flag)
		}
	}
	return settings
}

// columns fails if a line of the last stdout is wider: columns <most>
func columns(script *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		script.Fatalf("usage: columns most")
	}
	most, err := strconv.Atoi(args[0])
	script.Check(err)
	for line := range strings.Lines(script.ReadFile("stdout")) {
		if got := utf8.RuneCountInString(strings.TrimRight(line, "\r\n")); got > most {
			script.Fatalf("%d columns: %s", got, line)
		}
	}
}

// poll runs a command until it succeeds and its stdout matches: poll <pattern> [exec]
// greenlight... A command takes processor time from what the script waits for, so the pauses
// between them grow.
func poll(script *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		script.Fatalf("usage: poll pattern [exec] greenlight argument...")
	}
	pattern, err := regexp.Compile(args[0])
	script.Check(err)
	deadline := time.Now().Add(scriptPatience)
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 160*time.Millisecond) {
		end := attempt(script, args[1:])
		if end.code == 0 && pattern.MatchString(end.stdout) {
			end.write(script)
			return
		}
		if time.Now().After(deadline) {
			script.Fatalf("no %q within %s: %+v", args[0], scriptPatience, end)
		}
		time.Sleep(pause)
	}
}

// sigterm stops the commands in the background, as systemd, Docker and
// Kubernetes do.
func sigterm(script *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		script.Fatalf("usage: sigterm")
	}
	for _, command := range script.BackgroundCmds() {
		script.Check(command.Process.Signal(syscall.SIGTERM))
	}
}

// shrink leaves the stream of events no room, on the server whose URL a file holds:
// shrink <file with URL>
func shrink(script *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		script.Fatalf("usage: shrink file-with-url")
	}
	nc, err := events.Connect(strings.TrimSpace(script.ReadFile(args[0])), "test")
	script.Check(err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	script.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	stream, err := js.Stream(ctx, events.StreamEvents)
	script.Check(err)
	config := stream.CachedInfo().Config
	config.MaxBytes, config.MaxMsgSize = 1<<20, 1<<20
	_, err = js.UpdateStream(ctx, config)
	script.Check(err)
}

// postTo posts nothing to a URL and fails unless the answer is 200: post <url>. With a
// ! it must be something else.
func postTo(script *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		script.Fatalf("usage: [!] post url")
	}
	response, err := http.Post(args[0], "", http.NoBody)
	script.Check(err)
	script.Check(response.Body.Close())
	if neg == (response.StatusCode == http.StatusOK) {
		script.Fatalf("POST %s: %d", args[0], response.StatusCode)
	}
}

// mode fails unless a file has the permissions: mode <octal> <file>
func mode(script *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		script.Fatalf("usage: mode octal file")
	}
	want, err := strconv.ParseUint(args[0], 8, 32)
	script.Check(err)
	info, err := os.Stat(script.MkAbs(args[1]))
	script.Check(err)
	if got := info.Mode().Perm(); got != os.FileMode(want) {
		script.Fatalf("%s: got mode %o, want %o", args[1], got, want)
	}
}

// conceals fails if the last command, or a file, has the token of the URL that
// a file holds: conceals <file with URL> [<file>...]
func conceals(script *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		script.Fatalf("usage: conceals file-with-url [file...]")
	}
	address, err := url.Parse(strings.TrimSpace(script.ReadFile(args[0])))
	script.Check(err)
	token := address.User.Username()
	if len(token) < 32 {
		script.Fatalf("%s: the token %q is not a secret", args[0], token)
	}
	for _, output := range append([]string{"stdout", "stderr"}, args[1:]...) {
		if strings.Contains(script.ReadFile(output), token) {
			script.Fatalf("the token is in %s", output)
		}
	}
}
