package ledger_test

import (
	"cmp"
	"flag"
	"fmt"
	"strings"
	"testing"

	"greenlight/internal/ledger"
	"greenlight/internal/testkit/pagetest"
)

var update = flag.Bool("update", false, "write the parts of documentation pages anew that are made from the program")

func TestReasons_AreExplainedInOperations(t *testing.T) {
	var table strings.Builder
	table.WriteString("| Reason | What it means | What Greenlight does by itself | What to do |\n| --- | --- | --- | --- |\n")
	for _, reason := range ledger.Reasons() {
		advice := reason.Advice()
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", reason, advice.Why, advice.Next, cmp.Or(advice.Action, "Nothing."))
	}
	table.WriteString("\nThe phases of a campaign, from `campaignStatus` and the fields that overrule it:\n\n| Phase | What it means |\n| --- | --- |\n")
	for _, phase := range ledger.Phases() {
		fmt.Fprintf(&table, "| `%s` | %s |\n", phase, phase.Sentence())
	}
	pagetest.Section(t, "../../docs/operations.md", "reasons", table.String(), *update)
}
