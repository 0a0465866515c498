// Package app is what the programs share: their settings, logs, listeners, certificates,
// metrics and traces, and the process that runs the webhook, the assigner or both.
//
// Settings have the same names and meanings in every program, as flags and as environment
// variables. Everything that is missing or malformed is reported at once.
package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/rs/zerolog"

	"greenlight/internal/doctor"
	"greenlight/internal/events"
	"greenlight/internal/status"
	"greenlight/internal/telemetry"
)

// Process is one process: its connection to NATS and the parts that use it. Add the parts,
// then run it once. Parts stop in the order in which they were added: first the public
// listener, then the assigner, and the private listener last.
type Process struct {
	log      zerolog.Logger
	js       jetstream.JetStream
	registry *prometheus.Registry
	// streams creates the streams, in the background if the server is not there at first.
	// objects checks that they, and what the assigner needs, still exist.
	streams *attempt
	objects *objects
	// sync and dir describe the server; see [doctor.ReadGuarantee].
	sync   doctor.Sync
	dir    string
	checks []status.Check
	parts  []part
	tracer *telemetry.Tracer
	// joined is done when the assigner has joined; nil without an assigner.
	joined *attempt
	// planFaults returns why the plan files are not in force; nil if none are read.
	planFaults func() error
	// planned is closed once a plan set is in force.
	planned chan struct{}
	// hangups are SIGHUPs, on which the reloads are called. They are caught from the start,
	// and as long as the process runs, since one would end it.
	hangups chan os.Signal
	reloads []func()
	// last, if not nil, is called when all parts have stopped.
	last func()
}

// part runs until its context ends.
type part struct {
	name string
	run  func(context.Context) error
}

// New returns a process on a connection. It creates the streams, now or, if the server is
// not there yet (see [events.ConnectOrWait]), when the process runs. Readiness says what is
// missing. New fails only for an error that does not pass by itself.
func New(ctx context.Context, nc *nats.Conn, replicas int, log zerolog.Logger) (*Process, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("use JetStream: %w", err)
	}
	nc.SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { // its own would print between the lines of the log
		level := zerolog.DebugLevel
		if errors.Is(err, nats.ErrPermissionViolation) { // it does not pass, and the request only times out
			level = zerolog.WarnLevel
		}
		log.WithLevel(level).Err(err).Msg("NATS reported an error of the connection or a subscription")
	})
	build := ThisBuild()
	log.Info().Str(telemetry.KeyVersion, build.Version).Str(telemetry.KeyCommit, build.Commit).Msg("Greenlight starts")
	p := &Process{log: log, js: js, registry: prometheus.NewRegistry(), hangups: make(chan os.Signal, 1)}
	signal.Notify(p.hangups, syscall.SIGHUP)
	p.streams = newAttempt("create the streams", createTimeout, func(ctx context.Context) error {
		if err := events.Connected(nc); err != nil {
			return err
		}
		return events.EnsureStreams(ctx, js, replicas)
	})
	p.objects = &objects{js: js, publisher: events.NewPublisher(js), replicas: replicas, log: log}
	p.add("nats", func(ctx context.Context) error {
		if !p.streams.until(ctx, log) {
			return nil
		}
		return p.objects.run(ctx)
	})
	p.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildMetric(build))
	p.AddCheck(status.Check{Name: "nats", Ready: func(ctx context.Context) error {
		if err := events.Connected(nc); err != nil {
			return err
		}
		if err := p.streams.pending(); err != nil {
			return err
		}
		return p.objects.ready(ctx)
	}})
	p.AddCheck(status.Check{Name: "clock", Advisory: true, Ready: doctor.ReadyClock(js)})
	p.AddCheck(status.Check{Name: "dead_letters", Advisory: true, Ready: func(ctx context.Context) error { return events.RoomForDeadLetters(ctx, js) }})
	if nc.IsConnected() {
		// Nothing else uses the connection yet, so that a denied permission can be noticed.
		if err := events.Heed(ctx, nc, p.streams.once); events.Misconfigured(err) {
			return nil, err
		}
	}
	return p, nil
}

// Syncs declares that the server syncs every event to disk before it acknowledges it, which
// clients cannot read, and that its files are in dir. Call it before AddPrivate.
func (p *Process) Syncs(dir string) { p.sync, p.dir = doctor.SyncAlways, dir }

// AddCheck adds a check to readiness. Call it before AddPrivate.
func (p *Process) AddCheck(check status.Check) { p.checks = append(p.checks, check) }

// Trace makes the parts that are added later send traces under the name of a service, if
// the environment asks for it.
func (p *Process) Trace(ctx context.Context, service string) error {
	tracer, stop, err := StartTracing(ctx, service, p.log)
	if err != nil {
		return fmt.Errorf("traces cannot be sent: %w", err)
	}
	p.tracer, p.last = tracer, stop
	return nil
}

func (p *Process) add(name string, run func(context.Context) error) {
	p.parts = append(p.parts, part{name: name, run: run})
}

// Run runs until ctx ends or a part fails, then stops the parts one after the other. It
// returns all their errors.
func (p *Process) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var stops []func()
	var mu sync.Mutex
	var errs []error
	for _, part := range p.parts {
		// Each has its own context, so that they stop in turn.
		own, stop := context.WithCancel(context.WithoutCancel(ctx))
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer cancel() // a part that ends, for whatever reason, ends all
			err := part.run(own)
			if own.Err() != nil && errors.Is(err, context.Canceled) {
				err = nil // it was stopped while it was starting
			}
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, fmt.Errorf("%s: %w", part.name, err))
			}
		}()
		stops = append(stops, func() { stop(); <-done })
	}
	var notifying sync.WaitGroup
	notifying.Go(func() { p.notify(ctx) })
	p.reloadUntil(ctx)
	notifying.Wait() // systemd knows that it stops before anything has stopped
	p.log.Info().Msg("stopping")
	defer func() { p.log.Info().Msg("stopped") }()
	for _, stop := range stops {
		stop()
	}
	if p.last != nil {
		p.last()
	}
	return errors.Join(errs...)
}

// reloadUntil calls the reloads on each SIGHUP until ctx ends.
func (p *Process) reloadUntil(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.hangups:
			for _, reload := range p.reloads {
				reload()
			}
		}
	}
}
