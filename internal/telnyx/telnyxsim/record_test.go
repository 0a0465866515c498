package telnyxsim_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// statusOf describes a number's record in three words.
func statusOf(t *testing.T, sim *telnyxsim.Simulator, phoneNumber string) [3]string {
	t.Helper()
	for _, a := range sim.Assignments() {
		if a.PhoneNumber == phoneNumber {
			return [3]string{string(a.Status), string(a.TMobile), string(a.NonTMobile)}
		}
	}
	return [3]string{}
}

func TestRecord_MovesWithItsDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hooks := &inbox{}
		sim := account(t, telnyxsim.Options{
			DeliveryTransport: hooks,
			AssignDelay:       time.Minute, MappingDelay: time.Hour, MappingGap: time.Hour, UnassignDelay: time.Minute,
			ReattachDelay: time.Minute,
		})
		defer sim.Close()
		begin := time.Now()
		post(t, sim, numberA, campaignID)
		for _, stage := range []struct {
			after, updated time.Duration // since the last stage, and since the POST
			want           [3]string
		}{
			{time.Minute - time.Second, 0, [3]string{"PENDING_ASSIGNMENT", "PENDING", "PENDING"}},
			{2 * time.Second, time.Minute, [3]string{"ASSIGNED", "PENDING", "PENDING"}},
			{time.Hour, time.Hour + time.Minute, [3]string{"ASSIGNED", "ADDED", "PENDING"}},
			{time.Hour, 2*time.Hour + time.Minute, [3]string{"ASSIGNED", "ADDED", "ADDED"}},
		} {
			time.Sleep(stage.after)
			synctest.Wait()
			if got := statusOf(t, sim, numberA); got != stage.want {
				t.Errorf("record = %v, want %v", got, stage.want)
			}
			if a := sim.Assignments()[0]; !a.CreatedAt.Equal(begin) || a.UpdatedAt.Sub(begin) != stage.updated {
				t.Errorf("%s: created at %s, updated after %s; want %s and %s",
					a.Status, a.CreatedAt, a.UpdatedAt.Sub(begin), begin, stage.updated)
			}
		}
		if got := remove(t, sim, numberA); got.status != 200 || got.object(t)["assignmentStatus"] != "PENDING_UNASSIGNMENT" {
			t.Errorf("DELETE = %d %s, want 200 with the record", got.status, got.body)
		}
		if got := remove(t, sim, numberA); got.status != 200 || sim.Writes()[2].Effective {
			t.Errorf("DELETE again = %d, effective %t; want 200 without effect", got.status, sim.Writes()[2].Effective)
		}
		time.Sleep(time.Minute + time.Second)
		if got := read(t, sim, numberA); got.status != 404 {
			t.Errorf("GET after removal = %d, want 404", got.status)
		}
		if got := put(t, sim, numberA, campaignID); got.code(t) != "10036" {
			t.Errorf("PUT soon after removal = %d %s, want 10036", got.status, got.body)
		}
		if got := post(t, sim, numberA, campaignID); got.code(t) != "10036" {
			t.Errorf("POST soon after removal = %d %s, want 10036", got.status, got.body)
		}
		time.Sleep(time.Minute)
		if got := post(t, sim, numberA, campaignID); got.status != 200 {
			t.Errorf("POST later = %d %s, want 200", got.status, got.body)
		}
		want := []string{
			"ASSIGNMENT success " + numberA, "STATUS_UPDATE ADDED " + numberA, "STATUS_UPDATE ADDED " + numberA,
			"DELETION success " + numberA,
		}
		if diff := cmp.Diff(want, hooks.summaries(t)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestRecord_DelaysMayBeEndless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := account(t, telnyxsim.Options{DeliveryTransport: &inbox{}, MappingDelay: time.Minute, MappingGap: telnyxsim.Never})
		defer sim.Close()
		post(t, sim, numberA, campaignID)
		time.Sleep(24 * time.Hour)
		if got, want := statusOf(t, sim, numberA), [3]string{"ASSIGNED", "ADDED", "PENDING"}; got != want {
			t.Errorf("record = %v, want %v", got, want)
		}
		sim.DetachNumber(numberA)
		if got := read(t, sim, numberA); got.status != 404 {
			t.Errorf("GET after DetachNumber = %d, want 404", got.status)
		}
	})
}

func TestRecord_RemovalOvertakesAssignment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hooks := &inbox{}
		sim := account(t, telnyxsim.Options{DeliveryTransport: hooks, AssignDelay: time.Hour})
		defer sim.Close()
		post(t, sim, numberA, campaignID)
		remove(t, sim, numberA)
		time.Sleep(2 * time.Hour)
		if got := hooks.summaries(t); !slices.Equal(got, []string{"DELETION success " + numberA}) {
			t.Errorf("events = %v, want the DELETION alone", got)
		}
	})
}

func TestRecord_WhatWasOvertakenDoesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hooks := &inbox{}
		sim := account(t, telnyxsim.Options{DeliveryTransport: hooks, MappingDelay: time.Hour, UnassignDelay: time.Hour})
		defer sim.Close()
		post(t, sim, numberA, campaignID)
		time.Sleep(time.Minute)
		put(t, sim, numberA, otherID) // before the mappings of the first campaign
		time.Sleep(2 * time.Hour)
		remove(t, sim, numberA)
		time.Sleep(time.Minute)
		_ = sim.AttachNumber(numberA, campaignID, telnyx.Assigned) // before the end of the removal
		time.Sleep(2 * time.Hour)
		if got := read(t, sim, numberA); got.status != 200 || got.object(t)["campaignId"] != campaignID {
			t.Errorf("GET = %d %s, want the number on %s", got.status, got.body, campaignID)
		}
		want := []string{
			"ASSIGNMENT success " + numberA, "ASSIGNMENT success " + numberA,
			"STATUS_UPDATE ADDED " + numberA, "STATUS_UPDATE ADDED " + numberA, // of the second campaign
		}
		if diff := cmp.Diff(want, hooks.summaries(t)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestRecord_FailsWithReasons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hooks := &inbox{}
		sim := account(t, telnyxsim.Options{DeliveryTransport: hooks})
		defer sim.Close()
		sim.FailAssignment(numberA, "Number is not eligible")
		post(t, sim, numberA, campaignID)
		synctest.Wait()
		record := read(t, sim, numberA).object(t)
		if record["assignmentStatus"] != "FAILED_ASSIGNMENT" || record["failureReasons"] != "Number is not eligible" {
			t.Errorf("record = %v, want FAILED_ASSIGNMENT with its reason", record)
		}
		if got := statusOf(t, sim, numberA); got[1] != "FAILED" || got[2] != "FAILED" {
			t.Errorf("mappings = %v, want them failed too", got[1:])
		}
		payload := hooks.all()[0].event(t).Data.Payload
		want := map[string]any{
			"campaignId": campaignID, "phoneNumber": numberA, "status": "failed", "type": "ASSIGNMENT",
			"reasons": []any{"Number is not eligible"},
		}
		if diff := cmp.Diff(want, payload); diff != "" {
			t.Errorf("payload (-want +got):\n%s", diff)
		}
		post(t, sim, numberA, campaignID)
		synctest.Wait()
		if got := statusOf(t, sim, numberA)[0]; got != "ASSIGNED" {
			t.Errorf("second time: %s, want ASSIGNED", got)
		}
	})
}

func TestRecord_CarrierMayRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := account(t, telnyxsim.Options{DeliveryTransport: &inbox{}})
		defer sim.Close()
		sim.FailMapping(numberA, telnyxsim.ATT)
		sim.FailMapping(numberA, telnyxsim.TMobile)
		post(t, sim, numberA, campaignID)
		synctest.Wait()
		got := read(t, sim, numberA).object(t)
		want := map[string]string{
			"assignmentStatus": "ASSIGNED", "tmobileNumberMappingStatus": "FAILED",
			"nonTmobileNumberMappingStatus": "ADDED", "attNumberMappingStatus": "FAILED",
		}
		for field, value := range want {
			if got[field] != value {
				t.Errorf("%s = %v, want %s", field, got[field], value)
			}
		}
		sim.DetachNumber(numberA)
		post(t, sim, numberA, campaignID)
		synctest.Wait()
		if got, want := statusOf(t, sim, numberA), [3]string{"ASSIGNED", "ADDED", "ADDED"}; got != want {
			t.Errorf("second time = %v, want %v", got, want)
		}
	})
}

func TestReassign_StealsAndReadsAreStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hooks := &inbox{}
		sim := account(t, telnyxsim.Options{DeliveryTransport: hooks, Dialect: telnyxsim.Dialect{StaleReadDelay: time.Minute}})
		defer sim.Close()
		_ = sim.AttachNumber(numberA, otherID, telnyx.Assigned)
		if got := put(t, sim, numberA, campaignID); got.status != 200 || got.object(t)["campaignId"] != campaignID {
			t.Fatalf("PUT = %d %s, want 200 on the new campaign", got.status, got.body)
		}
		if w := sim.Writes()[0]; !w.Effective || w.PreviousCampaignID != otherID {
			t.Errorf("write = %+v, want it effective and the other campaign as previous", w)
		}
		time.Sleep(time.Second)
		stale := read(t, sim, numberA).object(t)
		if stale["campaignId"] != otherID || stale["assignmentStatus"] != "ASSIGNED" {
			t.Errorf("immediate read = %v, want the old campaign, ASSIGNED", stale)
		}
		list := call(t, sim, "GET", "/10dlc/phone_number_campaigns"+query("filter[telnyx_campaign_id]", otherID), "")
		if got := list.column(t, "records", "phoneNumber"); !slices.Equal(got, []string{numberA}) {
			t.Errorf("list of the old campaign = %v, want it to show the number still", got)
		}
		if got := sim.Assignments()[0]; got.CampaignID != campaignID || got.Status != telnyx.Assigned {
			t.Errorf("truth = %+v, want the new campaign, ASSIGNED", got)
		}
		time.Sleep(time.Minute)
		if got := read(t, sim, numberA).object(t); got["campaignId"] != campaignID {
			t.Errorf("read later = %v, want the new campaign", got["campaignId"])
		}
		for _, summary := range hooks.summaries(t) {
			if summary == "DELETION success "+numberA {
				t.Error("the old campaign got an event, want none")
			}
		}
	})
}

// listOf returns the status of each number in the list of a campaign.
func listOf(t *testing.T, sim *telnyxsim.Simulator, campaign string) map[string]string {
	t.Helper()
	got := call(t, sim, "GET", "/10dlc/phone_number_campaigns"+query("filter[telnyx_campaign_id]", campaign), "")
	words := got.column(t, "records", "assignmentStatus")
	found := map[string]string{}
	for i, phoneNumber := range got.column(t, "records", "phoneNumber") {
		found[phoneNumber] = words[i]
	}
	return found
}

func TestRecord_ReadsMayLag(t *testing.T) {
	for name, tc := range map[string]struct {
		options telnyxsim.Options
		want    [][2]bool // immediately, after 2 minutes, after 4: is it read, is it listed
	}{
		"not at all":       {telnyxsim.Options{}, [][2]bool{{true, true}, {true, true}, {true, true}}},
		"lists":            {telnyxsim.Options{Dialect: telnyxsim.Dialect{ListLag: 3 * time.Minute}}, [][2]bool{{true, false}, {true, false}, {true, true}}},
		"both":             {telnyxsim.Options{Dialect: telnyxsim.Dialect{ReadLag: time.Minute}}, [][2]bool{{false, false}, {true, true}, {true, true}}},
		"lists for longer": {telnyxsim.Options{Dialect: telnyxsim.Dialect{ReadLag: time.Minute, ListLag: 3 * time.Minute}}, [][2]bool{{false, false}, {true, false}, {true, true}}},
		"lists no less":    {telnyxsim.Options{Dialect: telnyxsim.Dialect{ReadLag: 3 * time.Minute, ListLag: time.Minute}}, [][2]bool{{false, false}, {false, false}, {true, true}}},
		"moves do not lag": {telnyxsim.Options{Dialect: telnyxsim.Dialect{StaleReadDelay: time.Hour}}, [][2]bool{{true, true}, {true, true}, {true, true}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tc.options.DeliveryTransport = &inbox{}
				sim := account(t, tc.options)
				defer sim.Close()
				post(t, sim, numberA, campaignID)
				for i, want := range tc.want {
					_, listed := listOf(t, sim, campaignID)[numberA]
					if got := [2]bool{read(t, sim, numberA).status == 200, listed}; got != want {
						t.Errorf("after %d minutes: read %t, listed %t; want %v", 2*i, got[0], got[1], want)
					}
					time.Sleep(2 * time.Minute)
				}
			})
		})
	}
}

func TestRecord_LagShowsTheRecordBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hooks := &inbox{}
		sim := account(t, telnyxsim.Options{DeliveryTransport: hooks, Dialect: telnyxsim.Dialect{ReadLag: time.Minute, ListLag: 3 * time.Minute}})
		defer sim.Close()
		_ = sim.AttachNumber(numberA, otherID, telnyx.FailedAssignment, "rejected")
		post(t, sim, numberA, campaignID)
		synctest.Wait()
		if got := read(t, sim, numberA).object(t); got["campaignId"] != otherID || got["assignmentStatus"] != "FAILED_ASSIGNMENT" {
			t.Errorf("immediate read = %v, want the failed record", got)
		}
		if got := sim.Assignments()[0]; got.CampaignID != campaignID || got.Status != telnyx.Assigned {
			t.Errorf("truth = %+v, want the new record", got)
		}
		if got := hooks.summaries(t); len(got) == 0 {
			t.Error("no event, want those of the new record before it can be read")
		}
		if got := post(t, sim, numberA, campaignID); got.status != 200 || sim.Writes()[1].Effective {
			t.Errorf("POST again = %d, %+v; want 200 without effect", got.status, sim.Writes()[1])
		}
		time.Sleep(2 * time.Minute)
		if got := read(t, sim, numberA).object(t)["campaignId"]; got != campaignID {
			t.Errorf("read later = %v, want the new campaign", got)
		}
		if got := listOf(t, sim, otherID); got[numberA] != "FAILED_ASSIGNMENT" {
			t.Errorf("list of the old campaign = %v, want the failed record still", got)
		}
		time.Sleep(2 * time.Minute)
		if old, now := listOf(t, sim, otherID), listOf(t, sim, campaignID); len(old) != 0 || now[numberA] != "ASSIGNED" {
			t.Errorf("lists later = %v and %v, want the number on the new campaign alone", old, now)
		}
	})
}

func TestRecord_LagEndsWithTheRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := account(t, telnyxsim.Options{DeliveryTransport: &inbox{}, Dialect: telnyxsim.Dialect{ReadLag: time.Hour}})
		defer sim.Close()
		post(t, sim, numberA, campaignID)
		_ = sim.AttachNumber(numberA, otherID, telnyx.Assigned)
		if got := read(t, sim, numberA).object(t)["campaignId"]; got != otherID {
			t.Errorf("read after AttachNumber = %v, want what it says", got)
		}
		put(t, sim, numberB, campaignID)
		if got := read(t, sim, numberB); got.status != 404 {
			t.Errorf("read after PUT = %d, want 404: it lags as after POST", got.status)
		}
	})
}
