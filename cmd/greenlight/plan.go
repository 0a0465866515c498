package main

import (
	"greenlight/config"
	"greenlight/internal/app"
)

// planCommand groups the commands for plans.
type planCommand struct {
	Validate  planValidateCommand  `cmd:"" help:"Check plan files, offline."`
	Preflight planPreflightCommand `cmd:"" help:"Check against Telnyx, days before approval, whether the plans will work. Only reads."`
	Diff      planDiffCommand      `cmd:"" help:"Show what would be attached, moved or removed now. Only reads."`
	Import    planImportCommand    `cmd:"" help:"Write a plan with the numbers that are on campaigns now. Only reads."`
	Numbers   planNumbersCommand   `cmd:"" help:"Convert a list of numbers in any spelling to a file for numbers_file. Works offline."`
	Schema    planSchemaCommand    `cmd:"" help:"Print the JSON Schema of a plan file, for editors and CI."`
}

type planSchemaCommand struct{}

// Run prints the schema.
func (c *planSchemaCommand) Run(out output) error {
	_, err := app.Raw(out.Stdout).Write(config.PlanSchema)
	return err
}
