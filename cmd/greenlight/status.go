package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/status"
)

type statusCommand struct {
	JSON bool `help:"Print JSON."`
	where
}

// Help is what kong prints under the command's own help.
func (c *statusCommand) Help() string {
	return `Asks the NATS server at NATS_URL or, without it, the one of a greenlight up on the same data folder.`
}

// Run prints where everything stands.
func (c *statusCommand) Run(ctx context.Context, out output) error {
	return c.ask(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		snapshot, err := status.Read(ctx, js, time.Now())
		if err != nil {
			return err
		}
		if !c.JSON {
			return snapshot.WriteText(out.Stdout)
		}
		encoder := json.NewEncoder(out.Stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(snapshot)
	})
}
