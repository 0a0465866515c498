package webhook_test

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"greenlight/internal/app"
	"greenlight/internal/telnyx"
)

// Strangers want to be asked for their bodies, and read nothing: the server's writes to
// them stand still. Signed deliveries get their 200 all the same, also while the strangers
// send a delivery that they caught.
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
			leave := f.come(crowd{strangers: 400, visit: func(s *stranger) { s.writeOnly(unread, request) }})
			delivered := f.deliverAll(60, func() bool { return f.visits.Load() >= 400 })
			leave()
			t.Logf("%d visits; %d signed, the slowest took %s; %v", f.visits.Load(), len(delivered), f.slowest.Round(time.Millisecond), f.answered)
			if f.slowest > promptly {
				t.Errorf("the slowest signed delivery took %s, want %s at most", f.slowest, promptly)
			}
		})
	}
}

// writeOnly makes a request on a connection without buffers, so that the server's first
// write waits for a reader, and holds it until the server closes it or the flood is over.
func (s *stranger) writeOnly(server chan<- net.Conn, request string) {
	client, itsEnd := net.Pipe()
	select {
	case server <- itsEnd:
	case <-s.flood.over:
		return
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		for err := error(nil); err == nil; {
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

// alsoFrom returns a listener that takes the connections from more as well.
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
