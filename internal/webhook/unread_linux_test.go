package webhook_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"greenlight/internal/app"
	"greenlight/internal/telnyx"
)

// Strangers send one request after the other, each with the wish to be asked for its
// body, and read no answer: the server's writes to them stand still. Signed deliveries
// get their 200 all the same, also while the strangers send a delivery that they caught.
func TestFlood_OfClientsThatReadNoAnswers(t *testing.T) {
	for name, caught := range map[string]bool{"with a stranger's signature": false, "with a delivery that they caught": true} {
		t.Run(name, func(t *testing.T) {
			d := open(t)
			f := &flood{t: t, address: d.serve(app.ServerOptions{}), over: make(chan struct{}), answered: map[answer]int{}}
			body := verified(t, "caught")
			claim := telnyx.Sign(strangerKey, now, body)
			if caught {
				f.letThemCatch(body)
				claim = signed(body)
			}
			request := post + headerLines(claim) + fmt.Sprintf("Expect: 100-continue\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			leave := f.come(crowd{strangers: 300 / smaller, visit: func(s *stranger) { s.writeOnly(strings.Repeat(request, 50)) }})
			delivered := f.deliverAll(60/smaller, func() bool { return true })
			leave()
			if f.slowest > promptly {
				t.Errorf("the slowest of %d signed deliveries took %s, want %s at most", len(delivered), f.slowest, promptly)
			}
		})
	}
}

// writeOnly takes a connection and writes the text again and again, until the server
// closes it or the flood is over.
func (s *stranger) writeOnly(text string) {
	dialer := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1024) })
	}}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	conn, err := dialer.DialContext(ctx, "tcp", s.flood.address)
	if err != nil {
		return
	}
	defer conn.Close()
	go func() {
		select {
		case <-s.flood.over:
			conn.Close()
		case <-ctx.Done():
		}
	}()
	for {
		if _, err := io.WriteString(conn, text); err != nil {
			return
		}
	}
}
