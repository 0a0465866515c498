package preflight_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"greenlight/internal/assigner"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/preflight"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
)

func TestCheck_FindsNothingWithoutProblems(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*testing.T, *account)
		plan   string
	}{
		"waiting for approval": {nil, springPlan()},
		"approved": {func(_ *testing.T, a *account) {
			c := springCampaign()
			c.CampaignStatus = telnyx.CampaignMNOProvisioned
			a.AddCampaign(c)
		}, springPlan()},
		"on the profile that is named": {nil, springPlan("    messaging_profile_id: " + profileA)},
		"by the TCR id":                {nil, planFor("tcr_campaign_id: "+springTCR, 1, 3)},
		"by its reference":             {nil, planFor("reference_id: spring-2026\n    brand_id: "+brandID, 1, 3)},
		"a long code spelled with hyphen": {func(_ *testing.T, a *account) {
			a.AddNumbers(telnyxsim.Number{PhoneNumber: number(1), MessagingProfileID: profileA, Type: "long-code"})
		}, springPlan()},
		"numbers of the territories": {func(_ *testing.T, a *account) {
			for i, country := range []string{"US", "AS", "GU", "MP", "PR", "VI"} {
				a.AddNumbers(telnyxsim.Number{PhoneNumber: number(1 + i), MessagingProfileID: profileA, CountryCode: country})
			}
		}, planFor("campaign_id: "+springID, 1, 6)},
		"a number pool at T-Mobile":            {changed(func(c *telnyxsim.Campaign) { c.NumberPool = true }), springPlan("    max_numbers: 200")},
		"it is renewed soon":                   {changed(func(c *telnyxsim.Campaign) { c.RenewalAt = time.Now().AddDate(0, 0, 1) }), springPlan()},
		"it ends later":                        {changed(func(c *telnyxsim.Campaign) { c.NoRenewal, c.RenewalAt = true, time.Now().AddDate(0, 0, 31) }), springPlan()},
		"a webhookURL with a slash at its end": {changed(func(c *telnyxsim.Campaign) { c.WebhookURL = ourURL + "/" }), springPlan()},
		"attached already": {func(t *testing.T, a *account) {
			a.attach(t, 1, springID, telnyx.Assigned)
			a.attach(t, 2, springID, telnyx.PendingAssignment)
		}, springPlan()},
		"just enough room": {func(t *testing.T, a *account) {
			a.addNumbers(9, 10, profileA)
			a.attach(t, 9, springID, telnyx.Assigned)
			a.attach(t, 10, springID, telnyx.FailedAssignment)
			a.attach(t, 1, springID, telnyx.Assigned)
		}, springPlan("    max_numbers: 4")},
		"a campaign that is shared with us": {func(_ *testing.T, a *account) {
			a.AddCampaign(telnyxsim.Campaign{TCRID: "CSHARED", Shared: true, WebhookURL: ourURL, CampaignStatus: telnyx.CampaignMNOAccepted})
		}, planFor("tcr_campaign_id: CSHARED", 1, 3)},
		"a pool, of which another entry has one": {func(t *testing.T, a *account) {
			a.attach(t, 1, otherID, telnyx.Assigned)
			a.AddNumbers(telnyxsim.Number{PhoneNumber: number(4), MessagingProfileID: profileA, Type: "tollfree"})
		}, "version: 1\ncampaigns:\n  - name: pool\n    campaign_id: " + springID + "\n    number_pool: " + profileA +
			"\n  - name: other\n    campaign_id: " + otherID + "\n    numbers: [" + number(1) + "]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := springAccount(t)
			if test.change != nil {
				test.change(t, a)
			}
			r := a.check(t, test.plan)
			if !r.Clean || len(r.Findings) != 0 || len(r.Notes) != 0 {
				t.Errorf("got findings %+v and notes %+v, want none", r.Findings, r.Notes)
			}
		})
	}
}

// trouble is a problem and its expected finding.
type trouble struct {
	change func(*testing.T, *account)
	plan   string // springPlan if empty
	code   preflight.Code
	line   int
	words  []string
}

const about = "campaign spring (" + springID + ")"

// changed changes the planned campaign.
func changed(change func(*telnyxsim.Campaign)) func(*testing.T, *account) {
	return func(_ *testing.T, a *account) {
		c := springCampaign()
		change(&c)
		a.AddCampaign(c)
	}
}

func inState(s telnyx.CampaignStatus) func(*testing.T, *account) {
	return changed(func(c *telnyxsim.Campaign) { c.CampaignStatus = s })
}

// second replaces the second planned number.
func second(n telnyxsim.Number) func(*testing.T, *account) {
	n.PhoneNumber = number(2)
	return func(_ *testing.T, a *account) { a.AddNumbers(n) }
}

// attached gives the second number a record.
func attached(campaign string, status telnyx.AssignmentStatus, reason ...string) func(*testing.T, *account) {
	return func(t *testing.T, a *account) { a.attach(t, 2, campaign, status, reason...) }
}

func TestCheck_FindsWhatWouldGoWrongWithACampaign(t *testing.T) {
	t.Parallel()
	findEach(t, map[string]trouble{
		"campaign that is not there": {nil, planFor("campaign_id: nowhere", 1, 3), ledger.CampaignMissing, 3,
			[]string{"campaign spring (nowhere)", "does not have this campaign", "Check the id"}},
		"TCR id that is not there": {nil, planFor("tcr_campaign_id: CNOWHERE", 1, 3), ledger.CampaignMissing, 3,
			[]string{"campaign spring (CNOWHERE)", "does not have this campaign"}},
		"reference that is not there": {nil, planFor("reference_id: spring-2027\n    brand_id: "+brandID, 1, 3), ledger.CampaignMissing, 3,
			[]string{"campaign spring (ref_spring-2027)", "Brand " + brandID + " has no campaign with referenceId spring-2027", "File the campaign"}},
		"campaign of another account": {func(_ *testing.T, a *account) {
			a.Inject(telnyxsim.Fault{PathPrefix: "/10dlc/campaign/", Times: -1, Kind: telnyxsim.StatusFault(403, `{"errors":[{"code":"10010","title":"Authorization failed"}]}`)})
		}, "", ledger.CampaignMissing, 3, []string{about, "10010 Authorization failed"}},
		"id that cannot be read": {func(_ *testing.T, a *account) {
			a.Inject(telnyxsim.Fault{PathPrefix: "/10dlc/campaign/", Times: -1, Kind: telnyxsim.StatusFault(409, `{"errors":[{"code":"10036","title":"Locked"}]}`)})
		}, "", ledger.Unverified, 3, []string{about, "could not be read, so its numbers could not be checked", "10036 Locked"}},
		"mock": {changed(func(c *telnyxsim.Campaign) { c.Mock = true }), "", preflight.CampaignMock, 3, []string{about, "mock campaign"}},
		"mock and provisioned": {changed(func(c *telnyxsim.Campaign) { c.Mock, c.CampaignStatus = true, telnyx.CampaignMNOProvisioned }), "",
			preflight.CampaignMock, 3, []string{about, "mock campaign"}},
		"expired by campaignStatus": {inState(telnyx.CampaignTCRExpired), "", ledger.CampaignExpired, 3, []string{about, "expired", "new id"}},
		"expired by status": {changed(func(c *telnyxsim.Campaign) { c.Status, c.CampaignStatus = "EXPIRED", telnyx.CampaignMNOProvisioned }), "",
			ledger.CampaignExpired, 3, []string{about}},
		"rejected": {changed(func(c *telnyxsim.Campaign) {
			c.CampaignStatus, c.FailureReasons = telnyx.CampaignMNORejected, []byte(`[{"description":"Call-to-action is missing."}]`)
		}), "", ledger.CampaignRejected, 3, []string{about, "rejected (MNO_REJECTED): Call-to-action is missing.", "appeal"}},
		"failed at The Campaign Registry": {inState(telnyx.CampaignTCRFailed), "", ledger.CampaignRejected, 3, []string{about, "(TCR_FAILED)."}},
		"suspended":                       {inState(telnyx.CampaignTCRSuspended), "", ledger.CampaignSuspended, 3, []string{about, "The Campaign Registry has suspended it"}},
		"suspended by T-Mobile while it waits": {changed(func(c *telnyxsim.Campaign) { c.TMobileSuspended = true }), "",
			ledger.CampaignSuspended, 3, []string{about, "T-Mobile has suspended the campaign"}},
		"suspended by T-Mobile": {changed(func(c *telnyxsim.Campaign) {
			c.TMobileSuspended, c.CampaignStatus = true, telnyx.CampaignMNOProvisioned
		}), "",
			ledger.CampaignSuspended, 3, []string{about, "T-Mobile has suspended it"}},
		"in a state that is not known": {inState("MNO_DREAMING"), "", ledger.CampaignUnknown, 3, []string{about, `"MNO_DREAMING"`}},
		"without webhookURL": {changed(func(c *telnyxsim.Campaign) { c.WebhookURL = "" }), "", preflight.NoWebhookURL, 3,
			[]string{about, "has no webhookURL", "/webhooks/telnyx"}},
		"webhookURL on another path": {changed(func(c *telnyxsim.Campaign) { c.WebhookURL = "https://greenlight.example.com/hooks" }), "", preflight.WebhookURL, 3,
			[]string{about, "https://greenlight.example.com/hooks, whose path is not /webhooks/telnyx"}},
		"webhookURL on this machine": {changed(func(c *telnyxsim.Campaign) { c.WebhookURL = "http://localhost:8080/webhooks/telnyx" }), "", preflight.WebhookURL, 3,
			[]string{about, "which is not https, and whose host is not reachable from the internet"}},
		"it ends soon": {changed(func(c *telnyxsim.Campaign) { c.NoRenewal, c.RenewalAt = true, time.Now().AddDate(0, 0, 29) }), "", preflight.ExpiresSoon, 3,
			[]string{about, "The campaign ends on ", "is not renewed (autoRenewal is false)", "switch its renewal on"}},
		"more numbers than fit without a pool": {nil, springPlan("    max_numbers: 200"), preflight.NoNumberPool, 3,
			[]string{about, "max_numbers is 200", "the campaign can have 49"}},
		"planned under two ids": {func(_ *testing.T, a *account) { a.addNumbers(4, 4, profileA) },
			springPlan("  - name: duplicate", "    tcr_campaign_id: "+springTCR, "    numbers: ["+number(4)+"]"), preflight.PlannedTwice, 9,
			[]string{"campaign duplicate (" + springTCR + ")", "Plan spring", springID, "plans/spring.yaml:3:5", "one entry"}},
		"planned by reference too": {func(_ *testing.T, a *account) { a.addNumbers(4, 4, profileA) },
			springPlan("  - name: a-duplicate", "    reference_id: spring-2026", "    brand_id: "+brandID, "    numbers: ["+number(4)+"]"), preflight.PlannedTwice, 9,
			[]string{"campaign a-duplicate (ref_spring-2026)", "Plan spring"}},
		"pool that may not be read": {func(_ *testing.T, a *account) {
			a.Inject(telnyxsim.Fault{PathPrefix: "/phone_numbers/messaging", Times: -1, Kind: telnyxsim.StatusFault(403, `{"errors":[{"code":"10010","title":"Authorization failed"}]}`)})
		}, "version: 1\ncampaigns:\n  - name: spring\n    campaign_id: " + springID + "\n    number_pool: " + profileA + "\n", ledger.Unverified, 3, []string{about, "10010 Authorization failed"}},
		"empty pool": {nil, "version: 1\ncampaigns:\n  - name: spring\n    campaign_id: " + springID + "\n    number_pool: " + profileB + "\n", preflight.EmptyPool, 3,
			[]string{about, profileB, "number_pool"}},
	})
}

func TestCheck_FindsWhatWouldGoWrongWithANumber(t *testing.T) {
	t.Parallel()
	findEach(t, map[string]trouble{
		"number of somebody else": {nil, planFor("campaign_id: "+springID, 1, 4), ledger.NotOwned, 9, []string{"number " + number(4), "does not list", "Order or port"}},
		"toll-free":               {second(telnyxsim.Number{MessagingProfileID: profileA, Type: "toll-free"}), "", ledger.NotLongCode, 7, []string{"number " + number(2), `"toll-free"`}},
		"short code":              {second(telnyxsim.Number{MessagingProfileID: profileA, Type: "shortcode"}), "", ledger.NotLongCode, 7, []string{"number " + number(2), `"shortcode"`}},
		"Canadian":                {second(telnyxsim.Number{MessagingProfileID: profileA, CountryCode: "CA"}), "", ledger.NotLongCode, 7, []string{"number " + number(2), `"CA"`}},
		"on no profile":           {second(telnyxsim.Number{}), "", ledger.NoMessagingProfile, 7, []string{"number " + number(2), "no messaging profile", "Assign a messaging profile"}},
		"on another profile": {second(telnyxsim.Number{MessagingProfileID: profileB}), springPlan("    messaging_profile_id: " + profileA),
			ledger.OtherProfile, 7, []string{"number " + number(2), "It is on messaging profile " + profileB}},
		"on another campaign": {attached(otherID, telnyx.Assigned), "", ledger.OtherCampaign, 7,
			[]string{"number " + number(2), "campaign " + otherID + " (ASSIGNED)", "add " + otherID + " to move_from"}},
		"on its way to another campaign": {attached(otherID, telnyx.PendingAssignment), "", ledger.OtherCampaign, 7,
			[]string{"number " + number(2), "campaign " + otherID + " (PENDING_ASSIGNMENT)"}},
		"on another campaign than move_from": {attached(otherID, telnyx.Assigned), springPlan("    move_from: [C000000]"), ledger.OtherCampaign, 7,
			[]string{"number " + number(2)}},
		"on a campaign of move_from, without a status": {attached(otherID, ""), springPlan("    move_from: [" + otherTCR + "]"), ledger.OtherCampaign, 7,
			[]string{"number " + number(2), "(no status)", "remove it from this plan."}},
		"removal from a campaign of move_from failed": {attached(otherID, telnyx.FailedUnassignment), springPlan("    move_from: [" + otherTCR + "]"), preflight.RemovalFailed, 7,
			[]string{"number " + number(2), "from campaign " + otherID + " (FAILED_UNASSIGNMENT)", "try to move it"}},
		"assignment failed": {attached(springID, telnyx.FailedAssignment, "Number is not enabled for messaging."), "", ledger.CarrierFailed, 7,
			[]string{"number " + number(2), springID + " says FAILED_ASSIGNMENT: Number is not enabled for messaging.", "support"}},
		"removal failed": {attached(springID, telnyx.FailedUnassignment), "", preflight.RemovalFailed, 7,
			[]string{"number " + number(2), "from campaign " + springID + " (FAILED_UNASSIGNMENT)"}},
		"mapping failed": {func(t *testing.T, a *account) {
			c := springCampaign()
			c.CampaignStatus = telnyx.CampaignMNOProvisioned
			a.AddCampaign(c)
			a.FailMapping(number(2), telnyxsim.TMobile)
			_, err := a.client.Assign(t.Context(), number(2), springID)
			must(t, err)
			testkit.Within(t, 10*time.Second, func() error {
				if got := a.Assignments()[0]; got.TMobile != telnyx.MappingFailed || got.NonTMobile != telnyx.MappingAdded {
					return fmt.Errorf("the record is %+v", got)
				}
				return nil
			})
		}, "", ledger.CarrierFailed, 7, []string{"number " + number(2), "T-Mobile FAILED, others ADDED"}},
	})
}

func TestCheck_FindsThatACampaignIsFull(t *testing.T) {
	const pool = "version: 1\ncampaigns:\n  - name: spring\n    campaign_id: " + springID + "\n    number_pool: " + profileA + "\n    max_numbers: 2\n"
	for name, test := range map[string]struct {
		change func(*testing.T, *account)
		plan   string
		line   int // of the number
		words  string
	}{
		"other numbers on it": {func(t *testing.T, a *account) {
			a.addNumbers(8, 9, profileA)
			a.attach(t, 8, springID, telnyx.Assigned)
			a.attach(t, 9, springID, telnyx.PendingUnassignment)
			a.attach(t, 1, springID, telnyx.Assigned)
		}, springPlan("    max_numbers: 4"), 8, "3 numbers and 2 other numbers are already on the campaign, 5 in all; max_numbers allows 4"},
		"a pool that is too large": {nil, pool, 3, "The plan has 3 numbers; max_numbers allows 2."},
		"a sole proprietor's": {changed(func(c *telnyxsim.Campaign) { c.Usecase = "SOLE_PROPRIETOR" }), planFor("campaign_id: "+springID, 2, 3), 7,
			"The plan has 2 numbers; a campaign with use case SOLE_PROPRIETOR can have 1"},
	} {
		t.Run(name, func(t *testing.T) {
			a := springAccount(t)
			if test.change != nil {
				test.change(t, a)
			}
			r := a.check(t, test.plan)
			if len(r.Findings) != 2 || r.Findings[0].Code != ledger.CampaignFull || r.Findings[1].Code != ledger.CampaignFull {
				t.Fatalf("got findings %+v, want the campaign and the number that it has no room for", r.Findings)
			}
			if got := r.Findings[0].Sentence(); !strings.Contains(got, about) || !strings.Contains(got, test.words) {
				t.Errorf("got %q, want it to say %q", got, test.words)
			}
			if got := r.Findings[1]; got.Number != plan.E164(number(3)) || got.Line != test.line {
				t.Errorf("got number %s at %s, want %s on line %d", got.Number, got.Position, number(3), test.line)
			}
		})
	}
}

// findEach checks that each problem is the only finding, with the expected text, and that
// nothing was written.
func findEach(t *testing.T, troubles map[string]trouble) {
	t.Helper()
	for name, test := range troubles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := springAccount(t)
			if test.change != nil {
				test.change(t, a)
			}
			if test.plan == "" {
				test.plan = springPlan()
			}
			before := len(a.Writes())
			r := a.check(t, test.plan)
			if r.Clean || len(r.Findings) != 1 {
				t.Fatalf("got %d findings, want one: %+v", len(r.Findings), r.Findings)
			}
			f := r.Findings[0]
			if f.Code != test.code || f.Line != test.line || f.File != "plans/spring.yaml" {
				t.Errorf("got %s at %s, want %s on line %d", f.Code, f.Position, test.code, test.line)
			}
			for _, words := range test.words {
				if !strings.Contains(f.Sentence(), words) {
					t.Errorf("got %q, want it to say %q", f.Sentence(), words)
				}
			}
			if strings.Contains(test.plan, otherTCR) && strings.Contains(f.Fix, "move_from") {
				t.Errorf("got %q, although the plan has it under move_from", f.Fix)
			}
			if writes := a.Writes(); len(writes) != before {
				t.Errorf("it wrote: %+v", writes[before:])
			}
		})
	}
}

func TestCheck_SaysWhatGreenlightWillDoBesides(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*testing.T, *account)
		more   string
		want   preflight.Note
	}{
		"move": {func(t *testing.T, a *account) { a.attach(t, 2, otherID, telnyx.Assigned) }, "    move_from: [" + otherTCR + "]",
			preflight.Note{Code: preflight.WillMove, Subject: otherID}},
		"move when it has arrived": {func(t *testing.T, a *account) { a.attach(t, 2, otherID, telnyx.PendingAssignment) }, "    move_from: [" + otherID + "]",
			preflight.Note{Code: preflight.WillMoveLater, Subject: otherID}},
		"attach when it has left": {func(t *testing.T, a *account) { a.attach(t, 2, otherID, telnyx.PendingUnassignment) }, "",
			preflight.Note{Code: preflight.WillAttachLater, Subject: otherID}},
		"set the profile": {func(_ *testing.T, a *account) { a.AddNumbers(telnyxsim.Number{PhoneNumber: number(2)}) }, "    messaging_profile_id: " + profileA,
			preflight.Note{Code: preflight.WillSetProfile, Subject: profileA}},
		"failed on another campaign": {func(t *testing.T, a *account) { a.attach(t, 2, otherID, telnyx.FailedAssignment) }, "",
			preflight.Note{Code: preflight.FailedElsewhere, Subject: otherID}},
	} {
		t.Run(name, func(t *testing.T) {
			a := springAccount(t)
			test.change(t, a)
			test.want.Plan, test.want.CampaignID, test.want.Number = "spring", springID, plan.E164(number(2))
			r := a.check(t, springPlan(test.more))
			if diff := cmp.Diff([]preflight.Note{test.want}, r.Notes); diff != "" || !r.Clean {
				t.Errorf("got findings %+v, and notes (-want +got):\n%s", r.Findings, diff)
			}
		})
	}
}

// A number that is being removed from or assigned to another campaign is attached later, and
// then gets the plan's profile.
func TestCheck_SaysThatTheProfileIsSetLaterToo(t *testing.T) {
	for name, test := range map[string]struct {
		status telnyx.AssignmentStatus
		notes  []preflight.NoteCode
	}{
		"off a campaign": {telnyx.PendingUnassignment, []preflight.NoteCode{preflight.WillSetProfile, preflight.WillAttachLater}},
		"to a campaign":  {telnyx.PendingAssignment, []preflight.NoteCode{preflight.WillSetProfile, preflight.WillMoveLater}},
	} {
		t.Run(name, func(t *testing.T) {
			a := springAccount(t)
			a.AddNumbers(telnyxsim.Number{PhoneNumber: number(2)}) // on no profile
			a.attach(t, 2, otherID, test.status)
			r := a.check(t, springPlan("    messaging_profile_id: "+profileA, "    move_from: ["+otherTCR+"]"))
			var notes []preflight.NoteCode
			for _, note := range r.Notes {
				notes = append(notes, note.Code)
			}
			if diff := cmp.Diff(test.notes, notes); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
			if !r.Clean {
				t.Errorf("got findings %+v, want none", r.Findings)
			}
		})
	}
}

func TestCheck_ShowsTheRoomAndTheWebhookOfEachCampaign(t *testing.T) {
	a := springAccount(t)
	a.addNumbers(9, 9, profileA)
	a.attach(t, 9, springID, telnyx.Assigned)
	r := a.check(t, springPlan())
	want := []preflight.Campaign{{
		Plan: "spring", ID: springID, CampaignID: springID, TCRCampaignID: springTCR, Phase: ledger.PhaseInReview,
		Status: telnyx.CampaignMNOPending, WebhookURL: ourURL, Planned: 3, Others: 1, MaxNumbers: plan.DefaultMaxNumbers,
	}}
	if diff := cmp.Diff(want, r.Campaigns); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A number has one finding, with the reason that the assigner would give it.
func TestCheck_HidesNoFindingBehindAnother(t *testing.T) {
	t.Parallel()
	a := newAccount(t, telnyxsim.Options{})
	a.AddCampaign(telnyxsim.Campaign{ID: otherID})
	a.AddCampaign(telnyxsim.Campaign{ID: springID, Mock: true, CampaignStatus: telnyx.CampaignTCRFailed, TMobileSuspended: true})
	a.AddNumbers(telnyxsim.Number{PhoneNumber: number(1), Type: "tollfree"})
	a.attach(t, 1, otherID, telnyx.Assigned)
	r := a.check(t, planFor("campaign_id: "+springID, 1, 2, "    max_numbers: 2"))
	var got []preflight.Code
	for _, f := range r.Findings {
		got = append(got, f.Code)
	}
	want := []preflight.Code{
		ledger.CampaignRejected, ledger.CampaignSuspended, preflight.CampaignMock, preflight.NoWebhookURL,
		ledger.OtherCampaign, ledger.NotOwned,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCheck_SortsFindingsByPlace(t *testing.T) {
	t.Parallel()
	a := newAccount(t, telnyxsim.Options{})
	text := "version: 1\ncampaigns:\n" +
		"  - name: b\n    campaign_id: b\n    numbers: [" + number(9) + ", " + number(1) + "]\n" +
		"  - name: a\n    campaign_id: a\n    numbers:\n    - " + number(5) + "\n"
	var got []string
	for _, f := range a.check(t, text).Findings {
		got = append(got, strings.TrimPrefix(f.Position.String(), "plans/spring.yaml:")+" "+f.What)
	}
	want := []string{"3:5 campaign b (b)", "5:15 number " + number(9), "5:29 number " + number(1), "6:5 campaign a (a)", "9:7 number " + number(5)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCheck_JudgesEachSetByItself(t *testing.T) {
	t.Parallel()
	a := springAccount(t)
	reports, err := preflight.Check(t.Context(), a.client, 8, "", load(t, springPlan()), load(t, planFor("tcr_campaign_id: "+springTCR, 3, 4)))
	must(t, err)
	if !reports[0].Clean || len(reports[1].Findings) != 1 || reports[1].Findings[0].Code != ledger.NotOwned {
		t.Errorf("got %+v, want nothing about the first set and one thing about the second", reports)
	}
	// The list and an empty page at its end, twice because a number is missing.
	if got := a.Calls()["GET /phone_numbers/messaging"]; got > 4 {
		t.Errorf("got %d calls for settings, want at most 4 for both sets", got)
	}
}

// methods records the methods of requests.
type methods struct {
	next http.RoundTripper
	mu   sync.Mutex
	seen map[string]int
}

func (m *methods) RoundTrip(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	m.seen[r.Method]++
	m.mu.Unlock()
	return m.next.RoundTrip(r)
}

func TestCheck_OnlyReads(t *testing.T) {
	a := springAccount(t)
	a.attach(t, 1, otherID, telnyx.Assigned)
	a.AddNumbers(telnyxsim.Number{PhoneNumber: number(2)})
	seen := &methods{next: a.client.HTTPClient.Transport, seen: map[string]int{}}
	a.client.HTTPClient.Transport = seen
	r := a.check(t, springPlan("    move_from: ["+otherID+"]", "    messaging_profile_id: "+profileA))
	if len(r.Notes) != 2 {
		t.Errorf("got notes %+v, want a move and a profile", r.Notes)
	}
	if len(seen.seen) != 1 || seen.seen["GET"] != a.calls() {
		t.Errorf("it sent %v", seen.seen)
	}
	if writes := a.Writes(); len(writes) != 0 {
		t.Errorf("it wrote: %+v", writes)
	}
}

func TestCheck_SaysWhyTelnyxCouldNotBeAsked(t *testing.T) {
	t.Parallel()
	always := func(kind telnyxsim.FaultKind) func(*account) {
		return func(a *account) { a.Inject(telnyxsim.Fault{Times: -1, Kind: kind}) }
	}
	forbidden := telnyxsim.StatusFault(403, `{"errors":[{"code":"10010","title":"Authorization failed"}]}`)
	for name, test := range map[string]struct {
		change func(*account)
		words  []string
	}{
		"the key is refused": {func(a *account) { a.client.APIKey = "KEY9999999999_an0ther" }, []string{"Telnyx refuses the API key.", "TELNYX_API_KEY", "401", springID}},
		"the key may not": {always(telnyxsim.StatusFault(403, `{"errors":[{"code":"10010","title":"Authorization failed"}]}`)),
			[]string{"Telnyx refuses the API key.", "10010"}},
		"the key is unknown": {always(telnyxsim.StatusFault(403, `{"errors":[{"code":"10009","title":"Authentication failed"}]}`)),
			[]string{"Telnyx refuses the API key.", "10009"}},
		"the account may not": {always(telnyxsim.StatusFault(403, `{"errors":[{"code":"20013","title":"Account blocked"}]}`)), []string{"balance", "20013 Account blocked"}},
		"no server":           {func(a *account) { a.client.BaseURL = "http://127.0.0.1:1/v2" }, []string{"Telnyx did not answer", "TELNYX_BASE_URL", "refused"}},
		"a gateway answers":   {always(telnyxsim.HTML502()), []string{"Telnyx did not answer", "502"}},
		"too many requests":   {always(telnyxsim.RateLimited(time.Minute)), []string{"fewer requests", "again in a minute", "429"}},
		"the key is refused on a list": {func(a *account) {
			a.Inject(telnyxsim.Fault{PathPrefix: "/phone_numbers", Times: -1, Kind: forbidden})
			a.Inject(telnyxsim.Fault{PathPrefix: "/10dlc/brand", Times: -1, Kind: forbidden})
		}, []string{"Telnyx refuses the API key.", "10010", "settings"}},
		"a list is refused, and the key works": {func(a *account) {
			a.Inject(telnyxsim.Fault{PathPrefix: "/phone_numbers", Times: -1, Kind: forbidden})
		}, []string{"does not document", "permissions of the key's user", "10010", "settings"}},
		"settings are refused": {func(a *account) {
			a.Inject(telnyxsim.Fault{PathPrefix: "/phone_numbers", Times: -1, Kind: telnyxsim.StatusFault(418, `{}`)})
		}, []string{"does not document", "418", "settings"}},
		"records are refused": {func(a *account) {
			a.Inject(telnyxsim.Fault{PathPrefix: "/10dlc/phone_number_campaigns", Times: -1, Kind: telnyxsim.StatusFault(418, `{}`)})
		}, []string{"does not document", "418", "assignments"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := springAccount(t)
			test.change(a)
			_, err := preflight.Check(t.Context(), a.client, 8, "", load(t, springPlan()))
			if err == nil {
				t.Fatal("got no error")
			}
			err = preflight.Explain(t.Context(), err)
			for _, words := range test.words {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("got %q, want it to say %q", err, words)
				}
			}
			if refused := errors.Is(err, assigner.ErrKeyRefused); refused != strings.Contains(err.Error(), "refuses the API key") {
				t.Errorf("got %q, which matches ErrKeyRefused: %t", err, refused)
			}
			if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "an0ther") || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %q, want one line without the key", err)
			}
		})
	}
}

// An address at which nothing answers is found out by one call, however many campaigns are
// planned, and by those under way if it is lost meanwhile.
func TestCheck_AsksADeadAddressOnce(t *testing.T) {
	const campaigns, concurrency, attempts = 60, 8, 3
	var text strings.Builder
	text.WriteString("version: 1\ncampaigns:\n")
	for i := range campaigns {
		fmt.Fprintf(&text, "  - {name: c%d, campaign_id: 751c6a5c-907b-43a9-8ada-ba1dc8335b%02d, numbers: [\"%s\"]}\n", i, i, number(i))
	}
	set, err := plan.LoadBytes("plan.yaml", []byte(text.String()))
	must(t, err)
	for name, test := range map[string]struct{ answered, most int64 }{"from the start": {0, attempts}, "later": {20, attempts * concurrency}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls atomic.Int64
				client := &telnyx.Client{APIKey: key, HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					if calls.Add(1) > test.answered {
						return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
					}
					body := fmt.Sprintf(`{"campaignId":%q,"campaignStatus":"MNO_PENDING"}`, path.Base(r.URL.Path))
					return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
				})}}
				_, err := preflight.Check(t.Context(), client, concurrency, "", set)
				if err == nil || !strings.Contains(err.Error(), "connection refused") {
					t.Errorf("got %v, want that the connection is refused", err)
				}
				if got := calls.Load() - test.answered; got > test.most {
					t.Errorf("%d attempts at a dead address, want at most %d", got, test.most)
				}
			})
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestCheck_StopsWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	a := springAccount(t)
	a.Inject(telnyxsim.Fault{Times: -1, Kind: telnyxsim.Hang()})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := preflight.Check(ctx, a.client, 8, "", load(t, springPlan()))
	err = preflight.Explain(ctx, err)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("got %v, want that it was interrupted", err)
	}
}

// An error that says what was done so far is not replaced because the command was stopped.
// At a wrong base URL a list could seem to be empty.
func TestExplain_SaysThatTheBaseURLIsWrong(t *testing.T) {
	t.Parallel()
	a := springAccount(t)
	a.Inject(telnyxsim.Fault{Times: -1, Kind: telnyxsim.StatusFault(404, `{"errors":[{"code":"10005","title":"Resource not found"}]}`)})
	_, err := a.client.Assignments(t.Context(), 0)
	got := fmt.Sprint(preflight.Explain(t.Context(), err))
	for _, words := range []string{"Every request is answered 404", "TELNYX_BASE_URL", telnyx.DefaultBaseURL} {
		if !strings.Contains(got, words) {
			t.Errorf("got %q, want %q in it", got, words)
		}
	}
}

func TestExplain_KeepsWhatAnInterruptedCommandSays(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancelCause(t.Context())
	cause := fmt.Errorf("interrupt signal received: %w", context.Canceled) // as that of a signal
	stop(cause)
	const unfinished = "the restore is not complete, and Greenlight waits until it is repeated"
	for _, ended := range []error{ctx.Err(), cause} {
		err := preflight.Explain(ctx, fmt.Errorf("%s: %w", unfinished, ended))
		if got := err.Error(); !strings.Contains(got, "interrupted") || !strings.Contains(got, unfinished) {
			t.Errorf("got %q, want it to say that it was interrupted, and %q", got, unfinished)
		}
	}
	if err := preflight.Explain(ctx, nil); err != nil {
		t.Errorf("no error: got %v", err)
	}
}
