package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"greenlight/internal/app"
	"greenlight/internal/plan"
	"greenlight/internal/status"
)

type planValidateCommand struct {
	Paths  []string `arg:"" optional:"" name:"path" help:"Plan files, or folders of them. Each path is a separate set. Default: the path of --plans."`
	Plans  string   `name:"plans" env:"PLANS" default:"config/plans" placeholder:"PATH" help:"Path to check if no path is given (${default})."`
	Format string   `enum:"text,json,github" default:"text" placeholder:"FORMAT" help:"Output format: text, json, or github for annotations in a pull request (${default})."`
	JSON   bool     `help:"The same as --format json."`
}

// Help is what kong prints under the command's own help.
func (c *planValidateCommand) Help() string {
	return `Reads the plans as the assigner does, and prints each fault as file:line:column: what, why, how to fix it.
Works offline. Exits with 0 if the plans are valid, with 1 if not. A folder is one set, in which each number may
appear once. Several paths are separate sets, which are not compared with each other.

In a GitHub workflow:  greenlight plan validate --format github`
}

// Run checks each path and prints the faults.
func (c *planValidateCommand) Run(out output) error {
	if len(c.Paths) == 0 {
		c.Paths = []string{c.Plans}
	}
	_, results := loadPlans(c.Paths...)
	if c.JSON {
		c.Format = "json"
	}
	write := map[string]func(io.Writer, []validation) error{"text": writeText, "json": writeValidations, "github": writeAnnotations}[c.Format]
	to := out.Stdout
	if c.Format != "text" {
		to = app.Raw(to)
	}
	if err := write(to, results); err != nil {
		return err
	}
	if !valid(results) {
		return &app.ExitCode{Code: 1} // the faults are the message
	}
	return nil
}

// validation is the result of loading the plans at one path, in the form that --json prints.
type validation struct {
	Path      string          `json:"path"`
	Valid     bool            `json:"valid"`
	Hash      string          `json:"hash,omitempty"`
	Campaigns int             `json:"campaigns"`
	Numbers   int             `json:"numbers"`
	Pools     int             `json:"number_pools"`
	Files     []string        `json:"files,omitempty"`
	Faults    []validateFault `json:"faults,omitempty"`
	// SetAside are the rows that skip_invalid leaves out.
	SetAside []validateFault `json:"set_aside,omitempty"`
}

// validateFault is the JSON form of a plan.Fault.
type validateFault struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	What   string `json:"what"`
	Why    string `json:"why"`
	Fix    string `json:"fix"`
}

// loadPlans loads the plans at each path. The set of a path with faults is nil.
func loadPlans(paths ...string) (sets []*plan.Set, results []validation) {
	for _, path := range paths {
		set, err := plan.Load(path)
		v := validation{Path: path, Valid: err == nil}
		if faults, ok := errors.AsType[plan.Faults](err); ok {
			v.Faults = validateFaults(faults)
		}
		if err == nil {
			v.Hash, v.Files, v.Campaigns = set.Hash, set.Files, len(set.Campaigns)
			v.SetAside = validateFaults(set.SetAside)
			for _, campaign := range set.Campaigns {
				v.Numbers += len(campaign.Numbers)
				if campaign.NumberPool != "" {
					v.Pools++
				}
			}
		}
		sets, results = append(sets, set), append(results, v)
	}
	return sets, results
}

func validateFaults(faults plan.Faults) (converted []validateFault) {
	for _, f := range faults {
		converted = append(converted, validateFault{f.File, f.Line, f.Column, f.What, f.Why, f.Fix})
	}
	return converted
}

func valid(results []validation) bool {
	for _, v := range results {
		if !v.Valid {
			return false
		}
	}
	return true
}

// String summarizes the result in one line.
func (v validation) String() string {
	if !v.Valid {
		return fmt.Sprintf("%s: not valid, %s", plan.Printable(v.Path), status.Count(len(v.Faults), "fault"))
	}
	text := fmt.Sprintf("%s: %s, %s, ", plan.Printable(v.Path), status.Count(v.Campaigns, "campaign"), status.Count(v.Numbers, "number"))
	if v.Pools > 0 {
		text += status.Count(v.Pools, "number pool") + ", "
	}
	if len(v.SetAside) > 0 {
		text += status.Count(len(v.SetAside), "row") + " set aside, "
	}
	return text + "hash " + v.Hash
}

// writeText prints one line per fault and a summary of each path. CI runners treat ##
// anywhere in a line as the beginning of a command, so it is escaped.
func writeText(w io.Writer, results []validation) error {
	var text strings.Builder
	for _, v := range results {
		for _, f := range v.Faults {
			fmt.Fprintf(&text, "%s:%d:%d: %s: %s; %s\n", f.File, f.Line, f.Column, f.What, f.Why, f.Fix)
		}
		for _, f := range v.SetAside {
			fmt.Fprintf(&text, "%s:%d:%d: %s: %s; set aside\n", f.File, f.Line, f.Column, f.What, f.Why)
		}
		fmt.Fprintln(&text, v)
	}
	_, err := io.WriteString(w, strings.ReplaceAll(text.String(), "##", `#\x23`))
	return err
}

func writeValidations(w io.Writer, results []validation) error {
	return writeJSON(w, struct {
		Valid bool         `json:"valid"`
		Plans []validation `json:"plans"`
	}{valid(results), results})
}

// writeAnnotations prints workflow commands, which GitHub shows at the faulty lines of a
// pull request. See
// https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions.
func writeAnnotations(w io.Writer, results []validation) error {
	var text strings.Builder
	for _, v := range results {
		for _, f := range v.Faults {
			fmt.Fprintf(&text, "::error file=%s,line=%d,col=%d,title=%s::%s\n",
				property.Replace(f.File), f.Line, f.Column, property.Replace(f.What), message.Replace(f.Why+"; "+f.Fix))
		}
		for _, f := range v.SetAside {
			fmt.Fprintf(&text, "::warning file=%s,line=%d,col=%d,title=%s::%s\n",
				property.Replace(f.File), f.Line, f.Column, property.Replace(f.What), message.Replace(f.Why+"; set aside"))
		}
		// Plain lines appear only in the log. The prefix prevents a path from being read
		// as a command.
		fmt.Fprintln(&text, "greenlight: "+message.Replace(v.String()))
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// Characters that must be escaped in messages and properties of workflow commands.
var (
	message  = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)
