// Command assigner attaches planned numbers to campaigns that carriers have
// approved. Run two or more: one works, the others stand by.
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
	app.Telnyx      `group:"Telnyx"`
	app.Assigner    `group:"Plans"`
	app.Notify      `group:"Plans"`
	app.NATS        `group:"NATS"`
	app.Replication `group:"NATS"`
	app.Admin       `group:"This process"`
	app.HealthCheck `group:"This process"`
	app.Log         `group:"This process"`
	app.Version     `group:"This process"`
}

func main() {
	os.Exit(app.Main("assigner", func(ctx context.Context) error { return run(ctx, os.Args[1:], os.Stdout, os.Stderr) }))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var c command
	if _, done, err := app.Parse(&c, "assigner", "Attaches planned numbers to campaigns that carriers have approved.", args, stdout); done || err != nil {
		return err
	}
	if c.AskReady {
		return status.AskReady(ctx, c.Admin.Listen)
	}
	var faults app.Faults
	config, plans := c.Assigner.Config(&faults, c.Telnyx)
	receiver := c.Receiver(&faults)
	config.Replicas = c.Copies(&faults)
	token := c.Admin.Check(&faults)
	log := c.Log.Logger(&faults, stderr)
	nc := c.ConnectOrWait(&faults, "greenlight assigner")
	if err := faults.Err(); err != nil {
		return err
	}
	defer nc.Close()

	p, err := app.Await(ctx, nc, config.Replicas, log)
	if err != nil {
		return err
	}
	if err := p.Trace(ctx, "greenlight-assigner"); err != nil {
		return err
	}
	private, err := app.Listen(c.Admin.Listen)
	if err != nil {
		return fmt.Errorf("ADMIN_LISTEN: %w", err)
	}
	p.AddPlans(plans)
	if err := p.AddAssigner(ctx, config); err != nil {
		return err
	}
	if err := p.AddNotices(ctx, receiver); err != nil {
		return err
	}
	p.AddPrivate(private, token)
	return p.Run(ctx)
}
