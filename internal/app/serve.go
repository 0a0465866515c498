package app

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// The defaults of [ServerOptions], and the deadline of the stop.
const (
	DefaultReadHeaderTimeout = 2 * time.Second
	DefaultReadTimeout       = 10 * time.Second
	DefaultWriteTimeout      = 30 * time.Second
	DefaultIdleTimeout       = 60 * time.Second
	// DefaultMaxConnections is far more than Telnyx opens, has room for a flood of a thousand
	// connections, and fits the limit of open files on Linux.
	DefaultMaxConnections = 2000

	maxHeaderBytes = 16 << 10
	// DrainTimeout is how long requests in progress may take after the listener was closed.
	// It is longer than the two seconds in which the webhook answers.
	DrainTimeout = 5 * time.Second
)

// ServerOptions are the bounds of a server. The zero value is ready for use.
type ServerOptions struct {
	// ReadHeaderTimeout, ReadTimeout (header and body), WriteTimeout and IdleTimeout
	// are those of [http.Server], by default the constants above.
	ReadHeaderTimeout, ReadTimeout, WriteTimeout, IdleTimeout time.Duration
	// MaxConnections bounds the open connections, by default DefaultMaxConnections.
	// Further ones wait in the kernel's queue until one ends.
	MaxConnections int
	// OnStop is called when the context ends, before anything else.
	OnStop func()
	// DrainDelay is how long requests are accepted after that, so that a load balancer can
	// notice that readiness is false and use other processes.
	DrainDelay time.Duration
}

// Listen listens on an address, for example ":8080" or "127.0.0.1:0".
func Listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		if failed, ok := errors.AsType[*net.OpError](err); ok {
			err = failed.Err // the rest repeats the address
		}
		if lookup, ok := errors.AsType[*net.DNSError](err); ok && lookup.IsNotFound {
			err = errors.New("unknown host")
		}
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return listener, nil
}

// Serve is [ServerOptions.Serve] with the defaults.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	return ServerOptions{}.Serve(ctx, listener, handler)
}

// Serve answers requests until ctx ends, and then lets those in progress finish:
//
//	context ends ── OnStop: readiness turns false
//	             ── DrainDelay: requests are answered as before, with Connection: close
//	             ── the listener is closed, requests in progress finish
//	             ── after DrainTimeout the rest is cut off and reported
//
// It returns nil unless requests were cut off, and closes the listener.
func (o ServerOptions) Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	var draining atomic.Bool
	server := o.server(func(w http.ResponseWriter, r *http.Request) {
		if draining.Load() {
			w.Header().Set("Connection", "close")
		}
		handler.ServeHTTP(w, r)
	})
	listener = o.bound(listener, server)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	serveFailed := func(err error) error { return fmt.Errorf("serve on %s: %w", listener.Addr(), err) }
	select {
	case err := <-failed:
		return serveFailed(err)
	case <-ctx.Done():
	}
	draining.Store(true)
	if o.OnStop != nil {
		o.OnStop()
	}
	select {
	case err := <-failed:
		return serveFailed(err)
	case <-time.After(o.DrainDelay):
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), DrainTimeout)
	defer cancel()
	err := server.Shutdown(drain)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests on %s were cut off: %w", listener.Addr(), err), server.Close())
	}
	<-failed // http.ErrServerClosed: Serve has returned
	return err
}

func (o ServerOptions) server(handler http.HandlerFunc) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: cmp.Or(o.ReadHeaderTimeout, DefaultReadHeaderTimeout),
		ReadTimeout:       cmp.Or(o.ReadTimeout, DefaultReadTimeout),
		WriteTimeout:      cmp.Or(o.WriteTimeout, DefaultWriteTimeout),
		IdleTimeout:       cmp.Or(o.IdleTimeout, DefaultIdleTimeout),
		MaxHeaderBytes:    maxHeaderBytes,
		// Otherwise OPTIONS * gets a 200 that is not from the handler.
		DisableGeneralOptionsHandler: true,
	}
}

// bound limits the listener's connections, including those in a TLS handshake.
func (o ServerOptions) bound(listener net.Listener, server *http.Server) net.Listener {
	places := make(chan struct{}, cmp.Or(o.MaxConnections, DefaultMaxConnections))
	server.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed || state == http.StateHijacked {
			<-places
		}
	}
	if s, ok := listener.(*secure); ok {
		server.ErrorLog = s.errorLog()
		return tls.NewListener(&bounded{s.Listener, places}, s.config)
	}
	return &bounded{listener, places}
}

// bounded accepts a connection only if there is a place for it, which the server's
// ConnState frees. It is used instead of netutil.LimitListener, whose connections lack
// CloseWrite: package http would reset one whose client is still sending, and the answer
// would be lost.
type bounded struct {
	net.Listener
	places chan struct{}
}

func (b *bounded) Accept() (net.Conn, error) {
	b.places <- struct{}{}
	conn, err := b.Listener.Accept()
	if err != nil {
		<-b.places
	}
	return conn, err
}

// ServeTLS returns a listener that [ServerOptions.Serve] serves with TLS. Failed, if not nil,
// gets the reason for every failed handshake. It must be fast and safe for concurrent use.
func ServeTLS(listener net.Listener, config *tls.Config, failed func(reason string)) net.Listener {
	if failed == nil {
		failed = func(string) {}
	}
	return &secure{listener, config, failed}
}

// secure is a listener for TLS.
type secure struct {
	net.Listener
	config *tls.Config
	failed func(string)
}

// errorLog returns the log for package http. Failed handshakes go to failed, since every
// scanner on the internet causes some, and the rest goes to standard error.
func (s *secure) errorLog() *log.Logger { return log.New(s, "", log.LstdFlags) }

// handshakeError is the beginning of package http's line.
var handshakeError = []byte("http: TLS handshake error from ")

func (s *secure) Write(line []byte) (int, error) {
	if _, reason, found := bytes.Cut(line, handshakeError); found {
		s.failed(string(bytes.TrimSpace(reason)))
		return len(line), nil
	}
	return os.Stderr.Write(line)
}
