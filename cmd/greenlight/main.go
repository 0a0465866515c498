// Command greenlight is the operator's tool. It runs everything in one process,
// demonstrates it against a simulated Telnyx, and shows the state of every number.
package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"

	"greenlight/internal/app"
	"greenlight/internal/preflight"
)

type command struct {
	Init   initCommand   `cmd:"" help:"Write a first plan and an example of the settings."`
	Up     upCommand     `cmd:"" help:"Run webhook, assigner and NATS in one process."`
	Demo   demoCommand   `cmd:"" help:"Run a demo of a few seconds against a simulated Telnyx. Needs no setup."`
	Status statusCommand `cmd:"" help:"Show the state of every campaign and number."`
	Why    whyCommand    `cmd:"" help:"Show the history of a number, its state, and what to do."`
	Doctor doctorCommand `cmd:"" help:"Check NATS, disk, speed, clocks, keys and plans, and say what a 200 means here."`
	Plan   planCommand   `cmd:"" help:"Check plans before approval: errors, what Telnyx says, what would be done."`

	Numbers     numbersCommand     `cmd:"" help:"List, assign, remove and verify numbers."`
	Campaigns   campaignsCommand   `cmd:"" help:"List and show campaigns, and set their webhook URL."`
	Deliveries  deliveriesCommand  `cmd:"" help:"Show Telnyx's log of its deliveries to webhooks."`
	Trigger     triggerCommand     `cmd:"" help:"Reconcile a campaign now and retry its waiting numbers."`
	Hold        holdCommand        `cmd:"" help:"Stop new writes to Telnyx, for all or some campaigns, until resume."`
	Resume      resumeCommand      `cmd:"" help:"End a hold and show what was on hold."`
	Deadletters deadLettersCommand `cmd:"" help:"List, show, requeue and discard messages that could not be handled."`
	Notices     noticesCommand     `cmd:"" help:"List notices and whether they arrived, and send a test notice."`
	Events      eventsCommand      `cmd:"" help:"Show events live, replay stored ones, post test notifications."`
	Backup      backupCommand      `cmd:"" help:"Write all streams and the ledger to one file."`
	Restore     restoreCommand     `cmd:"" help:"Restore streams and ledger from a backup."`
	Simulator   simulatorCommand   `cmd:"" help:"Run a simulated Telnyx with the campaigns and numbers of your plans."`
	Completion  completionCommand  `cmd:"" help:"Print the completion script for a shell."`
	Man         manCommand         `cmd:"" help:"Print the manual page."`
	Version     versionCommand     `cmd:"" help:"Print the version."`
	Help        helpCommand        `cmd:"" help:"Show the help of a command."`

	// VersionFlag is the version command as a flag. It is hidden because the help of
	// every command would list it.
	VersionFlag kong.VersionFlag `name:"version" hidden:""`
}

func main() {
	os.Exit(app.Main("greenlight", func(ctx context.Context) error {
		return run(ctx, os.Args[1:], output{app.Text(os.Stdout), app.Text(os.Stderr)})
	}))
}

// output is where a command writes: results to Stdout, logs and progress to Stderr.
type output struct{ Stdout, Stderr io.Writer }

const description = "Attaches phone numbers to a 10DLC campaign the moment carriers approve it."

func run(ctx context.Context, args []string, out output) error {
	if os.Getenv("COMP_LINE") != "" {
		return complete(out.Stdout)
	}
	chosen, done, err := app.Parse(commandsFor(args), "greenlight", description, args, out.Stdout)
	if done || err != nil {
		return err
	}
	chosen.BindTo(ctx, (*context.Context)(nil))
	return preflight.Explain(ctx, chosen.Run(out))
}

// commandsFor returns what kong reads the arguments into: only the command that they begin
// with, if any, because reading the tags of all commands takes longer than most commands run.
func commandsFor(args []string) any {
	all := reflect.TypeFor[command]()
	var fields []reflect.StructField
	for i := range all.NumField() {
		field := all.Field(i)
		if _, isCommand := field.Tag.Lookup("cmd"); !isCommand || len(args) > 0 && strings.ToLower(field.Name) == args[0] {
			fields = append(fields, field)
		}
	}
	if len(fields) < 2 {
		return new(command)
	}
	return reflect.New(reflect.StructOf(fields)).Interface()
}

type helpCommand struct {
	Command []string `arg:"" optional:"" help:"The command, for example: plan diff. Default: all commands."`
}

// Run prints the same as the command with --help.
func (c *helpCommand) Run(ctx context.Context, out output) error {
	return run(ctx, append(c.Command, "--help"), out)
}

// writeJSON prints a value as indented JSON. It does not escape HTML, since people read it too.
func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(app.Raw(w))
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}
