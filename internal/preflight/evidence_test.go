package preflight_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"greenlight/internal/assigner"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/preflight"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// largeAccount has so many records that those of a small plan are read one by one.
func largeAccount(t *testing.T) *account {
	t.Helper()
	a := springAccount(t)
	a.addNumbers(1001, 2300, profileA)
	a.attachAll(t, 1001, 2300, otherID)
	return a
}

func TestCheck_ANumberWhoseRecordCannotBeReadIsUnverified(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		kind telnyxsim.FaultKind
		says string
	}{
		"404 of something else": {telnyxsim.StatusFault(404, `{"detail":"Not Found"}`), "404 Not Found"},
		"500 for ever":          {telnyxsim.StatusFault(500, `{"errors":[{"code":"10007","title":"Unexpected error"}]}`), "10007 Unexpected error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := largeAccount(t)
			a.Inject(telnyxsim.Fault{Times: -1, Kind: test.kind, Match: func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, number(2)) }})
			r := a.check(t, planFor("campaign_id: "+springID, 1, 4)) // the account does not have the fourth
			if r.Clean || len(r.Findings) != 2 {
				t.Fatalf("got findings %+v, want one of number 2 and one of number 4", r.Findings)
			}
			unread, absent := r.Findings[0], r.Findings[1]
			if unread.Code != ledger.Unverified || unread.Number != plan.E164(number(2)) || unread.Line != 7 {
				t.Errorf("got %s of %s at %s, want %s of %s", unread.Code, unread.Number, unread.Position, ledger.Unverified, number(2))
			}
			for _, words := range []string{"do not yet prove", test.says, "Run this again"} {
				if got := unread.Sentence(); !strings.Contains(got, words) {
					t.Errorf("got %q, want it to say %q", got, words)
				}
			}
			if absent.Code != ledger.NotOwned || absent.Number != plan.E164(number(4)) {
				t.Errorf("got %s of %s, want %s of %s", absent.Code, absent.Number, ledger.NotOwned, number(4))
			}
		})
	}
}

// A campaign that cannot be read is a finding; the others are still checked.
func TestCheck_ACampaignThatCannotBeReadIsUnverified(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]telnyxsim.FaultKind{
		"500 for ever":          telnyxsim.StatusFault(500, `{"errors":[{"code":"10007","title":"Unexpected error"}]}`),
		"404 of something else": telnyxsim.StatusFault(404, `{"detail":"Not Found"}`),
		"an odd answer":         telnyxsim.StatusFault(200, `{"campaign":"none"}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := springAccount(t)
			a.attach(t, 3, otherID, telnyx.Assigned)
			a.Inject(telnyxsim.Fault{Times: -1, Kind: kind, PathPrefix: "/10dlc/campaign/" + otherID})
			text := planFor("campaign_id: "+springID, 1, 2) + "  - name: other\n    campaign_id: " + otherID + "\n    numbers: [\"" + number(3) + "\", \"" + number(4) + "\"]\n"
			r := a.check(t, text)
			if r.Clean || len(r.Findings) != 1 {
				t.Fatalf("got findings %+v, want one, of campaign other", r.Findings)
			}
			got := r.Findings[0]
			if got.Code != ledger.Unverified || got.Plan != "other" || got.Number != "" || !strings.Contains(got.Why, "could not be read") {
				t.Errorf("got %s of %s: %q, want %s of campaign other", got.Code, got.What, got.Why, ledger.Unverified)
			}
			if phases := []ledger.Phase{r.Campaigns[0].Phase, r.Campaigns[1].Phase}; phases[0] != ledger.PhaseUnread || phases[1] != ledger.PhaseInReview {
				t.Errorf("got phases %v, want other unread and spring in review", phases)
			}
		})
	}
}

// If no campaign can be read, there is no report.
func TestCheck_FailsWhenNoCampaignCanBeRead(t *testing.T) {
	t.Parallel()
	a := springAccount(t)
	a.Inject(telnyxsim.Fault{Times: -1, Kind: telnyxsim.StatusFault(500, `{}`), PathPrefix: "/10dlc/campaign/"})
	text := planFor("campaign_id: "+springID, 1, 2) + "  - name: other\n    campaign_id: " + otherID + "\n    numbers: [\"" + number(3) + "\"]\n"
	_, err := preflight.Check(t.Context(), a.client, 8, "", load(t, text))
	err = preflight.Explain(t.Context(), err)
	if err == nil || !strings.Contains(err.Error(), "Telnyx did not answer") || !strings.Contains(err.Error(), "500") {
		t.Errorf("got %v, want that Telnyx did not answer", err)
	}
}

// An empty pool proves nothing unless the query is known to work.
func TestCheck_APoolThatMayNotBeEmptyIsUnverified(t *testing.T) {
	t.Parallel()
	a := largeAccount(t)
	a.Inject(telnyxsim.Fault{Times: -1, Kind: telnyxsim.StatusFault(200, `{"data":[]}`), Match: func(r *http.Request) bool {
		return r.URL.Query().Has("filter[messaging_profile_id]") || strings.HasPrefix(r.URL.Path, "/v2/messaging_profiles/")
	}})
	r := a.check(t, "version: 1\ncampaigns:\n  - name: spring\n    campaign_id: "+springID+"\n    number_pool: "+profileB+"\n")
	if len(r.Findings) != 1 || r.Findings[0].Code != ledger.Unverified || !strings.Contains(r.Findings[0].Why, profileB) {
		t.Errorf("got findings %+v, want an unverified pool", r.Findings)
	}
}

// A number that is in the second answer but not in the first is not reported.
func TestCheck_BelievesAbsenceOnlyTwice(t *testing.T) {
	t.Parallel()
	a := springAccount(t)
	a.Inject(telnyxsim.Fault{PathPrefix: "/phone_numbers/messaging", Kind: telnyxsim.StatusFault(200, `{"data":[],"meta":{"page_number":1,"page_size":250,"total_pages":1,"total_results":0}}`)})
	if r := a.check(t, springPlan()); !r.Clean {
		t.Errorf("got findings %+v, want none", r.Findings)
	}
}

// The finding about a number is the reason that the assigner would decide.
func TestCheck_UsesTheReasonsOfDecide(t *testing.T) {
	t.Parallel()
	owned := telnyx.Number{PhoneNumber: number(2), MessagingProfileID: profileA}
	with := func(change func(*telnyx.Number)) telnyx.Number {
		n := owned
		change(&n)
		return n
	}
	on := func(campaign string, status telnyx.AssignmentStatus) *telnyx.Assignment {
		return &telnyx.Assignment{PhoneNumber: number(2), CampaignID: campaign, AssignmentStatus: status}
	}
	for want, test := range map[ledger.Reason]struct {
		change func(*testing.T, *account)
		more   string // of the plan
		facts  assigner.Case
	}{
		ledger.NotOwned: {nil, "", assigner.Case{
			Ownership: assigner.NotOnAccount, AbsentAt: time.Now(), Record: ledger.Number{Tries: ledger.Tries{Absent: 1}},
		}},
		ledger.NotLongCode: {second(telnyxsim.Number{MessagingProfileID: profileA, Type: "toll_free"}), "", assigner.Case{
			Ownership: assigner.Owned, Account: with(func(n *telnyx.Number) { n.Type = "toll_free" }),
		}},
		ledger.NotActive: {func(_ *testing.T, a *account) {
			statuses(a, `{"data":[{"phone_number":"`+number(2)+`","status":"ported_out"}]}`)
		}, "", assigner.Case{
			Ownership: assigner.Owned, Account: with(func(n *telnyx.Number) { n.Status = "ported_out" }),
		}},
		ledger.NoMessagingProfile: {second(telnyxsim.Number{}), "", assigner.Case{
			Ownership: assigner.Owned, Account: with(func(n *telnyx.Number) { n.MessagingProfileID = "" }),
		}},
		ledger.OtherProfile: {second(telnyxsim.Number{MessagingProfileID: profileB}), "    messaging_profile_id: " + profileA, assigner.Case{
			Ownership: assigner.Owned, Account: with(func(n *telnyx.Number) { n.MessagingProfileID = profileB }),
		}},
		ledger.OtherCampaign: {attached(otherID, telnyx.Assigned), "", assigner.Case{
			Change: plan.Change{Action: plan.Conflict, Record: on(otherID, telnyx.Assigned)},
		}},
		ledger.CampaignFull: {func(t *testing.T, a *account) {
			a.addNumbers(8, 10, profileA)
			for _, i := range []int{1, 8, 9, 10} {
				a.attach(t, i, springID, telnyx.Assigned)
			}
		}, "    max_numbers: 4", assigner.Case{Ownership: assigner.Owned, Account: owned, NoRoom: "full"}},
		ledger.Unverified: {func(_ *testing.T, a *account) {
			a.Inject(telnyxsim.Fault{Times: -1, Kind: telnyxsim.StatusFault(500, `{}`), Match: func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, number(2)) }})
		}, "", assigner.Case{RecordUnknown: "it cannot be read"}},
	} {
		t.Run(string(want), func(t *testing.T) {
			t.Parallel()
			a, about, last := largeAccount(t), plan.E164(number(2)), 3
			if test.change != nil {
				test.change(t, a)
			}
			if want == ledger.NotOwned {
				about, last = plan.E164(number(4)), 4 // which the account does not have
			}
			text := planFor("campaign_id: "+springID, 1, last, test.more)

			c := test.facts
			entry := load(t, text).Campaigns[0]
			c.Entry, c.EntryHash, c.Phase, c.Now = entry, entry.Hash(), ledger.PhaseApproved, time.Now()
			c.Campaign, c.Change.Number, c.Record.EntryHash = telnyx.Campaign{CampaignID: springID}, about, entry.Hash()
			if c.Change.Action == "" {
				c.Change.Action = plan.Attach
			}
			decided := assigner.Decide(c).Record
			if decided.Reason != want {
				t.Errorf("decide: got %s, want %s", decided.Reason, want)
			}

			var found []preflight.Code
			for _, f := range a.check(t, text).Findings {
				if f.Number == about {
					found = append(found, f.Code)
				}
			}
			if len(found) != 1 || found[0] != preflight.Code(want) {
				t.Errorf("preflight: got %v, want %s", found, want)
			}

			forecasts, err := assigner.ForecastPlans(t.Context(), assigner.NewObserver(a.client, 8), load(t, text))
			must(t, err)
			for _, n := range forecasts[0][0].Numbers {
				got := n.Decision.Record
				if n.Number == about && (got.Reason != decided.Reason || got.State != decided.State || got.NeedsPerson != decided.NeedsPerson) {
					t.Errorf("forecast: got %s, want %s", got.StateAndReason(), decided.StateAndReason())
				}
			}
		})
	}
}

// statuses replaces the answer to the list of the account's numbers.
func statuses(a *account, body string) {
	a.Inject(telnyxsim.Fault{Times: -1, Kind: telnyxsim.StatusFault(200, body), Match: func(r *http.Request) bool { return r.URL.Path == "/v2/phone_numbers" }})
}
