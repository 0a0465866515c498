package assigner

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// largeAccount adds so many assigned numbers that the account's list is not read for a few
// planned ones.
func largeAccount(r *rig) {
	for i := range (sparePages + 2) * rowsPerPage {
		number := fmt.Sprintf("+1313555%04d", i)
		r.sim.AddNumbers(telnyxsim.Number{PhoneNumber: number, MessagingProfileID: testProfile})
		r.must(r.sim.AttachNumber(number, otherCampaign, telnyx.Assigned))
	}
}

func TestObserve_ReadsRecordsOneByOneWhereTheListIsLong(t *testing.T) {
	t.Parallel()
	numbers := numbered(5)
	for name, tt := range map[string]struct {
		answer telnyxsim.FaultKind
	}{
		"500 for ever":             {telnyxsim.StatusFault(500, `{"errors":[{"code":"10007","title":"Unexpected error"}]}`)},
		"a 404 of something else":  {telnyxsim.StatusFault(404, `<html>not found</html>`)},
		"a 404 in another wording": {telnyxsim.StatusFault(404, `{"message":"no Route matched with those values"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never, MaxNumbersPerCampaign: 5000}, len(numbers))
			largeAccount(r)
			r.sim.Inject(telnyxsim.Fault{Method: "GET", PathPrefix: strings.TrimPrefix(recordsPath, "/v2") + "/" + numbers[0], Times: -1, Kind: tt.answer})
			for range 3 {
				r.reconcile(testCampaign)
				if n := r.number(numbers[0]); n.State != ledger.Planned || n.Reason != ledger.Unverified || n.Detail == "" || n.NextAt.IsZero() {
					t.Fatalf("got %+v, want it unverified", n)
				}
				r.wantRequests("the others", numbers[1:]...)
				r.advance(time.Minute)
			}
			if pages := r.sim.Calls()["GET /10dlc/phone_number_campaigns"]; pages > 30 {
				t.Errorf("%d pages of the list were read", pages)
			}
			r.sim.ClearFaults()
			r.reconcile(testCampaign)
			r.wantRequests("once it can be read", numbers...)
		})
	}
}

// What was proven about a number is kept when its record cannot be read.
func TestObserve_UnreadableRecordKeepsWhatWasProven(t *testing.T) {
	t.Parallel()
	number := numbered(1)[0]
	r := newRig(t, telnyxsim.Options{}, 1)
	largeAccount(r)
	r.must(r.sim.AttachNumber(number, testCampaign, telnyx.Assigned))
	r.reconcile(testCampaign)
	if got := r.number(number).State; got != ledger.Sendable && got != ledger.Attached {
		t.Fatalf("it is %s, want it attached", got)
	}
	proven := r.number(number).State
	for _, list := range []string{"/10dlc/phone_number_campaigns/" + number} {
		r.sim.Inject(telnyxsim.Fault{Method: "GET", PathPrefix: list, Times: -1, Kind: telnyxsim.StatusFault(500, "{}")})
	}
	// The campaign's own list does not show it.
	r.sim.Inject(telnyxsim.Fault{Method: "GET", PathPrefix: "/10dlc/phone_number_campaigns", Times: -1,
		Kind: telnyxsim.StatusFault(200, `{"records":[],"page":1,"totalRecords":0}`)})
	r.advance(time.Hour)
	r.reconcile(testCampaign)
	if n := r.number(number); n.State != proven || len(r.sim.Writes()) != 0 {
		t.Errorf("got %s (%s) and %d requests, want it %s and none", n.State, n.Reason, len(r.sim.Writes()), proven)
	}
}

// A broken answer about a number proves nothing, even if a list does not show the number. No
// attached number is requested again.
func TestObserve_BrokenRecordProvesNothing(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]telnyxsim.FaultKind{
		"cut in half": telnyxsim.TruncatedBody(), "not JSON": telnyxsim.UnreadableJSON(), "502": telnyxsim.HTML502(), "reset": telnyxsim.Reset(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			number := numbered(1)[0]
			r := newRig(t, telnyxsim.Options{}, 1)
			r.reconcile(testCampaign)
			r.wantRequests("at first", number)
			r.sim.Inject(telnyxsim.Fault{Method: "GET", PathPrefix: strings.TrimPrefix(recordsPath, "/v2") + "/" + number, Times: -1, Kind: broken})
			r.sim.Inject(telnyxsim.Fault{Method: "GET", PathPrefix: strings.TrimPrefix(recordsPath, "/v2"), Times: -1,
				Kind: telnyxsim.StatusFault(200, `{"records":[],"page":1,"totalRecords":0}`)})
			for range 3 {
				r.advance(time.Hour)
				_ = r.tryReconcile(t.Context(), testCampaign)
			}
			r.wantRequests("after answers that are broken", number)
		})
	}
}

// Queued numbers have an estimated time. That does not set the time of the next reconcile:
// another number may need it sooner.
func TestReconcile_IsScheduledByTheNumberThatNeedsItFirst(t *testing.T) {
	t.Parallel()
	numbers := numbered(40)
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never, MaxNumbersPerCampaign: 5000}, len(numbers))
	r.plan(listed("staged", testCampaign, append(numbers, "+13135559999")...)) // the last one is not owned
	r.reconcile(testCampaign)
	if got, want := r.campaign(testCampaign).NextAt, r.a.now().Add(soon); !got.Equal(want) {
		t.Errorf("the next reconcile is at %s, want %s", got, want)
	}
}

// A number that leaves the plan while its campaign is in review leaves the ledger.
func TestReconcile_DropsWhatLeftThePlanInReview(t *testing.T) {
	t.Parallel()
	numbers := numbered(2)
	r := newRig(t, telnyxsim.Options{}, len(numbers))
	r.must(r.sim.SetCampaignStatus(testCampaign, telnyx.CampaignMNOPending))
	r.reconcile(testCampaign)
	r.plan(listed("staged", testCampaign, numbers[0]))
	r.reconcile(testCampaign)
	known, err := r.a.ledger.Numbers(t.Context(), testCampaign)
	r.must(err)
	if _, left := known[numbers[1]]; left || len(known) != 1 {
		t.Errorf("got %d records, want that of %s alone", len(known), numbers[0])
	}
}

// Whether a number with an unpublished status counts as attached is decided by plan.Diff.
func TestLiveOn_FollowsTheDecisionTable(t *testing.T) {
	t.Parallel()
	numbers := numbered(3)
	c := telnyx.Campaign{CampaignID: testCampaign}
	q := question{campaign: c}
	var records []telnyx.Assignment
	for i, status := range []telnyx.AssignmentStatus{telnyx.Assigned, "ASSIGNMENT_FAILED", telnyx.FailedAssignment} {
		q.want.Numbers = append(q.want.Numbers, plan.E164(numbers[i]))
		records = append(records, telnyx.Assignment{PhoneNumber: numbers[i], CampaignID: testCampaign, AssignmentStatus: status})
	}
	records = append(records, telnyx.Assignment{PhoneNumber: "+13135550000", CampaignID: testCampaign, AssignmentStatus: telnyx.PendingAssignment})
	if got := liveOn(c, plan.Diff(q.want, c, records)); got != 2 {
		t.Errorf("got %d live numbers, want the attached one and the one that is not planned", got)
	}
	if got := q.withoutRecord(records); len(got) != 2 {
		t.Errorf("got %v, want the two that failed", got)
	}
}

// Where no filter works, the settings of a large account's numbers are kept for minutes.
// Whether a number needs a person is not decided by them.
func TestObserve_AVerdictThatNeedsAPersonRestsOnAFreshRead(t *testing.T) {
	t.Parallel()
	const another = "7fd98fca-0abf-4c2d-b6ae-4b5e4b8f0000"
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never, Dialect: telnyxsim.Dialect{NumberFilter: telnyxsim.FilterNothing}}, 1_100)
	number := "+12135550000"
	r.sim.AddMessagingProfiles(another)
	r.sim.AddNumbers(telnyxsim.Number{PhoneNumber: number, MessagingProfileID: another})
	r.plan(listed("x", testCampaign, number) + "  messaging_profile_id: " + testProfile + "\n")
	r.reconcile(testCampaign)
	if n := r.number(number); n.Reason != ledger.OtherProfile {
		t.Fatalf("got %+v, want it on another profile", n)
	}
	person := &telnyx.Client{APIKey: "key", BaseURL: r.config.Telnyx.BaseURL}
	_, err := person.SetMessagingProfile(r.Context(), telnyx.Number{PhoneNumber: number}, testProfile)
	r.must(err)
	r.reconcile(testCampaign)
	if n := r.number(number); n.State != ledger.Pending {
		t.Errorf("got %+v, want it attached: it is on the plan's profile now", n)
	}
}
