// Package httpserve runs an HTTP server with bounds on everything that a client
// decides, until it is told to stop, and then lets requests finish.
//
// A request that comes too slowly is cut off by a timeout. So that those who hold
// connections without using them cannot keep others out, connections are bounded,
// and at the bound a new one takes the place of the one that has been without a
// request for longest; see [Options.MaxConnections].
//
// The stop goes like this:
//
//	told to stop ── OnStop: readiness turns false
//	             ── DrainDelay: all is answered as before, with Connection: close
//	             ── the listener is closed, requests under way finish
//	             ── five seconds later the rest is cut off and reported
package httpserve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// The defaults of [Options], and the deadline of the stop.
const (
	// A whole request must arrive in DefaultReadTimeout; Telnyx itself gives up on an
	// answer after two seconds.
	DefaultReadHeaderTimeout = 5 * time.Second
	DefaultReadTimeout       = 10 * time.Second
	DefaultWriteTimeout      = 30 * time.Second
	DefaultIdleTimeout       = 60 * time.Second
	// DefaultMaxConnections is far over what Telnyx opens and far under what a
	// process may: Linux gives it 1,024 files at least, most systems many more.
	DefaultMaxConnections = 1000

	maxHeaderBytes = 16 << 10
	// DrainTimeout is how long requests under way may take to finish after the
	// listener was closed. It is over the two seconds in which the webhook answers.
	DrainTimeout = 5 * time.Second
)

// Options are what may differ between servers. The zero value is ready for use.
type Options struct {
	// ReadHeaderTimeout, ReadTimeout (header and body), WriteTimeout and IdleTimeout
	// are those of [http.Server], by default the constants above.
	ReadHeaderTimeout, ReadTimeout, WriteTimeout, IdleTimeout time.Duration
	// MaxConnections bounds the connections at once, by default
	// DefaultMaxConnections. One more closes the one that has been without a request
	// for longest, and for a tenth of a second at least: whoever sends a request as
	// soon as it is connected comes through a crowd of those who hold connections.
	// While there is none to close, the new one waits, as further ones do in the
	// kernel's queue.
	MaxConnections int
	// Displaced is called for each connection that was closed for another one. It
	// must not block.
	Displaced func()
	// Unread is called for each connection that ended with something that was no whole
	// request, or one that the handler was not asked about: package http refuses it, or
	// gives up waiting for the rest. Of those that come on a connection after a good
	// request package http does not tell us all. It must not block.
	Unread func()
	// OnStop is called when the server is told to stop, before anything else.
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

// Serve is [Options.Serve] with the defaults.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	return Options{}.Serve(ctx, listener, handler)
}

// Serve answers requests until ctx ends, and stops as the package's comment says.
// It returns nil unless requests were cut off. Closes the listener.
func (o Options) Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	crowd := newCrowd(cmp.Or(o.MaxConnections, DefaultMaxConnections), o.Displaced, o.Unread)
	server := &http.Server{
		Handler:           crowd.watch(handler),
		ReadHeaderTimeout: cmp.Or(o.ReadHeaderTimeout, DefaultReadHeaderTimeout),
		ReadTimeout:       cmp.Or(o.ReadTimeout, DefaultReadTimeout),
		WriteTimeout:      cmp.Or(o.WriteTimeout, DefaultWriteTimeout),
		IdleTimeout:       cmp.Or(o.IdleTimeout, DefaultIdleTimeout),
		MaxHeaderBytes:    maxHeaderBytes,
		ConnContext:       crowd.arrive,
		ConnState:         crowd.follow,
		// Else OPTIONS * gets a 200 that is not the handler's.
		DisableGeneralOptionsHandler: true,
	}
	if s, ok := listener.(*secure); ok {
		server.ErrorLog = s.errorLog()
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	serveFailed := func(err error) error { return fmt.Errorf("serve on %s: %w", listener.Addr(), err) }
	select {
	case err := <-failed:
		return serveFailed(err)
	case <-ctx.Done():
	}
	if o.OnStop != nil {
		o.OnStop()
	}
	if o.DrainDelay > 0 {
		crowd.sendAway()
		select {
		case err := <-failed:
			return serveFailed(err)
		case <-time.After(o.DrainDelay):
		}
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), DrainTimeout)
	defer cancel()
	crowd.close()
	err := server.Shutdown(drain)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests on %s were cut off: %w", listener.Addr(), err), server.Close())
	}
	<-failed // http.ErrServerClosed: Serve has returned
	return err
}
