package main

import (
	"cmp"
	"io"
	"os"

	"github.com/alecthomas/kong"
	posener "github.com/posener/complete"
	"github.com/willabides/kongplete"

	"greenlight/internal/app"
	"greenlight/internal/plan"
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"The shell: bash, zsh or fish."`
}

// Help is what kong prints under the command's own help.
func (c *completionCommand) Help() string {
	return `Completes commands, flags, and the campaigns of the plans in PLANS (config/plans). Packages install it. Otherwise,
add a line to your shell's startup file:

  bash  source <(greenlight completion bash)
  zsh   source <(greenlight completion zsh)     after compinit
  fish  greenlight completion fish | source`
}

// completions ask the program that is being typed. It answers if it finds COMP_LINE in the
// environment, with a candidate a line. Without one, shells complete file names, so that
// plans do not need a predictor.
var completions = map[string]string{
	"bash": `_greenlight() {
  local IFS=$'\n'
  COMPREPLY=($(COMP_LINE=$COMP_LINE COMP_POINT=$COMP_POINT "${COMP_WORDS[0]}" 2>/dev/null))
}
complete -o default -F _greenlight greenlight
`,
	// The file is sourced, or is the function _greenlight in fpath.
	"zsh": `#compdef greenlight
_greenlight() {
  local -a found
  local line="${(j: :)words[1,CURRENT]}"
  found=("${(@f)$(COMP_LINE=$line COMP_POINT=${#line} $words[1] 2>/dev/null)}")
  found=($found)
  if (( $#found )); then compadd -a found; else _files; fi
}
if [[ $funcstack[1] == _greenlight ]]; then _greenlight "$@"; else compdef _greenlight greenlight; fi
`,
	"fish": `function __greenlight_complete
  set -lx COMP_LINE (commandline -cp)
  set -l words (commandline -op)
  $words[1] 2>/dev/null
end
complete -c greenlight -a '(__greenlight_complete)'
`,
}

// Run prints the completion.
func (c *completionCommand) Run(out output) error {
	_, err := io.WriteString(out.Stdout, completions[c.Shell])
	return err
}

// complete prints what may come next on the line in COMP_LINE.
func complete(stdout io.Writer) error {
	var failed error
	parser, err := newParser(stdout)
	if err != nil {
		return err
	}
	kongplete.Complete(parser,
		kongplete.WithPredictor("campaign", posener.PredictFunc(plannedCampaigns)),
		kongplete.WithErrorHandler(func(err error) { failed = err }),
		kongplete.WithExitFunc(func(int) {})) // only main may end the process
	return failed
}

// plannedCampaigns returns name and id of each campaign of the plans.
func plannedCampaigns(posener.Args) (found []string) {
	set, err := plan.Load(cmp.Or(os.Getenv("PLANS"), plansFolder))
	if err != nil {
		return nil
	}
	for _, c := range set.Campaigns {
		found = append(found, c.Name, cmp.Or(string(c.CampaignID), string(c.TCRCampaignID)))
	}
	return found
}

func newParser(stdout io.Writer) (*kong.Kong, error) {
	return app.NewParser(&command{}, "greenlight", description, stdout)
}
