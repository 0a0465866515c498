// Command webhook takes Telnyx's notifications and puts them into NATS JetStream,
// where the assigner finds them. Run as many as you like.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"greenlight/internal/app"
	"greenlight/internal/status"
)

type command struct {
	app.Webhook     `group:"Notifications"`
	app.TLS         `group:"Notifications"`
	app.NATS        `group:"NATS"`
	app.Replication `group:"NATS"`
	app.Admin       `group:"This process"`
	app.HealthCheck `group:"This process"`
	app.Log         `group:"This process"`
	app.Version     `group:"This process"`
}

func main() {
	os.Exit(app.Main("webhook", func(ctx context.Context) error { return run(ctx, os.Args[1:], os.Stdout, os.Stderr) }))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var c command
	if _, done, err := app.Parse(&c, "webhook", "Takes Telnyx's 10DLC notifications and keeps them in NATS JetStream.", args, stdout); done || err != nil {
		return err
	}
	if c.AskReady {
		return status.AskReady(ctx, c.Admin.Listen)
	}
	var faults app.Faults
	config := c.Webhook.Config(&faults)
	serving := app.Public{Server: c.Webhook.Server(&faults), Keys: c.Webhook.KeyFile(config.Verifier), Certificates: c.Certificates(&faults, "")}
	replicas := c.Copies(&faults)
	token := c.Admin.Check(&faults)
	log := c.Log.Logger(&faults, stderr)
	nc := c.ConnectOrWait(&faults, "greenlight webhook")
	if err := faults.Err(); err != nil {
		return err
	}
	defer nc.Close()

	p, err := app.Await(ctx, nc, replicas, log)
	if err != nil {
		return err
	}
	public, err := app.Listen(c.Webhook.Listen)
	if err != nil {
		return fmt.Errorf("LISTEN: %w", err)
	}
	if err := p.Trace(ctx, "greenlight-webhook"); err != nil {
		return err
	}
	private, err := app.Listen(c.Admin.Listen)
	if err != nil {
		return fmt.Errorf("ADMIN_LISTEN: %w", err)
	}
	if err := p.AddPublic(config, public, serving); err != nil {
		return err
	}
	if serving.Keys == nil {
		p.HoldKeys()
	}
	p.AddPrivate(private, token)
	return p.Run(ctx)
}
