package plan

import (
	"fmt"
	"strings"

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
	width := 0
	for _, change := range c {
		width = max(width, len(change.Number))
	}
	var text strings.Builder
	for _, change := range c {
		line := fmt.Sprintf("%s %-*s  %-*s", change.Action.Sign(), width, change.Number, len(WaitToAttach), change.Action)
		if change.Record != nil {
			line += "  " + describeRecord(*change.Record)
		}
		text.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return text.String()
}

// Sign returns the one character that stands for the action in lists: + for
// attaching and > for moving, = for what is as it should be, ~ for waiting, ! for
// a conflict and ? for a number that no plan explains.
func (a Action) Sign() string {
	switch a {
	case Attach:
		return "+"
	case Move:
		return ">"
	case Done:
		return "="
	case Wait, WaitToMove, WaitToAttach:
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
