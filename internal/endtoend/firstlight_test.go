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
		t.Errorf("%d deliveries came through, so this proves nothing", calls)
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
	// Without an event, because one after the refusal would end the wait early.
	w.sim.AddCampaign(telnyxsim.Campaign{ID: campaignID, CampaignStatus: telnyx.CampaignMNOProvisioned})
	w.sim.Inject(telnyxsim.Fault{
		Method: "POST", PathPrefix: "/10dlc/phone_number_campaigns", Times: 1,
		Kind: telnyxsim.StatusFault(422, `{"errors":[{"code":"10036","title":"Resource is being processed"}]}`),
	})
	clock := w.movableClock()
	w.start()
	w.eventually("the refusal is recorded", func() (bool, string) {
		n := w.number(campaignID, "+15551234567")
		return n.State == ledger.Planned && n.Reason == ledger.BeingProcessed && triesOf(n) == 1 && n.NextAt.After(time.Now()), fmt.Sprintf("%+v", n)
	})
	w.nudge(campaignID) // a person need not wait
	w.reaches(campaignID, ledger.Pending)
	clock.advance(time.Minute) // until the next read
	w.reconcile(campaignID)
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
	clock.advance(30 * time.Second)
	w.reconcile(campaignID)
	w.reaches(campaignID, ledger.Sendable)
	w.posted("+15551234567", 2)
	if letters := w.deadLetters(); len(letters) != 0 {
		t.Errorf("%d dead letters, want none", len(letters))
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
		all := w.numbersOf(campaignID)
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
	w.sim.Inject(telnyxsim.Fault{Times: 4, PathPrefix: "/10dlc/", Kind: telnyxsim.HTML502()})
	w.start()
	w.eventually("the reason", func() (bool, string) {
		record := w.campaignRecord(campaignID)
		return record.Reason == ledger.TelnyxUnavailable && !record.NextAt.IsZero(), fmt.Sprintf("%+v", record)
	})
	n := w.number(campaignID, "+15551234567")
	if n.State != ledger.Planned || n.Reason != ledger.TelnyxUnavailable {
		t.Errorf("got %+v, want a number that says why it waits", n)
	}
	w.reaches(campaignID, ledger.Sendable) // by the scheduled recheck
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
