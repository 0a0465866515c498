package telnyxsim_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// still is an account in which nothing changes with time.
func still(t *testing.T, dialect telnyxsim.Dialect) *telnyxsim.Simulator {
	t.Helper()
	return account(t, telnyxsim.Options{
		AssignDelay: telnyxsim.Never, UnassignDelay: telnyxsim.Never,
		Dialect: dialect, DeliveryTransport: &inbox{},
	})
}

func TestAssign_RefusesWhatCannotBeAttached(t *testing.T) {
	for _, tc := range []struct {
		name        string
		prepare     func(*telnyxsim.Simulator) error
		phoneNumber string
		campaign    string
		want        int
		code        string
		detail      string
	}{
		{"not E.164", nil, "15551230001", campaignID, 400, "10016", "15551230001"},
		{"no number", nil, "", campaignID, 400, "10004", "phoneNumber"},
		{"no campaign", nil, numberA, "", 400, "10004", "campaignId"},
		{"unknown campaign", nil, numberA, "nope", 404, "10005", "Campaign"},
		{"our own campaign by its TCR id", nil, numberA, "C6X6M95", 404, "10005", "Campaign"},
		{"not owned", nil, notOwned, campaignID, 404, "10005", "Phone number"},
		{"toll-free", nil, tollFree, campaignID, 400, "10015", "long codes"},
		{"no profile", nil, noProfile, campaignID, 400, "10015", "messaging profile"},
		{"not provisioned", func(s *telnyxsim.Simulator) error {
			return s.SetCampaignStatus(campaignID, telnyx.CampaignMNOAccepted)
		}, numberA, campaignID, 422, "10036", "not Deployed"},
		{"mock", func(s *telnyxsim.Simulator) error {
			s.AddCampaign(telnyxsim.Campaign{ID: campaignID, CampaignStatus: telnyx.CampaignMNOProvisioned, Mock: true})
			return nil
		}, numberA, campaignID, 400, "10015", "mock"},
		{"being removed", func(s *telnyxsim.Simulator) error {
			return s.AttachNumber(numberA, otherID, telnyx.PendingUnassignment)
		}, numberA, campaignID, 422, "10036", "removed"},
		{"sole proprietor with its number", func(s *telnyxsim.Simulator) error {
			s.AddCampaign(telnyxsim.Campaign{ID: campaignID, CampaignStatus: telnyx.CampaignMNOProvisioned, Usecase: "SOLE_PROPRIETOR"})
			return s.AttachNumber(numberB, campaignID, telnyx.Assigned)
		}, numberA, campaignID, 400, "10015", "can only have one phone number"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sim := still(t, telnyxsim.Dialect{})
			if tc.prepare != nil {
				if err := tc.prepare(sim); err != nil {
					t.Fatal(err)
				}
			}
			before := sim.Assignments()
			got := post(t, sim, tc.phoneNumber, tc.campaign)
			if got.status != tc.want || got.code(t) != tc.code || !strings.Contains(got.body, tc.detail) {
				t.Errorf("POST = %d %s, want %d with %s and %q", got.status, got.body, tc.want, tc.code, tc.detail)
			}
			if diff := cmp.Diff(before, sim.Assignments()); diff != "" {
				t.Errorf("a refusal changed records (-before +after):\n%s", diff)
			}
			if w := sim.Writes(); len(w) != 1 || w[0].Effective || w[0].AnswerStatus != tc.want {
				t.Errorf("writes = %+v, want one without effect and status %d", w, tc.want)
			}
		})
	}
}

func TestAssign_RefusesABodyThatIsNoJSON(t *testing.T) {
	sim := still(t, telnyxsim.Dialect{})
	for method, path := range map[string]string{"POST": "", "PUT": "/" + numberA} {
		got := call(t, sim, method, "/10dlc/phone_number_campaigns"+path, "no JSON")
		if got.status != 400 || got.code(t) != "10015" || !strings.Contains(got.body, "JSON") {
			t.Errorf("%s = %d %s, want 400 with 10015", method, got.status, got.body)
		}
	}
}

func TestAssign_IsAcceptedNotDone(t *testing.T) {
	sim := still(t, telnyxsim.Dialect{})
	got := post(t, sim, numberA, campaignID)
	record := got.object(t)
	if got.status != 200 || record["assignmentStatus"] != "PENDING_ASSIGNMENT" || record["campaignId"] != campaignID {
		t.Errorf("POST = %d %s, want 200 and PENDING_ASSIGNMENT", got.status, got.body)
	}
	if created, _ := record["createdAt"].(string); strings.ContainsAny(created, "Z+") || created == "" {
		t.Errorf("createdAt = %q, want a time without a zone", created)
	}
}

func TestAssign_RefusesMoreThanACampaignCarries(t *testing.T) {
	sim := account(t, telnyxsim.Options{MaxNumbersPerCampaign: 2, AssignDelay: telnyxsim.Never})
	_ = sim.AttachNumber(numberA, campaignID, telnyx.Assigned)
	_ = sim.AttachNumber(numberB, campaignID, telnyx.FailedAssignment)
	sim.AddNumbers(telnyxsim.Number{PhoneNumber: "+15551230004", MessagingProfileID: profileID})
	if got := post(t, sim, numberC, campaignID); got.status != 200 {
		t.Errorf("second number beside a failed one = %d %s, want 200", got.status, got.body)
	}
	if got := post(t, sim, "+15551230004", campaignID); got.status != 400 || !strings.Contains(got.body, "Limit exceeded") {
		t.Errorf("third number = %d %s, want 400 and the aggregator's text", got.status, got.body)
	}
}

func TestAssign_TakesTheSamePairAgain(t *testing.T) {
	sim := still(t, telnyxsim.Dialect{})
	first := post(t, sim, numberA, campaignID)
	second := post(t, sim, numberA, campaignID)
	if second.status != 200 || second.body != first.body {
		t.Errorf("second POST = %d %s, want 200 %s", second.status, second.body, first.body)
	}
	if w := sim.Writes(); len(w) != 2 || !w[0].Effective || w[1].Effective {
		t.Errorf("writes = %+v, want the first alone effective", w)
	}
	strict := still(t, telnyxsim.Dialect{RefuseRepeats: true})
	post(t, strict, numberA, campaignID)
	if got := post(t, strict, numberA, campaignID); got.status != 400 || got.code(t) != "10012" {
		t.Errorf("RefuseRepeats: second POST = %d %s, want 400 with 10012", got.status, got.body)
	}
}

func TestAssign_NumberOfAnotherCampaignStaysThere(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		t.Run(fmt.Sprint("refuse ", refuse), func(t *testing.T) {
			sim := still(t, telnyxsim.Dialect{RefuseConflicts: refuse})
			_ = sim.AttachNumber(numberA, otherID, telnyx.Assigned)
			got := post(t, sim, numberA, campaignID)
			if refuse && (got.status != 400 || got.code(t) == "") {
				t.Errorf("POST = %d %s, want 400 with an error", got.status, got.body)
			}
			if !refuse {
				record := got.object(t)
				text, isText := record["errors"].(string)
				reasons, present := record["failureReasons"]
				if got.status != 200 || !isText || !strings.Contains(text, "another campaign") || !present || reasons != nil {
					t.Errorf("POST = %d %s, want 200, errors as text and failureReasons null", got.status, got.body)
				}
			}
			if now := read(t, sim, numberA).object(t); now["campaignId"] != otherID || now["assignmentStatus"] != "ASSIGNED" {
				t.Errorf("record = %v, want it where it was", now)
			}
			if w := sim.Writes()[0]; w.Effective || w.PreviousCampaignID != otherID {
				t.Errorf("write = %+v, want no effect and the other campaign as previous", w)
			}
		})
	}
}

func TestAssign_FailedRecordIsReplaced(t *testing.T) {
	sim := still(t, telnyxsim.Dialect{})
	_ = sim.AttachNumber(numberA, otherID, telnyx.FailedAssignment, "rejected by AT&T")
	if got := read(t, sim, numberA).object(t)["failureReasons"]; got != "rejected by AT&T" {
		t.Errorf("failureReasons = %v, want the reason", got)
	}
	post(t, sim, numberA, campaignID)
	w := sim.Writes()[0]
	if !w.Effective || w.PreviousCampaignID != "" || w.CampaignStatus != telnyx.CampaignMNOProvisioned {
		t.Errorf("write = %+v, want it effective, on no campaign before, on a provisioned one now", w)
	}
}

func TestAssign_SharedCampaignByItsTCRID(t *testing.T) {
	sim := still(t, telnyxsim.Dialect{})
	got := post(t, sim, numberA, sharedID).object(t)
	for field, want := range map[string]string{
		"campaignId": sharedID, "tcrCampaignId": sharedID, "telnyxCampaignId": "", "brandId": "",
	} {
		if got[field] != want {
			t.Errorf("%s = %v, want %q", field, got[field], want)
		}
	}
}

func TestReassign_UpsertsAndRefuses(t *testing.T) {
	sim := still(t, telnyxsim.Dialect{})
	if got := put(t, sim, numberA, campaignID); got.status != 200 {
		t.Errorf("PUT of a free number = %d %s, want 200", got.status, got.body)
	}
	if got := put(t, sim, numberA, campaignID); got.status != 200 || sim.Writes()[1].Effective {
		t.Errorf("PUT again = %d %+v, want 200 without effect", got.status, sim.Writes()[1])
	}
	got := call(t, sim, "PUT", "/10dlc/phone_number_campaigns/"+numberB, pair(numberC, campaignID))
	if got.status != 400 {
		t.Errorf("PUT of two different numbers = %d, want 400", got.status)
	}
	got = call(t, sim, "PUT", "/10dlc/phone_number_campaigns/"+numberB, `{"campaignId":"`+campaignID+`"}`)
	if got.status != 400 || got.code(t) != "10004" {
		t.Errorf("PUT without a number in the body = %d %s, want 400 with 10004", got.status, got.body)
	}
	_ = sim.AttachNumber(numberC, otherID, telnyx.PendingUnassignment)
	if got := put(t, sim, numberC, campaignID); got.code(t) != "10036" {
		t.Errorf("PUT of a number that is being removed = %d %s, want 10036", got.status, got.body)
	}
}

func TestAssignments_PathMayHoldThePlusEitherWay(t *testing.T) {
	sim := still(t, telnyxsim.Dialect{})
	post(t, sim, numberA, campaignID)
	for _, path := range []string{numberA, url.QueryEscape(numberA)} {
		if got := read(t, sim, path); got.status != 200 {
			t.Errorf("GET %s = %d, want 200", path, got.status)
		}
	}
	if got := read(t, sim, numberB); got.status != 404 || got.code(t) != "10005" {
		t.Errorf("GET of a free number = %d %s, want 404 with 10005", got.status, got.body)
	}
}

func TestAssignments_AreSortedFilteredAndPaged(t *testing.T) {
	sim := account(t, telnyxsim.Options{Dialect: telnyxsim.Dialect{MaxPageSize: 2}, DeliveryTransport: &inbox{}})
	_ = sim.AttachNumber(numberB, campaignID, telnyx.Assigned)
	_ = sim.AttachNumber(numberA, otherID, telnyx.Assigned)
	_ = sim.AttachNumber(numberC, sharedID, telnyx.FailedAssignment)
	for _, tc := range []struct {
		name, query string
		want        []string
	}{
		{"newest first", "", []string{numberC, numberA}},
		{"second page", query("page", "2"), []string{numberB}},
		{"oldest first", query("sort", "createdAt"), []string{numberB, numberA}},
		{"by number", query("sort", "phoneNumber"), []string{numberA, numberB}},
		{"by number, down", query("sort", "-phoneNumber"), []string{numberC, numberB}},
		{"by status", query("sort", "assignmentStatus", "page", "2"), []string{numberC}},
		{"page size over the maximum", query("recordsPerPage", "500", "sort", "phoneNumber"), []string{numberA, numberB}},
		{"page size below it", query("recordsPerPage", "1", "sort", "phoneNumber"), []string{numberA}},
		{"campaign", query("filter[telnyx_campaign_id]", campaignID), []string{numberB}},
		{"TCR campaign", query("filter[tcr_campaign_id]", sharedID), []string{numberC}},
		{"brand", query("filter[telnyx_brand_id]", brandID, "sort", "phoneNumber"), []string{numberA, numberB}},
		{"unknown filter", query("filter[campaign_id]", campaignID), []string{numberC, numberA}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := call(t, sim, "GET", "/10dlc/phone_number_campaigns"+tc.query, "").column(t, "records", "phoneNumber")
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("numbers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAssignments_DefaultPageIsTwenty(t *testing.T) {
	sim := still(t, telnyxsim.Dialect{})
	for i := range 25 {
		phoneNumber := fmt.Sprintf("+1555124%04d", i)
		sim.AddNumbers(telnyxsim.Number{PhoneNumber: phoneNumber, MessagingProfileID: profileID})
		_ = sim.AttachNumber(phoneNumber, campaignID, telnyx.Assigned)
	}
	got := call(t, sim, "GET", "/10dlc/phone_number_campaigns", "")
	if rows := got.column(t, "records", "phoneNumber"); len(rows) != 20 || got.object(t)["totalRecords"] != 25.0 {
		t.Errorf("%d rows of %v, want 20 of 25", len(rows), got.object(t)["totalRecords"])
	}
}
