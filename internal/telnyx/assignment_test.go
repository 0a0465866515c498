package telnyx

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const assignmentsPath = "/v2/10dlc/phone_number_campaigns"

func TestClient_AssignmentReadsWhatTelnyxSays(t *testing.T) {
	c, s := newServer(t, ok(`{
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
		PhoneNumber: number, CampaignID: campaign, TCRCampaignID: "C6X6M95", TCRBrandID: "BBRAND1", AssignmentStatus: "PAUSED",
		TMobile: MappingAdded, NonTMobile: "ODD",
		FailureReasons: json.RawMessage(`null`),
		Errors:         json.RawMessage(`"longcode is assigned to another campaign"`),
		CreatedAt:      Time{time.Date(2021, 3, 8, 17, 57, 48, 801186e3, time.UTC), "2021-03-08T17:57:48.801186"},
		UpdatedAt:      Time{time.Date(2021, 3, 9, 17, 57, 48, 801186e3, time.UTC), "2021-03-09T17:57:48.801186Z"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("assignment (-want +got):\n%s", diff)
	}
	if text := ReasonText(got.Errors); text != "longcode is assigned to another campaign" {
		t.Errorf("errors read %q", text)
	}
	assertSent(t, s, sent{Method: "GET", Path: assignmentsPath + "/" + number})
}

func TestClient_AssignmentOfANumberOnNoCampaignIsNotFound(t *testing.T) {
	c, s := newServer(t, answer{status: 404, body: `{"errors":[{"code":"10005","title":"Resource not found"}]}`})
	if _, err := c.Assignment(t.Context(), number); !IsNotFound(err) {
		t.Errorf("got %v, want not found", err)
	}
	if len(s.requests) != 1 {
		t.Errorf("asked %d times, want once", len(s.requests))
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

func TestClient_AssignmentsAreFiltered(t *testing.T) {
	for name, tt := range map[string]struct {
		filter AssignmentFilter
		want   url.Values
	}{
		"none":        {AssignmentFilter{}, url.Values{}},
		"campaign":    {AssignmentFilter{CampaignID: "a"}, url.Values{"filter[telnyx_campaign_id]": {"a"}}},
		"TCR":         {AssignmentFilter{TCRCampaignID: "C1"}, url.Values{"filter[tcr_campaign_id]": {"C1"}}},
		"needs quote": {AssignmentFilter{CampaignID: "a&b=+"}, url.Values{"filter[telnyx_campaign_id]": {"a&b=+"}}},
	} {
		tt.want["page"], tt.want["recordsPerPage"], tt.want["sort"] = []string{"1"}, []string{"250"}, []string{"phoneNumber"}
		c, s := newServer(t, ok(`{"records":[{"phoneNumber":"+1"}],"page":1,"totalRecords":1}`))
		got, err := c.Assignments(t.Context(), tt.filter)
		if err != nil || len(got) != 1 {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
		assertSent(t, s, sent{Method: "GET", Path: assignmentsPath, Query: tt.want.Encode()})
	}
}

func TestClient_AssignmentsKeepEveryRecordOfANumber(t *testing.T) {
	c, _ := newServer(t, ok(`{"totalRecords":3,"records":[
		{"phoneNumber":"+1","campaignId":"a","assignmentStatus":"FAILED_ASSIGNMENT"},
		{"phoneNumber":"+1","campaignId":"b","assignmentStatus":"ASSIGNED"},
		{"phoneNumber":"+2","campaignId":"a","assignmentStatus":"ASSIGNED"}]}`))
	rows, err := c.Assignments(t.Context(), AssignmentFilter{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, row := range rows {
		got[row.PhoneNumber] += row.CampaignID
	}
	if diff := cmp.Diff(map[string]string{"+1": "ab", "+2": "a"}, got); diff != "" {
		t.Errorf("campaigns (-want +got):\n%s", diff)
	}
}

func TestClient_AssignmentOfAnotherNumberIsUnreadable(t *testing.T) {
	c, _ := newServer(t, ok(`{"phoneNumber":"+15550000000","campaignId":"a","assignmentStatus":"ASSIGNED"}`))
	_, err := c.Assign(t.Context(), number, campaign)
	if _, unreadable := errors.AsType[*UnreadableError](err); !unreadable || !EffectUnknown(err) {
		t.Errorf("got %v, want an unreadable answer whose effect is unknown", err)
	}
}

func TestClient_AssignmentsPageTellsTheTotal(t *testing.T) {
	c, s := newServer(t, ok(`{"records":[{"phoneNumber":"+1"}],"page":3,"totalRecords":501}`))
	got, err := c.AssignmentsPage(t.Context(), AssignmentFilter{CampaignID: "a"}, 3)
	if err != nil {
		t.Fatal(err)
	}
	want := AssignmentPage{Records: []Assignment{{PhoneNumber: "+1"}}, Page: 3, TotalRecords: 501}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
	assertSent(t, s, sent{
		Method: "GET", Path: assignmentsPath,
		Query: url.Values{"filter[telnyx_campaign_id]": {"a"}, "page": {"3"}, "recordsPerPage": {"250"}, "sort": {"phoneNumber"}}.Encode(),
	})
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
