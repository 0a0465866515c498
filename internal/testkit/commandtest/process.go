package commandtest

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"greenlight/internal/testkit"
)

// Process is a command under way. Make one with [Start].
type Process struct {
	t       testing.TB
	command *exec.Cmd
	stdout  bytes.Buffer // may be read once it has ended
	log     testkit.Buffer
	ended   chan struct{}
	err     error // what it ended with, once it has
}

// Start runs the command of that name, which [Main] knows, with nothing in its
// environment but these settings, and returns when its log has the line. It is killed
// when the test ends; of a test that failed, the log is shown.
func Start(t testing.TB, name, line string, settings ...string) *Process {
	t.Helper()
	p := &Process{t: t, command: exec.CommandContext(t.Context(), name), ended: make(chan struct{})}
	p.command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "GORACE=" + quickExit}, settings...)
	p.command.Stdout, p.command.Stderr = &p.stdout, &p.log
	must(t, p.command.Start())
	go func() {
		defer close(p.ended)
		p.err = p.command.Wait()
	}()
	t.Cleanup(func() {
		_ = p.command.Process.Kill() // if the test failed before Stop
		<-p.ended
		if t.Failed() {
			t.Logf("%s wrote:\n%s", name, p.Log())
		}
	})
	p.Says(line)
	return p
}

// Log returns what it has written to stderr.
func (p *Process) Log() string { return p.log.String() }

// Says returns when its log has the text, and fails the test if that does not come
// within [Patience].
func (p *Process) Says(text string) {
	p.t.Helper()
	p.SaysWithin(Patience, text, 1)
}

// SaysWithin is [Process.Says] for a text that its log must have so many times, or
// more, within a limit.
func (p *Process) SaysWithin(limit time.Duration, text string, times int) {
	p.t.Helper()
	p.await(limit, text, func(log string) bool { return strings.Count(log, text) >= times })
}

// Address returns where a part listens, as its log says.
func (p *Process) Address(part string) string {
	p.t.Helper()
	pattern := regexp.MustCompile(`"part":"` + part + `","address":"([^"]+)"`)
	var found []string
	p.await(Patience, "the address of "+part, func(log string) bool {
		found = pattern.FindStringSubmatch(log)
		return found != nil
	})
	return found[1]
}

// await returns when its log is as wanted.
func (p *Process) await(limit time.Duration, what string, is func(log string) bool) {
	p.t.Helper()
	for deadline := time.Now().Add(limit); !is(p.Log()); time.Sleep(5 * time.Millisecond) {
		select {
		case <-p.ended:
			p.t.Fatalf("it ended, and its log does not have %q: %v", what, p.err)
		default:
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("no %q in its log within %s", what, limit)
		}
	}
}

// Signal sends it a signal.
func (p *Process) Signal(signal os.Signal) {
	p.t.Helper()
	must(p.t, p.command.Process.Signal(signal))
}

// Stop tells it to stop, as systemd, Docker and Kubernetes do, and fails the test
// unless it ends well within [Patience], with nothing on stdout.
func (p *Process) Stop() {
	p.t.Helper()
	p.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(Patience):
		p.t.Fatalf("still running %s after SIGTERM", Patience)
	}
	if p.err != nil || p.stdout.Len() > 0 {
		p.t.Errorf("it ended with %v and printed %q, want exit code 0 and nothing", p.err, p.stdout.String())
	}
}
