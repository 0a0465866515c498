// Package process puts a Greenlight process together: one role or both, and the
// private listener. It starts the parts, and stops them in an order in which none
// misses another: first the public listener, then the work, then the private one.
package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/rs/zerolog"

	"greenlight/internal/assigner"
	"greenlight/internal/doctor"
	"greenlight/internal/events"
	"greenlight/internal/plan"
	"greenlight/internal/status"
	"greenlight/internal/telemetry"
	"greenlight/internal/telnyx"
	"greenlight/internal/webhook"
)

// Process is the parts of one process. Add the parts, then run it once.
type Process struct {
	log      zerolog.Logger
	js       jetstream.JetStream
	registry *prometheus.Registry
	// streams are made once, in the background if the server is away at first; objects
	// keeps them, and what the assigner needs, there.
	streams *attempt
	objects *objects
	// sync and dir are what is known of the server; see [doctor.CachedGuarantee].
	sync doctor.Sync
	dir  string
	// awaits says that a server that is away is waited for.
	awaits bool
	checks []status.Check
	parts  []part
	tracer *telemetry.Tracer
	// joined is the assigner's joining; nil without one.
	joined *attempt
	// planFaults says why plan files are not in force; nil when none are watched.
	planFaults func() error
	// last, if not nil, is called when all parts have stopped.
	last func()
}

// part is something that works until its context ends.
type part struct {
	name string
	run  func(context.Context) error
}

// New returns a process that works on the given connection. It makes the streams
// if they are not there, and fails if it cannot.
func New(ctx context.Context, nc *nats.Conn, replicas int, log zerolog.Logger) (*Process, error) {
	p, err := onConnection(nc, replicas, log)
	if err != nil {
		return nil, err
	}
	if err := p.streams.once(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// Await is [New] for a server that may not be there yet: see [events.ConnectOrWait].
// What needs the server is then done by Run, when it can be, and readiness says what
// is waited for. It fails only for what waiting does not mend.
func Await(ctx context.Context, nc *nats.Conn, replicas int, log zerolog.Logger) (*Process, error) {
	p, err := onConnection(nc, replicas, log)
	if err != nil {
		return nil, err
	}
	p.awaits = true
	if nc.IsConnected() {
		// Nobody else uses the connection yet, so that a refusal is heard.
		err := events.Heed(ctx, nc, p.streams.once)
		if events.Misconfigured(err) {
			return nil, err
		}
	}
	p.add("nats", func(ctx context.Context) error {
		if p.streams.until(ctx, p.log) {
			p.watchConnection(ctx, nc)
		}
		return nil
	})
	return p, nil
}

func onConnection(nc *nats.Conn, replicas int, log zerolog.Logger) (*Process, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("use JetStream: %w", err)
	}
	p := &Process{log: log, js: js, registry: prometheus.NewRegistry()}
	build := ThisBuild()
	log.Info().Str(telemetry.KeyVersion, build.Version).Str(telemetry.KeyCommit, build.Commit).Msg("Greenlight starts")
	p.streams = newAttempt("make the streams", makeTimeout, func(ctx context.Context) error {
		if err := events.Connected(nc); err != nil {
			return err
		}
		return events.EnsureStreams(ctx, js, replicas)
	})
	p.objects = &objects{js: js, publisher: events.NewPublisher(js), replicas: replicas, log: log}
	p.add("nats objects", func(ctx context.Context) error {
		if !p.streams.wait(ctx) {
			return nil
		}
		return p.objects.run(ctx)
	})
	p.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		NewBuild(build.Version, build.Commit, build.Date, build.Go))
	p.checks = append(p.checks, status.Check{Name: "nats", Ready: func(ctx context.Context) error {
		if err := events.Connected(nc); err != nil {
			return err
		}
		if err := p.streams.pending(); err != nil {
			return err
		}
		return p.objects.ready(ctx)
	}})
	p.checks = append(p.checks,
		status.Check{Name: "clock", Advisory: true, Ready: doctor.ReadyClock(js)},
		status.Check{Name: "dead_letters", Advisory: true, Ready: func(ctx context.Context) error { return events.RoomForDeadLetters(ctx, js) }})
	return p, nil
}

// watchConnection tells the log when the connection is lost, and when it is there
// again, until ctx ends.
func (p *Process) watchConnection(ctx context.Context, nc *nats.Conn) {
	look := time.NewTicker(tryAgain)
	defer look.Stop()
	told := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		err := events.Connected(nc)
		switch {
		case err == nil && told != "":
			told = ""
			p.log.Info().Msg("the NATS server is connected again")
		case err != nil && told != err.Error():
			told = err.Error()
			p.log.Warn().Err(err).Msg("the NATS server is away")
		}
	}
}

// Syncs says that the server syncs every event to the disk before it acknowledges it,
// which it does not tell by itself, and that its data are in the folder dir. Say so
// before the status is added.
func (p *Process) Syncs(dir string) { p.sync, p.dir = doctor.SyncAlways, dir }

// AddCheck adds something to readiness that is not a part's. Add it before the status.
func (p *Process) AddCheck(check status.Check) { p.checks = append(p.checks, check) }

// Trace makes the parts that are added from now on send traces, if the environment
// asks for it, under the given name of the service.
func (p *Process) Trace(ctx context.Context, service string) error {
	tracer, stop, err := StartTracing(ctx, service, p.log)
	if err != nil {
		return fmt.Errorf("traces cannot be sent: %w", err)
	}
	p.tracer, p.last = tracer, stop
	return nil
}

// Public is how the public listener is served.
type Public struct {
	// Server is its bounds and its stop. The zero value is ready for use.
	Server ServerOptions
	// Keys keeps the verifier's keys as a file says; nil when they do not change.
	Keys *KeyFile
	// Certificates are for TLS; nil without.
	Certificates *Certificates
}

// AddWebhook adds the public listener with the zero [Public].
func (p *Process) AddWebhook(config webhook.Config, listener net.Listener) error {
	return p.AddPublic(config, listener, Public{})
}

// AddPublic adds the webhook on the public listener, which the process closes. When it
// is told to stop, its readiness turns false before anything else; see
// [ServerOptions.Serve] for what follows.
func (p *Process) AddPublic(config webhook.Config, listener net.Listener, public Public) error {
	config.JetStream, config.Log, config.Metrics, config.Tracer = p.js, p.log, p.registry, p.tracer
	config.Held = p.streams.pending
	hook, err := webhook.New(config)
	if err != nil {
		return err
	}
	p.checks = append(p.checks, status.Check{Name: "webhook", Role: status.RoleWebhook, Ready: hook.Ready})
	p.checks = append(p.checks, status.Check{Name: "webhook_path", Role: status.RoleWebhook, Advisory: true, Ready: hook.Astray})
	var keepCertificates func(context.Context) error
	if public.Certificates != nil {
		listener, keepCertificates = p.prepareTLS(listener, public.Certificates)
	}
	public.Server.OnStop = hook.Stop
	p.add("webhook", func(ctx context.Context) error {
		p.log.Info().Str(telemetry.KeyPart, "webhook").Stringer(telemetry.KeyAddress, listener.Addr()).
			Msg("webhook takes deliveries under " + webhook.Path)
		return public.Server.Serve(ctx, listener, hook.Handler())
	})
	// Added after the listener, so that it stops later: deliveries that still come need
	// certificates, and the end of a renewal may take its time.
	if keepCertificates != nil {
		p.add("tls", keepCertificates)
	}
	if public.Keys != nil {
		p.addKeys(public.Keys, hook)
	}
	return nil
}

// addKeys adds the watch over the file of the public keys. A file at fault changes
// nothing in use, and shows in readiness without making the process unready. SIGHUP
// makes it look at once.
func (p *Process) addKeys(keys *KeyFile, hook *webhook.Webhook) {
	log := p.log.With().Str(telemetry.KeyPart, "webhook").Logger()
	p.checks = append(p.checks, status.Check{
		Name: "public_keys", Role: status.RoleWebhook, Advisory: true, Ready: func(context.Context) error { return keys.Err() },
	})
	hangups := catchHangups()
	p.add("public keys", func(ctx context.Context) error {
		defer hangups.relay(keys.Reload)()
		keys.onChange = func(keys []telnyx.PublicKey) {
			hook.KeysReplaced()
			fingerprints := make([]string, len(keys))
			for i, key := range keys {
				fingerprints[i] = key.Fingerprint()
			}
			log.Info().Strs(telemetry.KeyKeys, fingerprints).Msg("other public keys are in use")
		}
		keys.onFault = func(err error) { log.Error().Err(err).Msg("the public keys could not be read anew") }
		keys.Run(ctx)
		return nil
	})
}

// HoldKeys makes SIGHUP a line in the log that says that the public keys of the front
// door stay as they are, and how they could be read anew. A signal that a process does
// not know ends it, and whoever rotates a key sends this one. It is for processes that
// run unattended and have no [Public.Keys].
func (p *Process) HoldKeys() {
	log := p.log.With().Str(telemetry.KeyPart, "webhook").Logger()
	hangups := catchHangups()
	p.add("hangup", func(ctx context.Context) error {
		defer hangups.relay(func() {
			log.Warn().Msg("SIGHUP: the public keys are not in a file, so there is nothing to read them from anew; " +
				"to change keys without a restart, name a file that holds them with TELNYX_PUBLIC_KEY_FILE (--telnyx-public-key-file)")
		})()
		<-ctx.Done()
		return nil
	})
}

// AddPlans adds the watch over the plan files. A change is told to whichever
// assigner works; files at fault change nothing in force, and show in readiness
// without making the process unready. SIGHUP makes it look at once.
func (p *Process) AddPlans(plans *Plans) {
	publisher := events.NewPublisher(p.js)
	log := p.log.With().Str(telemetry.KeyPart, "plans").Logger()
	inForce := newPlanMetrics(p.registry, plans)
	p.checks = append(p.checks, status.Check{
		Name: "plans", Role: status.RoleAssigner, Advisory: true, Ready: func(context.Context) error { return plans.Err() },
	})
	p.planFaults = plans.Err
	hangups := catchHangups()
	p.add("plans", func(ctx context.Context) error {
		var telling sync.WaitGroup
		plans.onChange = func(old, new *plan.Set) {
			inForce.changed(new)
			log.Info().Str(telemetry.KeyPlanHash, new.Hash).Int(telemetry.KeyCampaigns, len(new.Campaigns)).
				Strs(telemetry.KeyChanged, clipList(plan.Changed(old, new))).Msg("another plan set is in force")
			telling.Go(func() {
				tell(ctx, publisher, new.Hash, func(err error) bool {
					log.Warn().Err(err).Msg("the assigner could not be notified of the plan; trying again")
					return plans.Set().Hash == new.Hash
				})
			})
		}
		plans.onFault = func(err error) {
			log.Error().Err(err).Str(telemetry.KeyPlanHash, plans.Set().Hash).
				Msg("the plan files cannot be used; the last good set stays in force")
		}
		defer telling.Wait()
		defer hangups.relay(plans.Reload)()
		plans.Run(ctx)
		return nil
	})
}

// tell tells the assigner that works of a plan set, and tries until it has worked,
// ctx ends, or goOn says no after a failure.
func tell(ctx context.Context, publisher *events.Publisher, hash string, goOn func(error) bool) {
	const most = 30 * time.Second
	for wait := time.Second; ; wait = min(2*wait, most) {
		err := publisher.Trigger(ctx, events.KindPlan, hash)
		if err == nil || ctx.Err() != nil || !goOn(err) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// clipList bounds a list for the log.
func clipList(list []string) []string { return list[:min(len(list), 20)] }

// AddAssigner adds the worker, after the plans if they are watched. If the server is
// away it joins the others when the streams are there.
func (p *Process) AddAssigner(ctx context.Context, config assigner.Config) error {
	config.JetStream, config.Log, config.Metrics, config.Tracer = p.js, p.log, p.registry, p.tracer
	config.PlanFault = p.planFaults
	worker, err := assigner.Prepare(config)
	if err != nil {
		return err
	}
	join := newAttempt("join the assigners", joinTimeout, worker.Join)
	if p.streams.isDone() {
		if err := join.once(ctx); err != nil && (!p.awaits || events.Misconfigured(err)) {
			return err
		}
	}
	p.checks = append(p.checks, status.Check{Name: "assigner", Role: status.RoleAssigner, Ready: func(ctx context.Context) error {
		if err := join.pending(); err != nil {
			return err
		}
		return worker.Ready(ctx)
	}})
	p.add("assigner", func(ctx context.Context) error {
		select {
		case <-p.streams.done:
		case <-ctx.Done():
			return nil
		}
		if !join.until(ctx, p.log) {
			return nil
		}
		return worker.Run(ctx)
	})
	p.joined = join
	p.objects.joined, p.objects.resync = join, cmp.Or(config.Resync, assigner.DefaultResync)
	p.objects.madeAgain = worker.LedgerMadeAgain
	return nil
}

func (p *Process) add(name string, run func(context.Context) error) {
	p.parts = append(p.parts, part{name: name, run: run})
}

// Run works until ctx ends or a part fails, then stops the parts one after the
// other in the order in which they were added. It returns what failed.
func (p *Process) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var stops []func()
	var mu sync.Mutex
	var errs []error
	for _, part := range p.parts {
		// A context of its own, so that the parts can be stopped in turn.
		own, stop := context.WithCancel(context.WithoutCancel(ctx))
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer cancel() // a part that ends, for whatever reason, ends all
			err := part.run(own)
			if own.Err() != nil && errors.Is(err, context.Canceled) {
				err = nil // it was told to stop while it was starting, and did
			}
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, fmt.Errorf("%s: %w", part.name, err))
			}
		}()
		stops = append(stops, func() { stop(); <-done })
	}
	<-ctx.Done()
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
