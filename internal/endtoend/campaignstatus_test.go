package endtoend_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/webhook"
)

const (
	brandID   = "97091164-e814-435c-9c1b-14ab2d18e987"
	refiledID = "11111111-907b-43a9-8ada-ba1dc8335b07"
)

// The first request reactivates a dormant campaign and fails. So do all requests until it
// is active, however long that takes.
func TestDormantCampaign_IsTriedUntilItIsReactivated(t *testing.T) {
	t.Parallel()
	const number = "+15551234567"
	for name, tt := range map[string]struct {
		refuse bool
		// failures is how many requests fail. Even more than usual must not end the
		// retries.
		failures int
	}{
		"the request fails later":            {false, 1},
		"the request is refused":             {true, 1},
		"requests keep failing":              {false, 7},
		"requests keep being refused":        {true, 7},
		"reactivation takes more than a day": {false, 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, telnyxsim.Options{ReactivateDelay: telnyxsim.Never, Dialect: telnyxsim.Dialect{RefuseDormant: tt.refuse}})
			clock := w.movableClock()
			w.stage(campaignID + ": " + number)
			// Without an event, because one after the first request would end the wait early.
			w.sim.AddCampaign(telnyxsim.Campaign{ID: campaignID, CampaignStatus: telnyx.CampaignMNOProvisioned})
			w.must(w.sim.MakeDormant(campaignID))
			w.start()
			for failure := 1; failure <= tt.failures; failure++ {
				w.posted(number, failure)
				if !tt.refuse {
					w.failedAtTelnyx(number)
					clock.advance(30 * time.Minute) // the request can no longer be in flight
					w.reconcile(campaignID)
				}
				n := w.numberIs(campaignID, number, ledger.Planned, ledger.DormantRetry)
				if triesOf(n) != failure || !n.NextAt.After(clock.now()) || !strings.Contains(n.Detail, "dormant") {
					t.Fatalf("after failure %d: got %+v, want the time of the next try and Telnyx's words", failure, n)
				}
				w.reconcile(campaignID)
				w.posted(number, failure) // it is not time yet
				if failure == tt.failures {
					w.campaign(campaignID, telnyx.CampaignMNOProvisioned) // it is active again
				}
				clock.advance(2 * time.Hour)
				w.reconcile(campaignID)
			}
			w.numberReaches(campaignID, number, ledger.Sendable)
			w.posted(number, tt.failures+1)
			if n := w.number(campaignID, number); triesOf(n) != 0 || n.Reason != "" {
				t.Errorf("got %+v, want a clean slate", n)
			}
			w.provisionedOnly()
		})
	}
}

// Telnyx's help calls a dormant campaign's status "Suspended". Greenlight then sends no
// request, and continues once someone has reactivated it.
func TestDormantCampaign_ThatReadsSuspendedWaitsForReactivation(t *testing.T) {
	t.Parallel()
	const byHand = "+12125550199"
	w := newWorld(t, telnyxsim.Options{})
	w.stage(campaignID + ": " + numbers)
	w.own(byHand)
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	w.must(w.sim.MakeDormant(campaignID))
	w.must(w.sim.SetCampaignStatus(campaignID, telnyx.CampaignTCRSuspended))
	w.start()
	w.phase(campaignID, ledger.PhaseSuspended)
	w.reaches(campaignID, ledger.Planned)
	w.reconcile(campaignID)
	w.noRequest()

	_, err := w.config.Telnyx.Assign(t.Context(), byHand, campaignID)
	w.must(err)
	w.reaches(campaignID, ledger.Sendable)
	for _, write := range w.sim.Writes()[1:] {
		if write.CampaignStatus != telnyx.CampaignMNOProvisioned || !write.Effective || write.PhoneNumber == byHand {
			t.Errorf("got %+v, want requests for the planned numbers once it was awake", write)
		}
	}
	if posts := w.posts(); len(posts) != 6 || posts["+15551234567"] != 1 {
		t.Errorf("got requests for %v, want one for each planned number", posts)
	}
}

// A campaign is suspended while many numbers are due. An event stops the requests
// immediately; if it is lost, the read between two batches does.
func TestSuspension_InTheMiddleOfAttaching(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		lost bool
		// most is how many requests may reach a suspended campaign.
		most int
	}{
		"reported by its event": {false, 60},
		"and the event lost":    {true, 100},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, telnyxsim.Options{Latency: 8 * time.Millisecond})
			clock := w.movableClock()
			w.config.Concurrency = 2
			all := many(170)
			w.stageMany(campaignID, telnyx.CampaignMNOProvisioned, all)
			w.start()
			w.eventually("the reconcile is running", func() (bool, string) { return len(w.posts()) >= 20, fmt.Sprint(len(w.posts())) })
			if tt.lost {
				w.sim.DropDeliveries(true)
				w.must(w.sim.SetCampaignStatus(campaignID, telnyx.CampaignTCRSuspended))
				clock.advance(2 * time.Minute) // the last read is old now
			} else {
				w.must(w.sim.Suspend(campaignID))
				w.phase(campaignID, ledger.PhaseSuspended)
			}
			w.idle()
			if tt.lost {
				w.reconcile(campaignID) // a resync
			}
			w.phase(campaignID, ledger.PhaseSuspended)
			asked, stopped := w.sim.Writes(), 0
			for _, write := range asked {
				if write.CampaignStatus != telnyx.CampaignMNOProvisioned {
					stopped++
				}
			}
			if stopped > tt.most || len(asked) > 100 {
				t.Errorf("%d requests of %d reached a suspended campaign, want at most %d, and that the rest of the %d numbers wait", stopped, len(asked), tt.most, len(all))
			}
			w.suspendedOrLater(70, all)
			w.reconcile(campaignID)
			if more := len(w.sim.Writes()) - len(asked); more != 0 {
				t.Errorf("%d requests while it is suspended", more)
			}

			w.sim.DropDeliveries(false)
			if tt.lost {
				w.must(w.sim.SetCampaignStatus(campaignID, telnyx.CampaignMNOProvisioned))
				w.recheck(campaignID)
			} else {
				w.must(w.sim.Unsuspend(campaignID))
			}
			w.sendable(campaignID, all)
			w.attachedOnce(all...)
			for _, write := range w.sim.Writes() {
				if write.Effective && write.CampaignStatus != telnyx.CampaignMNOProvisioned {
					t.Errorf("attached while it was suspended: %+v", write)
				}
			}
		})
	}
}

// suspendedOrLater fails unless every number says that its campaign is suspended, and at
// least so many are still planned.
func (w *world) suspendedOrLater(least int, all []string) {
	w.t.Helper()
	known := w.numbersOf(campaignID)
	held := 0
	for _, number := range all {
		n := known[number]
		if n.State == ledger.Planned {
			held++
		}
		further := n.State == ledger.Pending || n.State == ledger.Attached || n.State == ledger.Sendable
		if n.Reason != ledger.CampaignSuspended || n.State != ledger.Planned && !further {
			w.t.Errorf("got %+v, want it planned or in a later state, with the reason", n)
		}
	}
	if held < least {
		w.t.Errorf("%d numbers are planned, want at least %d", held, least)
	}
}

// T-Mobile's suspension does not change campaignStatus, and Telnyx would accept the
// requests.
func TestTMobileSuspension_HoldsAndClears(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	w.stage(campaignID + ": " + numbers)
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	w.must(w.sim.SuspendTMobile(campaignID))
	w.start()
	if record := w.phase(campaignID, ledger.PhaseSuspended); !strings.Contains(record.Detail, "T-Mobile") {
		t.Errorf("got %+v, want it to name T-Mobile", record)
	}
	w.reaches(campaignID, ledger.Planned)
	w.reconcile(campaignID)
	w.noRequest()

	w.must(w.sim.UnsuspendTMobile(campaignID))
	w.reaches(campaignID, ledger.Sendable)
	w.idle()
	w.must(w.sim.SuspendTMobile(campaignID))
	w.numberIs(campaignID, "+15551234567", ledger.Sendable, ledger.CampaignSuspended)
	w.must(w.sim.UnsuspendTMobile(campaignID))
	w.numberIs(campaignID, "+15551234567", ledger.Sendable, "")
	w.attachedTo(campaignID, strings.Fields(numbers)...)
}

func TestExpiredCampaign_NeedsANewPlanEntry(t *testing.T) {
	t.Parallel()
	for name, expire := range map[string]func(w *world){
		"reported by its event": func(w *world) { w.must(w.sim.Expire(campaignID)) },
		"campaignStatus still provisioned": func(w *world) {
			w.sim.AddCampaign(telnyxsim.Campaign{ID: campaignID, Status: telnyx.StatusExpired, CampaignStatus: telnyx.CampaignMNOProvisioned})
			w.recheck(campaignID)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, telnyxsim.Options{})
			w.stage(campaignID + ": " + numbers)
			w.campaign(campaignID, telnyx.CampaignMNOPending)
			w.start()
			w.phase(campaignID, ledger.PhaseInReview)
			expire(w)
			record := w.phase(campaignID, ledger.PhaseExpired)
			if !strings.Contains(record.Phase.Sentence(), "new id") {
				t.Errorf("it is reported as %q, want what to do about the plan", record.Phase.Sentence())
			}
			w.reaches(campaignID, ledger.Planned)
			for range 3 {
				w.reconcile(campaignID)
			}
			if n := w.number(campaignID, "+15551234567"); n.Reason != ledger.CampaignExpired || !n.NeedsPerson {
				t.Errorf("got %+v, want the reason", n)
			}
			if logged := w.logged("campaign is expired"); logged != 1 {
				t.Errorf("logged %d times, want once", logged)
			}
			w.noRequest()
		})
	}
}

func TestRefiledCampaign_IsFoundByItsReference(t *testing.T) {
	t.Parallel()
	const key, number = "ref_spring-2026", "+15551234567"
	for name, lost := range map[string]bool{"by its events": false, "by a resync": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, telnyxsim.Options{})
			w.own(number)
			filed := telnyxsim.Campaign{
				ID: campaignID, BrandID: brandID, ReferenceID: "spring-2026",
				CampaignStatus: telnyx.CampaignMNOPending, WebhookURL: w.hook.URL + webhook.Path,
			}
			w.sim.AddCampaign(filed)
			w.plan(planOf("plan", "reference_id: spring-2026", "brand_id: "+brandID, fmt.Sprintf("numbers: [%q]", number)))
			w.start()
			w.phase(key, ledger.PhaseInReview)
			w.must(w.sim.Expire(campaignID))
			w.phase(key, ledger.PhaseExpired)
			w.numberReaches(key, number, ledger.Planned)

			filed.ID = refiledID
			w.sim.AddCampaign(filed)
			w.sim.DropDeliveries(lost)
			w.must(w.sim.Approve(refiledID))
			w.sim.DropDeliveries(false)
			if lost {
				w.must(events.NewPublisher(w.js).Trigger(t.Context(), events.KindResync, ""))
			}
			w.numberReaches(key, number, ledger.Sendable)
			w.attachedTo(refiledID, number)
			if record := w.campaignRecord(key); record.TelnyxID != refiledID {
				t.Errorf("got %+v, want the new id", record)
			}
			w.idle()
			w.knowsOnly(key)
		})
	}
}

// knowsOnly fails unless the ledger has the given campaigns and no others.
func (w *world) knowsOnly(keys ...string) {
	w.t.Helper()
	entries, err := w.book.Campaigns(w.t.Context())
	w.must(err)
	known := map[string]bool{}
	for _, entry := range entries {
		known[entry.Campaign.ID] = true
	}
	for _, key := range keys {
		if !known[key] {
			w.t.Errorf("the ledger does not have campaign %s", key)
		}
	}
	if len(known) != len(keys) {
		w.t.Errorf("the ledger has campaigns %v, want %v", known, keys)
	}
}

func TestRefiledCampaign_GetsItsNumbersOnceThePlanNamesIt(t *testing.T) {
	t.Parallel()
	const number = "+15551234567"
	planned := func(id string, rest ...string) string {
		return planOf("plan", "campaign_id: "+id, append(rest, fmt.Sprintf("numbers: [%q]", number))...)
	}
	setting := func(t *testing.T) *world {
		w := newWorld(t, telnyxsim.Options{})
		w.own(number)
		w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
		w.campaign(refiledID, telnyx.CampaignMNOProvisioned)
		w.plan(planned(campaignID))
		return w
	}
	t.Run("never attached before", func(t *testing.T) {
		t.Parallel()
		w := setting(t)
		w.must(w.sim.Expire(campaignID))
		w.start()
		w.phase(campaignID, ledger.PhaseExpired)
		w.numberReaches(campaignID, number, ledger.Planned)
		w.noRequest()
		w.replan(planned(refiledID))
		w.numberReaches(refiledID, number, ledger.Sendable)
		w.attachedTo(refiledID, number)
		w.eventually("the number has left the old campaign", func() (bool, string) {
			left := w.numbersOf(campaignID)
			record := w.campaignRecord(campaignID)
			return len(left) == 0 && !record.Planned, fmt.Sprintf("%v, %+v", left, record)
		})
	})
	t.Run("still attached to the expired one", func(t *testing.T) {
		t.Parallel()
		w := setting(t)
		w.must(w.sim.AttachNumber(number, campaignID, telnyx.Assigned))
		w.must(w.sim.Expire(campaignID))
		w.plan(planned(refiledID))
		w.start()
		n := w.numberIs(refiledID, number, ledger.Conflict, ledger.OtherCampaign)
		if n.OtherCampaignID != campaignID {
			t.Errorf("got %+v, want it to name the old campaign", n)
		}
		w.reconcile(refiledID)
		w.noRequest()

		w.replan(planned(refiledID, "move_from: ["+campaignID+"]"))
		w.numberReaches(refiledID, number, ledger.Sendable)
		w.attachedTo(refiledID, number)
		if write := w.sim.Writes()[0]; write.Method != "PUT" || write.PreviousCampaignID != campaignID {
			t.Errorf("got %+v, want a move from the old campaign", write)
		}
	})
}

func TestRejectedCampaign_IsAttachedAfterItsAppeal(t *testing.T) {
	t.Parallel()
	const why = "the sample message has no opt-out"
	for name, tt := range map[string]struct {
		filed, rejected telnyx.CampaignStatus
		reject          func(*telnyxsim.Simulator) error
	}{
		"by the registry": {telnyx.CampaignTCRPending, telnyx.CampaignTCRFailed,
			func(s *telnyxsim.Simulator) error { return s.FailRegistration(campaignID, why) }},
		"by Telnyx": {telnyx.CampaignTCRAccepted, telnyx.CampaignTelnyxFailed,
			func(s *telnyxsim.Simulator) error { return s.Reject(campaignID, why) }},
		"by the carriers": {telnyx.CampaignMNOPending, telnyx.CampaignMNORejected,
			func(s *telnyxsim.Simulator) error { return s.Reject(campaignID, why) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, telnyxsim.Options{})
			w.stage(campaignID + ": " + numbers)
			w.campaign(campaignID, tt.filed)
			w.start()
			w.phase(campaignID, ledger.PhaseInReview)
			w.reaches(campaignID, ledger.Planned)
			w.must(tt.reject(w.sim))
			record := w.phase(campaignID, ledger.PhaseRejected)
			if record.Status != string(tt.rejected) || record.Detail != why {
				t.Errorf("got %+v, want %s and the reviewer's words", record, tt.rejected)
			}
			w.reaches(campaignID, ledger.Planned)
			if n := w.number(campaignID, "+15551234567"); n.Detail != why {
				t.Errorf("got %+v, want the reviewer's words", n)
			}
			w.must(w.sim.Appeal(campaignID))
			w.phase(campaignID, ledger.PhaseInReview)
			w.reaches(campaignID, ledger.Planned)
			w.noRequest()

			w.must(w.sim.Approve(campaignID))
			w.reaches(campaignID, ledger.Sendable)
			w.attachedTo(campaignID, strings.Fields(numbers)...)
			// Telnyx still returns the old reason for the rejection.
			if record := w.campaignRecord(campaignID); record.Detail != "" {
				t.Errorf("got %+v, want no word of the rejection", record)
			}
		})
	}
}

func TestUnplannedApproval_IsReportedOnceAndAttachedWhenPlanned(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	w.campaign(campaignID, telnyx.CampaignMNOPending)
	w.start()
	w.must(w.sim.MNOReview(campaignID))
	w.phase(campaignID, ledger.PhaseInReview)
	w.must(w.sim.Approve(campaignID))
	record := w.phase(campaignID, ledger.PhaseApproved)
	if record.Planned || record.Plan != "" || record.TelnyxID != campaignID {
		t.Errorf("got %+v, want an unplanned campaign", record)
	}
	w.must(w.sim.Emit(campaignID, telnyxsim.EventCampaign, map[string]string{"campaignId": campaignID, "type": "VERIFIED"}))
	w.reconcile(campaignID)
	if logged := w.logged(`"level":"warn"`, "no plan names", campaignID); logged != 1 {
		t.Errorf("logged %d times, want once", logged)
	}
	w.noRequest()

	w.own(strings.Fields(numbers)...)
	w.replan(planOf("late", "campaign_id: "+campaignID, "numbers: ["+strings.Join(strings.Fields(numbers), ", ")+"]"))
	w.reaches(campaignID, ledger.Sendable)
	w.attachedTo(campaignID, strings.Fields(numbers)...)
	if record := w.campaignRecord(campaignID); !record.Planned || record.Plan != "late" {
		t.Errorf("got %+v, want it planned", record)
	}
}
