package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"greenlight/internal/app"
	"greenlight/internal/status"
	"greenlight/internal/telnyx"
)

type planImportCommand struct {
	Campaign    []string `predictor:"campaign" placeholder:"ID" xor:"which" help:"Campaign to import, by Telnyx's id, TCR's id, or the plan's name. Can be repeated."`
	Brand       string   `placeholder:"ID" xor:"which" help:"Import every campaign of this brand, by Telnyx's id."`
	All         bool     `xor:"which" help:"Import every campaign of the account. This is the default."`
	FromProfile string   `placeholder:"ID" help:"With one --campaign: plan the numbers of this messaging profile for it."`
	Output      string   `short:"o" default:"-" placeholder:"PATH" help:"File to write, or folder for import.yaml; - is stdout (${default})."`
	Force       bool     `help:"Overwrite the file if it exists."`
	app.Telnyx  `group:"Telnyx"`
	where
}

// Help is what kong prints under the command's own help.
func (c *planImportCommand) Help() string {
	return `Writes a plan with the numbers that are on each campaign now, so that greenlight plan diff shows no changes. It only
reads from Telnyx. Comments in the plan name what it leaves out, and why: campaigns without numbers or that need a
person, and numbers that are not attached, are leaving, or need a person.

With --from-profile, the plan has the numbers of the messaging profile instead, to attach them to the campaign.

Nothing is written unless every list was read completely.`
}

// Run reads the account and writes the plan.
func (c *planImportCommand) Run(ctx context.Context, out output) error {
	if c.FromProfile != "" && len(c.Campaign) != 1 {
		return errors.New("--from-profile needs exactly one --campaign")
	}
	file := c.file()
	if err := c.mayWrite(file); err != nil {
		return err
	}
	var faults app.Faults
	client, _ := c.ReadOnlyClient(&faults)
	if err := faults.Err(); err != nil {
		return err
	}
	d, err := c.read(ctx, client, out.Stderr)
	if err != nil {
		return err
	}
	text, err := d.text()
	if err != nil {
		return err
	}
	if file == "" {
		_, err := app.Raw(out.Stdout).Write(text)
		return err
	}
	if err := writeWhole(file, text); err != nil {
		return fmt.Errorf("write the plan: %w; use another path with --output", err)
	}
	_, err = fmt.Fprintf(out.Stdout, "%s: %s.\n", status.Harmless(file), d.sumUp())
	return err
}

// file is the file to write, empty for stdout. A path that does not exist is a folder if
// it looks like one.
func (c *planImportCommand) file() string {
	if c.Output == "-" {
		return ""
	}
	info, err := os.Stat(c.Output)
	isFolder := strings.HasSuffix(c.Output, "/") || filepath.Ext(c.Output) == ""
	if err == nil {
		isFolder = info.IsDir()
	}
	if isFolder {
		return filepath.Join(c.Output, importFile)
	}
	return c.Output
}

// importFile is the file of an import in a folder.
const importFile = "import.yaml"

// mayWrite refuses a file that exists.
func (c *planImportCommand) mayWrite(file string) error {
	if file == "" || c.Force || !exists(file) {
		return nil
	}
	return fmt.Errorf("%s exists; write to another file, or overwrite it with --force", status.Harmless(file))
}

func exists(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}

// writeWhole writes a file at once, so that no reader sees half of it, and makes its folder.
func writeWhole(file string, text []byte) error {
	folder, name := filepath.Split(file)
	if err := os.MkdirAll(cmp.Or(folder, "."), 0o755); err != nil {
		return err
	}
	temporary := filepath.Join(folder, "."+name+".new") // plans are not read from files with a dot
	if err := os.WriteFile(temporary, text, 0o644); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return os.Rename(temporary, file)
}

// read reads what the flags ask for.
func (c *planImportCommand) read(ctx context.Context, client *telnyx.Client, stderr io.Writer) (d draft, err error) {
	i := importer{client: client, brand: c.Brand}
	if len(c.Campaign) > 0 {
		i.known = c.plansInForce(ctx)
		i.known.warn(stderr)
	}
	switch {
	case c.FromProfile != "":
		d, err = i.profile(ctx, c.FromProfile, c.Campaign[0])
	case len(c.Campaign) > 0:
		d, err = i.campaigns(ctx, c.Campaign)
	default:
		d, err = i.account(ctx)
	}
	return d, err
}
