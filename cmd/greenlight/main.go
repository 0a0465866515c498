// Command greenlight is the operator's tool: it runs everything in one process,
// shows it at work against a simulated Telnyx, and tells where every number
// stands.
package main

import (
	"context"
	"encoding/json"
	"io"
	"os"

	"github.com/alecthomas/kong"

	"greenlight/internal/app"
)

type command struct {
	Up     upCommand     `cmd:"" help:"Run webhook, assigner and NATS in this one process, against Telnyx."`
	Demo   demoCommand   `cmd:"" help:"Show it at work in a few seconds, against a simulated Telnyx. Needs nothing."`
	Status statusCommand `cmd:"" help:"Tell where every campaign and number stands."`
	Why    whyCommand    `cmd:"" help:"Tell all that happened to a number, where it stands, and what to do."`
	Doctor doctorCommand `cmd:"" help:"Tell what a 200 means here, and what is to mend: NATS, room, speed, clocks, keys, plans."`
	Plan   planCommand   `cmd:"" help:"Check plans before approval: errors, what Telnyx says, what would be done."`

	Trigger     triggerCommand     `cmd:"" help:"Reconcile a campaign now, and retry its waiting numbers."`
	Hold        holdCommand        `cmd:"" help:"Stop new writes to Telnyx, all or those of some campaigns, until resume."`
	Resume      resumeCommand      `cmd:"" help:"End a hold, and say what was held."`
	Deadletters deadLettersCommand `cmd:"" help:"List, show and requeue what could not be handled."`
	Events      eventsCommand      `cmd:"" help:"Show events live, put stored ones before the assigner again, post test ones."`
	Simulator   simulatorCommand   `cmd:"" help:"Run a simulated Telnyx by itself, with the campaigns and numbers of your plans."`
	Version     versionCommand     `cmd:"" help:"Tell which version this is."`

	// VersionFlag is the command version for those who try a flag first. It is
	// hidden, for else the help of every command would have it.
	VersionFlag kong.VersionFlag `name:"version" hidden:""`
}

func main() {
	os.Exit(app.Main("greenlight", func(ctx context.Context) error {
		return run(ctx, os.Args[1:], output{os.Stdout, os.Stderr})
	}))
}

// output is where a command writes: what was asked for to Stdout, what happens
// meanwhile to Stderr.
type output struct{ Stdout, Stderr io.Writer }

func run(ctx context.Context, args []string, out output) error {
	var c command
	chosen, done, err := app.Parse(&c, "greenlight",
		"Attaches phone numbers to a 10DLC campaign the moment carriers approve it.", args, out.Stdout)
	if done || err != nil {
		return err
	}
	chosen.BindTo(ctx, (*context.Context)(nil))
	return chosen.Run(out)
}

// writeJSON prints a value for programs, and for people who read JSON.
func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false) // the texts are for reading, not for a page
	return encoder.Encode(value)
}
