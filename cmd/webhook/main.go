// Command webhook takes Telnyx's notifications and puts them into NATS JetStream,
// where the assigner finds them. Run as many as you like.
package main

import (
	"context"
	"os"

	"greenlight/internal/app"
)

func main() {
	os.Exit(app.Main("webhook", func(ctx context.Context) error {
		var c app.WebhookCommand
		const about = "Takes Telnyx's 10DLC notifications and keeps them in NATS JetStream."
		if _, done, err := app.Parse(&c, "webhook", about, os.Args[1:], os.Stdout); done || err != nil {
			return err
		}
		return c.Run(ctx, os.Stderr)
	}))
}
