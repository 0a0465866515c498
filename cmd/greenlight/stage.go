package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"greenlight/internal/app"
	"greenlight/internal/assigner"
	"greenlight/internal/events"
	"greenlight/internal/events/embedded"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
	"greenlight/internal/webhook"
)

// stage is Greenlight's parts in one process, made so that each can fail by itself:
// the NATS server can be restarted, and the assigner can die in the middle of whatever
// it does. It is for rehearsals; greenlight up is [site].
type stage struct {
	hub      *hub
	set      *plan.Set
	apiURL   string
	verifier *telnyx.Verifier
	resync   time.Duration
	// now is the assigner's clock.
	now func() time.Time
	log zerolog.Logger

	door *shift
	desk *shift
}

// How the parts of a stage find out that another has gone, quicker than where they run
// for real: nobody wants to watch 20 s of silence.
var stageTiming = events.Timing{AckWait: 3 * time.Second, PinnedTTL: 2 * time.Second, PullExpiry: time.Second}

const (
	// stageRate is the ceiling of calls a second: the simulator has no limit of its own.
	stageRate        = 500
	stageConcurrency = 16
)

// shift is a part at work.
type shift struct {
	nc   *nats.Conn
	stop context.CancelFunc
	done chan error
	// cut, if not nil, ends its calls to Telnyx where they stand.
	cut func()
}

// begin runs a process on a connection of its own.
func begin(ctx context.Context, nc *nats.Conn, p *app.Process, cut func()) *shift {
	ctx, stop := context.WithCancel(ctx)
	s := &shift{nc: nc, stop: stop, done: make(chan error, 1), cut: cut}
	go func() { s.done <- p.Run(ctx) }()
	return s
}

// end stops it in good order.
func (s *shift) end() error {
	s.stop()
	err := <-s.done
	s.nc.Close()
	return err
}

// die ends it as a crash does, as far as others can see: its connections are cut at
// once, so that nothing that it began can be finished, written down or given back.
func (s *shift) die() {
	if s.cut != nil {
		s.cut()
	}
	s.nc.Close()
	s.stop()
	<-s.done // what it complains of is what a crash leaves behind
}

// open starts NATS and the front door with the status page.
func (s *stage) open(ctx context.Context, public, private net.Listener) error {
	if err := s.hub.start(); err != nil {
		return errors.Join(err, public.Close(), private.Close())
	}
	nc, err := s.hub.connect("greenlight demo: webhook")
	if err != nil {
		return errors.Join(err, public.Close(), private.Close())
	}
	p, err := app.New(ctx, nc, 1, s.log)
	if err == nil {
		err = p.AddWebhook(webhook.Config{Verifier: s.verifier, GroupCommit: true}, public)
	}
	if err != nil {
		nc.Close()
		return errors.Join(err, public.Close(), private.Close())
	}
	p.AddPrivate(private, "")
	s.door = begin(ctx, nc, p, nil)
	return nil
}

// hire starts an assigner.
func (s *stage) hire(ctx context.Context) error {
	nc, err := s.hub.connect("greenlight demo: assigner")
	if err != nil {
		return err
	}
	p, err := app.New(ctx, nc, 1, s.log)
	if err != nil {
		nc.Close()
		return err
	}
	wire := newWire()
	err = p.AddAssigner(ctx, assigner.Config{
		Telnyx: &telnyx.Client{
			APIKey: "demo-key", BaseURL: s.apiURL, HTTPClient: &http.Client{Transport: wire},
			Limiter: telnyx.NewLimiter(telnyx.LimiterConfig{Ceiling: stageRate, Concurrency: 8}),
		},
		Plans: func() *plan.Set { return s.set }, Resync: s.resync, Concurrency: stageConcurrency,
		Timing: stageTiming, Now: s.now,
	})
	if err != nil {
		nc.Close()
		return err
	}
	s.desk = begin(ctx, nc, p, wire.cut)
	return nil
}

// close stops everything that was started.
func (s *stage) close() error {
	var errs []error
	for _, part := range []*shift{s.door, s.desk} {
		if part != nil {
			errs = append(errs, part.end())
		}
	}
	return errors.Join(append(errs, s.hub.stop())...)
}

// failed returns what the part died of that nobody killed, nil while it works.
func (s *shift) failed() error {
	select {
	case err := <-s.done:
		s.done <- err // for end
		return errors.Join(errPartStopped, err)
	default:
		return nil
	}
}

var errPartStopped = errors.New("a part of Greenlight stopped by itself")

// wire carries an assigner's calls until it is cut.
type wire struct {
	next *http.Transport
	dead context.Context
	cut  context.CancelFunc
}

func newWire() *wire {
	dead, cut := context.WithCancel(context.Background())
	return &wire{next: &http.Transport{MaxIdleConnsPerHost: stageConcurrency}, dead: dead, cut: cut}
}

// RoundTrip carries a call.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := w.dead.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(r.Context())
	stop := context.AfterFunc(w.dead, cancel)
	response, err := w.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		stop()
		cancel()
		return nil, err
	}
	response.Body = &wireBody{response.Body, func() { stop(); cancel() }}
	return response, nil
}

// wireBody lets go of a call's context when its answer was read.
type wireBody struct {
	readCloser
	done func()
}

type readCloser interface {
	Read([]byte) (int, error)
	Close() error
}

func (b *wireBody) Close() error {
	defer b.done()
	return b.readCloser.Close()
}

// hub is a NATS server that can be restarted while others are connected to it: they
// find the new one as they would find the old one again.
type hub struct {
	dir string

	mu     sync.Mutex
	server *embedded.Server
	// dial and secret are those of the server that runs, zero while none does.
	dial   nats.InProcessConnProvider
	secret string
}

var errNATSAway = errors.New("NATS is away")

func (h *hub) start() error {
	server, err := embedded.Start(embedded.Options{Dir: filepath.Join(h.dir, "data"), SyncAlways: true, Listen: true})
	if err != nil {
		return err
	}
	var options nats.Options
	for _, set := range server.InProcess() {
		if err := set(&options); err != nil {
			return errors.Join(err, server.Close())
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.server, h.dial, h.secret = server, options.InProcessServer, options.Token
	return nil
}

func (h *hub) stop() error {
	h.mu.Lock()
	server := h.server
	h.server, h.dial, h.secret = nil, nil, ""
	h.mu.Unlock()
	if server == nil {
		return nil
	}
	return server.Close()
}

// InProcessConn connects to the server that runs now.
func (h *hub) InProcessConn() (net.Conn, error) {
	h.mu.Lock()
	dial := h.dial
	h.mu.Unlock()
	if dial == nil {
		return nil, errNATSAway
	}
	return dial.InProcessConn()
}

func (h *hub) token() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.secret
}

func (h *hub) connect(name string) (*nats.Conn, error) {
	return events.Connect("", name, nats.InProcessServer(h), nats.TokenHandler(h.token),
		nats.Timeout(10*time.Second), nats.FlusherTimeout(nats.DefaultFlusherTimeout),
		// Else the client writes to the terminal what a restart breaks off.
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
}

// reader returns a connection to look with, and what to call at the end.
func (h *hub) reader() (jetstream.JetStream, func(), error) {
	nc, err := h.connect("greenlight demo")
	if err != nil {
		return nil, nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	return js, nc.Close, nil
}
