// Command webhook receives Telnyx's notifications and stores them in NATS JetStream,
// from which the assigner reads them. Run as many as you like.
package main

import (
	"context"
	"os"

	"greenlight/internal/app"
)

func main() {
	os.Exit(app.Main("webhook", func(ctx context.Context) error {
		var c app.WebhookCommand
		const about = "Receives Telnyx's 10DLC notifications and stores them in NATS JetStream."
		if _, done, err := app.Parse(&c, "webhook", about, os.Args[1:], app.Text(os.Stdout)); done || err != nil {
			return err
		}
		return c.Run(ctx, app.Text(os.Stderr))
	}))
}
