package app

import (
	"bytes"
	"crypto/tls"
	"log"
	"net"
	"os"
)

// ServeTLS returns a listener that [ServerOptions.Serve] serves with TLS. Failed, if not nil, gets
// the reason of every handshake that fails; it must be quick and safe for concurrent use.
func ServeTLS(listener net.Listener, config *tls.Config, failed func(reason string)) net.Listener {
	if failed == nil {
		failed = func(string) {}
	}
	return &secure{listener, config, failed}
}

// secure is a listener whose connections are to speak TLS.
type secure struct {
	net.Listener
	config *tls.Config
	failed func(string)
}

// errorLog returns where package http writes to: failed handshakes go to failed, since
// every scanner of the internet causes some, and the rest to standard error.
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
