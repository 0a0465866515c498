// Command webhook takes Telnyx's notifications and puts them into NATS JetStream,
// where the assigner finds them. Run as many as you like.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"greenlight/internal/httpserve"
	"greenlight/internal/process"
	"greenlight/internal/settings"
	"greenlight/internal/status"
)

type command struct {
	settings.Webhook     `group:"Notifications"`
	settings.TLS         `group:"Notifications"`
	settings.NATS        `group:"NATS"`
	settings.Replication `group:"NATS"`
	settings.Admin       `group:"This process"`
	settings.HealthCheck `group:"This process"`
	settings.Log         `group:"This process"`
	settings.Version     `group:"This process"`
}

func main() {
	os.Exit(process.Main("webhook", func(ctx context.Context) error { return run(ctx, os.Args[1:], os.Stdout, os.Stderr) }))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var c command
	if _, done, err := settings.Parse(&c, "webhook", "Takes Telnyx's 10DLC notifications and keeps them in NATS JetStream.", args, stdout); done || err != nil {
		return err
	}
	if c.AskReady {
		return status.AskReady(ctx, c.Admin.Listen)
	}
	var faults settings.Faults
	config := c.Webhook.Config(&faults)
	serving := process.Public{Server: c.Webhook.Server(&faults), Keys: c.Webhook.KeyFile(config.Verifier), Certificates: c.Certificates(&faults, "")}
	replicas := c.Copies(&faults)
	token := c.Admin.Check(&faults)
	log := c.Log.Logger(&faults, stderr)
	nc := c.ConnectOrWait(&faults, "greenlight webhook")
	if err := faults.Err(); err != nil {
		return err
	}
	defer nc.Close()

	p, err := process.Await(ctx, nc, replicas, log)
	if err != nil {
		return err
	}
	public, err := httpserve.Listen(c.Webhook.Listen)
	if err != nil {
		return fmt.Errorf("LISTEN: %w", err)
	}
	if err := p.Trace(ctx, "greenlight-webhook"); err != nil {
		return err
	}
	private, err := httpserve.Listen(c.Admin.Listen)
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
