package main

import (
	"encoding/json"
	"fmt"

	"greenlight/internal/app"
)

type versionCommand struct {
	JSON bool `help:"Print JSON."`
}

// Run prints what this program was built from.
func (c *versionCommand) Run(out output) error {
	build := app.ThisBuild()
	if c.JSON {
		encoder := json.NewEncoder(out.Stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(build)
	}
	_, err := fmt.Fprintln(out.Stdout, "greenlight", build)
	return err
}
