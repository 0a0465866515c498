// Command assigner attaches planned numbers to campaigns that carriers have
// approved. Run two or more: one is active, the others stand by.
package main

import (
	"context"
	"os"

	"greenlight/internal/app"
)

func main() {
	os.Exit(app.Main("assigner", func(ctx context.Context) error {
		var c app.AssignerCommand
		const about = "Attaches planned numbers to campaigns that carriers have approved."
		if _, done, err := app.Parse(&c, "assigner", about, os.Args[1:], app.Text(os.Stdout)); done || err != nil {
			return err
		}
		return c.Run(ctx, app.Text(os.Stderr))
	}))
}
