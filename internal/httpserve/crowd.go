package httpserve

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// crowd are the connections of a server. It keeps their number within a bound, and
// knows which of them can be closed without harm: those that are quiet, which is to
// say that no request of theirs is being answered.
type crowd struct {
	most      int
	displaced func()
	unread    func()

	mu      sync.Mutex
	changed *sync.Cond // some connection has become quiet or is gone
	guests  map[net.Conn]*guest
	quiet   list.List // of *guest, the one that has been quiet for longest first
	leaving bool      // answers say that the connection ends with them
	closed  bool
}

// guest is one connection.
type guest struct {
	conn net.Conn
	// requests are being answered: one at most with HTTP/1, which is all that
	// [Options.Serve] is given, and several if a listener should offer HTTP/2.
	requests int
	// place is in the crowd's quiet list, nil while a request is being answered, and
	// since when it has been there.
	place *list.Element
	since time.Time
	// asking says that something has come for which no request has begun yet.
	asking bool
	// silent says that no request has come yet. Clients open some connections in
	// reserve. Shutdown would wait over five seconds for them, and the stop would be
	// reported as one that cut off requests.
	silent bool
}

type guestKey struct{}

// grace is how long a connection is left alone after it was made or its last request
// was answered: a request may be on its way, or the answer. It bounds how fast
// others can displace it: 10,000 new ones a second, with the default bound.
const grace = 100 * time.Millisecond

func newCrowd(most int, displaced, unread func()) *crowd {
	c := &crowd{most: most, displaced: displaced, unread: unread, guests: map[net.Conn]*guest{}}
	c.changed = sync.NewCond(&c.mu)
	return c
}

// arrive is called for each new connection by the goroutine that takes them, which
// waits here until there is room.
func (c *crowd) arrive(ctx context.Context, conn net.Conn) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.guests) >= c.most && !c.closed {
		oldest := c.quiet.Front()
		if oldest == nil {
			c.changed.Wait()
			continue
		}
		g := oldest.Value.(*guest)
		if left := grace - time.Since(g.since); left > 0 {
			ripe := c.wakeIn(left)
			c.changed.Wait()
			ripe.Stop()
			continue
		}
		c.drop(g)
		hangUp(g.conn)
		if c.displaced != nil {
			c.displaced()
		}
	}
	if c.closed {
		hangUp(conn)
		return ctx
	}
	g := &guest{conn: conn, silent: true}
	c.guests[conn] = g
	c.calm(g)
	return context.WithValue(ctx, guestKey{}, g)
}

// wakeIn wakes who waits for a change, after a while. It is called with the lock held
// and takes it itself by then: so the caller waits already, however soon that is.
func (c *crowd) wakeIn(left time.Duration) *time.Timer {
	return time.AfterFunc(left, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.changed.Broadcast()
	})
}

// watch returns a handler that notes on which connection a request is being
// answered. The states of a connection do not tell: a server that will not read the
// rest of a request lingers, active, for half a second after the answer.
func (c *crowd) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g, ok := r.Context().Value(guestKey{}).(*guest)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		if leaving := c.begin(g); leaving {
			w.Header().Set("Connection", "close")
		}
		defer c.end(g)
		next.ServeHTTP(w, r)
	})
}

func (c *crowd) begin(g *guest) (leaving bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g.requests++
	g.silent, g.asking = false, false
	c.unquiet(g)
	return c.leaving
}

func (c *crowd) end(g *guest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if g.requests--; g.requests == 0 && c.guests[g.conn] == g {
		c.calm(g)
		c.changed.Broadcast()
	}
}

// calm puts a guest on the quiet list.
func (c *crowd) calm(g *guest) {
	g.since = time.Now()
	g.place = c.quiet.PushBack(g)
}

// unquiet takes a guest off the quiet list.
func (c *crowd) unquiet(g *guest) {
	if g.place != nil {
		c.quiet.Remove(g.place)
		g.place = nil
	}
}

// follow is told of every change in a connection's state.
func (c *crowd) follow(conn net.Conn, state http.ConnState) {
	if state == http.StateNew || state == http.StateIdle {
		return // which say nothing here, and each request would wait for the lock
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.guests[conn]
	if g == nil {
		return
	}
	switch state {
	case http.StateActive:
		g.silent, g.asking = false, true
	case http.StateClosed, http.StateHijacked:
		if g.asking && c.unread != nil {
			c.unread()
		}
		c.drop(g)
	}
}

func (c *crowd) drop(g *guest) {
	delete(c.guests, g.conn)
	c.unquiet(g)
	c.changed.Broadcast()
}

// hangUp closes a connection at once: TLS would first say goodbye and wait for a
// client that does not read.
func hangUp(conn net.Conn) {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	conn.Close()
}

// sendAway makes each answer from now on the last one on its connection.
func (c *crowd) sendAway() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leaving = true
}

// close closes the silent connections, and those that come from now on.
func (c *crowd) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leaving, c.closed = true, true
	for conn, g := range c.guests {
		if g.silent {
			hangUp(conn)
		}
	}
	c.changed.Broadcast()
}
