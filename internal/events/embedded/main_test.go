package embedded_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"greenlight/internal/events"
	"greenlight/internal/events/embedded"
	"greenlight/internal/testkit"
)

// patience is how long a test waits for a condition.
const patience = 30 * time.Second

// varDir turns the test's binary into a process that dies in the middle of a batch; see
// beKilled.
const varDir = "GREENLIGHT_EMBEDDED_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(varDir); dir != "" {
		if err := beKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m, testkit.ServerLeaks()...)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// site is a server with its streams, and a connection to it.
type site struct {
	server *embedded.Server
	nc     *nats.Conn
	js     jetstream.JetStream
}

func open(dir string) (*site, error) {
	server, err := embedded.Start(embedded.Options{Dir: dir, SyncAlways: true})
	if err != nil {
		return nil, err
	}
	nc, err := events.Connect("", "test", server.InProcess()...)
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	s := &site{server: server, nc: nc}
	if s.js, err = jetstream.New(nc); err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		err = events.EnsureStreams(ctx, s.js, 1)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *site) close() error {
	s.nc.Close()
	return s.server.Close()
}

// start opens a site, which is closed when the test ends.
func start(t *testing.T, dir string) *site {
	t.Helper()
	s, err := open(dir)
	must(t, err)
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// sendHalf sends the beginning of a batch and returns when the server has staged it.
func sendHalf(nc *nats.Conn) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for i := 1; i <= 2; i++ {
		msg := nats.NewMsg("telnyx.event.10dlc.campaign.update.half")
		msg.Header.Set("Nats-Batch-Id", "half-a-batch")
		msg.Header.Set("Nats-Batch-Sequence", fmt.Sprint(i))
		msg.Header.Set(jetstream.MsgIDHeader, fmt.Sprint("half-", i))
		msg.Data = []byte("{}")
		if _, err := nc.RequestMsgWithContext(ctx, msg); err != nil {
			return fmt.Errorf("half a batch: %w", err)
		}
	}
	return nil
}

// beKilled runs a site with half a batch until it is killed or the test has ended.
func beKilled(dir string) error {
	s, err := open(dir)
	if err != nil {
		return err
	}
	if err := sendHalf(s.nc); err != nil {
		return err
	}
	fmt.Println("staged")
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, s.close())
}

// killInABatch kills a process that has sent half a batch.
func killInABatch(t *testing.T, dir string) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	command := exec.Command(self)
	command.Env = append(os.Environ(), varDir+"="+dir)
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	must(t, err)
	defer stdin.Close()
	stdout, err := command.StdoutPipe()
	must(t, err)
	must(t, command.Start())
	line, read := bufio.NewReader(stdout).ReadString('\n')
	_ = command.Process.Kill()
	_ = command.Wait() // it was killed
	if line != "staged\n" {
		t.Fatalf("it said %q: %v", line, read)
	}
}

// publish stores so many events at the same time and returns the errors.
func publish(t *testing.T, g *events.Batcher, prefix string, count int) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	errs := make([]error, count)
	var all sync.WaitGroup
	for i := range count {
		all.Go(func() {
			_, errs[i] = g.Publish(ctx, events.Event{
				ID: fmt.Sprint(prefix, i), Type: "10dlc.campaign.update", About: "c", ReceivedAt: time.Now(), Body: []byte("{}"),
			})
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// stored returns the number of events, and how many of them are from a batch.
func (s *site) stored(t *testing.T) (all, batched int) {
	t.Helper()
	stream, err := s.js.Stream(t.Context(), events.StreamEvents)
	must(t, err)
	ids := map[string]bool{}
	for sequence := uint64(1); sequence <= stream.CachedInfo().State.LastSeq; sequence++ {
		msg, err := stream.GetMsg(t.Context(), sequence)
		must(t, err)
		ids[msg.Header.Get(jetstream.MsgIDHeader)] = true
		if msg.Header.Get("Nats-Batch-Id") != "" {
			batched++
		}
	}
	return len(ids), batched
}
