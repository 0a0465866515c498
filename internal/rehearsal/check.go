package rehearsal

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// History is all that [Account.Check] goes by.
type History struct {
	// Writes, Assignments and Deliveries are the simulator's own.
	Writes      []telnyxsim.Write
	Assignments []telnyxsim.Assignment
	Deliveries  []telnyxsim.Delivery
	// Ledger is what Greenlight says of every number.
	Ledger []ledger.Number
	// Stored are the ids of the events that the stream has.
	Stored map[string]bool
}

// Rule is something that must hold, by the word that tells that it did not.
type Rule string

// The rules.
const (
	// Stolen: a number was taken off a campaign that the plan does not name under
	// move_from, or off any without being put on another.
	Stolen Rule = "stolen"
	// Twice: a number was put on its campaign more than once.
	Twice Rule = "written twice"
	// Early: a number was put on a campaign that carriers had not provisioned.
	Early Rule = "too early"
	// Untold: something was changed that the plan does not ask for.
	Untold Rule = "not in the plan"
	// Lost: a number does not stand where the plan wants it though nothing is in its
	// way, or an event that was answered with 200 is not stored.
	Lost Rule = "lost"
	// Untrue: Greenlight says of a number what Telnyx does not.
	Untrue Rule = "not true"
)

// Fault is one thing that must not be.
type Fault struct {
	Rule Rule
	// Text names the number and says what happened to it.
	Text string
}

func (f Fault) String() string { return string(f.Rule) + ": " + f.Text }

// Check returns everything that is wrong with a history, in a fixed order; nothing
// if all is well. It takes the rehearsal to be over: what is on its way counts as
// lost.
func (a *Account) Check(h History) []Fault {
	return slices.Concat(a.checkWrites(h.Writes), a.checkPlaces(h), checkStored(h))
}

// IsSettled reports whether every planned number stands where nothing moves any more:
// sendable, or with a person.
func (a *Account) IsSettled(numbers []ledger.Number) bool {
	settled := 0
	for _, n := range numbers {
		if _, planned := a.wants[n.Number]; planned && (n.State == ledger.Sendable || n.NeedsPerson) {
			settled++
		}
	}
	return settled >= len(a.wants)
}

// checkWrites goes through what took effect at Telnyx.
func (a *Account) checkWrites(writes []telnyxsim.Write) []Fault {
	var faults []Fault
	fail := func(rule Rule, format string, args ...any) {
		faults = append(faults, Fault{rule, fmt.Sprintf(format, args...)})
	}
	attached := map[string]int{}
	for _, w := range writes {
		if !w.Effective || w.PhoneNumber == "" {
			continue
		}
		want, planned := a.wants[w.PhoneNumber]
		switch {
		case !planned:
			fail(Untold, "%s was changed, and no plan names it", w.PhoneNumber)
		case w.Method == http.MethodPatch:
			if want.profile == "" || w.MessagingProfileID != want.profile {
				fail(Untold, "%s was put on messaging profile %s", w.PhoneNumber, w.MessagingProfileID)
			}
		case w.Method == http.MethodDelete:
			fail(Stolen, "%s was taken off campaign %s", w.PhoneNumber, w.CampaignID)
		default:
			if w.PreviousCampaignID != "" && w.PreviousCampaignID != want.campaign && !slices.Contains(want.mayLeave, w.PreviousCampaignID) {
				fail(Stolen, "%s was taken from campaign %s", w.PhoneNumber, w.PreviousCampaignID)
			}
			if w.CampaignID != want.campaign {
				fail(Untold, "%s was put on campaign %s", w.PhoneNumber, w.CampaignID)
			}
			if w.CampaignStatus != telnyx.CampaignMNOProvisioned {
				fail(Early, "%s was put on campaign %s while that was %s", w.PhoneNumber, w.CampaignID, w.CampaignStatus)
			}
			if attached[w.PhoneNumber]++; attached[w.PhoneNumber] == 2 {
				fail(Twice, "%s was put on its campaign more than once", w.PhoneNumber)
			}
		}
	}
	return faults
}

// checkPlaces compares where every number stands at the end, with Telnyx and with
// the ledger.
func (a *Account) checkPlaces(h History) []Fault {
	var faults []Fault
	fail := func(rule Rule, format string, args ...any) {
		faults = append(faults, Fault{rule, fmt.Sprintf(format, args...)})
	}
	at := map[string]telnyxsim.Assignment{}
	for _, assignment := range h.Assignments {
		at[assignment.PhoneNumber] = assignment
	}
	told := map[string]ledger.Number{}
	for _, n := range h.Ledger {
		told[n.Number] = n
	}
	for _, number := range slices.Sorted(maps.Keys(a.bystanders)) {
		if now := at[number]; now.CampaignID != a.bystanders[number] || now.Status != telnyx.Assigned {
			fail(Stolen, "%s is no longer on campaign %s, where it was", number, a.bystanders[number])
		}
	}
	for _, number := range slices.Sorted(maps.Keys(a.wants)) {
		want, now, says := a.wants[number], at[number], told[number]
		attached := now.CampaignID == want.campaign && now.Status == telnyx.Assigned
		switch {
		case want.taken:
			if says.State != ledger.Conflict || !says.NeedsPerson {
				fail(Untrue, "%s is in use on another campaign, and Greenlight says %s", number, sayState(says))
			}
		case !attached:
			fail(Lost, "%s is not on its campaign; Greenlight says %s", number, sayState(says))
		case says.State != ledger.Sendable:
			fail(Untrue, "%s can send, and Greenlight says %s", number, sayState(says))
		}
	}
	return faults
}

func sayState(n ledger.Number) string {
	if n.Reason != "" {
		return fmt.Sprintf("%s (%s)", n.State, n.Reason)
	}
	return string(cmp.Or(n.State, "nothing"))
}

// checkStored looks for events that were answered with 200 and are not kept.
func checkStored(h History) []Fault {
	var faults []Fault
	for _, d := range h.Deliveries {
		accepted := slices.ContainsFunc(d.Attempts, func(a telnyxsim.Attempt) bool { return a.Status == http.StatusOK })
		if accepted && !h.Stored[d.EventID] {
			faults = append(faults, Fault{Lost, fmt.Sprintf("event %s was answered with 200 and is not in the stream", d.EventID)})
		}
	}
	return faults
}
