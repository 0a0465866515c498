package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/settings"
	"greenlight/internal/status"
)

// askTimeout bounds what a command waits for NATS.
const askTimeout = 10 * time.Second

type statusCommand struct {
	JSON          bool `help:"Print JSON."`
	settings.NATS `group:"Where to ask"`
	settings.Data `group:"Where to ask"`
}

// Help is what kong prints under the command's own help.
func (c *statusCommand) Help() string {
	return `Asks the NATS server at NATS_URL or, without it, the one of a greenlight up on the same data folder.`
}

// Run prints where everything stands.
func (c *statusCommand) Run(ctx context.Context, out output) error {
	var faults settings.Faults
	nc := c.ConnectOrFind(&faults, c.Data, "greenlight status")
	if err := faults.Err(); err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
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
}
