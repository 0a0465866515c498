package testkit

import (
	"bytes"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Wire is a connection to a server that can freeze without being closed, and be slow. The
// zero value is ready for use. Safe for concurrent use.
type Wire struct {
	gate  sync.RWMutex
	delay atomic.Int64 // in nanoseconds
	users sync.WaitGroup
}

// chunk is bytes and when they are delivered.
type chunk struct {
	bytes []byte
	due   time.Time
}

// underWay is how many chunks of one connection may be in transit each way.
const underWay = 256

// Delay sets how long bytes take from now on, each way.
func (w *Wire) Delay(d time.Duration) { w.delay.Store(int64(d)) }

// Freeze holds back all bytes, both ways, until Thaw.
func (w *Wire) Freeze() { w.gate.Lock() }

// Thaw delivers the bytes that were held back, and those that follow.
func (w *Wire) Thaw() { w.gate.Unlock() }

// Start returns an address that leads to url over the wire until the test ends. By then the
// wire must be thawed and its connections closed.
func (w *Wire) Start(t testing.TB, url string) string {
	t.Helper()
	scheme, target, _ := strings.Cut(url, "://")
	user := ""
	if at := strings.LastIndexByte(target, '@'); at >= 0 {
		user, target = target[:at+1], target[at+1:]
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close(); w.users.Wait() })
	w.users.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			// So that the buffers of a frozen wire fill up soon.
			_ = near.(*net.TCPConn).SetReadBuffer(64 << 10)
			far, err := net.Dial("tcp", target)
			if err != nil {
				near.Close()
				continue
			}
			w.users.Go(func() { w.carry(far, near) })
			w.users.Go(func() { w.carry(near, far) })
		}
	})
	return scheme + "://" + user + listener.Addr().String()
}

func (w *Wire) carry(to, from net.Conn) {
	chunks := make(chan chunk, underWay)
	w.users.Go(func() { w.deliver(to, from, chunks) })
	defer close(chunks)
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		w.gate.RLock() // a frozen wire accepts no more
		due := time.Now().Add(time.Duration(w.delay.Load()))
		w.gate.RUnlock()
		chunks <- chunk{bytes.Clone(buffer[:n]), due}
		if err != nil {
			return
		}
	}
}

// deliver writes each chunk when it is due, until the sender closes or a write fails.
func (w *Wire) deliver(to, from net.Conn, chunks <-chan chunk) {
	defer to.Close()
	for c := range chunks {
		time.Sleep(time.Until(c.due)) // the delay itself
		w.gate.RLock()
		_, err := to.Write(c.bytes)
		w.gate.RUnlock()
		if err != nil {
			from.Close() // ends carry
			for range chunks {
			}
			return
		}
	}
}
