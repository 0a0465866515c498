// Package httpserve runs an HTTP server with bounds on everything that a client
// decides, until it is told to stop, and then lets requests finish.
package httpserve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// A whole request must arrive in readTimeout; Telnyx itself gives up on an
	// answer after two seconds.
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 60 * time.Second
	maxHeaderBytes    = 16 << 10
	// drainTimeout is how long requests under way may take to finish after the
	// stop. It is over the two seconds in which the webhook answers.
	drainTimeout = 5 * time.Second
)

// Listen opens the address, such as ":8080" or "127.0.0.1:0".
func Listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return listener, nil
}

// Serve answers requests until ctx ends. Then it takes no new ones, waits for
// those under way, and returns nil; requests that take longer than five seconds
// are cut off and reported. Closes the listener.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
	}
	var quiet silent
	server.ConnState = quiet.follow
	if s, ok := listener.(*secure); ok {
		server.ErrorLog = s.errorLog()
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	quiet.close()
	err := server.Shutdown(drain)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests on %s were cut off: %w", listener.Addr(), err), server.Close())
	}
	<-failed // http.ErrServerClosed: Serve has returned
	return err
}

// silent are the connections on which no request has come yet. Clients open some
// in reserve. Shutdown would wait over five seconds for them, and the stop would
// be reported as one that cut off requests.
type silent struct {
	mu      sync.Mutex
	conns   map[net.Conn]bool
	stopped bool
}

// follow is told of every change in a connection's state.
func (s *silent) follow(conn net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(s.conns, conn)
	case s.stopped:
		conn.Close()
	default:
		if s.conns == nil {
			s.conns = make(map[net.Conn]bool)
		}
		s.conns[conn] = true
	}
}

// close closes them, and those that come from now on.
func (s *silent) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	for conn := range s.conns {
		conn.Close()
	}
}
