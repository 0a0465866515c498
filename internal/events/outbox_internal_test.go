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

// patience is for what must come about at some time.
const patience = 20 * time.Second

// heldWire dials connections whose writes stand still while it is held.
type heldWire struct {
	mu     sync.Mutex
	stands chan struct{} // gets a word for each write that stands still
	held   atomic.Bool
	// swallows has it say that all is written, and write nothing.
	swallows atomic.Bool
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
	if c.wire.swallows.Load() {
		return len(b), nil
	}
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
	if !s.ReadyForConnections(patience) {
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
	ctx, cancel := context.WithTimeout(t.Context(), patience)
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
	o, echo := open(t, nats.SetCustomDialer(wire), nats.FlusherTimeout(patience))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
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

// A group looks at the connection, too.
func TestGroup_LetsGoOfWhatIsNotWritten(t *testing.T) {
	wire := &heldWire{stands: make(chan struct{}, 1)}
	o, echo := open(t, nats.SetCustomDialer(wire), nats.FlusherTimeout(patience))
	g := &Group{nc: o.nc, outbox: newOutbox(o.nc)}
	defer wire.hold()()
	ctx, giveUp := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { _ = ask(ctx, o, echo, "stands still") })
	<-wire.stands
	ended := make(chan error)
	for i := range 9 {
		go func() {
			_, err := g.Publish(ctx, Event{ID: fmt.Sprint(i), Type: "10dlc.campaign.update"})
			ended <- err
		}()
	}
	giveUp()
	for range 9 {
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want the caller's end", err)
			}
		case <-time.After(patience):
			t.Fatal("a caller waits for a write that stands still")
		}
	}
	all.Wait()
}

// NATS' client drops what it could not write for long, a subscription too, and goes on.
func TestOutbox_ListensAnewIfItHeardNothing(t *testing.T) {
	wire := &heldWire{}
	o, echo := open(t, nats.SetCustomDialer(wire))
	wire.swallows.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		if err := ask(ctx, o, echo, "lost"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the caller's end", err)
		}
	})
	if err := o.nc.FlushTimeout(100 * time.Millisecond); err == nil {
		t.Error("what is swallowed is answered")
	}
	for written := false; !written && t.Context().Err() == nil; time.Sleep(time.Millisecond) {
		o.mu.Lock()
		written = len(o.open) == 1 && !o.writing
		o.mu.Unlock()
	}
	if err := o.nc.FlushTimeout(100 * time.Millisecond); err == nil {
		t.Error("what is swallowed is answered")
	}
	cancel()
	all.Wait()
	wire.swallows.Store(false)
	again, cancelAgain := context.WithTimeout(t.Context(), patience)
	defer cancelAgain()
	if err := ask(again, o, echo, "after"); err != nil {
		t.Error(err)
	}
}

// An answer may be lost for good, and not every caller has a deadline.
func TestOutbox_WaitsForNobodyForEver(t *testing.T) {
	o, _ := open(t)
	if _, err := o.nc.SubscribeSync("silence"); err != nil {
		t.Fatal(err)
	}
	if err := ask(context.Background(), o, "silence", "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want that it took too long", err)
	}
	o.assertEmpty(t)
}

func TestOutbox_SaysWhatIsInTheWay(t *testing.T) {
	o, _ := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
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
