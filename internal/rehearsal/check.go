package rehearsal

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// Expectation is the expected result for one planned number.
type Expectation struct {
	// Entry is the campaign's id in plan and ledger, Campaign its id for attaching numbers
	// at Telnyx.
	Entry, Campaign string
	// State and Reason are the final ones in the ledger.
	State  ledger.State
	Reason ledger.Reason
	// Home is the campaign on which a number that must not be attached stays, if any.
	Home string
	// MayLeave are the campaigns from which the plan may take the number.
	MayLeave []string
	// AlsoPlanned are other campaigns for which the plan named the number for a while.
	AlsoPlanned []string
	// Tried means that a number that is not attached in the end may get requests before.
	Tried bool
	// Profile is the messaging profile that the number may be put on, if any.
	Profile string
	// Removable means that the number may be removed from its campaign.
	Removable bool
	// Unplanned means that no plan names the number in the end. Then it has no record, and
	// the caller checks where it is.
	Unplanned bool
}

// Attaches reports whether the number is on the planned campaign in the end.
func (e Expectation) Attaches() bool { return e.State == ledger.Sendable && !e.Unplanned }

// History is the input of [Check]: what the simulated Telnyx did, and what Greenlight says
// and has stored.
type History struct {
	// Expected is the expected result for each planned number.
	Expected map[string]Expectation
	// Bystanders are the numbers that no plan names, with the campaign they are on.
	Bystanders map[string]string
	// Writes are the write requests, in the order in which they took effect.
	Writes      []telnyxsim.Write
	Assignments []telnyxsim.Assignment
	// Failures are the times at which carriers or a person ended a number's assignment,
	// after which it is attached again.
	Failures map[string][]time.Time
	// Ledger has the records of all numbers.
	Ledger []ledger.Number
	// Accepted are the ids of deliveries that were answered 200, Kept those that are in a
	// stream, with their sequence, if known.
	Accepted []string
	Kept     map[string]uint64
	// Unseen, if not nil, reports whether a person changed the number's record after
	// Greenlight read it and before the write.
	Unseen func(telnyxsim.Write) bool
	// AnyStatus disables the check that campaigns were provisioned at each write.
	AnyStatus bool
}

// Violation is one broken promise. Number and Campaign are empty if they do not matter.
type Violation struct {
	// Rule is the promise.
	Rule             string
	Number, Campaign string
	Text             string
}

func (v Violation) String() string {
	return fmt.Sprintf("%s: %s", v.Rule, strings.TrimSpace(cmp.Or(v.Number, v.Campaign)+" "+v.Text))
}

// Check returns all broken promises in a finished history.
func Check(h History) []Violation {
	return slices.Concat(checkTelnyx(h), checkLedger(h), checkPlaces(h), checkEffects(h), checkStatuses(h), checkKept(h))
}

// checkTelnyx checks that every number is on the planned campaign in the end, and that
// numbers outside the plan are where they were.
func checkTelnyx(h History) (found []Violation) {
	const rule = "final state at Telnyx"
	records := map[string]telnyxsim.Assignment{}
	for _, a := range h.Assignments {
		records[a.PhoneNumber] = a
	}
	for number, want := range h.Expected {
		got := records[number]
		switch {
		case want.Unplanned:
		case want.Attaches() && (got.CampaignID != want.Campaign || got.Status != telnyx.Assigned):
			found = append(found, Violation{rule, number, want.Campaign,
				fmt.Sprintf("is %q on %q, want ASSIGNED on %q", got.Status, got.CampaignID, want.Campaign)})
		case !want.Attaches() && got.CampaignID != want.Home:
			found = append(found, Violation{rule, number, want.Campaign,
				fmt.Sprintf("is on %q, want it to stay on %q", got.CampaignID, want.Home)})
		}
	}
	for number, home := range h.Bystanders {
		if got := records[number].CampaignID; got != home {
			found = append(found, Violation{rule, number, home, fmt.Sprintf("is on %q, and no plan names it: want %q", got, home)})
		}
	}
	return found
}

// checkLedger checks the final records of all planned numbers.
func checkLedger(h History) (found []Violation) {
	const rule = "final state in the ledger"
	records := map[string]ledger.Number{}
	for _, n := range h.Ledger {
		want, planned := h.Expected[n.Number]
		if !planned || want.Unplanned || n.CampaignID != want.Entry {
			found = append(found, Violation{rule, n.Number, n.CampaignID, "has a record, but the plan does not name it there"})
			continue
		}
		records[n.Number] = n
	}
	for number, want := range h.Expected {
		got := records[number]
		if want.Unplanned {
			continue
		}
		if got.State != want.State || got.Reason != want.Reason {
			found = append(found, Violation{rule, number, want.Entry,
				fmt.Sprintf("is %q (%s), want %q (%s)", got.State, got.Reason, want.State, want.Reason)})
		} else if got.NeedsPerson == want.Attaches() {
			found = append(found, Violation{rule, number, want.Entry,
				fmt.Sprintf("is %q, needs a person %t, want %t", got.State, got.NeedsPerson, !want.Attaches())})
		}
	}
	return found
}

// checkPlaces checks that no number was put on a campaign or profile that its plan does not
// name, or taken from a campaign outside move_from. Numbers that must not change get no
// request at all.
func checkPlaces(h History) (found []Violation) {
	const rule = "never elsewhere"
	for _, w := range h.Writes {
		want, planned := h.Expected[w.PhoneNumber]
		wrong := func(format string, args ...any) {
			found = append(found, Violation{rule, w.PhoneNumber, w.CampaignID, w.Method + " " + fmt.Sprintf(format, args...)})
		}
		switch {
		case w.PhoneNumber == "" && !w.Effective && w.Method == http.MethodPatch:
			// The fault came before the simulator read the body, and the path has only an id.
		case !planned:
			wrong("for a number that no plan names")
		case !want.Attaches() && !want.Tried && !want.Unplanned:
			wrong("for a number that must not change")
		case w.Method == http.MethodDelete && want.Removable:
		case w.Method == http.MethodDelete:
			wrong("removes a number from its campaign")
		case w.Method == http.MethodPatch && (want.Profile == "" || w.MessagingProfileID != want.Profile):
			wrong("to profile %q, want %q", w.MessagingProfileID, want.Profile)
		case w.Method != http.MethodPatch && w.CampaignID != want.Campaign && !slices.Contains(want.AlsoPlanned, w.CampaignID):
			wrong("to campaign %q, want %q", w.CampaignID, want.Campaign)
		case w.Effective && w.PreviousCampaignID != "" && !slices.Contains(want.MayLeave, w.PreviousCampaignID) && (h.Unseen == nil || !h.Unseen(w)):
			wrong("takes it from campaign %q, want one of %q", w.PreviousCampaignID, want.MayLeave)
		}
	}
	return found
}

// checkEffects checks that each write took effect once. A second one for the same number
// and campaign is allowed only if carriers, a person or a removal ended the first
// assignment. A profile is set once.
func checkEffects(h History) (found []Violation) {
	const rule = "one effective write"
	latest, profiles := map[string]telnyxsim.Write{}, map[string]bool{}
	for _, w := range h.Writes {
		if !w.Effective {
			continue
		}
		switch w.Method {
		case http.MethodDelete:
			continue // Telnyx removes a number only once
		case http.MethodPatch:
			if profiles[w.PhoneNumber] {
				found = append(found, Violation{rule, w.PhoneNumber, w.CampaignID, w.Method + " took effect twice"})
			}
			profiles[w.PhoneNumber] = true
			continue
		}
		if before := latest[w.PhoneNumber]; before.CampaignID == w.CampaignID && !h.FailedBetween(w.PhoneNumber, before.At, w.At) {
			found = append(found, Violation{rule, w.PhoneNumber, w.CampaignID,
				fmt.Sprintf("%s took effect %s after another one", w.Method, w.At.Sub(before.At))})
		}
		latest[w.PhoneNumber] = w
	}
	return found
}

// FailedBetween reports whether an assignment of a number ended between two times.
func (h History) FailedBetween(number string, from, to time.Time) bool {
	removed := slices.ContainsFunc(h.Writes, func(w telnyxsim.Write) bool {
		return w.PhoneNumber == number && w.Effective && w.Method == http.MethodDelete && w.At.After(from) && w.At.Before(to)
	})
	return removed || slices.ContainsFunc(h.Failures[number], func(at time.Time) bool { return at.After(from) && at.Before(to) })
}

// checkStatuses checks that no write took effect before carriers provisioned the campaign.
func checkStatuses(h History) (found []Violation) {
	for _, w := range h.Writes {
		if w.Effective && w.CampaignID != "" && w.CampaignStatus != telnyx.CampaignMNOProvisioned && !h.AnyStatus {
			found = append(found, Violation{"only when provisioned", w.PhoneNumber, w.CampaignID, fmt.Sprintf("%s took effect while the campaign was %s", w.Method, w.CampaignStatus)})
		}
	}
	return found
}

// checkKept checks that every delivery that was answered 200 is in a stream.
func checkKept(h History) (found []Violation) {
	for _, id := range h.Accepted {
		if _, there := h.Kept[id]; !there {
			found = append(found, Violation{Rule: "a 200 means stored", Text: "delivery " + id + " was answered 200 but is not in a stream"})
		}
	}
	return found
}
