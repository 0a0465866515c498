package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rogpeppe/go-internal/testscript"

	"greenlight/internal/doctor"
	"greenlight/internal/events"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

func TestMain(m *testing.M) {
	// Scripts mostly wait for reviews and timers, so more of them run than there are processors.
	_ = flag.Set("test.parallel", strconv.Itoa(6*runtime.GOMAXPROCS(0)))
	testscript.Main(m, map[string]func(){"greenlight": main})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
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

// endsWith runs a command that must end with a code: code <code> <command>...
func endsWith(script *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		script.Fatalf("usage: code number command...")
	}
	got := 0
	err := script.Exec(args[1], args[2:]...)
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		got = ended.ExitCode()
	} else {
		script.Check(err)
	}
	if want := args[0]; strconv.Itoa(got) != want {
		script.Fatalf("%v ended with %d, want %s", args[1:], got, want)
	}
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

// poll runs a command until its stdout matches: poll <pattern> <command>... A command takes
// processor time from what the script waits for, so the pauses between them grow.
func poll(script *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		script.Fatalf("usage: poll pattern command...")
	}
	pattern, err := regexp.Compile(args[0])
	script.Check(err)
	const limit = 10 * time.Second
	deadline := time.Now().Add(limit)
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, 400*time.Millisecond) {
		err = script.Exec(args[1], args[2:]...)
		if err == nil && pattern.MatchString(script.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			script.Fatalf("no %q within %s: %v", args[0], limit, err)
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
