package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// The defaults of [ServerOptions], and the deadline of the stop.
const (
	DefaultReadHeaderTimeout = 2 * time.Second
	DefaultReadTimeout       = 10 * time.Second
	DefaultWriteTimeout      = 30 * time.Second
	DefaultIdleTimeout       = 60 * time.Second
	// DefaultMaxConnections is far over what Telnyx opens, with room for a flood of a
	// thousand connections beside it, and fits the open files that Linux allows.
	DefaultMaxConnections = 2000

	maxHeaderBytes = 16 << 10
	// DrainTimeout is how long requests under way may take to finish after the
	// listener was closed. It is over the two seconds in which the webhook answers.
	DrainTimeout = 5 * time.Second
)

// ServerOptions are what may differ between servers. The zero value is ready for use.
type ServerOptions struct {
	// ReadHeaderTimeout, ReadTimeout (header and body), WriteTimeout and IdleTimeout
	// are those of [http.Server], by default the constants above.
	ReadHeaderTimeout, ReadTimeout, WriteTimeout, IdleTimeout time.Duration
	// MaxConnections bounds the connections at once, by default
	// DefaultMaxConnections. Further ones wait in the kernel's queue until one ends,
	// first come, first served.
	MaxConnections int
	// OnStop is called when the context ends, before anything else.
	OnStop func()
	// DrainDelay is how long requests are taken after that, so that whoever sends
	// them here can see that readiness is false and send them elsewhere.
	DrainDelay time.Duration
}

// Listen opens the address, such as ":8080" or "127.0.0.1:0".
func Listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return listener, nil
}

// Serve is [ServerOptions.Serve] with the defaults.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	return ServerOptions{}.Serve(ctx, listener, handler)
}

// Serve answers requests until ctx ends, and then lets those under way finish:
//
//	context ends ── OnStop: readiness turns false
//	             ── DrainDelay: requests are answered as before, with Connection: close
//	             ── the listener is closed, requests under way finish
//	             ── five seconds later the rest is cut off and reported
//
// It returns nil unless requests were cut off. Closes the listener.
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
		// Else OPTIONS * gets a 200 that is not the handler's.
		DisableGeneralOptionsHandler: true,
	}
}

// bound limits the listener's connections, those in a TLS handshake included.
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

// bounded takes a connection only when there is a place for it, which the server's
// ConnState gives back. The connections of netutil.LimitListener lack CloseWrite: package
// http would reset one whose client is still sending, and its answer would be lost.
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
