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

// Fate is what a plan means for one number that it names.
type Fate struct {
	// Entry is the id by which the plan and the ledger name the campaign, Campaign the
	// one by which Telnyx attaches to it.
	Entry, Campaign string
	// State and Reason are what the ledger must say in the end.
	State  ledger.State
	Reason ledger.Reason
	// Home is the campaign on which a number that must not be attached stays, if any.
	Home string
	// MayLeave are the campaigns that the plan takes the number from.
	MayLeave []string
	// AlsoPlanned are other campaigns on which the plan named it for a while.
	AlsoPlanned []string
	// Tried says that a number which ends elsewhere may get requests before that.
	Tried bool
	// Profile is the messaging profile that the number may be put on, if any.
	Profile string
}

// Attaches reports whether the number ends on the plan's campaign.
func (f Fate) Attaches() bool { return f.State == ledger.Sendable }

// History is what [Check] goes by: what the simulated Telnyx did, and what Greenlight
// says and stored.
type History struct {
	// Fates are those of the planned numbers, by number.
	Fates map[string]Fate
	// Bystanders are the numbers that no plan names, with the campaign they are on.
	Bystanders map[string]string
	// Writes are the requests for changes in the order of their effect.
	Writes      []telnyxsim.Write
	Assignments []telnyxsim.Assignment
	// Failures are when carriers failed a number's assignment, or a person ended it by
	// hand, after which it is attached again.
	Failures map[string][]time.Time
	// Ledger is what Greenlight says of every number.
	Ledger []ledger.Number
	// Accepted are the ids of deliveries that were answered with 200, Kept those that
	// are in a stream, with their sequence, if known.
	Accepted []string
	Kept     map[string]uint64
	// Unseen, if not nil, reports whether a write rests on a record that a person changed
	// after it was read.
	Unseen func(telnyxsim.Write) bool
	// AnyStatus leaves it to the caller whether campaigns were provisioned at each write.
	AnyStatus bool
}

// Violation is one thing that must not be. Number and Campaign are empty if it is about
// none.
type Violation struct {
	// Rule is what was broken.
	Rule             string
	Number, Campaign string
	Text             string
}

func (v Violation) String() string {
	return fmt.Sprintf("%s: %s", v.Rule, strings.TrimSpace(cmp.Or(v.Number, v.Campaign)+" "+v.Text))
}

// Check returns everything that is wrong with a history that is over, nothing if all is
// well.
func Check(h History) []Violation {
	return slices.Concat(checkTelnyx(h), checkLedger(h), checkPlaces(h), checkEffects(h), checkStatuses(h), checkKept(h))
}

// checkTelnyx: in the end every number is where the plan wants it, and those that the
// plan does not name are where they were.
func checkTelnyx(h History) (found []Violation) {
	const rule = "final state at Telnyx"
	records := map[string]telnyxsim.Assignment{}
	for _, a := range h.Assignments {
		records[a.PhoneNumber] = a
	}
	for number, want := range h.Fates {
		got := records[number]
		switch {
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

// checkLedger: in the end the ledger says of every planned number what is true.
func checkLedger(h History) (found []Violation) {
	const rule = "final state in the ledger"
	records := map[string]ledger.Number{}
	for _, n := range h.Ledger {
		f, planned := h.Fates[n.Number]
		if !planned || n.CampaignID != f.Entry {
			found = append(found, Violation{rule, n.Number, n.CampaignID, "has a record, and the plan does not name it there"})
			continue
		}
		records[n.Number] = n
	}
	for number, want := range h.Fates {
		got := records[number]
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

// checkPlaces: no number was ever put on a campaign or a profile that its plan does not
// name, or taken from one that move_from does not name. Numbers that must stay where they
// are get no request at all.
func checkPlaces(h History) (found []Violation) {
	const rule = "never elsewhere"
	for _, w := range h.Writes {
		want, planned := h.Fates[w.PhoneNumber]
		wrong := func(format string, args ...any) {
			found = append(found, Violation{rule, w.PhoneNumber, w.CampaignID, w.Method + " " + fmt.Sprintf(format, args...)})
		}
		switch {
		case w.PhoneNumber == "" && !w.Effective && w.Method == http.MethodPatch:
			// A fault kept the simulator from reading it, and its path has an id alone.
		case !planned:
			wrong("for a number that no plan names")
		case !want.Attaches() && !want.Tried:
			wrong("for a number that must stay as it is")
		case w.Method == http.MethodDelete:
			wrong("takes a number off its campaign")
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

// checkEffects: between two requests for one number and campaign that took effect,
// carriers failed the first, or a person ended it, or the plan moved the number. A
// profile is set once.
func checkEffects(h History) (found []Violation) {
	const rule = "one effective write"
	latest, profiles := map[string]telnyxsim.Write{}, map[string]bool{}
	for _, w := range h.Writes {
		if !w.Effective {
			continue
		}
		if w.Method != http.MethodPost && w.Method != http.MethodPut {
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
	return slices.ContainsFunc(h.Failures[number], func(at time.Time) bool { return at.After(from) && at.Before(to) })
}

// checkStatuses: nothing took effect on a campaign that carriers had not provisioned.
func checkStatuses(h History) (found []Violation) {
	for _, w := range h.Writes {
		if w.Effective && w.CampaignID != "" && w.CampaignStatus != telnyx.CampaignMNOProvisioned && !h.AnyStatus {
			found = append(found, Violation{"only when provisioned", w.PhoneNumber, w.CampaignID, fmt.Sprintf("%s took effect while the campaign was %s", w.Method, w.CampaignStatus)})
		}
	}
	return found
}

// checkKept: what was answered with 200 is in a stream.
func checkKept(h History) (found []Violation) {
	for _, id := range h.Accepted {
		if _, there := h.Kept[id]; !there {
			found = append(found, Violation{Rule: "a 200 means stored", Text: "delivery " + id + " was answered with 200 and is in no stream"})
		}
	}
	return found
}
