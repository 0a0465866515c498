package page

import (
	"maps"

	"greenlight/internal/status"
)

// alerts are problems that are not about single numbers or campaigns.
type alerts struct {
	status.Surroundings
	// Held is what is on hold, since when, by whom and why.
	Held             []status.Held
	Failing, Advised []status.Checked
}

// LedgerMissing names the missing buckets; empty for none.
func (a alerts) LedgerMissing() string {
	if len(a.Missing) == 0 {
		return ""
	}
	return status.MissingSentence(a.Missing)
}

// NoAssigner says that no assigner is running. It is empty if one is, or if that is
// unknown.
func (a alerts) NoAssigner() string {
	if !a.Idle || a.Unreachable != "" || a.PlanFault() != "" { // the fault says it
		return ""
	}
	return status.IdleSentence(a.Waiting)
}

// PlanFault says what it means that the plan files cannot be used. It is empty if they can.
func (a alerts) PlanFault() string {
	if len(a.PlanFaultLines()) == 0 {
		return ""
	}
	return status.PlanFaultSentence(a.Idle, a.Waiting)
}

// DeadLetterCount counts the dead letters; empty for none.
func (a alerts) DeadLetterCount() string {
	if a.DeadLetters == 0 {
		return ""
	}
	return plural(int(a.DeadLetters), "dead letter")
}

// Serious reports whether a person should act on something that is not about a number or a
// campaign.
func (a alerts) Serious() bool {
	return len(a.Missing)+len(a.Failing)+len(a.PlanFaultLines()) > 0 || a.DeadLetters > 0 || a.NoAssigner() != ""
}

func alertsOf(x *status.Contents) alerts {
	names := make(map[string]string, len(x.Hold.Campaigns))
	for id := range x.Hold.Campaigns {
		if c := x.Campaign(id); c != nil {
			names[id] = c.Plan
		}
	}
	a := alerts{Surroundings: x.Surroundings, Held: status.HeldBy(x.Hold, names)}
	for _, check := range x.Checks {
		switch {
		case check.Says == "":
		case check.Name == "plans" && len(a.PlanFaultLines()) > 0: // shown line by line
		case check.Advisory:
			a.Advised = append(a.Advised, check)
		default:
			a.Failing = append(a.Failing, check)
		}
	}
	return a
}

// withAlerts returns a copy of a view with other alerts.
func withAlerts(made *view, warnings alerts) (*view, error) {
	v := *made
	v.Blocks = maps.Clone(made.Blocks)
	var err error
	v.Blocks["alerts"], err = render("alerts", warnings)
	return &v, err
}
