package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"greenlight/config"
	"greenlight/internal/app"
)

type initCommand struct {
	app.Telnyx `group:"Telnyx"`
}

// Help is what kong prints under the command's own help.
func (c *initCommand) Help() string {
	return `Writes a plan into config/plans, config/plan.schema.json for editors, and .env.example with the settings. The plan is
that of greenlight plan import if TELNYX_API_KEY is set and numbers are attached, else an example. It asks nothing,
changes nothing at Telnyx, and overwrites nothing.`
}

// plansFolder is where every command looks for plans by default.
var plansFolder = filepath.Join("config", "plans")

// Run writes the files that do not exist, and prints what to do next.
func (c *initCommand) Run(ctx context.Context, out output) error {
	if err := c.writePlan(ctx, out.Stdout); err != nil {
		return err
	}
	if err := create(out.Stdout, filepath.Join("config", "plan.schema.json"), config.PlanSchema); err != nil {
		return err
	}
	if err := create(out.Stdout, ".env.example", config.ExampleEnv); err != nil {
		return err
	}
	_, err := io.WriteString(out.Stdout, `
Edit the plan. Next:

  greenlight plan validate
  greenlight demo --plans config/plans
  greenlight plan preflight
`)
	return err
}

// writePlan writes the first plan, if there is none.
func (c *initCommand) writePlan(ctx context.Context, w io.Writer) error {
	if present, _ := os.ReadDir(plansFolder); len(present) > 0 {
		_, err := fmt.Fprintf(w, "%s has files; kept.\n", plansFolder)
		return err
	}
	file, text, err := c.firstPlan(ctx)
	if err != nil {
		return err
	}
	return create(w, file, text)
}

// firstPlan returns the file to begin with and its text.
func (c *initCommand) firstPlan(ctx context.Context) (file string, text []byte, err error) {
	example := filepath.Join(plansFolder, "example.yaml")
	if c.APIKey == "" && c.APIKeyFile == "" {
		return example, config.ExamplePlan, nil
	}
	var faults app.Faults
	client, _ := c.ReadOnlyClient(&faults)
	if err := faults.Err(); err != nil {
		return "", nil, err
	}
	i := importer{client: client}
	d, err := i.account(ctx)
	if err != nil {
		return "", nil, fmt.Errorf("%w; to begin with an example instead, unset TELNYX_API_KEY", err)
	}
	text, err = d.text()
	if errors.Is(err, errNothing) {
		return example, config.ExamplePlan, nil
	}
	return filepath.Join(plansFolder, importFile), text, err
}

// create writes a file unless it exists.
func create(w io.Writer, file string, text []byte) error {
	if exists(file) {
		_, err := fmt.Fprintf(w, "%s exists; kept.\n", file)
		return err
	}
	if err := writeWhole(file, text); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "Wrote %s.\n", file)
	return err
}
