package endtoend_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/webhook"
)

const numbers = "+15551234567 +15551234568 +15551234569 +12125550142 +12125550143"

func TestApproval_EndsWithEveryNumberSendable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{AssignDelay: 50 * time.Millisecond, MappingDelay: 50 * time.Millisecond})
	w.stage(campaignID + ": " + numbers)
	w.campaign(campaignID, telnyx.CampaignTCRPending)
	w.start()
	w.phase(campaignID, ledger.PhaseInReview)
	w.reaches(campaignID, ledger.Planned)
	w.must(w.sim.Walk(t.Context(), campaignID, time.Millisecond))
	w.reaches(campaignID, ledger.Sendable)
	w.onePost(campaignID)
	w.provisionedOnly()
}

func TestLostDeliveries_LoseNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	w.config.Resync = time.Second
	w.sim.DropDeliveries(true)
	w.stage(campaignID + ": " + numbers)
	w.campaign(campaignID, telnyx.CampaignMNOPending)
	w.start()
	w.phase(campaignID, ledger.PhaseInReview)
	w.must(w.sim.Approve(campaignID))
	w.reaches(campaignID, ledger.Sendable)
	w.onePost(campaignID)
	if calls := w.hookCalls(); calls != 0 {
		t.Errorf("%d deliveries came through, so this shows nothing", calls)
	}
}

func TestSameDelivery_TenTimesAndThreeAtOnce_AttachesOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{AssignDelay: telnyxsim.Never})
	w.sim.DropDeliveries(true)
	w.stage(campaignID + ": " + numbers)
	w.campaign(campaignID, telnyx.CampaignMNOPending)
	w.start()
	w.phase(campaignID, ledger.PhaseInReview)
	w.must(w.sim.SetCampaignStatus(campaignID, telnyx.CampaignMNOProvisioned))

	var group sync.WaitGroup
	for round := range 10 {
		w.post(verified("one-event", campaignID), http.StatusOK)
		for attempt := range 3 {
			group.Go(func() { w.post(verified(fmt.Sprintf("three-%d", round), campaignID, attempt+1), http.StatusOK) })
		}
	}
	group.Wait()
	w.reaches(campaignID, ledger.Pending)
	w.idle()
	w.onePost(campaignID)
}

func TestNumberOnAnotherCampaign_StaysThere(t *testing.T) {
	t.Parallel()
	const taken, other = "+15551234567", "11111111-907b-43a9-8ada-ba1dc8335b07"
	for _, status := range []telnyx.AssignmentStatus{
		telnyx.Assigned, telnyx.PendingAssignment, telnyx.FailedUnassignment, "", "A_WORD_OF_TOMORROW",
	} {
		t.Run(fmt.Sprintf("%q", status), func(t *testing.T) {
			w := newWorld(t, telnyxsim.Options{AssignDelay: 0})
			w.stage(campaignID + ": " + numbers)
			w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
			w.campaign(other, telnyx.CampaignMNOProvisioned)
			w.must(w.sim.AttachNumber(taken, other, status))
			w.start()
			w.eventually("the others are sendable", func() (bool, string) {
				n := w.number(campaignID, "+15551234568")
				return n.State == ledger.Sendable, fmt.Sprintf("%+v", n)
			})
			w.idle()
			n := w.number(campaignID, taken)
			if n.State != ledger.Conflict || n.Reason != ledger.OtherCampaign || n.OtherCampaignID != other {
				t.Errorf("got %+v, want a conflict with campaign %s", n, other)
			}
			if advice := n.Reason.Advice(); advice.Why == "" || advice.Action == "" {
				t.Errorf("no sentence for ops: %+v", advice)
			}
			if count := w.posts()[taken]; count != 0 {
				t.Errorf("%d requests for a number that is in use elsewhere", count)
			}
			for _, a := range w.sim.Assignments() {
				if a.PhoneNumber == taken && a.CampaignID != other {
					t.Errorf("the number is on %s now", a.CampaignID)
				}
			}
		})
	}
}

func TestNumberThatCannotBeAttached_SaysWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	w.stage(campaignID + ": +15551234567")
	w.plan(`
version: 1
campaigns:
  - name: spring
    campaign_id: ` + campaignID + `
    numbers: ["+15551234567", "+15551234568", "+15551234569", "+12125550142"]
`)
	w.sim.AddNumbers(
		telnyxsim.Number{PhoneNumber: "+15551234568"},
		telnyxsim.Number{PhoneNumber: "+15551234569", MessagingProfileID: profileID, Type: "tollfree"})
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	w.start()
	for number, want := range map[string]ledger.Number{
		"+15551234567": {State: ledger.Sendable},
		"+15551234568": {State: ledger.Failed, Reason: ledger.NoMessagingProfile},
		"+15551234569": {State: ledger.Failed, Reason: ledger.NotLongCode},
		"+12125550142": {State: ledger.Failed, Reason: ledger.NotOwned},
	} {
		w.eventually(number, func() (bool, string) {
			got := w.number(campaignID, number)
			return got.State == want.State && got.Reason == want.Reason, fmt.Sprintf("%+v", got)
		})
	}
	if posts := w.posts(); len(posts) != 1 || posts["+15551234567"] != 1 {
		t.Errorf("requests %v, want one for the good number only", posts)
	}

	t.Run("and is attached once that is fixed", func(t *testing.T) {
		w.sim.AddNumbers(telnyxsim.Number{PhoneNumber: "+12125550142", MessagingProfileID: profileID})
		w.nudge(campaignID)
		w.eventually("the new number", func() (bool, string) {
			got := w.number(campaignID, "+12125550142")
			return got.State == ledger.Sendable, fmt.Sprintf("%+v", got)
		})
	})
}

func TestExtraNumber_IsReportedAndNotChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	w.stage(campaignID + ": +15551234567")
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	w.sim.AddNumbers(telnyxsim.Number{PhoneNumber: "+12125550199", MessagingProfileID: profileID})
	w.must(w.sim.AttachNumber("+12125550199", campaignID, telnyx.Assigned))
	w.start()
	w.reaches(campaignID, ledger.Sendable)
	w.idle()
	if record := w.phase(campaignID, ledger.PhaseApproved); record.Extras != 1 {
		t.Errorf("got %d extras, want 1", record.Extras)
	}
	w.onePost(campaignID)
}

func TestLostAnswer_IsResolvedByReading(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]telnyxsim.FaultKind{
		"connection cut": telnyxsim.EffectThenLost(),
		"truncated":      telnyxsim.TruncatedBody(),
		"no JSON":        telnyxsim.UnreadableJSON(),
		"empty":          telnyxsim.EmptyBody(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, telnyxsim.Options{})
			w.sim.DropDeliveries(true) // so that only the recheck can find out
			w.stage(campaignID + ": " + numbers)
			w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
			w.sim.Inject(telnyxsim.Fault{Method: "POST", PathPrefix: "/10dlc/phone_number_campaigns", Times: 5, Kind: kind})
			w.start()
			w.reaches(campaignID, ledger.Sendable)
			w.onePost(campaignID)
		})
	}
}

func TestRefusedRequest_IsTriedAgainLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	w.stage(campaignID + ": +15551234567")
	// Without an event: one that comes after the refusal cuts its wait.
	w.sim.AddCampaign(telnyxsim.Campaign{ID: campaignID, CampaignStatus: telnyx.CampaignMNOProvisioned})
	w.sim.Inject(telnyxsim.Fault{
		Method: "POST", PathPrefix: "/10dlc/phone_number_campaigns", Times: 1,
		Kind: telnyxsim.StatusFault(422, `{"errors":[{"code":"10036","title":"Resource is being processed"}]}`),
	})
	w.start()
	w.eventually("the refusal is written down", func() (bool, string) {
		n := w.number(campaignID, "+15551234567")
		return n.State == ledger.Planned && n.Reason == ledger.BeingProcessed && triesOf(n) == 1 && n.NextAt.After(time.Now()), fmt.Sprintf("%+v", n)
	})
	w.nudge(campaignID) // a person need not wait
	w.reaches(campaignID, ledger.Sendable)
}

// One refusal proves nothing: the request is soon repeated, and no person is needed.
func TestRefusal_IsRepeatedSoonAndMakesNoDeadLetter(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	w.stage(campaignID + ": +15551234567")
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	w.sim.Inject(telnyxsim.Fault{
		Method: "POST", PathPrefix: "/10dlc/phone_number_campaigns", Times: 1,
		Kind: telnyxsim.StatusFault(400, `{"errors":[{"code":"10015","title":"Bad Request","detail":"no such luck"}]}`),
	})
	clock := w.movableClock()
	w.start()
	n := w.numberIs(campaignID, "+15551234567", ledger.Planned, ledger.Rejected)
	if wait := n.NextAt.Sub(clock.now()); !strings.Contains(n.Detail, "no such luck") || n.NeedsPerson || wait > 30*time.Second {
		t.Errorf("got %+v, want Telnyx's words and another try within 30 s", n)
	}
	w.post(verified("again", campaignID), http.StatusOK)
	w.idle()
	w.posted("+15551234567", 1) // not before its time
	clock.pass(30 * time.Second)
	w.reconcile(campaignID)
	w.reaches(campaignID, ledger.Sendable)
	w.posted("+15551234567", 2)
	if letters := w.deadLetters(); len(letters) != 0 {
		t.Errorf("%d dead letters, want none", len(letters))
	}
}

func TestRefusedKey_StopsEverythingAndBlamesNoNumber(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	w.stage(campaignID + ": " + numbers)
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	w.sim.Inject(telnyxsim.Fault{
		Method: "POST", Times: -1,
		Kind: telnyxsim.StatusFault(401, `{"errors":[{"code":"10009","title":"Authentication failed"}]}`),
	})
	w.start()
	w.eventually("the campaign says why", func() (bool, string) {
		entry, _, err := w.book.Campaign(t.Context(), campaignID)
		w.must(err)
		return entry.Campaign.Reason == ledger.Unauthorized, fmt.Sprintf("%+v", entry.Campaign)
	})
	w.eventually("every number is planned", func() (bool, string) {
		all, err := w.book.Numbers(t.Context(), campaignID)
		w.must(err)
		for _, entry := range all {
			if entry.Number.State != ledger.Planned || entry.Number.Tries.Refused != 0 {
				return false, fmt.Sprintf("%+v", entry.Number)
			}
		}
		return true, ""
	})
}

func TestCampaignNamedByTCRID_OwnAndShared(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	const own, ownID, shared = "C6X6M95", campaignID, "CSHARE1"
	w.stage(own+": +15551234567 +15551234568", shared+": +12125550142")
	w.sim.AddCampaign(telnyxsim.Campaign{ID: ownID, TCRID: own, CampaignStatus: telnyx.CampaignMNOPending, WebhookURL: w.hook.URL + webhook.Path})
	w.sim.AddCampaign(telnyxsim.Campaign{TCRID: shared, Shared: true, CampaignStatus: telnyx.CampaignMNOPending, WebhookURL: w.hook.URL + webhook.Path})
	w.start()
	w.phase(own, ledger.PhaseInReview)
	w.phase(shared, ledger.PhaseInReview)
	w.must(w.sim.Approve(ownID))
	w.must(w.sim.Approve(shared))
	w.reaches(own, ledger.Sendable)
	w.reaches(shared, ledger.Sendable)
	for _, write := range w.sim.Writes() {
		want := ownID
		if write.PhoneNumber == "+12125550142" {
			want = shared
		}
		if write.CampaignID != want {
			t.Errorf("%s was attached to %s, want %s", write.PhoneNumber, write.CampaignID, want)
		}
	}
}

func TestUnplannedApproval_IsReportedAndAttachedOnceAPlanNamesIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	w.campaign(campaignID, telnyx.CampaignMNOPending)
	w.start()
	w.must(w.sim.Approve(campaignID))
	if record := w.phase(campaignID, ledger.PhaseApproved); record.Planned {
		t.Errorf("got %+v, want an unplanned campaign", record)
	}
	w.stage(campaignID + ": " + numbers)
	w.nudge(campaignID)
	w.reaches(campaignID, ledger.Sendable)
	if record := w.phase(campaignID, ledger.PhaseApproved); !record.Planned || record.Plan != "plan-1" {
		t.Errorf("got %+v, want it planned", record)
	}
}

func TestNumberThatLeavesThePlan_LeavesTheLedgerAndStaysAttached(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	w.stage(campaignID + ": +15551234567 +15551234568")
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	w.start()
	w.reaches(campaignID, ledger.Sendable)
	w.stage(campaignID + ": +15551234568")
	w.nudge(campaignID)
	w.eventually("one number is left", func() (bool, string) {
		all, err := w.book.Numbers(t.Context(), campaignID)
		w.must(err)
		_, kept := all["+15551234568"]
		return len(all) == 1 && kept, fmt.Sprintf("%v", all)
	})
	if got := len(w.sim.Assignments()); got != 2 {
		t.Errorf("%d numbers attached at Telnyx, want both still", got)
	}
}

func TestUnknownCampaign_IsMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	w.stage(campaignID+": +15551234567", "CNOBODY: +15551234568")
	w.start()
	w.phase(campaignID, ledger.PhaseMissing)
	w.phase("CNOBODY", ledger.PhaseMissing)
	w.reaches(campaignID, ledger.Planned)
}

func TestTelnyxOutage_IsRecordedAndRecoversAutomatically(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	w.stage(campaignID + ": +15551234567")
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	w.sim.Inject(telnyxsim.Fault{Times: 4, Kind: telnyxsim.HTML502()})
	w.start()
	w.eventually("the reason", func() (bool, string) {
		entry, _, err := w.book.Campaign(t.Context(), campaignID)
		w.must(err)
		return entry.Campaign.Reason == ledger.TelnyxUnavailable && !entry.Campaign.NextAt.IsZero(), fmt.Sprintf("%+v", entry.Campaign)
	})
	n := w.number(campaignID, "+15551234567")
	if n.State != ledger.Planned || n.Reason != ledger.TelnyxUnavailable {
		t.Errorf("got %+v, want a number that says why it waits", n)
	}
	w.reaches(campaignID, ledger.Sendable) // by the recheck that was ordered
}

// A plan that names a campaign of another account must not block other campaigns.
func TestForbiddenCampaign_IsMissingAndBlocksNothingElse(t *testing.T) {
	t.Parallel()
	const foreign = "99999999-907b-43a9-8ada-ba1dc8335b07"
	w := newWorld(t, telnyxsim.Options{})
	w.stage(foreign+": +15551234599", campaignID+": "+numbers)
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	w.sim.Inject(telnyxsim.Fault{Method: "GET", PathPrefix: "/10dlc/campaign/" + foreign, Times: -1,
		Kind: telnyxsim.StatusFault(http.StatusForbidden, `{"errors":[{"code":"10010","title":"Authorization failed"}]}`)})
	w.start()
	w.reaches(campaignID, ledger.Sendable)
	if record := w.phase(foreign, ledger.PhaseMissing); !strings.Contains(record.Detail, "10010") {
		t.Errorf("got %+v, want Telnyx's words", record)
	}
	w.onePost(campaignID)
}
