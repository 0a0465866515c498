package assigner

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

const (
	campaignRoute = "/10dlc/campaign"
	testReference = "spring-2026"
	emptyList     = `{"records":[],"page":1,"totalRecords":0}`
)

// filedRig returns a rig, the entry that selects a campaign by reference, and a function that
// files such a campaign.
func filedRig(t *testing.T) (r *rig, want plan.Campaign, file func(id string, status telnyx.CampaignStatus)) {
	r = newRig(t, telnyxsim.Options{}, 1)
	brand := r.sim.AddCampaign(telnyxsim.Campaign{ID: "951c6a5c-907b-43a9-8ada-ba1dc8335b07"}).BrandID
	want = plan.Campaign{Name: "spring", ReferenceID: testReference, BrandID: brand}
	return r, want, func(id string, status telnyx.CampaignStatus) {
		r.sim.AddCampaign(telnyxsim.Campaign{ID: id, ReferenceID: testReference, CampaignStatus: status})
	}
}

func (r *rig) wantCampaign(when string, want plan.Campaign, id string) {
	r.Helper()
	c, err := r.a.observer.campaigns.read(r.Context(), want)
	if err != nil || string(c.CampaignID) != id {
		r.Errorf("%s: got %s, %v, want %s", when, c.CampaignID, err, id)
	}
}

const (
	firstFiled  = "a51c6a5c-907b-43a9-8ada-ba1dc8335b07"
	secondFiled = "b51c6a5c-907b-43a9-8ada-ba1dc8335b07"
	thirdFiled  = "c51c6a5c-907b-43a9-8ada-ba1dc8335b07"
)

func TestCampaigns_AReferenceSelectsTheLatestThatIsNotOver(t *testing.T) {
	t.Parallel()
	r, want, file := filedRig(t)
	file(firstFiled, telnyx.CampaignTCRExpired)
	file(secondFiled, telnyx.CampaignMNOProvisioned)
	file(thirdFiled, telnyx.CampaignTCRExpired)
	r.wantCampaign("three with the reference", want, secondFiled)
}

func TestCampaigns_AReferenceIsSearchedAgainWhenItsCampaignExpires(t *testing.T) {
	t.Parallel()
	r, want, file := filedRig(t)
	file(firstFiled, telnyx.CampaignMNOProvisioned)
	r.wantCampaign("at first", want, firstFiled)
	r.must(r.sim.Expire(firstFiled))
	file(secondFiled, telnyx.CampaignMNOProvisioned)
	r.wantCampaign("after it was filed again", want, secondFiled)
}

// A search that found nothing is not repeated for a while, except for a campaign that was
// found before.
func TestCampaigns_AReferenceIsSearchedAgainWhenItsCampaignIsGone(t *testing.T) {
	t.Parallel()
	r, want, file := filedRig(t)
	file(firstFiled, telnyx.CampaignMNOProvisioned)
	r.wantCampaign("at first", want, firstFiled)
	gone := telnyxsim.Fault{Method: "GET", PathPrefix: campaignRoute + "/" + firstFiled, Times: -1,
		Kind: telnyxsim.StatusFault(404, `{"errors":[{"code":"10005","title":"Resource not found"}]}`)}
	r.sim.Inject(gone)
	r.sim.Inject(telnyxsim.Fault{Method: "GET", PathPrefix: campaignRoute, Times: -1, Kind: telnyxsim.StatusFault(200, emptyList)})
	if c, err := r.a.observer.campaigns.read(t.Context(), want); !telnyx.IsNotFound(err) {
		t.Fatalf("got %s, %v, want that it is not found", c.CampaignID, err)
	}
	r.sim.ClearFaults()
	r.sim.Inject(gone)
	file(secondFiled, telnyx.CampaignMNOProvisioned)
	r.wantCampaign("after it was filed again", want, secondFiled)
}

// An incomplete list does not prove that a campaign is missing.
func TestCampaigns_AnIncompleteListProvesNothing(t *testing.T) {
	t.Parallel()
	r, want, _ := filedRig(t)
	r.sim.Inject(telnyxsim.Fault{Method: "GET", PathPrefix: campaignRoute, Times: -1,
		Kind: telnyxsim.StatusFault(200, `{"records":[],"page":1,"totalRecords":7}`)})
	if c, err := r.a.observer.campaigns.read(t.Context(), want); err == nil || telnyx.IsNotFound(err) {
		t.Errorf("got %s, %v, want an error other than not found", c.CampaignID, err)
	}
}

// The account may not read shared campaigns, and none of its own has the TCR id. The refusal
// is the error, because the campaign may exist.
func TestCampaigns_ARefusedReadIsNotAMissingCampaign(t *testing.T) {
	t.Parallel()
	r := newRig(t, telnyxsim.Options{}, 1)
	r.sim.Inject(telnyxsim.Fault{Method: "GET", PathPrefix: "/10dlc/partner_campaigns", Times: -1,
		Kind: telnyxsim.StatusFault(403, `{"errors":[{"code":"10010","title":"Authorization failed"}]}`)})
	_, err := r.a.observer.campaigns.read(t.Context(), plan.Campaign{TCRCampaignID: "CNONE01"})
	if err == nil || telnyx.IsNotFound(err) {
		t.Errorf("got %v, want the refusal", err)
	}
}

func TestCampaigns_AReferenceBelongsToItsBrand(t *testing.T) {
	t.Parallel()
	entry := plan.Campaign{Name: "spring", ReferenceID: testReference, BrandID: "brand-1"}
	for brand, want := range map[string]bool{"brand-1": true, "brand-2": false} {
		c := telnyx.Campaign{CampaignID: firstFiled, ReferenceID: testReference, BrandID: brand}
		if got := selects(entry, c); got != want {
			t.Errorf("selects a campaign of %s: got %t, want %t", brand, got, want)
		}
		set := &plan.Set{Campaigns: []plan.Campaign{entry}}
		if _, got := OtherEntry(set, firstFiled, c); got != want {
			t.Errorf("otherEntry for a campaign of %s: got %t, want %t", brand, got, want)
		}
	}
}

// The numbers are read beside the campaign, by its remembered id. If it was filed again
// meanwhile, they are read once more.
func TestReconcile_CountsTheNumbersOfTheCampaignThatWasRead(t *testing.T) {
	t.Parallel()
	r, want, file := filedRig(t)
	const extra = "+12125559999"
	r.sim.AddNumbers(telnyxsim.Number{PhoneNumber: extra, MessagingProfileID: testProfile})
	r.plan("- name: spring\n  reference_id: " + testReference + "\n  brand_id: " + want.BrandID + "\n  numbers: [\"" + numbered(1)[0] + "\"]\n")
	file(firstFiled, telnyx.CampaignMNOProvisioned)
	r.reconcile(want.ID())
	r.must(r.sim.Expire(firstFiled))
	file(secondFiled, telnyx.CampaignMNOProvisioned)
	r.must(r.sim.AttachNumber(extra, secondFiled, telnyx.Assigned))
	r.reconcile(want.ID())
	if c := r.campaign(want.ID()); c.TelnyxID != secondFiled || c.Extras != 1 {
		t.Errorf("got campaign %s with %d other numbers, want %s with 1", c.TelnyxID, c.Extras, secondFiled)
	}
}

// At a wrong base URL, and during some outages of a gateway, everything is answered 404. That
// says nothing about a campaign, however often it is read.
func TestReconcile_EverythingIs404(t *testing.T) {
	t.Parallel()
	number := numbered(1)[0]
	r := newRig(t, telnyxsim.Options{}, 1)
	r.reconcile(testCampaign)
	before := r.number(number)
	r.config.Telnyx = &telnyx.Client{HTTPClient: &http.Client{Transport: everythingIs404{}}}
	r.restart()
	for range 3 {
		r.advance(time.Minute)
		err := r.tryReconcile(r.Context(), testCampaign)
		if c := r.campaign(testCampaign); c.Phase == ledger.PhaseMissing || c.Reason != ledger.TelnyxUnavailable || c.NeedsPerson() || !strings.Contains(c.Detail, "base URL") {
			t.Errorf("got %v, phase %s, reason %s, detail %q", err, c.Phase, c.Reason, c.Detail)
		}
	}
	if after := r.number(number); after.State != before.State || after.NeedsPerson {
		t.Errorf("the number became %s (%s), needs a person: %t", after.State, after.Reason, after.NeedsPerson)
	}
}

// everythingIs404 answers as Telnyx does at a base URL without its version.
type everythingIs404 struct{}

func (everythingIs404) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusNotFound, Request: req, Body: io.NopCloser(strings.NewReader(`{"errors":[{"code":"10005","title":"Resource not found"}]}`))}, nil
}
