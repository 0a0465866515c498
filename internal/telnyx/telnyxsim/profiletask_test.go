package telnyxsim_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

const tasks = "/10dlc/phoneNumberAssignmentByProfile"

// postProfile attaches the numbers of a messaging profile to an own campaign.
func postProfile(t *testing.T, sim *telnyxsim.Simulator, profile, campaign string) reply {
	t.Helper()
	return call(t, sim, "POST", tasks, `{"messagingProfileId":"`+profile+`","campaignId":"`+campaign+`"}`)
}

// beginTask begins a task for the account's first campaign and returns its id.
func beginTask(t *testing.T, sim *telnyxsim.Simulator) string {
	t.Helper()
	got := postProfile(t, sim, profileID, campaignID)
	id, _ := got.object(t)["taskId"].(string)
	if got.status != 202 || id == "" {
		t.Fatalf("POST = %d %s, want 202 with a task", got.status, got.body)
	}
	return id
}

// taskOf returns what the API says of a task and of each of its numbers.
func taskOf(t *testing.T, sim *telnyxsim.Simulator, id string) (status string, numbers map[string]string) {
	t.Helper()
	task := call(t, sim, "GET", tasks+"/"+id, "")
	list := call(t, sim, "GET", tasks+"/"+id+"/phoneNumbers", "")
	if task.status != 200 || list.status != 200 {
		t.Fatalf("task = %d %s, its numbers = %d %s; want 200", task.status, task.body, list.status, list.body)
	}
	status, _ = task.object(t)["status"].(string)
	words := list.column(t, "records", "status")
	numbers = map[string]string{}
	for i, phoneNumber := range list.column(t, "records", "phoneNumber") {
		numbers[phoneNumber] = words[i]
	}
	return status, numbers
}

// campaigns returns the campaign of each number that has a record.
func campaigns(sim *telnyxsim.Simulator) map[string]string {
	found := map[string]string{}
	for _, a := range sim.Assignments() {
		found[a.PhoneNumber] = a.CampaignID
	}
	return found
}

// effective returns the writes that attached a number, without their times.
func effective(sim *telnyxsim.Simulator) map[string]telnyxsim.Write {
	found := map[string]telnyxsim.Write{}
	for _, w := range sim.Writes() {
		if w.Effective && w.PhoneNumber != "" {
			w.At = time.Time{}
			found[w.PhoneNumber] = w
		}
	}
	return found
}

func TestProfileTask_RefusesWhatCannotBegin(t *testing.T) {
	status := func(status telnyx.CampaignStatus) func(*telnyxsim.Simulator) {
		return func(s *telnyxsim.Simulator) { _ = s.SetCampaignStatus(campaignID, status) }
	}
	own, other := `"campaignId":"`+campaignID+`"`, `"messagingProfileId":"`+profileID+`"`
	for _, tc := range []struct {
		name    string
		prepare func(*telnyxsim.Simulator)
		body    string
		want    int
		code    string
		detail  string
	}{
		{"no JSON", nil, "no JSON", 400, "10015", "JSON"},
		{"no profile", nil, `{` + own + `}`, 400, "10004", "messagingProfileId"},
		{"no campaign", nil, `{` + other + `}`, 400, "10004", "campaignId"},
		{"both ids", nil, `{` + other + `,` + own + `,"tcrCampaignId":"` + sharedID + `"}`, 400, "10015", "either"},
		{"unknown profile", nil, `{"messagingProfileId":"` + brandID + `",` + own + `}`, 404, "10005", "Messaging profile"},
		{"unknown campaign", nil, `{` + other + `,"campaignId":"nope"}`, 404, "10005", "/campaignId"},
		{"own campaign as a shared one", nil, `{` + other + `,"tcrCampaignId":"` + campaignID + `"}`, 404, "10005", "/tcrCampaignId"},
		{"shared campaign as an own one", nil, `{` + other + `,"campaignId":"` + sharedID + `"}`, 404, "10005", "/campaignId"},
		{"not provisioned", status(telnyx.CampaignMNOAccepted), `{` + other + `,` + own + `}`, 422, "10036", "not Deployed"},
		{"mock", func(s *telnyxsim.Simulator) {
			s.AddCampaign(telnyxsim.Campaign{ID: campaignID, CampaignStatus: telnyx.CampaignMNOProvisioned, Mock: true})
		}, `{` + other + `,` + own + `}`, 400, "10015", "mock"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sim := still(t, telnyxsim.Quirks{})
			if tc.prepare != nil {
				tc.prepare(sim)
			}
			got := call(t, sim, "POST", tasks, tc.body)
			if got.status != tc.want || got.code(t) != tc.code || !strings.Contains(got.body, tc.detail) {
				t.Errorf("POST = %d %s, want %d with %s and %q", got.status, got.body, tc.want, tc.code, tc.detail)
			}
			if w := sim.Writes(); len(w) != 1 || w[0].Effective || w[0].TaskID != "" || w[0].AnswerStatus != tc.want {
				t.Errorf("writes = %+v, want one without effect and status %d", w, tc.want)
			}
		})
	}
	sim := still(t, telnyxsim.Quirks{})
	for _, path := range []string{tasks + "/nope", tasks + "/nope/phoneNumbers"} {
		if got := call(t, sim, "GET", path, ""); got.status != 404 || got.code(t) != "10005" {
			t.Errorf("GET %s = %d %s, want 404 with 10005", path, got.status, got.body)
		}
	}
}

func TestProfileTask_MovesWithItsDelay(t *testing.T) {
	for name, tc := range map[string]struct {
		quirks telnyxsim.Quirks
		want   []string
	}{
		"as in the OpenAPI description": {telnyxsim.Quirks{}, []string{"pending 0", "processing 4", "completed 4"}},
		"as in the Go SDK": {
			telnyxsim.Quirks{TaskStarting: true},
			[]string{"pending 0", "starting 0", "running 4", "completed 4"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := account(t, telnyxsim.Options{DeliveryTransport: &inbox{}, TaskDelay: time.Minute, Quirks: tc.quirks})
				defer sim.Close()
				id := beginTask(t, sim)
				time.Sleep(30 * time.Second)
				got := []string{}
				for range tc.want {
					status, numbers := taskOf(t, sim, id)
					got = append(got, fmt.Sprint(status, " ", len(numbers)))
					time.Sleep(time.Minute)
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("stages (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestProfileTask_MayStayPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := account(t, telnyxsim.Options{DeliveryTransport: &inbox{}, TaskDelay: telnyxsim.Never})
		defer sim.Close()
		id := beginTask(t, sim)
		time.Sleep(24 * time.Hour)
		if task := call(t, sim, "GET", tasks+"/"+id, "").object(t); task["updatedAt"] != task["createdAt"] {
			t.Errorf("updated at %v, and created at %v; want no change", task["updatedAt"], task["createdAt"])
		}
		if status, _ := taskOf(t, sim, id); status != "pending" || len(sim.Assignments()) != 0 {
			t.Errorf("a day later it is %s and attached %v", status, sim.Assignments())
		}
	})
}

func TestProfileTask_TakesTheNumbersThatAreOnTheProfileThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hooks := &inbox{}
		sim := account(t, telnyxsim.Options{DeliveryTransport: hooks, TaskDelay: time.Minute})
		defer sim.Close()
		_ = sim.AttachNumber(numberB, campaignID, telnyx.Assigned)
		_ = sim.AttachNumber(numberC, otherID, telnyx.FailedAssignment, "rejected")
		id := beginTask(t, sim)
		call(t, sim, "PATCH", "/phone_numbers/"+numberA+"/messaging", `{"messaging_profile_id":"`+profileFor+`"}`)
		call(t, sim, "PATCH", "/phone_numbers/"+noProfile+"/messaging", `{"messaging_profile_id":"`+profileID+`"}`)
		before := len(sim.Writes())
		time.Sleep(time.Hour)

		began := sim.Writes()[0].At
		if task := call(t, sim, "GET", tasks+"/"+id, "").object(t); task["updatedAt"] != began.Add(2*time.Minute).UTC().Format(time.RFC3339Nano) {
			t.Errorf("updated at %v, want two minutes after %s", task["updatedAt"], began)
		}
		_, numbers := taskOf(t, sim, id)
		wantNumbers := map[string]string{
			numberB: "completed", numberC: "completed", noProfile: "completed", tollFree: "failed",
		}
		if diff := cmp.Diff(wantNumbers, numbers); diff != "" {
			t.Errorf("numbers of the task (-want +got):\n%s", diff)
		}
		wantCampaigns := map[string]string{numberB: campaignID, numberC: campaignID, noProfile: campaignID}
		if diff := cmp.Diff(wantCampaigns, campaigns(sim)); diff != "" {
			t.Errorf("campaigns (-want +got):\n%s", diff)
		}
		write := telnyxsim.Write{
			Method: "POST", Path: tasks, TaskID: id, CampaignID: campaignID, MessagingProfileID: profileID,
			CampaignStatus: telnyx.CampaignMNOProvisioned, Effective: true,
		}
		first, c, late := write, write, write
		first.AnswerStatus = 202
		c.PhoneNumber, late.PhoneNumber = numberC, noProfile
		ignore := cmpopts.IgnoreFields(telnyxsim.Write{}, "At")
		if diff := cmp.Diff(first, sim.Writes()[0], ignore); diff != "" {
			t.Errorf("the POST (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]telnyxsim.Write{c, late}, sim.Writes()[before:], ignore); diff != "" {
			t.Errorf("writes of the task (-want +got):\n%s", diff)
		}
		if got := hooks.summaries(t); len(got) != 6 || !strings.Contains(strings.Join(got, "\n"), "ASSIGNMENT success "+noProfile) {
			t.Errorf("events = %v, want an assignment and two mappings of each new number", got)
		}
	})
}

func TestProfileTask_MovesOrSkipsANumberOfAnotherCampaign(t *testing.T) {
	for name, skips := range map[string]bool{"is stolen": false, "is skipped": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hooks := &inbox{}
				sim := account(t, telnyxsim.Options{
					DeliveryTransport: hooks, StaleReadDelay: time.Minute,
					Quirks: telnyxsim.Quirks{BulkSkipsConflicts: skips},
				})
				defer sim.Close()
				_ = sim.AttachNumber(numberA, otherID, telnyx.Assigned)
				id := beginTask(t, sim)
				synctest.Wait()

				status, numbers := taskOf(t, sim, id)
				wantCampaign, wantWord, wantWrites := campaignID, "completed", 3
				if skips {
					wantCampaign, wantWord, wantWrites = otherID, "failed", 2
				}
				if status != "completed" || numbers[numberA] != wantWord || campaigns(sim)[numberA] != wantCampaign {
					t.Errorf("task %s, number %s and on %s; want completed, %s, %s",
						status, numbers[numberA], campaigns(sim)[numberA], wantWord, wantCampaign)
				}
				writes := effective(sim)
				if len(writes) != wantWrites || !skips && writes[numberA].PreviousCampaignID != otherID {
					t.Errorf("effective writes %+v, want %d, a steal with its previous campaign", writes, wantWrites)
				}
				if got := read(t, sim, numberA).object(t)["campaignId"]; got != otherID {
					t.Errorf("read at once shows %v, want the old campaign", got)
				}
				time.Sleep(time.Hour)
				if got := read(t, sim, numberA).object(t)["campaignId"]; got != wantCampaign {
					t.Errorf("read later shows %v, want %s", got, wantCampaign)
				}
				for _, summary := range hooks.summaries(t) {
					if summary == "DELETION success "+numberA {
						t.Error("the old campaign was told of its loss, want silence")
					}
				}
			})
		})
	}
}

func TestProfileTask_MayFailHalfway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := account(t, telnyxsim.Options{DeliveryTransport: &inbox{}})
		defer sim.Close()
		sim.FailNextTask()
		failing := beginTask(t, sim)
		synctest.Wait()
		status, numbers := taskOf(t, sim, failing)
		want := map[string]string{numberA: "completed", numberB: "completed", numberC: "pending", tollFree: "pending"}
		if diff := cmp.Diff(want, numbers); diff != "" || status != "failed" {
			t.Errorf("status %s, want failed; numbers (-want +got):\n%s", status, diff)
		}
		if got := effective(sim); len(got) != 2 || len(campaigns(sim)) != 2 {
			t.Errorf("effective writes %v, want those of two numbers", got)
		}

		again := beginTask(t, sim)
		synctest.Wait()
		status, numbers = taskOf(t, sim, again)
		if status != "completed" || numbers[numberC] != "completed" || again == failing {
			t.Errorf("the next task is %s, its numbers %v; want it completed", status, numbers)
		}
		if got := effective(sim); len(got) != 3 || got[numberA].TaskID != failing || got[numberC].TaskID != again {
			t.Errorf("effective writes %+v, want each number once", got)
		}
	})
}

func TestProfileTask_HonoursWhatASinglePostDoes(t *testing.T) {
	for name, tc := range map[string]struct {
		prepare func(*telnyxsim.Simulator)
		quirks  telnyxsim.Quirks
		numbers map[string]string
		records map[string]telnyx.AssignmentStatus
	}{
		"room": {
			func(s *telnyxsim.Simulator) {
				s.AddCampaign(telnyxsim.Campaign{ID: campaignID, CampaignStatus: telnyx.CampaignMNOProvisioned, MaxNumbers: 2})
			},
			telnyxsim.Quirks{},
			map[string]string{numberA: "completed", numberB: "completed", numberC: "failed"},
			map[string]telnyx.AssignmentStatus{numberA: telnyx.Assigned, numberB: telnyx.Assigned},
		},
		"dormancy": {
			func(s *telnyxsim.Simulator) { _ = s.MakeDormant(campaignID) },
			telnyxsim.Quirks{},
			map[string]string{numberA: "completed", numberB: "completed", numberC: "completed"},
			map[string]telnyx.AssignmentStatus{
				numberA: telnyx.FailedAssignment, numberB: telnyx.Assigned, numberC: telnyx.Assigned,
			},
		},
		"dormancy that refuses": {
			func(s *telnyxsim.Simulator) { _ = s.MakeDormant(campaignID) },
			telnyxsim.Quirks{RefuseDormant: true},
			map[string]string{numberA: "failed", numberB: "completed", numberC: "completed"},
			map[string]telnyx.AssignmentStatus{numberB: telnyx.Assigned, numberC: telnyx.Assigned},
		},
		"a removal that goes on": {
			func(s *telnyxsim.Simulator) { _ = s.AttachNumber(numberA, campaignID, telnyx.PendingUnassignment) },
			telnyxsim.Quirks{},
			map[string]string{numberA: "failed", numberB: "completed", numberC: "completed"},
			map[string]telnyx.AssignmentStatus{
				numberA: telnyx.PendingUnassignment, numberB: telnyx.Assigned, numberC: telnyx.Assigned,
			},
		},
		"what carriers refuse": {
			func(s *telnyxsim.Simulator) { s.FailAssignment(numberB, "Number is not eligible") },
			telnyxsim.Quirks{},
			map[string]string{numberA: "completed", numberB: "completed", numberC: "completed"},
			map[string]telnyx.AssignmentStatus{
				numberA: telnyx.Assigned, numberB: telnyx.FailedAssignment, numberC: telnyx.Assigned,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := account(t, telnyxsim.Options{DeliveryTransport: &inbox{}, Quirks: tc.quirks})
				defer sim.Close()
				tc.prepare(sim)
				id := beginTask(t, sim)
				synctest.Wait()
				status, numbers := taskOf(t, sim, id)
				delete(numbers, tollFree)
				if diff := cmp.Diff(tc.numbers, numbers); diff != "" || status != "completed" {
					t.Errorf("status %s, want completed; numbers (-want +got):\n%s", status, diff)
				}
				records := map[string]telnyx.AssignmentStatus{}
				for _, a := range sim.Assignments() {
					records[a.PhoneNumber] = a.Status
				}
				if diff := cmp.Diff(tc.records, records); diff != "" {
					t.Errorf("records (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestProfileTask_CampaignMayBeSuspendedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := account(t, telnyxsim.Options{DeliveryTransport: &inbox{}, TaskDelay: time.Minute})
		defer sim.Close()
		id := beginTask(t, sim)
		_ = sim.Suspend(campaignID)
		time.Sleep(time.Hour)
		_, numbers := taskOf(t, sim, id)
		for phoneNumber, word := range numbers {
			if word != "failed" {
				t.Errorf("%s is %s, want failed", phoneNumber, word)
			}
		}
		if len(numbers) != 4 || len(campaigns(sim)) != 0 {
			t.Errorf("numbers %v, attached %v; want four and none", numbers, campaigns(sim))
		}
	})
}

func TestProfileTask_KnowsASharedCampaignByItsTCRID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := account(t, telnyxsim.Options{DeliveryTransport: &inbox{}})
		defer sim.Close()
		got := call(t, sim, "POST", tasks, `{"messagingProfileId":"`+profileID+`","tcrCampaignId":"`+sharedID+`"}`)
		told := got.object(t)
		_, both := told["campaignId"]
		if got.status != 202 || told["messagingProfileId"] != profileID || told["tcrCampaignId"] != sharedID || both {
			t.Errorf("POST = %d %s, want 202 with the profile and the TCR id alone", got.status, got.body)
		}
		synctest.Wait()
		want := map[string]string{numberA: sharedID, numberB: sharedID, numberC: sharedID}
		if diff := cmp.Diff(want, campaigns(sim)); diff != "" {
			t.Errorf("campaigns (-want +got):\n%s", diff)
		}
		if w := sim.Writes()[0]; w.CampaignID != sharedID || w.PhoneNumber != "" {
			t.Errorf("the POST = %+v, want the campaign as it was spelled and no number", w)
		}
	})
}

func TestProfileTask_NumbersComeInPagesWithoutACount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := account(t, telnyxsim.Options{DeliveryTransport: &inbox{}})
		defer sim.Close()
		for i := range 25 {
			sim.AddNumbers(telnyxsim.Number{PhoneNumber: fmt.Sprintf("+1555124%04d", i), MessagingProfileID: profileFor})
		}
		got := postProfile(t, sim, profileFor, campaignID)
		synctest.Wait()
		list := tasks + "/" + fmt.Sprint(got.object(t)["taskId"]) + "/phoneNumbers"
		for page, want := range map[string]int{"": 20, "1": 20, "2": 5, "3": 0} {
			got := call(t, sim, "GET", list+query("page", page), "")
			if rows := got.column(t, "records", "phoneNumber"); len(rows) != want {
				t.Errorf("page %q has %d rows, want %d", page, len(rows), want)
			}
			for field := range maps.Keys(got.object(t)) {
				if field != "records" {
					t.Errorf("page %q has the field %s, want the records alone", page, field)
				}
			}
		}
		if rows := call(t, sim, "GET", list+query("recordsPerPage", "250"), "").column(t, "records", "status"); len(rows) != 25 {
			t.Errorf("a big page has %d rows, want 25", len(rows))
		}
	})
}

func TestProfileTask_IsBegunThoughTheAnswerIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := account(t, telnyxsim.Options{DeliveryTransport: &inbox{}})
		defer sim.Close()
		sim.Inject(telnyxsim.Fault{Method: "POST", PathPrefix: tasks, Kind: telnyxsim.EffectThenLost()})
		func() {
			defer func() { _ = recover() }() // the connection is cut
			postProfile(t, sim, profileID, campaignID)
		}()
		synctest.Wait()
		w := sim.Writes()
		if len(w) != 4 || !w[0].Effective || w[0].AnswerStatus != 0 || w[1].TaskID != w[0].TaskID {
			t.Errorf("writes = %+v, want a task that nobody was told of and three numbers", w)
		}
	})
}
