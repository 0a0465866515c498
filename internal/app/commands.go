package app

import (
	"context"
	"fmt"
	"io"

	"greenlight/internal/status"
)

// WebhookCommand is the program webhook.
type WebhookCommand struct {
	Webhook `group:"Notifications"`
	TLS     `group:"Notifications"`
	role
}

// Run accepts deliveries until ctx ends. The log goes to stderr.
func (c *WebhookCommand) Run(ctx context.Context, stderr io.Writer) error {
	if c.AskReady {
		return status.AskReady(ctx, c.Admin.Listen)
	}
	var faults Faults
	config := c.Webhook.Config(&faults)
	serving := Public{Server: c.Webhook.Server(&faults), Keys: c.Webhook.KeyFile(config.Verifier), Certificates: c.Certificates(&faults, "")}
	return c.run(ctx, &faults, stderr, "webhook", func(p *Process, _ int) error {
		public, err := c.Webhook.Listen()
		if err != nil {
			return err
		}
		return p.AddWebhook(config, public, serving)
	})
}

// AssignerCommand is the program assigner.
type AssignerCommand struct {
	Telnyx   `group:"Telnyx"`
	Assigner `group:"Plans"`
	Notify   `group:"Plans"`
	role
}

// Run attaches numbers until ctx ends. The log goes to stderr.
func (c *AssignerCommand) Run(ctx context.Context, stderr io.Writer) error {
	if c.AskReady {
		return status.AskReady(ctx, c.Admin.Listen)
	}
	var faults Faults
	config, plans := c.Assigner.Config(&faults, c.Telnyx)
	receiver := c.Receiver(&faults)
	return c.run(ctx, &faults, stderr, "assigner", func(p *Process, replicas int) error {
		config.Replicas = replicas
		p.AddPlans(plans)
		if err := p.AddAssigner(ctx, config); err != nil {
			return err
		}
		return p.AddNotices(ctx, receiver)
	})
}

// role is what webhook and assigner have in common: each is a client of NATS with a private
// listener.
type role struct {
	NATS        `group:"NATS"`
	Replication `group:"NATS"`
	Admin       `group:"This process"`
	HealthCheck `group:"This process"`
	Log         `group:"This process"`
	Version     `group:"This process"`
}

// run runs a process with the parts that add adds, unless a setting cannot be used.
func (r role) run(ctx context.Context, faults *Faults, stderr io.Writer, name string, add func(p *Process, replicas int) error) error {
	replicas := r.Copies(faults)
	token := r.Admin.Check(faults)
	log := r.Log.Logger(faults, stderr)
	nc := r.ConnectOrWait(faults, "greenlight "+name)
	if err := faults.Err(); err != nil {
		return err
	}
	defer nc.Close()
	p, err := New(ctx, nc, replicas, log)
	if err != nil {
		return err
	}
	if err := p.Trace(ctx, "greenlight-"+name); err != nil {
		return err
	}
	private, err := Listen(r.Admin.Listen)
	if err != nil {
		return fmt.Errorf("ADMIN_LISTEN: %w; use another address with --admin-listen", err)
	}
	if err := add(p, replicas); err != nil {
		return err
	}
	p.AddPrivate(private, token)
	return p.Run(ctx)
}
