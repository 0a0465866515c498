package assigner

import (
	"fmt"
	"strings"
	"testing"

	"greenlight/internal/ledger"
	"greenlight/internal/notice"
)

// numbersIn parses records like "sendable" or "failed/not_owned!". The exclamation mark
// means that a person is needed.
func numbersIn(words string) (numbers []ledger.Number) {
	for i, word := range strings.Fields(words) {
		word, person := strings.CutSuffix(word, "!")
		state, reason, _ := strings.Cut(word, "/")
		numbers = append(numbers, ledger.Number{
			Number: fmt.Sprintf("+1555123%04d", i), State: ledger.State(state), Reason: ledger.Reason(reason), NeedsPerson: person,
		})
	}
	return numbers
}

func TestNewsOf_FollowsItsTable(t *testing.T) {
	for _, test := range []struct {
		phase   ledger.Phase
		numbers string
		want    notice.Kind
	}{
		{ledger.PhaseApproved, "sendable sendable", notice.Completed},
		{ledger.PhaseApproved, "sendable attached attached", notice.Completed},
		{ledger.PhaseApproved, "sendable attached/carrier_failed!", notice.NeedsPerson},
		{ledger.PhaseApproved, "sendable attached/carrier_failed! failed/not_owned!", notice.Partial},
		{ledger.PhaseApproved, "sendable attached/carrier_failed! pending", notice.NeedsPerson},
		{ledger.PhaseApproved, "planned/account_blocked! attached", ""},
		{ledger.PhaseApproved, "planned/unauthorized! attached", ""},
		{ledger.PhaseApproved, "sendable pending", ""},
		{ledger.PhaseApproved, "planned attaching", ""},
		{ledger.PhaseApproved, "planned/queued planned/queued", ""},
		{ledger.PhaseApproved, "planned/rate_limited attached", ""},
		{ledger.PhaseApproved, "planned/rejected attached", ""},
		{ledger.PhaseApproved, "", ""},
		{ledger.PhaseApproved, "sendable failed/not_owned!", notice.Partial},
		{ledger.PhaseApproved, "sendable conflict/other_campaign! failed/rejected!", notice.Partial},
		{ledger.PhaseApproved, "sendable planned/campaign_full!", notice.Partial},
		{ledger.PhaseApproved, "failed/not_owned! failed/not_owned!", notice.NeedsPerson},
		{ledger.PhaseApproved, "sendable pending failed/not_owned!", notice.NeedsPerson},
		{ledger.PhaseApproved, "sendable planned/stuck!", notice.Stuck},
		{ledger.PhaseApproved, "sendable pending/stuck! failed/not_owned!", notice.Stuck},
		{ledger.PhaseApproved, "attaching/stuck!", notice.Stuck},
		{ledger.PhaseInReview, "planned/campaign_in_review", ""},
		{ledger.PhaseInReview, "planned failed/not_owned!", notice.NeedsPerson},
		{ledger.PhaseInReview, "attached/campaign_in_review failed/not_owned!", notice.Partial},
		{ledger.PhaseInReview, "attached/campaign_in_review", ""},
		{ledger.PhaseUnread, "planned/telnyx_unavailable", ""},
		{ledger.PhaseSuspended, "planned/campaign_suspended attached/campaign_suspended", ""},
		{ledger.PhaseRejected, "planned/campaign_rejected!", notice.NeedsPerson},
		{ledger.PhaseExpired, "sendable/campaign_expired!", notice.NeedsPerson},
		{ledger.PhaseMissing, "planned/campaign_missing!", notice.NeedsPerson},
		{ledger.PhaseUnknown, "planned/campaign_unknown!", notice.NeedsPerson},
	} {
		t.Run(string(test.phase)+" "+test.numbers, func(t *testing.T) {
			v := newsOf(ledger.Campaign{Phase: test.phase}, numbersIn(test.numbers), nil)
			if v.kind != test.want || (v.about == "") != (test.want == "") {
				t.Errorf("got %q about %q, want %q", v.kind, v.about, test.want)
			}
		})
	}
}

func TestNewsOf_DistinguishesNewsFromMoreOfTheSame(t *testing.T) {
	about := func(phase ledger.Phase, entry, numbers string) string {
		return newsOf(ledger.Campaign{Phase: phase, EntryHash: entry}, numbersIn(numbers), nil).about
	}
	const (
		approved = ledger.PhaseApproved
		rejected = ledger.PhaseRejected
	)
	for name, test := range map[string]struct {
		first, second string
		same          bool
	}{
		"another number fails alike": {about(approved, "a", "pending failed/not_owned! pending"), about(approved, "a", "pending failed/not_owned! failed/not_owned!"), true},
		"one fails otherwise":        {about(approved, "a", "pending failed/not_owned! pending"), about(approved, "a", "pending failed/not_owned! failed/rejected!"), false},
		"it is attached, then sends": {about(approved, "a", "attached"), about(approved, "a", "sendable"), true},
		"the plan has more":          {about(approved, "a", "attached"), about(approved, "b", "attached attached"), false},
		"the pool has more":          {about(approved, "a", "attached"), about(approved, "a", "attached attached"), false},
		"rejected, another plan":     {about(rejected, "a", "planned"), about(rejected, "b", "planned"), true},
		"approved, then in review":   {about(approved, "a", "attached failed/not_owned!"), about(ledger.PhaseInReview, "a", "attached/campaign_in_review failed/not_owned!"), true},
		"a carrier did not take it":  {about(approved, "a", "attached sendable"), about(approved, "a", "attached/carrier_failed! sendable"), false},
		"rejected, then expired":     {about(rejected, "a", "planned"), about(ledger.PhaseExpired, "a", "planned"), false},
	} {
		t.Run(name, func(t *testing.T) {
			if test.first == "" || (test.first == test.second) != test.same {
				t.Errorf("%q and %q: same %t, want %t", test.first, test.second, test.first == test.second, test.same)
			}
		})
	}
}

// A notice says that no action is needed only if greenlight status says so too.
func TestNewsOf_AgreesWithTheLedgerOnWhoIsNeeded(t *testing.T) {
	for _, phase := range []ledger.Phase{ledger.PhaseApproved, ledger.PhaseInReview, ledger.PhaseUnread} {
		for _, state := range ledger.States() {
			for _, reason := range append(ledger.Reasons(), "") {
				for _, person := range []bool{false, true} {
					n := ledger.Number{Number: "+15551230001", State: state, Reason: reason, NeedsPerson: person}
					beside := ledger.Number{Number: "+15551230000", State: ledger.Sendable}
					v := newsOf(ledger.Campaign{Phase: phase}, []ledger.Number{beside, n}, nil)
					reported := v.kind != "" && v.kind != notice.Completed
					// alarm reports a refused account, once.
					if want := person && !reason.OfAccount(); reported != want {
						t.Errorf("%s, %s (%s): notice %q, and the record says that it needs a person: %t", phase, state, reason, v.kind, person)
					}
					if reported && !strings.Contains(v.text(ledger.Campaign{Phase: phase}), n.Number) {
						t.Errorf("%s, %s (%s): the notice does not name the number", phase, state, reason)
					}
				}
			}
		}
	}
}

func TestNotice_SaysWhatHappenedAndWhatToDo(t *testing.T) {
	c := ledger.Campaign{ID: "C6X6M95", Plan: "spring-promo", Phase: ledger.PhaseApproved}
	text := func(phase ledger.Phase, detail, numbers string) string {
		c.Phase, c.Detail = phase, detail
		return newsOf(c, numbersIn(numbers), nil).text(c)
	}
	many := "sendable" + strings.Repeat(" failed/not_owned!", 40)
	for name, test := range map[string]struct{ got, want string }{
		"completed": {text(ledger.PhaseApproved, "", "sendable attached attached"),
			"Completed: 3 of 3 planned numbers attached to campaign spring-promo (C6X6M95). So far, 1 can send; the carriers are processing the rest. No action is needed."},
		"one": {text(ledger.PhaseApproved, "", "sendable"),
			"Completed: 1 of 1 planned number attached to campaign spring-promo (C6X6M95). No action is needed."},
		"partial": {text(ledger.PhaseApproved, "", "sendable conflict/other_campaign!"),
			"Partly done: 1 of 2 planned numbers attached to campaign spring-promo (C6X6M95). other_campaign (+15551230001): " +
				ledger.OtherCampaign.Advice().Why + " " + ledger.OtherCampaign.Advice().Action + " Run greenlight status for the rest."},
		"rejected": {text(ledger.PhaseRejected, "no\nopt-in.", "planned/campaign_rejected!"),
			"Action needed: 0 of 1 planned number attached to campaign spring-promo (C6X6M95). " + ledger.PhaseRejected.Sentence() + " Telnyx said: no opt-in."},
		"carrier": {text(ledger.PhaseApproved, "", "sendable attached/carrier_failed!"),
			"Action needed: 2 of 2 planned numbers attached to campaign spring-promo (C6X6M95). carrier_failed (+15551230001): " +
				"The number is on the campaign, but a carrier did not accept it. Messages to that carrier are not delivered. Contact Telnyx support about this number and carrier. Run greenlight status for the rest."},
		"stuck": {text(ledger.PhaseApproved, "", "pending/stuck! sendable"),
			"Stuck: 1 of 2 planned numbers attached to campaign spring-promo (C6X6M95). stuck (+15551230000): " +
				ledger.Stuck.Advice().Why + " " + ledger.Stuck.Advice().Action + " Run greenlight status for the rest."},
	} {
		if test.got != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, test.got, test.want)
		}
	}
	got := text(ledger.PhaseApproved, "", many)
	if named := strings.Count(got, "+1555"); named != maxNumbers || !strings.Contains(got, "and 37 more") {
		t.Errorf("%d of 40 numbers are named: %s", named, got)
	}
}
