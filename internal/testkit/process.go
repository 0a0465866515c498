package testkit

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The environment of a process that runs a server.
const (
	varPort = "GREENLIGHT_TEST_NATS_PORT"
	varDir  = "GREENLIGHT_TEST_NATS_DIR"
	varSync = "GREENLIGHT_TEST_NATS_SYNC" // syncLater, or empty for always
)

const syncLater = "later"

// Main runs a server and exits if a [Process] started this process. Otherwise it does
// nothing. Call it first in TestMain.
func Main() {
	port := os.Getenv(varPort)
	if port == "" {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		// The test holds the other end: this ends when the test ends, however it does.
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	if err := Serve(ctx, port, os.Getenv(varDir), os.Getenv(varSync) != syncLater); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Process is a server in a separate process. It can be killed, and started again at the same
// address on the same files. It runs the test binary; see [Main]. Not safe for concurrent
// use.
type Process struct {
	// URL is the server's address.
	URL string
	// SyncLater makes the server acknowledge before it syncs, as NATS does by default. Set
	// it before Start.
	SyncLater bool

	t       testing.TB
	dir     string
	port    string
	command *exec.Cmd
}

// NewProcess returns a server that has an address and is not started. It is killed when the
// test ends.
func NewProcess(t testing.TB) *Process {
	t.Helper()
	p := &Process{t: t, dir: t.TempDir(), port: FreePort(t)}
	p.URL = "nats://127.0.0.1:" + p.port
	t.Cleanup(p.Kill)
	return p
}

// StartProcess starts a server, which is killed when the test ends.
func StartProcess(t testing.TB) *Process {
	t.Helper()
	p := NewProcess(t)
	p.Start()
	return p
}

// StartInMemory is [StartProcess] with the files in a [MemoryDir].
func StartInMemory(t testing.TB) *Process {
	t.Helper()
	dir := MemoryDir(t)
	p := NewProcess(t)
	p.dir = dir
	p.Start()
	return p
}

// Start starts the server, also after Kill, and returns when it accepts connections.
func (p *Process) Start() {
	p.t.Helper()
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	log, err := os.OpenFile(p.logName(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	p.command = exec.Command(self)
	p.command.Env = append(os.Environ(), varPort+"="+p.port, varDir+"="+p.dir, "GORACE=atexit_sleep_ms=0")
	if p.SyncLater {
		p.command.Env = append(p.command.Env, varSync+"="+syncLater)
	}
	p.command.Stdout, p.command.Stderr = log, log
	if _, err := p.command.StdinPipe(); err != nil { // it is closed when the test ends; see Main
		p.t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		p.t.Fatal(err)
	}
	Within(p.t, startTimeout, func() error {
		conn, err := net.Dial("tcp", "127.0.0.1:"+p.port)
		if err != nil {
			return fmt.Errorf("%w; its log:\n%s", err, p.log())
		}
		return conn.Close()
	})
}

// Kill ends the server as a crash would (SIGKILL). It does nothing if that has ended.
func (p *Process) Kill() {
	if p.command == nil || p.command.ProcessState != nil {
		return
	}
	_ = p.command.Process.Kill() // it may have ended
	_ = p.command.Wait()         // its error is the signal
}

func (p *Process) logName() string { return filepath.Join(p.dir, "server.log") }

func (p *Process) log() string {
	text, err := os.ReadFile(p.logName())
	if err != nil {
		return err.Error()
	}
	return string(text)
}
