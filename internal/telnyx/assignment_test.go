package telnyx

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const assignmentsPath = "/v2/10dlc/phone_number_campaigns"

func TestClient_AssignmentReadsWhatTelnyxSays(t *testing.T) {
	c, s := newServer(t, ok(`{"records":[],"totalRecords":0}`), ok(`{
		"phoneNumber": "+16715455939", "campaignId": "751c6a5c-907b-43a9-8ada-ba1dc8335b07", "telnyxCampaignId": null,
		"tcrCampaignId": "C6X6M95", "brandId": "", "tcrBrandId": "BBRAND1", "assignmentStatus": "PAUSED",
		"tmobileNumberMappingStatus": "ADDED", "nonTmobileNumberMappingStatus": "ODD", "attNumberMappingStatus": null,
		"failureReasons": null, "errors": "longcode is assigned to another campaign",
		"createdAt": "2021-03-08T17:57:48.801186", "updatedAt": "2021-03-09T17:57:48.801186Z"
	}`))
	got, err := c.Assignment(t.Context(), number)
	if err != nil {
		t.Fatal(err)
	}
	want := Assignment{
		PhoneNumber: number, CampaignID: campaign, TCRCampaignID: "C6X6M95", AssignmentStatus: "PAUSED",
		TMobile: MappingAdded, NonTMobile: "ODD",
		Errors:    json.RawMessage(`"longcode is assigned to another campaign"`),
		CreatedAt: Time{time.Date(2021, 3, 8, 17, 57, 48, 801186e3, time.UTC), "2021-03-08T17:57:48.801186"},
		UpdatedAt: Time{time.Date(2021, 3, 9, 17, 57, 48, 801186e3, time.UTC), "2021-03-09T17:57:48.801186Z"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("assignment (-want +got):\n%s", diff)
	}
	if text := ReasonText(got.Errors); text != "longcode is assigned to another campaign" {
		t.Errorf("errors read %q", text)
	}
	assertSent(t, s,
		sent{Method: "GET", Path: assignmentsPath, Query: "page=1&recordsPerPage=250&sort=phoneNumber"},
		sent{Method: "GET", Path: assignmentsPath + "/" + number})
}

func TestAssignment_NotFoundNeedsARouteThatExists(t *testing.T) {
	list := ok(`{"records":[],"totalRecords":0}`)
	coded := answer{status: 404, body: `{"errors":[{"code":"10005","title":"Resource not found"}]}`}
	odd := answer{status: 404, body: `{"detail":"Not Found"}`}
	for name, tt := range map[string]struct {
		answers         []answer
		found, is404    bool
		unreadable      bool
		calls           int
		wantInLastRoute string
	}{
		"a proven 404":            {[]answer{list, coded}, true, true, false, 2, "phone_number_campaigns"},
		"an odd body":             {[]answer{list, odd}, false, true, false, 2, "phone_number_campaigns"},
		"the guide's route":       {[]answer{odd, list, coded}, true, true, false, 3, "phoneNumberCampaign"},
		"no route":                {[]answer{odd}, false, true, false, 2, "phoneNumberCampaign"},
		"the other route refused": {[]answer{coded, {status: 403}}, false, false, false, 3, "phoneNumberCampaign"},
		"an empty account":        {[]answer{coded, coded, ok(`{"records":[]}`), coded}, true, true, false, 4, "phone_number_campaigns"},
		"an empty object":         {[]answer{list, ok(`{}`)}, false, false, true, 2, "phone_number_campaigns"},
		"null":                    {[]answer{list, ok(`null`)}, false, false, true, 2, "phone_number_campaigns"},
		"an empty list":           {[]answer{list, ok(`{"data":[]}`)}, false, false, true, 2, "phone_number_campaigns"},
		"a record of another one": {[]answer{list, ok(`{"phoneNumber":"+15550000000"}`)}, false, false, true, 2, "phone_number_campaigns"},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := newServer(t, tt.answers...)
			_, err := c.Assignment(t.Context(), number)
			_, unreadable := errors.AsType[*UnreadableError](err)
			if IsNotFound(err) != tt.found || Is404(err) != tt.is404 || unreadable != tt.unreadable {
				t.Errorf("got %v, want not found %v, 404 %v, unreadable %v", err, tt.found, tt.is404, tt.unreadable)
			}
			if got := s.requests[len(s.requests)-1].Path; len(s.requests) != tt.calls || !strings.Contains(got, tt.wantInLastRoute) {
				t.Errorf("asked %d times, last %s; want %d, last %s", len(s.requests), got, tt.calls, tt.wantInLastRoute)
			}
		})
	}
}

func TestAssignment_WriteUnderAnUnknownRouteIsNotNotFound(t *testing.T) {
	c, _ := newServer(t, answer{status: 404, body: `{"errors":[{"code":"10005","title":"Resource not found"}]}`})
	_, err := c.Assign(t.Context(), number, campaign)
	if IsNotFound(err) || !Is404(err) || !WasSent(err) {
		t.Errorf("got %v, want a 404 that does not say what is missing", err)
	}
}

func TestClient_WritesUnderTheRouteThatWasFound(t *testing.T) {
	record := ok(`{"phoneNumber":"+16715455939","campaignId":"a"}`)
	c, s := newServer(t, answer{status: 404}, ok(`{"data":[]}`), record)
	ctx := t.Context()
	if _, err := c.Assignments(ctx, 0); err != nil {
		t.Fatal(err)
	}
	for _, write := range []func() error{
		func() error { _, err := c.Assign(ctx, number, "a"); return err },
		func() error { _, err := c.Reassign(ctx, number, "a"); return err },
		func() error { _, err := c.Unassign(ctx, number); return err },
	} {
		if err := write(); err != nil {
			t.Error(err)
		}
	}
	const path = "/v2/10dlc/phoneNumberCampaign"
	var got []string
	for _, r := range s.requests[len(s.requests)-3:] {
		got = append(got, r.Method+" "+r.Path)
	}
	if diff := cmp.Diff([]string{"POST " + path, "PUT " + path + "/" + number, "DELETE " + path + "/" + number}, got); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
}

func TestClient_UnassignTakesAnswersWithAndWithoutARecord(t *testing.T) {
	for body, want := range map[string]Assignment{
		`{"phoneNumber":"+16715455939","assignmentStatus":"PENDING_UNASSIGNMENT"}`: {PhoneNumber: number, AssignmentStatus: PendingUnassignment},
		``:   {PhoneNumber: number},
		`{}`: {PhoneNumber: number},
	} {
		c, _ := newServer(t, ok(body))
		got, err := c.Unassign(t.Context(), number)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", body, err, diff)
		}
	}
}

func TestAssignment_ReadsEveryShape(t *testing.T) {
	want := Assignment{PhoneNumber: number, CampaignID: "a", AssignmentStatus: PendingAssignment, TMobile: MappingAdded}
	for name, body := range map[string]string{
		"bare":       `{"phoneNumber":"+16715455939","campaignId":"a","assignmentStatus":"PENDING_ASSIGNMENT","tmobileNumberMappingStatus":"ADDED"}`,
		"data":       `{"data":{"phoneNumber":"16715455939","campaignId":"a","assignmentStatus":"pending_assignment","tmobileNumberMappingStatus":"added"}}`,
		"snake case": `{"phone_number":"(671) 545-5939","campaign_id":"a","assignment_status":"Pending Assignment","tmobile_number_mapping_status":"Added"}`,
		"guide":      `{"data":{"phoneNumber":"+1 671-545-5939","campaignId":"a","status":"pending-assignment","tmobileNumberMappingStatus":"ADDED"}}`,
		"list":       `[{"phoneNumber":"+16715455939","campaignId":"a","assignmentStatus":"pendingAssignment","tmobileNumberMappingStatus":"ADDED"}]`,
		"data list":  `{"data":[{"phoneNumber":6715455939,"campaignId":"a","assignmentStatus":"PENDING_ASSIGNMENT","tmobileNumberMappingStatus":"ADDED"}]}`,
		"records":    `{"records":[{"phoneNumber":"+16715455939","campaignId":"a","assignmentStatus":"PENDING_ASSIGNMENT","tmobileNumberMappingStatus":"ADDED"}]}`,
	} {
		c, _ := newServer(t, ok(`{"records":[]}`), ok(body))
		got, err := c.Assignment(t.Context(), number)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestAssignment_FailureTextReadsBothFieldsInEveryShape(t *testing.T) {
	for record, want := range map[string]string{
		`{}`: "",
		`{"failureReasons":null,"errors":"The long code is on another campaign"}`:                                             "The long code is on another campaign",
		`{"assignmentStatus":"FAILED_ASSIGNMENT","failureReasons":"No","errors":null}`:                                        "No",
		`{"assignmentStatus":"FAILED_ASSIGNMENT","failureReasons":["No","Never"]}`:                                            "No; Never",
		`{"assignmentStatus":"FAILED_ASSIGNMENT","failureReasons":{"description":"No"},"errors":[{"title":"Limit reached"}]}`: "No; Limit reached",
		`{"assignmentStatus":"FAILED_ASSIGNMENT","failureReasons":"No","errors":["No"]}`:                                      "No",
		`{"assignmentStatus":"ASSIGNED","failureReasons":"No","errors":false}`:                                                "",
		`{"assignmentStatus":"FAILED_ASSIGNMENT","failureReasons":"none","errors":0}`:                                         "",
		`{"assignmentStatus":"FAILED_UNASSIGNMENT","failureReasons":"No","errors":"null"}`:                                    "No",
		`{"failure_reasons":[],"errors":{}}`:                                                                                  "",
	} {
		var a Assignment
		if err := json.Unmarshal([]byte(record), &a); err != nil || a.FailureText() != want {
			t.Errorf("%s: got %q, %v; want %q", record, a.FailureText(), err, want)
		}
	}
}

func TestClient_WritesAssignments(t *testing.T) {
	const body = `{"phoneNumber":"+16715455939","campaignId":"C6X6M95"}`
	record := ok(`{"phoneNumber":"+16715455939","campaignId":"C6X6M95","assignmentStatus":"PENDING_ASSIGNMENT"}`)
	for name, tt := range map[string]struct {
		write func(context.Context, *Client) (Assignment, error)
		want  sent
	}{
		"assign": {
			func(ctx context.Context, c *Client) (Assignment, error) { return c.Assign(ctx, number, "C6X6M95") },
			sent{Method: "POST", Path: assignmentsPath, Body: body},
		},
		"reassign": {
			func(ctx context.Context, c *Client) (Assignment, error) { return c.Reassign(ctx, number, "C6X6M95") },
			sent{Method: "PUT", Path: assignmentsPath + "/" + number, Body: body},
		},
	} {
		for _, status := range []int{200, 201, 202} {
			record.status = status
			c, s := newServer(t, record)
			got, err := tt.write(t.Context(), c)
			if err != nil || got.AssignmentStatus != PendingAssignment {
				t.Errorf("%s, %d: got %+v, %v", name, status, got, err)
			}
			assertSent(t, s, tt.want)
			if got := s.requests[0].header.Get("Content-Type"); (got == "application/json") != (tt.want.Body != "") {
				t.Errorf("%s: sent Content-Type %q", name, got)
			}
		}
	}
}

func TestClient_AssignmentOfAnotherNumberIsUnreadable(t *testing.T) {
	c, _ := newServer(t, ok(`{"phoneNumber":"+15550000000","campaignId":"a","assignmentStatus":"ASSIGNED"}`))
	_, err := c.Assign(t.Context(), number, campaign)
	if _, unreadable := errors.AsType[*UnreadableError](err); !unreadable || !EffectUnknown(err) {
		t.Errorf("got %v, want an unreadable answer whose effect is unknown", err)
	}
}

func TestAssignment_OnComparesEveryID(t *testing.T) {
	own := Campaign{CampaignID: "a", TCRCampaignID: "C1"}
	shared := Campaign{TCRCampaignID: "C1", Shared: true}
	for name, tt := range map[string]struct {
		record   Assignment
		campaign Campaign
		want     bool
	}{
		"own":                    {Assignment{CampaignID: "a"}, own, true},
		"own by telnyxId":        {Assignment{CampaignID: "C1", TelnyxCampaignID: "a"}, own, true},
		"shared":                 {Assignment{CampaignID: "C1"}, shared, true},
		"shared by TCR id":       {Assignment{CampaignID: "x", TCRCampaignID: "C1"}, shared, true},
		"in another case":        {Assignment{CampaignID: "A"}, own, true},
		"TCR in another case":    {Assignment{TCRCampaignID: "c1"}, shared, true},
		"other":                  {Assignment{CampaignID: "b", TCRCampaignID: "C2"}, own, false},
		"empty ids do not match": {Assignment{}, Campaign{}, false},
		"no id, other campaign":  {Assignment{CampaignID: "b"}, shared, false},
	} {
		if got := tt.record.On(tt.campaign); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

func TestAssignment_SendableNeedsEveryKnownMapping(t *testing.T) {
	for name, tt := range map[string]struct {
		record Assignment
		want   bool
	}{
		"all added":    {Assignment{AssignmentStatus: Assigned, TMobile: MappingAdded, NonTMobile: MappingAdded, ATT: MappingAdded}, true},
		"one known":    {Assignment{AssignmentStatus: Assigned, NonTMobile: MappingAdded}, true},
		"none known":   {Assignment{AssignmentStatus: Assigned}, false},
		"one failed":   {Assignment{AssignmentStatus: Assigned, TMobile: MappingAdded, ATT: MappingFailed}, false},
		"one pending":  {Assignment{AssignmentStatus: Assigned, TMobile: MappingAdded, NonTMobile: MappingPending}, false},
		"not assigned": {Assignment{AssignmentStatus: PendingAssignment, TMobile: MappingAdded, NonTMobile: MappingAdded}, false},
	} {
		if got := tt.record.Sendable(); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

func TestAssignment_WordsAreReadInAnySpelling(t *testing.T) {
	for text, want := range map[string]string{
		"MNOProvisioned": "MNO_PROVISIONED", "mnoProvisioned": "MNO_PROVISIONED", "MNO_PROVISIONED": "MNO_PROVISIONED",
		"TCRPending": "TCR_PENDING", "PendingAssignment": "PENDING_ASSIGNMENT", "assigned ": "ASSIGNED", "ADDED": "ADDED",
	} {
		if got := canonicalWord(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// An answer without a body is whole: asking again brings the same.
func TestClient_AsksOnceForARecordThatIsEmpty(t *testing.T) {
	c, s := newServer(t, ok(`{"records":[]}`), answer{status: 204})
	if _, err := c.Assignment(t.Context(), "+15551234567"); err == nil || len(s.requests) != 2 {
		t.Errorf("got %v after %d requests, want an error after 2", err, len(s.requests))
	}
}
