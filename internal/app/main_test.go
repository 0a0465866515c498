package app_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"greenlight/internal/app"
	"greenlight/internal/testkit"
)

// programVariable makes the test binary one of the programs.
const programVariable = "GREENLIGHT_TEST_PROGRAM"

// programs are run by app.Main in a process of their own, since exit codes
// and signals are theirs.
var programs = map[string]func(context.Context) error{
	"works":            func(context.Context) error { return nil },
	"fails":            func(context.Context) error { return errors.New("cannot start yet:\n  LISTEN is taken") },
	"code":             func(context.Context) error { return &app.ExitCode{Code: 2, Err: errors.New("there are changes")} },
	"silent code":      func(context.Context) error { return &app.ExitCode{Code: 2} },
	"wrapped code":     func(context.Context) error { return fmt.Errorf("diff: %w", &app.ExitCode{Code: 2}) },
	"code of zero":     func(context.Context) error { return &app.ExitCode{Code: 0} },
	"waits":            func(ctx context.Context) error { fmt.Println("ready"); <-ctx.Done(); return nil },
	"fails when ended": func(ctx context.Context) error { fmt.Println("ready"); <-ctx.Done(); return context.Cause(ctx) },
	"never ends": func(ctx context.Context) error {
		fmt.Println("ready")
		<-ctx.Done()
		fmt.Println("stopping")
		select {}
	},
}

func TestMain(m *testing.M) {
	if name := os.Getenv(programVariable); name != "" {
		os.Exit(app.Main("greenlight", programs[name]))
	}
	// Parallel tests mostly wait for timers, so more of them run than there are processors.
	many := 8
	if testkit.UnderRace {
		many = 3
	}
	_ = flag.Set("test.parallel", strconv.Itoa(many*runtime.GOMAXPROCS(0)))
	goleak.VerifyTestMain(m, testkit.ServerLeaks()...)
}

// start starts a program.
func start(t *testing.T, name string) (program *exec.Cmd, stdout *bufio.Scanner, stderr *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	program = exec.CommandContext(t.Context(), self)
	program.Env = append(os.Environ(), programVariable+"="+name)
	stderr = new(bytes.Buffer)
	program.Stderr = stderr
	out, err := program.StdoutPipe()
	must(t, err)
	must(t, program.Start())
	return program, bufio.NewScanner(out), stderr
}

func TestMain_TurnsErrorsIntoExitCodes(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		code   int
		stderr string
	}{
		"works":        {0, ""},
		"fails":        {1, "greenlight: cannot start yet:\n  LISTEN is taken\n"},
		"code":         {2, "greenlight: there are changes\n"},
		"silent code":  {2, ""},
		"wrapped code": {2, ""},
		"code of zero": {0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program, _, stderr := start(t, name)
			if err := program.Wait(); err != nil && program.ProcessState.ExitCode() <= 0 {
				t.Fatal(err)
			}
			if got := program.ProcessState.ExitCode(); got != want.code || stderr.String() != want.stderr {
				t.Errorf("got code %d and %q, want %d and %q", got, stderr.String(), want.code, want.stderr)
			}
		})
	}
}

func TestMain_EndsWithASignal(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		program string
		signal  os.Signal
		code    int
		stderr  string
	}{
		"SIGTERM":                      {"waits", syscall.SIGTERM, 0, ""},
		"interrupt":                    {"waits", os.Interrupt, 0, ""},
		"SIGTERM that ends in trouble": {"fails when ended", syscall.SIGTERM, 1, "greenlight: terminated signal received\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program, stdout, stderr := start(t, test.program)
			await(t, stdout, "ready")
			must(t, program.Process.Signal(test.signal))
			rest(t, stdout)
			_ = program.Wait() // the exit code says the same
			if got := program.ProcessState.ExitCode(); got != test.code || stderr.String() != test.stderr {
				t.Errorf("got code %d and %q, want %d and %q", got, stderr.String(), test.code, test.stderr)
			}
		})
	}
}

func TestMain_EndsAtOnceWithASecondSignal(t *testing.T) {
	t.Parallel()
	program, stdout, _ := start(t, "never ends")
	await(t, stdout, "ready")
	must(t, program.Process.Signal(syscall.SIGTERM))
	await(t, stdout, "stopping")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		rest(t, stdout)
		_ = program.Wait()
	}()
	// The handler is removed while the program gets the signal, so the second signal
	// may come a moment too early. A third does not.
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case <-ended:
			if status, ok := program.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGTERM {
				t.Errorf("got %s, want it ended by SIGTERM", program.ProcessState)
			}
			return
		case <-again.C:
			_ = program.Process.Signal(syscall.SIGTERM)
		}
	}
}

func await(t *testing.T, stdout *bufio.Scanner, want string) {
	t.Helper()
	if !stdout.Scan() || stdout.Text() != want {
		t.Fatalf("got %q, %v; want %q", stdout.Text(), stdout.Err(), want)
	}
}

// rest reads to the end, which Wait must not come before.
func rest(t *testing.T, stdout *bufio.Scanner) {
	t.Helper()
	for stdout.Scan() {
		t.Errorf("got %q, want nothing more", stdout.Text())
	}
	if err := stdout.Err(); err != nil && !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestExitCode_IsTheErrorInIt(t *testing.T) {
	inner := errors.New("there are changes")
	err := error(&app.ExitCode{Code: 2, Err: inner})
	if !errors.Is(err, inner) || err.Error() != "there are changes" {
		t.Errorf("got %v, want the error in it", err)
	}
	if got, want := (&app.ExitCode{Code: 2}).Error(), "exit code 2"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
