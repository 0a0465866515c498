package events

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

const outboxPatience = 20 * time.Second

// heldWire dials connections whose writes stand still while it is held.
type heldWire struct {
	mu     sync.Mutex
	stands chan struct{} // gets a word for each write that stands still
	held   atomic.Bool
}

type heldConn struct {
	net.Conn
	wire *heldWire
}

func (w *heldWire) Dial(network, address string) (net.Conn, error) {
	conn, err := net.Dial(network, address)
	return &heldConn{conn, w}, err
}

func (w *heldWire) hold() (release func()) {
	w.mu.Lock()
	w.held.Store(true)
	return sync.OnceFunc(func() { w.held.Store(false); w.mu.Unlock() })
}

func (c *heldConn) Write(b []byte) (int, error) {
	if c.wire.held.Load() {
		select {
		case c.wire.stands <- struct{}{}:
		default:
		}
	}
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	return c.Conn.Write(b)
}

// open returns an outbox on a server of the test's own, and a subject on which each
// message is answered with itself.
func open(t *testing.T, options ...nats.Option) (o *outbox, echo string) {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(outboxPatience) {
		t.Fatal("the server does not start")
	}
	nc, err := Connect(s.ClientURL(), t.Name(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	other, err := Connect(s.ClientURL(), t.Name())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	if _, err := other.Subscribe("echo", func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
		t.Fatal(err)
	}
	if err := other.Flush(); err != nil {
		t.Fatal(err)
	}
	return newOutbox(nc), "echo"
}

func ask(ctx context.Context, o *outbox, subject, text string) error {
	answer, err := o.request(ctx, &nats.Msg{Subject: subject, Data: []byte(text)})
	if err == nil && string(answer.Data) != text {
		return fmt.Errorf("got %q, want %q", answer.Data, text)
	}
	return err
}

func (o *outbox) assertEmpty(t *testing.T) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) > 0 || len(o.open) > 0 {
		t.Errorf("%d are left to write, and %d answers expected", len(o.queue), len(o.open))
	}
}

func TestOutbox_GivesEachItsOwnAnswer(t *testing.T) {
	o, echo := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), outboxPatience)
	defer cancel()
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			for j := range 50 {
				if err := ask(ctx, o, echo, fmt.Sprint(i, " ", j)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	o.assertEmpty(t)
}

// NATS' client holds up who writes while another write stands still, whatever that
// one's patience.
func TestOutbox_LetsGoOfWhatIsNotWritten(t *testing.T) {
	wire := &heldWire{stands: make(chan struct{}, 1)}
	o, echo := open(t, nats.SetCustomDialer(wire), nats.FlusherTimeout(outboxPatience))
	ctx, cancel := context.WithTimeout(t.Context(), outboxPatience)
	defer cancel()
	if err := ask(ctx, o, echo, "before"); err != nil {
		t.Fatal(err)
	}
	release := wire.hold()
	defer release()
	impatient, giveUp := context.WithCancel(ctx)
	var all sync.WaitGroup
	begin := func() {
		all.Go(func() {
			if err := ask(impatient, o, echo, "meanwhile"); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want the caller's end", err)
			}
		})
	}
	begin()
	<-wire.stands
	for range 8 {
		begin()
	}
	for open, waits := 0, 0; open != 9 || waits != 7; { // one is being written, seven wait for it
		if ctx.Err() != nil {
			t.Fatalf("%d are open and %d wait, want 9 and 7", open, waits)
		}
		time.Sleep(time.Millisecond)
		o.mu.Lock()
		open, waits = len(o.open), len(o.queue)
		o.mu.Unlock()
	}
	giveUp()
	all.Wait() // although the write stands still
	o.assertEmpty(t)
	release()
	if err := ask(ctx, o, echo, "after"); err != nil {
		t.Error(err)
	}
}

func TestOutbox_SaysWhatIsInTheWay(t *testing.T) {
	o, _ := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), outboxPatience)
	defer cancel()
	if err := ask(ctx, o, "nobody", "x"); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("got %v, want that nobody listens", err)
	}
	ended, end := context.WithCancel(ctx)
	end()
	if err := ask(ended, o, "nobody", "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the caller's end", err)
	}
	o.nc.Close()
	if err := ask(ctx, o, "nobody", "x"); !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("got %v, want that the connection is closed", err)
	}
	o.assertEmpty(t)
}
