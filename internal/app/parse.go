package app

import (
	"fmt"
	"io"

	"github.com/alecthomas/kong"

	"greenlight/internal/events"
)

// Parse reads arguments and environment into cli, a struct for kong. Done says
// that the arguments asked for help or the version, which was printed, and that there
// is nothing more to do. The context runs the chosen subcommand, if cli has any.
func Parse(cli any, name, description string, args []string, stdout io.Writer) (chosen *kong.Context, done bool, err error) {
	parser, err := kong.New(cli,
		kong.Name(name),
		kong.Description(description),
		kong.Writers(stdout, stdout),
		kong.Exit(func(int) { done = true }), // kong exits after these; only main may
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 100}),
		kong.ValueFormatter(help),
		kong.Vars{"min_server": events.MinServerVersion, "version": name + " " + ThisBuild().String()},
	)
	if err != nil {
		return nil, false, err
	}
	chosen, err = parser.Parse(args)
	if done {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("%w (see %s --help)", err, name)
	}
	return chosen, false, nil
}

// help writes a flag's help with the variable that sets it.
func help(value *kong.Value) string {
	if len(value.Tag.Envs) == 0 {
		return value.Help
	}
	return value.Help + " [$" + value.Tag.Envs[0] + "]"
}
