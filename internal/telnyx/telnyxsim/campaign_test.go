package telnyxsim_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

func TestCampaign_IsABareObjectAndActiveFromBirth(t *testing.T) {
	sim := account(t, telnyxsim.Options{})
	born := sim.AddCampaign(telnyxsim.Campaign{BrandID: brandID})
	got := call(t, sim, "GET", "/10dlc/campaign/"+born.ID, "").object(t)
	want := map[string]any{
		"campaignId": born.ID, "tcrCampaignId": born.TCRID, "brandId": brandID, "tcrBrandId": "BBRAND1",
		"status": "ACTIVE", "campaignStatus": "TCR_PENDING", "submissionStatus": "PENDING", "isTMobileRegistered": false,
	}
	for field, value := range want {
		if got[field] != value {
			t.Errorf("%s = %v, want %v", field, got[field], value)
		}
	}
	if _, given := got["failureReasons"]; given {
		t.Errorf("failureReasons = %v, want it left out", got["failureReasons"])
	}
}

func TestCampaign_FailureReasonsGoOutAsTheyAre(t *testing.T) {
	for _, reasons := range []string{`"a string"`, `[{"description":"an array"}]`, `null`} {
		sim := account(t, telnyxsim.Options{})
		c := sim.AddCampaign(telnyxsim.Campaign{FailureReasons: json.RawMessage(reasons)})
		var got struct{ FailureReasons json.RawMessage }
		answer := call(t, sim, "GET", "/10dlc/campaign/"+c.ID, "")
		if err := json.Unmarshal([]byte(answer.body), &got); err != nil {
			t.Fatal(err)
		}
		if string(got.FailureReasons) != reasons {
			t.Errorf("failureReasons = %s, want %s", got.FailureReasons, reasons)
		}
	}
}

func TestCampaign_ListDemandsABrand(t *testing.T) {
	sim := account(t, telnyxsim.Options{})
	got := call(t, sim, "GET", "/10dlc/campaign", "")
	const want = `{"detail":[{"loc":["query","brandId"],"msg":"field required","type":"value_error.missing"}]}`
	if got.status != 422 || got.body != want {
		t.Errorf("answer = %d %s, want 422 %s", got.status, got.body, want)
	}
}

func TestCampaign_ListIsNewestFirstAndPaged(t *testing.T) {
	sim := account(t, telnyxsim.Options{})
	got := call(t, sim, "GET", "/10dlc/campaign"+query("brandId", brandID), "")
	if diff := cmp.Diff([]string{otherID, campaignID}, got.column(t, "records", "campaignId")); diff != "" {
		t.Errorf("campaigns (-want +got):\n%s", diff)
	}
	second := call(t, sim, "GET", "/10dlc/campaign"+query("brandId", brandID, "recordsPerPage", "1", "page", "2"), "")
	if diff := cmp.Diff([]string{campaignID}, second.column(t, "records", "campaignId")); diff != "" {
		t.Errorf("second page (-want +got):\n%s", diff)
	}
	beyond := call(t, sim, "GET", "/10dlc/campaign"+query("brandId", brandID, "page", "99999999"), "").object(t)
	if rows, _ := beyond["records"].([]any); len(rows) != 0 || beyond["totalRecords"] != 2.0 {
		t.Errorf("page beyond the end = %v, want no records of 2", beyond)
	}
}

func TestCampaign_SharedIsKnownByItsTCRIDAlone(t *testing.T) {
	sim := account(t, telnyxsim.Options{})
	if got := call(t, sim, "GET", "/10dlc/campaign/"+sharedID, ""); got.status != 404 {
		t.Errorf("GET campaign = %d, want 404", got.status)
	}
	got := call(t, sim, "GET", "/10dlc/partner_campaigns/"+sharedID, "").object(t)
	if got["tcrCampaignId"] != sharedID || got["campaignId"] != nil || got["status"] != nil {
		t.Errorf("partner campaign = %v, want a TCR id, no Telnyx id and no status", got)
	}
	if got := call(t, sim, "GET", "/10dlc/partner_campaigns/"+campaignID, ""); got.status != 404 {
		t.Errorf("GET partner campaign of our own = %d, want 404", got.status)
	}
	list := call(t, sim, "GET", "/10dlc/partner_campaigns", "").column(t, "records", "tcrCampaignId")
	if !slices.Equal(list, []string{sharedID}) {
		t.Errorf("partner campaigns = %v, want %s alone", list, sharedID)
	}
}

func TestCampaign_ListsAreSorted(t *testing.T) {
	sim := account(t, telnyxsim.Options{})
	sim.AddCampaign(telnyxsim.Campaign{ID: otherID, TCRID: "COTHER1", Status: "EXPIRED"})
	_ = sim.AttachNumber(numberA, otherID, telnyx.Assigned)
	for sort, want := range map[string][]string{
		"campaignId": {otherID, campaignID}, "-tcrCampaignId": {otherID, campaignID},
		"status": {campaignID, otherID}, "-assignedPhoneNumbersCount": {otherID, campaignID},
		"createdAt": {campaignID, otherID},
	} {
		got := call(t, sim, "GET", "/10dlc/campaign"+query("brandId", brandID, "sort", sort), "")
		if diff := cmp.Diff(want, got.column(t, "records", "campaignId")); diff != "" {
			t.Errorf("sort=%s (-want +got):\n%s", sort, diff)
		}
	}
	sim.AddCampaign(telnyxsim.Campaign{TCRID: "CABOVE1", Shared: true, TCRBrandID: "BABOVE", CampaignStatus: "MNO_PENDING"})
	for sort, want := range map[string][]string{
		"tcrBrandId": {"CABOVE1", sharedID}, "-campaignStatus": {sharedID, "CABOVE1"},
	} {
		got := call(t, sim, "GET", "/10dlc/partner_campaigns"+query("sort", sort), "")
		if diff := cmp.Diff(want, got.column(t, "records", "tcrCampaignId")); diff != "" {
			t.Errorf("partner sort=%s (-want +got):\n%s", sort, diff)
		}
	}
}

func TestBrand_ListIsFiltered(t *testing.T) {
	sim := account(t, telnyxsim.Options{})
	other := sim.AddBrand(telnyxsim.Brand{TCRID: "BOTHER1", DisplayName: "Other", EntityType: "SOLE_PROPRIETOR", Country: "CA", State: "ON"})
	all := call(t, sim, "GET", "/10dlc/brand", "").column(t, "records", "brandId")
	if diff := cmp.Diff([]string{other.ID, brandID}, all); diff != "" {
		t.Errorf("brands (-want +got):\n%s", diff)
	}
	for name, value := range map[string]string{
		"brandId": other.ID, "tcrBrandId": "BOTHER1", "displayName": "Other",
		"entityType": "SOLE_PROPRIETOR", "country": "CA", "state": "ON",
	} {
		one := call(t, sim, "GET", "/10dlc/brand"+query(name, value), "").column(t, "records", "brandId")
		if diff := cmp.Diff([]string{other.ID}, one); diff != "" {
			t.Errorf("brands by %s (-want +got):\n%s", name, diff)
		}
	}
}

func TestOperationStatus_FollowsTheCampaign(t *testing.T) {
	sim := account(t, telnyxsim.Options{})
	for status, want := range map[telnyx.CampaignStatus]string{
		telnyx.CampaignMNOPending:     `{"10017":"REVIEW","10035":"REVIEW"}`,
		telnyx.CampaignMNOAccepted:    `{"10017":"APPROVED","10035":"APPROVED"}`,
		telnyx.CampaignMNOProvisioned: `{"10017":"APPROVED","10035":"APPROVED"}`,
		telnyx.CampaignMNORejected:    `{"10017":"REJECTED","10035":"REJECTED"}`,
		telnyx.CampaignTCRSuspended:   `{"10017":"SUSPENDED","10035":"SUSPENDED"}`,
	} {
		_ = sim.SetCampaignStatus(campaignID, status)
		if got := call(t, sim, "GET", "/10dlc/campaign/"+campaignID+"/operationStatus", ""); got.body != want {
			t.Errorf("%s: got %s, want %s", status, got.body, want)
		}
	}
	if got := call(t, sim, "GET", "/10dlc/campaign/"+sharedID+"/operationStatus", ""); got.status != 404 {
		t.Errorf("shared campaign = %d, want 404", got.status)
	}
}

func TestSimulator_RefusesWhatItDoesNotKnow(t *testing.T) {
	sim := account(t, telnyxsim.Options{})
	for name, err := range map[string]error{
		"Approve":           sim.Approve("nope"),
		"SetCampaignStatus": sim.SetCampaignStatus("nope", telnyx.CampaignMNOPending),
		"Emit":              sim.Emit("nope", telnyxsim.EventCampaign, nil),
		"Attach, campaign":  sim.AttachNumber(numberA, "nope", telnyx.Assigned),
		"Attach, number":    sim.AttachNumber(notOwned, campaignID, telnyx.Assigned),
	} {
		if !errors.Is(err, telnyxsim.ErrUnknown) {
			t.Errorf("%s = %v, want ErrUnknown", name, err)
		}
	}
}

func TestPutCampaign_SetsTheAddressesAndResubmitsARejectedOne(t *testing.T) {
	sim := account(t, telnyxsim.Options{})
	defer sim.Close()
	sim.AddCampaign(telnyxsim.Campaign{ID: "rejected", CampaignStatus: telnyx.CampaignMNORejected, NoRenewal: true})
	got := call(t, sim, "PUT", "/10dlc/campaign/rejected", `{"webhookURL":"https://example.com/a"}`).object(t)
	if got["webhookURL"] != "https://example.com/a" || got["campaignStatus"] != "MNO_PENDING" || got["autoRenewal"] != true {
		t.Errorf("got %v, want it in review again, with its address and with renewal", got)
	}
	got = call(t, sim, "PUT", "/10dlc/campaign/"+campaignID, `{"autoRenewal":false,"webhookFailoverURL":"https://example.com/b"}`).object(t)
	if got["webhookFailoverURL"] != "https://example.com/b" || got["campaignStatus"] != "MNO_PROVISIONED" || got["autoRenewal"] != false {
		t.Errorf("got %v, want it approved as before, without renewal", got)
	}
	got = call(t, sim, "PATCH", "/10dlc/partner_campaigns/"+sharedID, `{"webhookURL":"https://example.com/c"}`).object(t)
	if got["webhookURL"] != "https://example.com/c" {
		t.Errorf("got %v, want the shared one's new address", got)
	}
	for _, path := range []string{"/10dlc/campaign/" + sharedID, "/10dlc/campaign/nope"} {
		if got := call(t, sim, "PUT", path, `{}`); got.status != 404 {
			t.Errorf("PUT %s = %d, want 404", path, got.status)
		}
	}
}
