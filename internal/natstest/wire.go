package natstest

import (
	"net"
	"strings"
	"sync"
	"testing"
)

// Wire is a way to a server that can go dead without anybody hanging up. The zero
// value is ready for use.
type Wire struct {
	gate  sync.RWMutex
	users sync.WaitGroup
}

// Freeze holds back all bytes, both ways, until Thaw.
func (w *Wire) Freeze() { w.gate.Lock() }

// Thaw lets the bytes through that were held back, and those that follow.
func (w *Wire) Thaw() { w.gate.Unlock() }

// Start returns the address by which url is reached over the wire, until the test
// ends. The wire must have been thawed by then, and its users gone.
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
			// So that a frozen wire fills up soon.
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
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		w.gate.RLock()
		_, failed := to.Write(buffer[:n])
		w.gate.RUnlock()
		if err != nil || failed != nil {
			return
		}
	}
}
