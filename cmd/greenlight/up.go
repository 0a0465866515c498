package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"greenlight/internal/app"
	"greenlight/internal/assigner"
	"greenlight/internal/events"
	"greenlight/internal/events/embedded"
	"greenlight/internal/notice"
	"greenlight/internal/status"
	"greenlight/internal/webhook"
)

type upCommand struct {
	app.Telnyx      `group:"Telnyx"`
	app.Webhook     `group:"Notifications"`
	app.TLS         `group:"Notifications"`
	app.Assigner    `group:"Plans"`
	app.Notify      `group:"Plans"`
	app.Data        `group:"This process"`
	app.Admin       `group:"This process"`
	app.HealthCheck `group:"This process"`
	app.Log         `group:"This process"`

	// RehearsedSince is when a rehearsal began. From then on the assigner's clock runs
	// [rehearsedSpeed] times as fast, which shortens its waits.
	RehearsedSince time.Time `hidden:""`
}

const rehearsedSpeed = 10

// keptPlans is the file in the data folder with the last good plan set.
const keptPlans = "plans.last-good.yaml"

// Help is what kong prints under the command's own help.
func (c *upCommand) Help() string {
	return `Two settings have no default: TELNYX_API_KEY and TELNYX_PUBLIC_KEY, both from Mission Control,
Account, Keys & Credentials. Then put a plan into config/plans (see config/plan.example.yaml), run
this command, and set the campaign's webhookURL to https://<your host>/webhooks/telnyx.`
}

// Run runs until it is stopped.
func (c *upCommand) Run(ctx context.Context, out output) error {
	if c.AskReady {
		return status.AskReady(ctx, c.Admin.Listen)
	}
	var faults app.Faults
	site := site{
		dir:     c.Data.Dir,
		webhook: c.Webhook.Config(&faults),
		log:     c.Log.Logger(&faults, out.Stderr),
	}
	site.serving = app.Public{Server: c.Webhook.Server(&faults), Keys: c.Webhook.KeyFile(site.webhook.Verifier)}
	site.serving.Certificates = c.Certificates(&faults, c.Data.Dir)
	site.assigner, site.plans = c.Assigner.Config(&faults, c.Telnyx)
	kept := site.plans.Keep(filepath.Join(c.Data.Dir, keptPlans))
	if since := c.RehearsedSince; !since.IsZero() {
		// The demo stops this process by ending its input, and so it stops if the demo dies.
		var stop context.CancelFunc
		ctx, stop = context.WithCancel(ctx)
		defer stop()
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop()
		}()
		site.assigner.Now = func() time.Time { return since.Add(rehearsedSpeed * time.Since(since)) }
	}
	site.token = c.Admin.Check(&faults)
	site.receiver = c.Receiver(&faults)
	if err := faults.Err(); err != nil {
		return err
	}
	if kept != nil {
		site.log.Warn().Err(kept).Msg("the plan set of an earlier start is not used")
	}
	public, err := c.Webhook.Listen()
	if err != nil {
		return err
	}
	private, err := app.Listen(c.Admin.Listen)
	if err != nil {
		return errors.Join(fmt.Errorf("ADMIN_LISTEN: %w; use another address with --admin-listen", err), public.Close())
	}
	return site.run(ctx, public, private)
}

// site is Greenlight in one process: webhook, assigner and the NATS server between them.
type site struct {
	dir      string
	webhook  webhook.Config
	serving  app.Public
	assigner assigner.Config
	// plans watches the plan files; nil if there are none to watch.
	plans *app.Plans
	// token protects the private listener; empty for none.
	token status.Token
	// receiver gets notices; nil for none.
	receiver notice.Receiver
	log      zerolog.Logger
}

// run runs until ctx ends, and closes the listeners.
func (s site) run(ctx context.Context, public, private net.Listener) (err error) {
	server, err := embedded.Start(embedded.Options{Dir: s.dir, SyncAlways: true, Listen: true, Log: s.log})
	if err != nil {
		return errors.Join(err, public.Close(), private.Close())
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	nc, err := events.Connect("", "greenlight up", server.InProcess()...)
	if err != nil {
		return errors.Join(err, public.Close(), private.Close())
	}
	defer nc.Close()
	s.webhook.GroupCommit = true // this server syncs every message
	p, err := s.assemble(ctx, server, nc, public, private)
	if err != nil {
		return errors.Join(err, public.Close(), private.Close())
	}
	return p.Run(ctx)
}

func (s site) assemble(ctx context.Context, server *embedded.Server, nc *nats.Conn, public, private net.Listener) (*app.Process, error) {
	p, err := app.New(ctx, nc, 1, s.log)
	if err != nil {
		return nil, err
	}
	p.Syncs(s.dir)
	if err := server.TellHealth(nc); err != nil {
		return nil, err
	}
	p.AddCheck(status.Check{Name: "storage", Ready: func(context.Context) error { return server.Health() }})
	if err := p.Trace(ctx, "greenlight"); err != nil {
		return nil, err
	}
	if err := p.AddWebhook(s.webhook, public, s.serving); err != nil {
		return nil, err
	}
	if s.plans != nil {
		p.AddPlans(s.plans)
	}
	if err := p.AddAssigner(ctx, s.assigner); err != nil {
		return nil, err
	}
	if err := p.AddNotices(ctx, s.receiver); err != nil {
		return nil, err
	}
	p.AddPrivate(private, s.token)
	return p, nil
}
