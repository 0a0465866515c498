package plan

// Changes are the verdicts on the numbers of one campaign, sorted by number.
type Changes []Change

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
