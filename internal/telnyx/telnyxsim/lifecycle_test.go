package telnyxsim_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// step is one of the simulator's methods about a campaign.
type step func(*telnyxsim.Simulator) error

func TestLifecycle_StatusAndEventOfEachStep(t *testing.T) {
	on := func(f func(*telnyxsim.Simulator, string) error) step {
		return func(s *telnyxsim.Simulator) error { return f(s, campaignID) }
	}
	reject := func(s *telnyxsim.Simulator) error { return s.Reject(campaignID, "an unclear opt-in") }
	for _, tc := range []struct {
		name  string
		from  telnyx.CampaignStatus
		step  step
		want  telnyx.CampaignStatus
		event string
	}{
		{"submit", "TCR_PENDING", on((*telnyxsim.Simulator).Submit), "TCR_ACCEPTED", "TCR_EVENT CAMPAIGN_ADD"},
		{"fail registration", "TCR_PENDING", func(s *telnyxsim.Simulator) error {
			return s.FailRegistration(campaignID, "too short")
		}, "TCR_FAILED", "REGISTRATION failed"},
		{"Telnyx review", "TCR_ACCEPTED", on((*telnyxsim.Simulator).TelnyxReview), "MNO_PENDING", "TELNYX_REVIEW ACCEPTED"},
		{"MNO review", "MNO_PENDING", on((*telnyxsim.Simulator).MNOReview), "MNO_ACCEPTED", "MNO_REVIEW ACCEPTED"},
		{"approve", "MNO_PENDING", on((*telnyxsim.Simulator).Approve), "MNO_PROVISIONED", "VERIFIED"},
		{"reject early", "TCR_ACCEPTED", reject, "TELNYX_FAILED", "TELNYX_REVIEW REJECTED"},
		{"reject late", "MNO_PENDING", reject, "MNO_REJECTED", "MNO_REVIEW REJECTED"},
		{"appeal to Telnyx", "TELNYX_FAILED", on((*telnyxsim.Simulator).Appeal), "TCR_ACCEPTED", "TCR_EVENT CAMPAIGN_RESUBMISSION"},
		{"appeal to carriers", "MNO_REJECTED", on((*telnyxsim.Simulator).Appeal), "MNO_PENDING", "TCR_EVENT CAMPAIGN_RESUBMISSION"},
		{"suspend", "MNO_PROVISIONED", on((*telnyxsim.Simulator).Suspend), "TCR_SUSPENDED", "TCR_EVENT MNO_CAMPAIGN_OPERATION_SUSPENDED"},
		{"unsuspend", "TCR_SUSPENDED", on((*telnyxsim.Simulator).Unsuspend), "MNO_PROVISIONED", "TCR_EVENT MNO_CAMPAIGN_OPERATION_UNSUSPENDED"},
		{"suspend by T-Mobile", "MNO_PROVISIONED", on((*telnyxsim.Simulator).SuspendTMobile), "MNO_PROVISIONED", "TCR_EVENT MNO_CAMPAIGN_OPERATION_SUSPENDED"},
		{"unsuspend by T-Mobile", "MNO_PROVISIONED", on((*telnyxsim.Simulator).UnsuspendTMobile), "MNO_PROVISIONED", "TCR_EVENT MNO_CAMPAIGN_OPERATION_UNSUSPENDED"},
		{"expire", "MNO_PROVISIONED", on((*telnyxsim.Simulator).Expire), "TCR_EXPIRED", "TCR_EVENT CAMPAIGN_EXPIRED"},
		{"make dormant", "MNO_PROVISIONED", on((*telnyxsim.Simulator).MakeDormant), "MNO_PROVISIONED", "TELNYX_EVENT DORMANT"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hooks := &inbox{}
				sim := account(t, telnyxsim.Options{DeliveryTransport: hooks})
				defer sim.Close()
				if err := sim.SetCampaignStatus(campaignID, tc.from); err != nil {
					t.Fatal(err)
				}
				if err := tc.step(sim); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if got, _ := sim.Campaign(campaignID); got.CampaignStatus != tc.want {
					t.Errorf("campaignStatus = %s, want %s", got.CampaignStatus, tc.want)
				}
				if diff := cmp.Diff([]string{tc.event}, hooks.summaries(t)); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestLifecycle_RefusalsTellTheirReason(t *testing.T) {
	const reason = "an unclear opt-in"
	for name, tc := range map[string]struct {
		from   telnyx.CampaignStatus
		refuse func(*telnyxsim.Simulator, string, string) error
		words  string
	}{
		"registration":  {"TCR_PENDING", (*telnyxsim.Simulator).FailRegistration, `"description": "an unclear opt-in"`},
		"Telnyx review": {"TCR_ACCEPTED", (*telnyxsim.Simulator).Reject, "C6X6M95 rejected by Telnyx due to an unclear opt-in"},
		"MNO review":    {"MNO_PENDING", (*telnyxsim.Simulator).Reject, "C6X6M95 rejected by T-Mobile due to an unclear opt-in"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hooks := &inbox{}
				sim := account(t, telnyxsim.Options{DeliveryTransport: hooks})
				defer sim.Close()
				_ = sim.SetCampaignStatus(campaignID, tc.from)
				if err := tc.refuse(sim, campaignID, reason); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if body := string(hooks.all()[0].body); !strings.Contains(body, tc.words) {
					t.Errorf("the event lacks %q:\n%s", tc.words, body)
				}
				got := call(t, sim, "GET", "/10dlc/campaign/"+campaignID, "").object(t)["failureReasons"]
				if diff := cmp.Diff([]any{map[string]any{"description": reason}}, got); diff != "" {
					t.Errorf("failureReasons (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestLifecycle_TMobilesFieldsFollow(t *testing.T) {
	sim := account(t, telnyxsim.Options{DeliveryTransport: &inbox{}})
	born := sim.AddCampaign(telnyxsim.Campaign{})
	for _, tc := range []struct {
		name                  string
		step                  func(string) error
		registered, suspended bool
	}{
		{"submit", sim.Submit, false, false},
		{"approve", sim.Approve, true, false},
		{"suspend by T-Mobile", sim.SuspendTMobile, true, true},
		{"unsuspend by T-Mobile", sim.UnsuspendTMobile, true, false},
	} {
		if err := tc.step(born.ID); err != nil {
			t.Fatal(err)
		}
		got := call(t, sim, "GET", "/10dlc/campaign/"+born.ID, "").object(t)
		if got["isTMobileRegistered"] != tc.registered || got["isTMobileSuspended"] != tc.suspended {
			t.Errorf("%s: registered %v, suspended %v, want %t, %t",
				tc.name, got["isTMobileRegistered"], got["isTMobileSuspended"], tc.registered, tc.suspended)
		}
	}
}

func TestLifecycle_ExpiredCampaignSaysSoTwice(t *testing.T) {
	sim := account(t, telnyxsim.Options{DeliveryTransport: &inbox{}})
	if err := sim.Expire("C6X6M95"); err != nil {
		t.Fatal(err)
	}
	got := call(t, sim, "GET", "/10dlc/campaign/"+campaignID, "").object(t)
	if got["status"] != "EXPIRED" || got["campaignStatus"] != "TCR_EXPIRED" {
		t.Errorf("status, campaignStatus = %v, %v, want EXPIRED, TCR_EXPIRED", got["status"], got["campaignStatus"])
	}
}

func TestWalk_SendsEventsInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hooks := &inbox{}
		sim := account(t, telnyxsim.Options{DeliveryTransport: hooks})
		defer sim.Close()
		begin := time.Now()
		if err := sim.Walk(t.Context(), campaignID, time.Second); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("took %s, want a pause of 1 s between each two steps", took)
		}
		synctest.Wait()
		want := []string{"TCR_EVENT CAMPAIGN_ADD", "TELNYX_REVIEW ACCEPTED", "MNO_REVIEW ACCEPTED", "VERIFIED"}
		if diff := cmp.Diff(want, hooks.summaries(t)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestWalk_EndsWithItsContextAndWithTheSimulator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := account(t, telnyxsim.Options{DeliveryTransport: &inbox{}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := sim.Walk(ctx, campaignID, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Walk = %v, want DeadlineExceeded", err)
		}
		if err := sim.Walk(t.Context(), "nope", time.Minute); !errors.Is(err, telnyxsim.ErrUnknown) {
			t.Errorf("Walk of no campaign = %v, want ErrUnknown", err)
		}
		sim.Close()
		if err := sim.Walk(t.Context(), campaignID, time.Minute); !errors.Is(err, context.Canceled) {
			t.Errorf("Walk after Close = %v, want Canceled", err)
		}
	})
}

func TestDormant_FirstAssignmentWakesAndFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := account(t, telnyxsim.Options{DeliveryTransport: &inbox{}, ReactivateDelay: time.Minute})
		defer sim.Close()
		_ = sim.MakeDormant(campaignID)
		_ = sim.SetCampaignStatus(campaignID, telnyx.CampaignTCRSuspended) // the support article's reading

		for _, phoneNumber := range []string{numberA, numberB} {
			if got := post(t, sim, phoneNumber, campaignID); got.status != 200 {
				t.Fatalf("POST to the dormant campaign = %d %s, want 200", got.status, got.body)
			}
		}
		time.Sleep(time.Second)
		for _, phoneNumber := range []string{numberA, numberB} {
			if got := read(t, sim, phoneNumber).object(t); got["assignmentStatus"] != "FAILED_ASSIGNMENT" {
				t.Errorf("%s is %v during reactivation, want FAILED_ASSIGNMENT", phoneNumber, got["assignmentStatus"])
			}
		}
		time.Sleep(time.Minute)
		post(t, sim, numberA, campaignID)
		synctest.Wait()
		if got := read(t, sim, numberA).object(t); got["assignmentStatus"] != "ASSIGNED" {
			t.Errorf("second time: %v, want ASSIGNED", got["assignmentStatus"])
		}
		if c, _ := sim.Campaign(campaignID); c.Dormant || c.CampaignStatus != telnyx.CampaignMNOProvisioned {
			t.Errorf("campaign dormant %t, %s; want it active and provisioned", c.Dormant, c.CampaignStatus)
		}
	})
}

func TestDormant_IsWokenOnceAndMayFallAsleepAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := account(t, telnyxsim.Options{DeliveryTransport: &inbox{}, ReactivateDelay: time.Minute})
		defer sim.Close()
		asleep := func() bool { c, _ := sim.Campaign(campaignID); return c.Dormant }
		_ = sim.MakeDormant(campaignID)
		post(t, sim, numberA, campaignID)
		time.Sleep(40 * time.Second)
		post(t, sim, numberB, campaignID) // does not start the delay again
		time.Sleep(21 * time.Second)
		if asleep() {
			t.Error("dormant a minute after the first POST")
		}
		_ = sim.MakeDormant(campaignID)
		time.Sleep(time.Minute)
		if !asleep() {
			t.Error("the second POST reactivated it, long after it had become dormant again")
		}
		post(t, sim, numberC, campaignID)
		time.Sleep(61 * time.Second)
		if asleep() {
			t.Error("dormant a minute after the third POST")
		}
	})
}

func TestDormant_WakingDoesNotReviveWhatExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := account(t, telnyxsim.Options{DeliveryTransport: &inbox{}, ReactivateDelay: time.Minute})
		defer sim.Close()
		_ = sim.MakeDormant(campaignID)
		post(t, sim, numberA, campaignID)
		_ = sim.Expire(campaignID)
		time.Sleep(time.Hour)
		if c, _ := sim.Campaign(campaignID); c.Dormant || c.CampaignStatus != telnyx.CampaignTCRExpired {
			t.Errorf("campaign dormant %t, %s; want it active and expired", c.Dormant, c.CampaignStatus)
		}
	})
}

func TestDormant_MayRefuseInstead(t *testing.T) {
	sim := account(t, telnyxsim.Options{DeliveryTransport: &inbox{}, Dialect: telnyxsim.Dialect{RefuseDormant: true}})
	_ = sim.MakeDormant(campaignID)
	if got := post(t, sim, numberA, campaignID); got.status != 400 || got.code(t) != "10036" {
		t.Errorf("first POST = %d %s, want 400 with 10036", got.status, got.body)
	}
	if got := post(t, sim, numberA, campaignID); got.status != 200 {
		t.Errorf("second POST = %d %s, want 200", got.status, got.body)
	}
}
