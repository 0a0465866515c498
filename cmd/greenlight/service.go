package main

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// service is greenlight up in a separate process, so that the demo can kill it. It is
// not safe for concurrent use.
type service struct {
	// args are the flags of greenlight up except --data, env its settings.
	args, env []string
	// data is its data folder, log the file that its log is appended to.
	data, log string

	cmd   *exec.Cmd
	input io.Closer
	ended chan error
	// nc, js and book are a connection to its NATS server. unwatch ends the watch over
	// the numbers.
	nc      *nats.Conn
	js      jetstream.JetStream
	book    *ledger.Ledger
	unwatch func()
}

// inherited names the environment variables that the process gets. Others could hold
// settings of the user's own Greenlight.
var inherited = []string{"PATH", "HOME", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "GORACE", "GOCOVERDIR"}

// start starts the process and returns when its ledger can be read. It calls changed
// for each change of a number until the process is stopped.
func (s *service) start(ctx context.Context, changed func(ledger.Number)) error {
	program, err := exec.LookPath(os.Args[0])
	if err != nil {
		return fmt.Errorf("find this program to start it as a service: %w", err)
	}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the process has its own descriptor
	cmd := exec.Command(program, append([]string{"up", "--data", s.data}, s.args...)...)
	cmd.Env = s.env
	for _, name := range inherited {
		if value, set := os.LookupEnv(name); set {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	cmd.Stdout, cmd.Stderr = log, log
	// It stops when its input ends, also when this process dies.
	if s.input, err = cmd.StdinPipe(); err != nil {
		return err
	}
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

// connect connects to the process's NATS server and opens its ledger.
func (s *service) connect(ctx context.Context) error {
	address, err := os.ReadFile(filepath.Join(s.data, events.EmbeddedURLFile))
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(address) == 0 {
		return errors.New("NATS has not started yet")
	}
	if err != nil {
		return err
	}
	nc, err := events.Connect(strings.TrimSpace(string(address)), "greenlight demo",
		// The default handler would print an error to the terminal after each kill.
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
	s.unwatch = func() { stop(); <-done }
}

// failed returns an error if the process has ended by itself.
func (s *service) failed() error {
	select {
	case err := <-s.ended:
		s.ended <- err // for stop
		return errors.Join(errors.New("greenlight up ended"), err)
	default:
		return nil
	}
}

// kill ends the process like a crash.
func (s *service) kill() {
	s.disconnect()
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.ended
	s.cmd = nil
}

// stop shuts the process down in an orderly way. It does nothing if none is running.
func (s *service) stop() error {
	if s.cmd == nil {
		return nil
	}
	s.disconnect()
	_ = s.input.Close() // the process may have ended
	if err := <-s.ended; err != nil {
		return fmt.Errorf("greenlight up: %w", err)
	}
	return nil
}

func (s *service) disconnect() {
	if s.nc == nil {
		return
	}
	s.unwatch()
	s.nc.Close()
	s.nc = nil
}

// freeAddresses returns n loopback addresses that are not in use.
func freeAddresses(n int) ([]string, error) {
	var addresses []string
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close() // only at the end, so that no two are the same
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses, nil
}
