package main

import (
	"fmt"

	"greenlight/internal/app"
)

type versionCommand struct {
	JSON bool `help:"Print JSON."`
}

// Run prints the version, commit and Go version of this build.
func (c *versionCommand) Run(out output) error {
	build := app.ThisBuild()
	if c.JSON {
		return writeJSON(out.Stdout, build)
	}
	_, err := fmt.Fprintln(out.Stdout, "greenlight", build)
	return err
}
