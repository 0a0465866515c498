package plan

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"greenlight/internal/telnyx"
)

// Changes are the verdicts on the numbers of one campaign, sorted by number.
type Changes []Change

// Count returns how many of the changes are of the given action.
func (c Changes) Count(action Action) int {
	n := 0
	for _, change := range c {
		if change.Action == action {
			n++
		}
	}
	return n
}

// String prints one line for each number: a sign, the number, the action, and the
// record that decided. It ends with a newline unless there are no changes.
//
//   - +15551234567  attach
//     = +15551234568  done            ASSIGNED on C6X6M95
func (c Changes) String() string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, change := range c {
		fmt.Fprintf(w, "%s %s\t%s", change.Action.Sign(), change.Number, change.Action)
		if change.Record != nil {
			fmt.Fprintf(w, "\t%s", describeRecord(*change.Record))
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	return text.String()
}

// Sign returns the one character that stands for the action in lists: + for a
// write, = for what is as it should be, ~ for waiting, ! for a conflict and ? for
// a number that no plan explains.
func (a Action) Sign() string {
	switch a {
	case Attach:
		return "+"
	case Done:
		return "="
	case Wait, WaitToAttach:
		return "~"
	case Conflict:
		return "!"
	case Extra:
		return "?"
	}
	return " "
}

// describeRecord says in what state a number is on which campaign.
func describeRecord(record telnyx.Assignment) string {
	status := string(record.AssignmentStatus)
	if status == "" {
		status = "(no status)"
	}
	return status + " on " + record.CampaignID
}
