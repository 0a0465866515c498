package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
)

// service is greenlight up as a process of its own, so that it can be killed. Its
// methods are for one goroutine.
type service struct {
	// args are the flags of greenlight up but for --data, env its settings.
	args, env []string
	// data is its data folder, log is the file that its log is appended to.
	data, log string

	cmd   *exec.Cmd
	ended chan error
	// nc, js and book are a connection to its NATS server, watch is the end of a watch
	// over the numbers.
	nc    *nats.Conn
	js    jetstream.JetStream
	book  *ledger.Ledger
	watch func()
}

// inherited are the variables of our environment that the process gets. Settings in the
// environment are for the user's own Greenlight.
var inherited = []string{"PATH", "HOME", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "GORACE", "GOCOVERDIR"}

// start starts the process and returns when its ledger can be read. Changed is called
// with each change of a number until the process is stopped.
func (s *service) start(ctx context.Context, changed func(ledger.Number)) error {
	program, err := exec.LookPath(os.Args[0])
	if err != nil {
		return fmt.Errorf("find this program to start it as a service: %w", err)
	}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the process has its own
	cmd := exec.Command(program, append([]string{"up", "--data", s.data}, s.args...)...)
	cmd.Env = s.env
	for _, name := range inherited {
		if value, set := os.LookupEnv(name); set {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start greenlight up: %w", err)
	}
	s.cmd, s.ended = cmd, make(chan error, 1)
	go func() { s.ended <- cmd.Wait() }()
	for {
		err := s.connect(ctx)
		if err == nil {
			s.follow(changed)
			return nil
		}
		if ended := s.failed(); ended != nil {
			return ended
		}
		if cause := context.Cause(ctx); cause != nil {
			return fmt.Errorf("%w: waiting for greenlight up: %w", cause, err)
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// connect opens the ledger of the process.
func (s *service) connect(ctx context.Context) error {
	address, err := os.ReadFile(filepath.Join(s.data, events.EmbeddedURLFile))
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(address) == 0 {
		return errors.New("it has not started NATS yet")
	}
	if err != nil {
		return err
	}
	nc, err := events.Connect(strings.TrimSpace(string(address)), "greenlight demo",
		// Otherwise the client writes to the terminal what a kill breaks off.
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		return err
	}
	js, err := jetstream.New(nc)
	if err == nil {
		s.book, err = ledger.Open(ctx, js)
	}
	if err != nil {
		nc.Close()
		return err
	}
	s.nc, s.js = nc, js
	return nil
}

// follow watches the numbers until the process is stopped.
func (s *service) follow(changed func(ledger.Number)) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	book := s.book
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if err := book.Follow(ctx, ledger.Follower{Number: changed}); err != nil {
				pause(ctx, 50*time.Millisecond)
			}
		}
	}()
	s.watch = func() { stop(); <-done }
}

// failed returns an error if the process ended by itself.
func (s *service) failed() error {
	select {
	case err := <-s.ended:
		s.ended <- err // for stop
		return errors.Join(errors.New("greenlight up ended"), err)
	default:
		return nil
	}
}

// kill ends the process as a crash does.
func (s *service) kill() {
	s.hangUp()
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.ended
	s.cmd = nil
}

// stop has the process end in good order. It does nothing if none runs.
func (s *service) stop() error {
	if s.cmd == nil {
		return nil
	}
	s.hangUp()
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil { // Windows has no such signal
		_ = s.cmd.Process.Kill()
		<-s.ended
		return nil
	}
	if err := <-s.ended; err != nil {
		return fmt.Errorf("greenlight up: %w", err)
	}
	return nil
}

func (s *service) hangUp() {
	if s.nc == nil {
		return
	}
	s.watch()
	s.nc.Close()
	s.nc = nil
}

// freeAddresses returns n addresses of this machine on which nobody listens.
func freeAddresses(n int) ([]string, error) {
	var addresses []string
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close() // so that no two are the same
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses, nil
}
