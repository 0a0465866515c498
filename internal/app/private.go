package app

import (
	"cmp"
	"context"
	"fmt"
	"net"

	"golang.org/x/sync/errgroup"

	"greenlight/internal/doctor"
	"greenlight/internal/status"
	"greenlight/internal/status/page"
	"greenlight/internal/telemetry"
)

// AddPrivate adds the private listener, for those who know the token; "" is none, and
// then only a loopback address shows anything. Add it last: it shows what the others
// are doing, to the end.
func (p *Process) AddPrivate(listener net.Listener, token status.Token) {
	p.checks = append(p.checks, status.Check{
		Name: "guarantee", Advisory: true, Says: doctor.NewCachedGuarantee(p.js, cmp.Or(p.sync, doctor.SyncUnknown), p.dir).Text,
	})
	p.monitor()
	view := status.NewView(status.ViewConfig{
		JetStream: p.js, Checks: p.checks, PlanFaults: p.planFaults, Log: p.log.With().Str(telemetry.KeyPart, "status").Logger(),
	})
	if p.joined != nil { // the assigners report these, not each process that shows them
		p.registry.MustRegister(NewBook(view))
	}
	shown := page.New(page.Config{JetStream: p.js, View: view, Log: p.log})
	handler := status.Handler(status.Config{
		View: view, Checks: p.checks, Metrics: p.registry, Page: shown,
		Guard: status.Guard{Token: token, Exposed: !status.IsLoopback(listener.Addr().String())},
	})
	p.add("status", func(ctx context.Context) error {
		p.log.Info().Str(telemetry.KeyPart, "status").Stringer(telemetry.KeyAddress, listener.Addr()).
			Msg(fmt.Sprintf("status page at http://%s/status", listener.Addr()))
		// Whichever of the two ends, ends the other: live pages are open requests, and
		// the server waits for those.
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return view.Run(ctx) })
		group.Go(func() error { return shown.Run(ctx) })
		group.Go(func() error { return Serve(ctx, listener, handler) })
		return group.Wait()
	})
}
