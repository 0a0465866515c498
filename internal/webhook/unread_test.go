package webhook_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"greenlight/internal/app"
	"greenlight/internal/telnyx"
)

// Strangers ask for a 100 Continue and read nothing, so that the server's writes to them
// block. Signed deliveries still get their 200, also while the strangers replay a delivery
// that they caught.
func TestFlood_OfClientsThatReadNoAnswers(t *testing.T) {
	for name, caught := range map[string]bool{"with a stranger's signature": false, "with a delivery that they caught": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			unread := make(chan net.Conn)
			f := &flood{t: t, over: make(chan struct{}), answered: map[answer]int{}}
			f.address = d.serveOn(app.ServerOptions{}, func(l net.Listener) net.Listener { return alsoFrom(l, unread) })
			body := verified(t, "caught")
			claim := telnyx.Sign(strangerKey, now, body)
			if caught {
				f.letThemCatch(body)
				claim = signed(body)
			}
			request := post + headerLines(claim) + fmt.Sprintf("Expect: 100-continue\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			const strangers = 400 // more than there are places
			var blocked atomic.Int64
			leave := f.come(crowd{strangers: strangers, visit: func(s *stranger) { s.writeOnly(unread, request, &blocked) }})
			delivered := f.deliverAll(func() bool { return blocked.Load() >= strangers })
			leave()
			t.Logf("%d connections; %d signed; %v", blocked.Load(), len(delivered), f.answered)
		})
	}
}

// writeOnly makes requests on a connection without buffers, so that the server's first
// write waits for a reader, and holds it until the server closes it or the flood is over.
// It counts the connection once the server has read a request's headers.
func (s *stranger) writeOnly(server chan<- net.Conn, request string, blocked *atomic.Int64) {
	client, itsEnd := net.Pipe()
	select {
	case server <- itsEnd:
	case <-s.flood.over:
		return
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_, err := io.WriteString(client, request)
		blocked.Add(1)
		for err == nil {
			_, err = io.WriteString(client, request)
		}
	}()
	select {
	case <-closed:
	case <-s.flood.over:
	}
	client.Close()
	<-closed
}

// alsoFrom returns a listener that also accepts the connections from more.
func alsoFrom(l net.Listener, more <-chan net.Conn) net.Listener {
	b := &both{Listener: l, more: more, own: make(chan net.Conn), closed: make(chan struct{})}
	go func() {
		defer close(b.closed)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			b.own <- conn
		}
	}()
	return b
}

type both struct {
	net.Listener
	more   <-chan net.Conn
	own    chan net.Conn
	closed chan struct{}
}

func (b *both) Accept() (net.Conn, error) {
	select {
	case conn := <-b.own:
		return conn, nil
	case conn := <-b.more:
		return conn, nil
	case <-b.closed:
		return nil, net.ErrClosed
	}
}

// A client that sends or reads slowly is cut off: each delivery has a read deadline of 2 s
// and a write deadline of 5 s, whatever the server's own timeouts are.
func TestWebhook_SetsDeadlinesOnTheConnection(t *testing.T) {
	t.Parallel()
	d := open(t)
	site := httptest.NewUnstartedServer(d.hook.Handler())
	recorded := &deadlineListener{Listener: site.Listener, read: time.Hour, write: time.Hour}
	site.Listener = recorded
	site.Start()
	t.Cleanup(site.Close)
	body := verified(t, "id-1")
	d.url = site.URL
	got, _ := d.do(d.request(http.MethodPost, "/webhooks/telnyx", signed(body), bytes.NewReader(body)))
	assertAnswer(t, got, accepted)
	recorded.mu.Lock()
	defer recorded.mu.Unlock()
	if recorded.read > 2*time.Second || recorded.write > 5*time.Second {
		t.Errorf("got a read deadline of %s and a write deadline of %s, want 2s and 5s at most", recorded.read, recorded.write)
	}
}

// deadlineListener records the shortest deadlines set on its connections.
type deadlineListener struct {
	net.Listener
	mu          sync.Mutex
	read, write time.Duration
}

func (l *deadlineListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return deadlineConn{conn, l}, err
}

type deadlineConn struct {
	net.Conn
	listener *deadlineListener
}

func (c deadlineConn) SetReadDeadline(at time.Time) error {
	c.listener.note(&c.listener.read, at)
	return c.Conn.SetReadDeadline(at)
}

func (c deadlineConn) SetWriteDeadline(at time.Time) error {
	c.listener.note(&c.listener.write, at)
	return c.Conn.SetWriteDeadline(at)
}

// note ignores deadlines in the past, by which package http interrupts its own reads.
func (l *deadlineListener) note(shortest *time.Duration, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if left := time.Until(at); left > 0 {
		*shortest = min(*shortest, left)
	}
}
