package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/cpuguy83/go-md2man/v2/md2man"

	"greenlight/internal/app"
)

type manCommand struct{}

// Help is what kong prints under the command's own help.
func (c *manCommand) Help() string {
	return "To read it: greenlight man > greenlight.1, then man -l greenlight.1. Packages install it."
}

// Run prints the manual page, which has the help of every command.
func (c *manCommand) Run(out output) error {
	parser, err := newParser(out.Stdout)
	if err != nil {
		return err
	}
	_, err = out.Stdout.Write(md2man.Render([]byte(manual(parser.Model))))
	return err
}

// manual returns the page in Markdown. Its date is that of the commit, so that builds are
// reproducible.
func manual(model *kong.Application) string {
	build := app.ThisBuild()
	date, _, _ := strings.Cut(build.Date, "T")
	var b strings.Builder
	fmt.Fprintf(&b, "%% GREENLIGHT 1 \"%s\" \"greenlight %s\" \"User Commands\"\n\n", date, build.Version)
	fmt.Fprintf(&b, "# NAME\ngreenlight - %s\n\n# SYNOPSIS\n**greenlight** *command* [*arguments*] [*flags*]\n\n# COMMANDS\n", escape(strings.ToLower(model.Help[:1])+model.Help[1:]))
	for _, leaf := range model.Leaves(true) {
		fmt.Fprintf(&b, "### greenlight %s\n%s\n\n", escape(leaf.Summary()), escape(leaf.Help))
		if leaf.Detail != "" {
			fmt.Fprintf(&b, "```\n%s\n```\n\n", leaf.Detail)
		}
		for _, argument := range leaf.Positional {
			fmt.Fprintf(&b, "%s\n: %s\n\n", escape(argument.Summary()), escape(argument.Help))
		}
		for _, flag := range leaf.Flags {
			if !flag.Hidden && flag.Name != "help" {
				fmt.Fprintf(&b, "**%s**\n: %s\n\n", escape(flag.Summary()), escape(app.HelpOf(flag.Value)))
			}
		}
	}
	b.WriteString("# ENVIRONMENT\nThe variable in brackets sets a flag that is not given.\n\n# EXIT STATUS\n" +
		"0 on success, 1 on an error. Commands with other codes list them.\n")
	return b.String()
}

var special = regexp.MustCompile("[\\\\`*_{}\\[\\]<>()#+.!|:-]")

// escape returns text as Markdown shows it.
func escape(text string) string { return special.ReplaceAllString(text, `\$0`) }
