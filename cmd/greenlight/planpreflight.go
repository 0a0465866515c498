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
	Paths []string `arg:"" optional:"" name:"path" help:"Plan files, or folders of them. Each path is a separate set. Default: the path of --plans."`
	Plans string   `name:"plans" env:"PLANS" default:"config/plans" placeholder:"PATH" help:"Path to check if no path is given (${default})."`
	JSON  bool     `help:"Print JSON."`
	publicURL
	app.Telnyx `group:"Telnyx"`
}

// Help is what kong prints under the command's own help.
func (c *planPreflightCommand) Help() string {
	return `Reports what would fail when the campaigns are approved.

Findings about campaigns: missing, mock, expired, rejected, suspended or full, ending soon, no number pool for that
many numbers, or a webhookURL that may not lead to Greenlight.

Findings about numbers: not on the account, not active, not a US long code, no messaging profile or another one, on
another campaign, or failed at the carriers. Inconclusive answers from Telnyx are findings too. A campaign that is
still in review is not a finding.

It only reads. Exits with 0 if there are no findings, with 2 if there are any, and with 1 if plans have errors or
Telnyx cannot be reached. Run it after each change of a plan, and again shortly before approval.`
}

// Run checks each path and prints the findings.
func (c *planPreflightCommand) Run(ctx context.Context, out output) error {
	var faults app.Faults
	client, concurrency := c.ReadOnlyClient(&faults)
	if len(c.Paths) == 0 {
		if !c.JSON && !app.CheckPlans(&faults, c.Plans) {
			return faults.Err()
		}
		c.Paths = []string{c.Plans}
	}
	sets, loaded := loadPlans(c.Paths...)
	if !valid(loaded) {
		// Faults of plans are the output, those of settings the error.
		return cmp.Or(c.writeFaults(out.Stdout, loaded), error(&app.ExitCode{Code: 1, Err: faults.Err()}))
	}
	if err := faults.Err(); err != nil {
		return err
	}
	reports, err := preflight.Check(ctx, client, concurrency, c.PublicURL, sets...)
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

// writeFaults prints the same as plan validate.
func (c *planPreflightCommand) writeFaults(w io.Writer, loaded []validation) error {
	if c.JSON {
		return writeValidations(w, loaded)
	}
	return writeText(w, loaded)
}

// preflightResult is the report on one path, in the form that --json prints.
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
