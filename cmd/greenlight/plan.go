package main

import (
	"greenlight/config"
)

// planCommand holds the commands about plans. Each has a file of its own.
type planCommand struct {
	Validate  planValidateCommand  `cmd:"" help:"Check plan files, offline."`
	Preflight planPreflightCommand `cmd:"" help:"Ask Telnyx, days before, whether what is planned will work. Only reads."`
	Diff      planDiffCommand      `cmd:"" help:"Show what would be attached or moved this minute. Only reads."`
	Schema    planSchemaCommand    `cmd:"" help:"Print the JSON Schema of a plan file, for editors and CI."`
}

type planSchemaCommand struct{}

// Run prints the schema.
func (c *planSchemaCommand) Run(out output) error {
	_, err := out.Stdout.Write(config.PlanSchema)
	return err
}
