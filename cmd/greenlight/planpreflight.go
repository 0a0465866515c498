package main

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"greenlight/internal/app"
	"greenlight/internal/plan"
	"greenlight/internal/preflight"
)

type planPreflightCommand struct {
	Paths      []string `arg:"" optional:"" name:"path" help:"Plan files, or folders of them. Each is a set of its own. None: what --plans says."`
	Plans      string   `name:"plans" env:"PLANS" default:"config/plans" placeholder:"PATH" help:"What is checked when no path is given (${default})."`
	JSON       bool     `help:"Print JSON."`
	app.Telnyx `group:"Telnyx"`
}

// Help is what kong prints under the command's own help.
func (c *planPreflightCommand) Help() string {
	return `Asks Telnyx what would fail on approval: campaigns that do not exist, are mock, expired, rejected, suspended or
full, have no number pool for as many numbers as are planned, or have a webhookURL that may not reach Greenlight;
numbers that the assigner could not attach, by its own code: not on the account, not active, not US long codes, on no
messaging profile or another one, on another campaign, or failed at the carriers. Answers of Telnyx that are not
conclusive are findings as well. A campaign that still waits for its approval is not a finding.
It only reads, and changes nothing. Exits with 0 if there are no findings, with 2 if there are, and with 1 if plans
have errors or Telnyx cannot be asked. Run it whenever a plan has changed, and again before the campaign is approved.`
}

// Run checks each path and prints what was found.
func (c *planPreflightCommand) Run(ctx context.Context, out output) error {
	if len(c.Paths) == 0 {
		c.Paths = []string{c.Plans}
	}
	var faults app.Faults
	client, concurrency := c.ReadOnlyClient(&faults)
	sets, valid := c.load()
	if !valid {
		// The plans' faults are printed here, those of settings at the end.
		return cmp.Or(c.writeFaults(out.Stdout), error(&app.ExitCode{Code: 1, Err: faults.Err()}))
	}
	if err := faults.Err(); err != nil {
		return err
	}
	reports, err := preflight.Check(ctx, client, concurrency, sets...)
	if err != nil {
		return err
	}
	results := make([]preflightResult, len(reports))
	clean := true
	for i, report := range reports {
		results[i] = preflightResult{c.Paths[i], report}
		clean = clean && report.Clean
	}
	if err := c.write(out.Stdout, clean, results); err != nil {
		return err
	}
	if !clean {
		return &app.ExitCode{Code: 2} // the findings are the message
	}
	return nil
}

// load loads the set at each path, if all are valid.
func (c *planPreflightCommand) load() (sets []*plan.Set, valid bool) {
	for _, path := range c.Paths {
		set, err := plan.Load(path)
		if err != nil {
			return nil, false
		}
		sets = append(sets, set)
	}
	return sets, true
}

// writeFaults prints what plan validate would.
func (c *planPreflightCommand) writeFaults(w io.Writer) error {
	results := make([]validation, len(c.Paths))
	for i, path := range c.Paths {
		results[i] = validate(path)
	}
	if c.JSON {
		return writeValidations(w, results)
	}
	return writeText(w, results)
}

// preflightResult is what was found at one path. Its JSON form is what --json
// prints.
type preflightResult struct {
	Path string `json:"path"`
	preflight.Report
}

func (c *planPreflightCommand) write(w io.Writer, clean bool, results []preflightResult) error {
	if c.JSON {
		return writeJSON(w, struct {
			Clean bool              `json:"clean"`
			Plans []preflightResult `json:"plans"`
		}{clean, results})
	}
	for i, r := range results {
		if len(results) > 1 {
			if i > 0 {
				fmt.Fprintln(w)
			}
			fmt.Fprintf(w, "%s:\n\n", plan.Printable(r.Path))
		}
		if err := r.WriteText(w); err != nil {
			return err
		}
	}
	return nil
}
