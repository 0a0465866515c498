package app

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"golang.org/x/sync/errgroup"

	"greenlight/internal/assigner"
	"greenlight/internal/doctor"
	"greenlight/internal/events"
	"greenlight/internal/notice"
	"greenlight/internal/plan"
	"greenlight/internal/status"
	"greenlight/internal/status/page"
	"greenlight/internal/telemetry"
	"greenlight/internal/telnyx"
	"greenlight/internal/webhook"
)

// Public is how the public listener is served. The zero value is ready for use.
type Public struct {
	Server ServerOptions
	// Keys is the file of the verifier's keys; nil if they do not change.
	Keys *KeyFile
	// Certificates are for TLS; nil for plain HTTP.
	Certificates *Certificates
}

// AddWebhook adds the webhook on the public listener, which the process closes. On a stop
// its readiness turns false first; see [ServerOptions.Serve].
func (p *Process) AddWebhook(config webhook.Config, listener net.Listener, public Public) error {
	config.JetStream, config.Log, config.Metrics, config.Tracer = p.js, p.log, p.registry, p.tracer
	config.NotReady = p.streams.pending
	hook, err := webhook.New(config)
	if err != nil {
		return err
	}
	p.AddCheck(status.Check{Name: "webhook", Role: status.RoleWebhook, Ready: hook.Ready})
	p.AddCheck(status.Check{Name: "webhook_path", Role: status.RoleWebhook, Advisory: true, Ready: hook.Astray})
	if public.Certificates != nil {
		listener = p.secure(listener, public.Certificates)
	}
	public.Server.OnStop = hook.Stop
	p.add("webhook", func(ctx context.Context) error {
		p.log.Info().Str(telemetry.KeyPart, "webhook").Stringer(telemetry.KeyAddress, listener.Addr()).
			Msg("webhook accepts deliveries at " + webhook.Path)
		return public.Server.Serve(ctx, listener, hook.Handler())
	})
	if public.Certificates != nil {
		p.add("tls", func(ctx context.Context) error { public.Certificates.Run(ctx); return nil })
	}
	p.addKeys(public.Keys, hook)
	return nil
}

// secure returns a listener with TLS. A certificate that cannot be renewed shows in
// readiness without making the process unready. Having no valid certificate makes it
// unready, unless connections are needed to get one: a load balancer sends none to a
// process that is not ready.
func (p *Process) secure(listener net.Listener, certificates *Certificates) net.Listener {
	log := p.log.With().Str(telemetry.KeyPart, "tls").Logger()
	failed := promauto.With(p.registry).NewCounter(prometheus.CounterOpts{
		Name: "greenlight_tls_handshakes_failed_total",
		Help: "Connections to the public listener that ended before a request, in the TLS handshake.",
	})
	p.AddCheck(status.Check{
		Name: "certificate", Role: status.RoleWebhook, Advisory: certificates.byConnections,
		Ready: func(context.Context) error { return certificates.Ready() },
	})
	p.AddCheck(status.Check{
		Name: "certificate renewal", Role: status.RoleWebhook, Advisory: true,
		Ready: func(context.Context) error { return certificates.Renewal() },
	})
	p.registry.MustRegister(certificateMetrics(certificates))
	p.reloads = append(p.reloads, certificates.Reload)
	certificates.onChange = func(leaf *x509.Certificate) {
		log.Info().Str(telemetry.KeyHost, nameOf(leaf)).Time(telemetry.KeyNotAfter, leaf.NotAfter).Msg("certificate in use")
	}
	certificates.onFault = func(err error) { log.Error().Err(err).Msg("a certificate cannot be renewed") }
	return ServeTLS(listener, certificates.Config(), func(reason string) {
		failed.Inc()
		log.Debug().Str(telemetry.KeyHandshake, reason).Msg("TLS handshake failed")
	})
}

// addKeys adds the file of the public keys. A fault in it changes no key in use, and shows
// in readiness without making the process unready. Without a file, a SIGHUP is answered in
// the log, since people send it after they have changed a key.
func (p *Process) addKeys(keys *KeyFile, hook *webhook.Webhook) {
	log := p.log.With().Str(telemetry.KeyPart, "webhook").Logger()
	if keys == nil {
		p.reloads = append(p.reloads, func() {
			log.Warn().Msg("SIGHUP: the public keys are not in a file, so they were not read again; " +
				"to change keys without a restart, use TELNYX_PUBLIC_KEY_FILE (--telnyx-public-key-file)")
		})
		return
	}
	p.AddCheck(status.Check{
		Name: "public_keys", Role: status.RoleWebhook, Advisory: true, Ready: func(context.Context) error { return keys.Err() },
	})
	p.reloads = append(p.reloads, keys.Reload)
	keys.onChange = func(keys []telnyx.PublicKey) {
		hook.KeysReplaced()
		fingerprints := make([]string, len(keys))
		for i, key := range keys {
			fingerprints[i] = key.Fingerprint()
		}
		log.Info().Strs(telemetry.KeyKeys, fingerprints).Msg("new public keys are in use")
	}
	keys.onFault = func(err error) { log.Error().Err(err).Msg("the public keys could not be read again") }
	p.add("public keys", func(ctx context.Context) error { keys.Run(ctx); return nil })
}

// AddPlans adds the plan files. The running assigner is notified of a change, wherever it
// runs. A fault in the files changes nothing in force, and shows in readiness without making
// the process unready. While no set is in force, the assigner of this process waits.
func (p *Process) AddPlans(plans *Plans) {
	publisher := events.NewPublisher(p.js)
	log := p.log.With().Str(telemetry.KeyPart, "plans").Logger()
	inForce := newPlanMetrics(p.registry, plans)
	p.AddCheck(status.Check{
		Name: "plans", Role: status.RoleAssigner, Advisory: true, Ready: func(context.Context) error { return plans.Err() },
	})
	p.planFaults, p.planned = plans.Err, plans.inForce
	p.reloads = append(p.reloads, plans.Reload)
	plans.onFault = func(err error) {
		set := plans.Set()
		if set == nil {
			log.Error().Err(err).Msg("the plan files cannot be used; the assigner waits until they are corrected")
			return
		}
		log.Error().Err(err).Str(telemetry.KeyPlanHash, set.Hash).Msg("the plan files cannot be used; the last good set stays in force")
	}
	if err := plans.Err(); err != nil {
		plans.onFault(err)
	}
	plans.onLoad = func(set *plan.Set) {
		for _, row := range set.SetAside[:min(len(set.SetAside), maxSetAside)] {
			log.Warn().Str(telemetry.KeyPlanHash, set.Hash).Msg("a row of a numbers file is set aside: " + row.Error())
		}
		if more := len(set.SetAside) - maxSetAside; more > 0 {
			log.Warn().Str(telemetry.KeyPlanHash, set.Hash).Msgf("%d more rows are set aside; greenlight plan validate lists them", more)
		}
		if err := plans.store(set); err != nil {
			log.Warn().Err(err).Msg("the plan set could not be saved for a restart with faulty plans")
		}
	}
	p.add("plans", func(ctx context.Context) error {
		var notifying sync.WaitGroup
		defer notifying.Wait()
		if plans.Err() == nil {
			plans.onLoad(plans.Set())
		}
		plans.onChange = func(old, new *plan.Set) {
			inForce(new)
			log.Info().Str(telemetry.KeyPlanHash, new.Hash).Int(telemetry.KeyCampaigns, len(new.Campaigns)).
				Strs(telemetry.KeyChanged, clip(plan.Changed(old, new))).Msg("a new plan set is in force")
			notifying.Go(func() {
				notifyOfPlan(ctx, publisher, new.Hash, func(err error) bool {
					log.Warn().Err(err).Msg("the assigner could not be notified of the new plan; trying again")
					return plans.Set().Hash == new.Hash
				})
			})
		}
		plans.Run(ctx)
		return nil
	})
}

// notifyOfPlan notifies the running assigner of a plan set. It retries until that worked,
// ctx ends, or again returns false after a failure.
func notifyOfPlan(ctx context.Context, publisher *events.Publisher, hash string, again func(error) bool) {
	const maxWait = 30 * time.Second
	for wait := time.Second; ; wait = min(2*wait, maxWait) {
		err := publisher.Trigger(ctx, events.KindPlan, hash)
		if err == nil || ctx.Err() != nil || !again(err) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// maxSetAside bounds the rows that the log names for one plan set.
const maxSetAside = 20

// clip bounds a list for the log.
func clip(list []string) []string { return list[:min(len(list), 20)] }

// AddAssigner adds the assigner. Call it after AddPlans. If the server is not there yet, the
// assigner joins the others when the streams exist.
func (p *Process) AddAssigner(ctx context.Context, config assigner.Config) error {
	config.JetStream, config.Log, config.Metrics, config.Tracer = p.js, p.log, p.registry, p.tracer
	config.PlanFault = p.planFaults
	if p.planned == nil { // there are no plan files to wait for
		p.planned = make(chan struct{})
		close(p.planned)
	}
	worker, err := assigner.Prepare(config)
	if err != nil {
		return err
	}
	p.joined = newAttempt("join the assigners", joinTimeout, worker.Join)
	if p.streams.isDone() {
		if err := p.joined.once(ctx); events.Misconfigured(err) {
			return err
		}
	}
	p.AddCheck(status.Check{Name: "assigner", Role: status.RoleAssigner, Ready: func(ctx context.Context) error {
		if err := p.joined.pending(); err != nil {
			return err
		}
		select {
		case <-p.planned:
			return worker.Ready(ctx)
		default:
			return fmt.Errorf("it waits for plan files that can be used: %w", p.planFaults())
		}
	}})
	p.add("assigner", func(ctx context.Context) error {
		if !p.streams.wait(ctx) || !p.joined.until(ctx, p.log) {
			return nil
		}
		worker.AwaitPlans(ctx, p.planned)
		if ctx.Err() != nil {
			return nil
		}
		return worker.Run(ctx)
	})
	p.objects.joined, p.objects.resync = p.joined, cmp.Or(config.Resync, assigner.DefaultResync)
	p.objects.recreated = worker.LedgerRecreated
	return nil
}

// AddNotices adds the sender of notices to a receiver; nil for none. Call it after
// AddAssigner, which creates their stream and stops first.
func (p *Process) AddNotices(ctx context.Context, receiver notice.Receiver) error {
	if receiver == nil {
		return nil
	}
	var sender *notice.Sender
	ready := newAttempt("read the notices", createTimeout, func(ctx context.Context) (err error) {
		sender, err = notice.NewSender(ctx, p.js, receiver, p.log, p.registry)
		return err
	})
	if p.joined.isDone() {
		if err := ready.once(ctx); events.Misconfigured(err) {
			return err
		}
	}
	p.objects.notices = ready
	p.add("notices", func(ctx context.Context) error {
		if !p.joined.wait(ctx) || !ready.until(ctx, p.log) {
			return nil
		}
		return sender.Run(ctx)
	})
	return nil
}

// AddPrivate adds the private listener: status page, readiness and metrics. With an empty
// token it shows them on a loopback address only. Add it last, since it shows what the other
// parts do until they have stopped.
func (p *Process) AddPrivate(listener net.Listener, token status.Token) {
	p.AddCheck(status.Check{
		Name: "guarantee", Advisory: true, Says: func(ctx context.Context) string {
			return doctor.ReadGuarantee(ctx, p.js, cmp.Or(p.sync, doctor.SyncUnknown), p.dir)
		},
	})
	p.registry.MustRegister(streamMetrics(p.js), readinessMetrics(p.checks))
	view := status.NewView(status.ViewConfig{
		JetStream: p.js, Checks: p.checks, PlanFaults: p.planFaults, Log: p.log.With().Str(telemetry.KeyPart, "status").Logger(),
	})
	if p.joined != nil { // only assigners report these, so that they are not counted twice
		p.registry.MustRegister(ledgerMetrics(view))
	}
	live := page.New(page.Config{JetStream: p.js, View: view, Log: p.log})
	handler := status.Handler(status.Config{
		View: view, Checks: p.checks, Metrics: p.registry, Page: live,
		Guard: status.Guard{Token: token, Exposed: !status.IsLoopback(listener.Addr().String())},
	})
	p.add("status", func(ctx context.Context) error {
		p.log.Info().Str(telemetry.KeyPart, "status").Stringer(telemetry.KeyAddress, listener.Addr()).
			Msg(fmt.Sprintf("status page at http://%s/status", listener.Addr()))
		// If one of these ends, all end: live pages are open requests, for which the server
		// would wait.
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return view.Run(ctx) })
		group.Go(func() error { return live.Run(ctx) })
		group.Go(func() error { return Serve(ctx, listener, handler) })
		return group.Wait()
	})
}
