package telnyx

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const listQuery = "page=1&recordsPerPage=500&sort=createdAt"

const secondPage = "page=2&recordsPerPage=500&sort=createdAt"

// oneRow is read to learn whether totals count the whole list.
const oneRow = "page=1&recordsPerPage=1&sort=createdAt"

func TestClient_CampaignReadsWhatTelnyxSays(t *testing.T) {
	c, s := newServer(t, ok(`{
		"campaignId": "751c6a5c-907b-43a9-8ada-ba1dc8335b07", "tcrCampaignId": "C6X6M95", "brandId": "b", "tcrBrandId": "BBRAND1",
		"referenceId": null, "usecase": "MIXED", "status": "ACTIVE", "campaignStatus": "MNO_SOMETHING_NEW",
		"submissionStatus": "CREATED", "mock": null, "isTMobileRegistered": true, "isTMobileSuspended": false,
		"failureReasons": [{"description": "old"}], "webhookURL": "https://example.com/w", "sample1": "Hi"
	}`))
	got, err := c.Campaign(t.Context(), campaign)
	if err != nil {
		t.Fatal(err)
	}
	want := Campaign{
		CampaignID: campaign, TCRCampaignID: "C6X6M95", BrandID: "b", Usecase: "MIXED",
		Status: "ACTIVE", CampaignStatus: "MNO_SOMETHING_NEW",
		FailureReasons: json.RawMessage(`[{"description": "old"}]`), WebhookURL: "https://example.com/w",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("campaign (-want +got):\n%s", diff)
	}
	assertSent(t, s, sent{Method: "GET", Path: "/v2/10dlc/campaign/" + campaign})
}

func TestClient_PartnerCampaignIsShared(t *testing.T) {
	c, s := newServer(t, ok(`{"tcrCampaignId":"C6X6M95","campaignStatus":"MNO_PROVISIONED","failureReasons":"x","createdAt":"2021-03-08T17:57:48.801186"}`))
	got, err := c.PartnerCampaign(t.Context(), "C6X6M95")
	if err != nil || !got.Shared || got.AssignmentID() != "C6X6M95" {
		t.Errorf("got %+v, %v", got, err)
	}
	assertSent(t, s, sent{Method: "GET", Path: "/v2/10dlc/partner_campaigns/C6X6M95"})
}

func TestClient_PartnerCampaignIsNotSharedWhenItCannotBeRead(t *testing.T) {
	c, _ := newServer(t, answer{status: 404, body: `{"errors":[{"code":"10005","title":"Resource not found"}]}`})
	got, err := c.PartnerCampaign(t.Context(), "C6X6M95")
	if !IsNotFound(err) || got.Shared {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestClient_CampaignsAreListedByBrand(t *testing.T) {
	c, s := newServer(t, ok(`{"records":[{"campaignId":"a","assignedPhoneNumbersCount":3.0},{"campaignId":"b"}],"page":1,"totalRecords":2}`))
	got, err := c.Campaigns(t.Context(), "brand 1")
	if err != nil {
		t.Fatal(err)
	}
	want := []Campaign{{CampaignID: "a"}, {CampaignID: "b"}}
	if diff := cmp.Diff(want, got.All); diff != "" || !got.Complete {
		t.Errorf("campaigns, complete %v (-want +got):\n%s", got.Complete, diff)
	}
	assertSent(t, s,
		sent{Method: "GET", Path: "/v2/10dlc/campaign", Query: "brandId=brand+1&" + listQuery},
		sent{Method: "GET", Path: "/v2/10dlc/campaign", Query: "brandId=brand+1&" + oneRow},
		sent{Method: "GET", Path: "/v2/10dlc/campaign", Query: "brandId=brand+1&" + secondPage})
}

func TestClient_PartnerCampaignsAreShared(t *testing.T) {
	c, s := newServer(t, ok(`{"records":[{"tcrCampaignId":"C1"},{"tcrCampaignId":"C2"}],"page":1,"totalRecords":2}`))
	got, err := c.PartnerCampaigns(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Campaign{{TCRCampaignID: "C1", Shared: true}, {TCRCampaignID: "C2", Shared: true}}
	if diff := cmp.Diff(want, got.All); diff != "" || !got.Complete {
		t.Errorf("campaigns, complete %v (-want +got):\n%s", got.Complete, diff)
	}
	assertSent(t, s,
		sent{Method: "GET", Path: "/v2/10dlc/partner_campaigns", Query: listQuery},
		sent{Method: "GET", Path: "/v2/10dlc/partner_campaigns", Query: oneRow},
		sent{Method: "GET", Path: "/v2/10dlc/partner_campaigns", Query: secondPage})
}

func TestCampaign_AssignmentIDIsTheTCRIDOfASharedOne(t *testing.T) {
	c := Campaign{CampaignID: "a", TCRCampaignID: "C1"}
	if got := c.AssignmentID(); got != "a" {
		t.Errorf("own: got %s, want a", got)
	}
	c.Shared = true
	if got := c.AssignmentID(); got != "C1" {
		t.Errorf("shared: got %s, want C1", got)
	}
}

// assertSent compares all requests, without their headers.
func assertSent(t *testing.T, s *recorder, want ...sent) {
	t.Helper()
	got := make([]sent, len(s.requests))
	for i, r := range s.requests {
		got[i] = sent{Method: r.Method, Path: r.Path, Query: r.Query, Body: r.Body}
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(sent{})); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestCampaignsPage_AsksForOnePageAndReturnsTheTotal(t *testing.T) {
	c, sv := newServer(t, ok(`{"records":[{"campaignId":"a"}],"page":3,"totalRecords":1001}`))
	rows, total, err := c.CampaignsPage(t.Context(), "brand 1", 3)
	if err != nil || total != 1001 || len(rows) != 1 || rows[0].CampaignID != "a" {
		t.Errorf("got %v of %d, %v", rows, total, err)
	}
	assertSent(t, sv, sent{Method: "GET", Path: "/v2/10dlc/campaign", Query: "brandId=brand+1&page=3&recordsPerPage=500&sort=createdAt"})
	for _, bad := range []func() error{
		func() error { _, _, err := c.CampaignsPage(t.Context(), "", 1); return err },
		func() error { _, _, err := c.CampaignsPage(t.Context(), "b", 0); return err },
		func() error { _, _, err := c.BrandsPage(t.Context(), 0); return err },
	} {
		if err := bad(); !errors.Is(err, ErrInvalidArgument) {
			t.Errorf("got %v, want ErrInvalidArgument", err)
		}
	}
}

// A campaign that is in the list is found, though the total counts one that is not.
func TestCampaigns_OfAnIncompleteListAreReturned(t *testing.T) {
	c, _ := newServer(t, ok(`{"records":[{"campaignId":"a"}],"totalRecords":2}`))
	got, err := c.Campaigns(t.Context(), "b")
	if err != nil || len(got.All) != 1 || got.Complete || got.Why == "" {
		t.Errorf("got %+v, %v; want one campaign of an incomplete list", got, err)
	}
}

func TestUpdateCampaign_AlwaysSendsAutoRenewal(t *testing.T) {
	c, sv := newServer(t, ok(`{"campaignId":"a","webhookURL":"https://example.com/a","autoRenewal":false}`), ok(`{"tcrCampaignId":"C1"}`), ok(`{"campaignId":"b"}`))
	got, err := c.UpdateCampaign(t.Context(), "a", CampaignUpdate{WebhookURLs: WebhookURLs{WebhookURL: "https://example.com/a"}})
	if err != nil || got.WebhookURL != "https://example.com/a" || got.AutoRenewal == nil || *got.AutoRenewal {
		t.Errorf("got %+v, %v", got, err)
	}
	got, err = c.UpdatePartnerCampaign(t.Context(), "C1", WebhookURLs{WebhookFailoverURL: "https://example.com/b"})
	if err != nil || !got.Shared {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := c.UpdateCampaign(t.Context(), "a", CampaignUpdate{}); err == nil {
		t.Error("an answer about another campaign was accepted")
	}
	assertSent(t, sv,
		sent{Method: "PUT", Path: "/v2/10dlc/campaign/a", Body: `{"autoRenewal":false,"webhookURL":"https://example.com/a"}`},
		sent{Method: "PATCH", Path: "/v2/10dlc/partner_campaigns/C1", Body: `{"webhookFailoverURL":"https://example.com/b"}`},
		sent{Method: "PUT", Path: "/v2/10dlc/campaign/a", Body: `{"autoRenewal":false}`})
}

func TestOperationStatus_ReadsTheCarriers(t *testing.T) {
	c, _ := newServer(t, ok(`{"10017":"APPROVED","10035":"REVIEW"}`))
	got, err := c.OperationStatus(t.Context(), "a")
	if diff := cmp.Diff(map[string]string{"10017": "APPROVED", "10035": "REVIEW"}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestCarrierNames_AreThoseOfTheMetadata(t *testing.T) {
	c, sv := newServer(t, ok(`{"10017":{"mno":"AT&T","qualify":true,"tpm":75},"99":{"mno":"Clearsky"}}`))
	got, err := c.CarrierNames(t.Context(), "a")
	if diff := cmp.Diff(map[string]string{"10017": "AT&T", "99": "Clearsky"}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	assertSent(t, sv, sent{Method: "GET", Path: "/v2/10dlc/campaign/a/mnoMetadata"})
}

func TestCampaignFields_AreThoseOfTheWholeRecord(t *testing.T) {
	c, sv := newServer(t, ok(`{"campaignId":"a","sample1":"Hello"}`), ok(`{"tcrCampaignId":"C1"}`))
	got, err := c.CampaignFields(t.Context(), Campaign{CampaignID: "a", TCRCampaignID: "C1"})
	if err != nil || string(got["sample1"]) != `"Hello"` {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := c.CampaignFields(t.Context(), Campaign{TCRCampaignID: "C1", Shared: true}); err != nil {
		t.Error(err)
	}
	assertSent(t, sv, sent{Method: "GET", Path: "/v2/10dlc/campaign/a"}, sent{Method: "GET", Path: "/v2/10dlc/partner_campaigns/C1"})
}
