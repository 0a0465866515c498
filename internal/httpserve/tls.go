package httpserve

import (
	"bytes"
	"crypto/tls"
	"log"
	"net"
	"os"
)

// TLS returns a listener whose connections speak TLS. Failed, if not nil, is told of
// every handshake that fails; it must be quick and safe for concurrent use. Wrap
// whatever else the connections need before this: package http must see them as TLS.
func TLS(listener net.Listener, config *tls.Config, failed func(reason string)) net.Listener {
	if failed == nil {
		failed = func(string) {}
	}
	return &secure{tls.NewListener(listener, config), failed}
}

// secure is a listener that knows who wants to hear of failed handshakes.
type secure struct {
	net.Listener
	failed func(string)
}

// errorLog returns where package http writes to: failed handshakes go to who wants
// them, since every scanner of the internet makes some, and the rest where it goes
// without it.
func (s *secure) errorLog() *log.Logger { return log.New(s, "", log.LstdFlags) }

// handshakeError is how package http begins its line.
var handshakeError = []byte("http: TLS handshake error from ")

func (s *secure) Write(line []byte) (int, error) {
	if _, reason, found := bytes.Cut(line, handshakeError); found {
		s.failed(string(bytes.TrimSpace(reason)))
		return len(line), nil
	}
	return os.Stderr.Write(line)
}
