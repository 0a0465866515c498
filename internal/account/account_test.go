package account_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"greenlight/internal/account"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	campaignID = "751c6a5c-907b-43a9-8ada-ba1dc8335b07"
	brandID    = "97091164-e814-435c-9c1b-14ab2d18e987"
	profileID  = "4001776e-0000-4000-8000-000000000001"
)

func open(t *testing.T) (*account.Reader, *telnyxsim.Simulator) {
	t.Helper()
	sim := telnyxsim.New(telnyxsim.Options{AssignDelay: telnyxsim.Never})
	t.Cleanup(sim.Close)
	api := httptest.NewServer(sim)
	t.Cleanup(api.Close)
	client := &telnyx.Client{APIKey: "key", BaseURL: api.URL + "/v2", HTTPClient: api.Client()}
	return account.NewReader(client.ReadOnly(), 4), sim
}

// calls counts the requests for a route since the counts that were taken before.
func calls(sim *telnyxsim.Simulator, before map[string]int) (total int) {
	for route, count := range sim.Calls() {
		total += count - before[route]
	}
	return total
}

func TestCampaign_IsFoundByEveryKindOfID(t *testing.T) {
	r, sim := open(t)
	sim.AddCampaign(telnyxsim.Campaign{ID: campaignID, TCRID: "C6X6M95", BrandID: brandID, ReferenceID: "spring"})
	sim.AddCampaign(telnyxsim.Campaign{TCRID: "CSHARE1", Shared: true})
	for name, tt := range map[string]struct {
		want   plan.Campaign
		shared bool
	}{
		"Telnyx id":         {plan.Campaign{CampaignID: campaignID}, false},
		"TCR id of our own": {plan.Campaign{TCRCampaignID: "C6X6M95"}, false},
		"TCR id, shared":    {plan.Campaign{TCRCampaignID: "CSHARE1"}, true},
		"reference":         {plan.Campaign{ReferenceID: "spring", BrandID: brandID}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := r.Campaign(t.Context(), tt.want)
			if err != nil {
				t.Fatal(err)
			}
			if c.Shared != tt.shared || !tt.shared && c.CampaignID != campaignID {
				t.Errorf("got %+v", c)
			}
			before := sim.Calls()
			if _, err := r.Campaign(t.Context(), tt.want); err != nil || calls(sim, before) != 1 {
				t.Errorf("the second time took %d calls (%v), want 1", calls(sim, before), err)
			}
		})
	}
}

func TestCampaign_ThatIsNotThereIsNotSearchedForAgainAtOnce(t *testing.T) {
	r, sim := open(t)
	sim.AddBrand(telnyxsim.Brand{ID: brandID})
	for _, want := range []plan.Campaign{{TCRCampaignID: "CNOBODY"}, {ReferenceID: "nobody", BrandID: brandID}} {
		if _, err := r.Campaign(t.Context(), want); !telnyx.IsNotFound(err) || !strings.Contains(err.Error(), want.ID()) {
			t.Errorf("got %v, want not found, with the id", err)
		}
		before := sim.Calls()
		if _, err := r.Campaign(t.Context(), want); !telnyx.IsNotFound(err) {
			t.Errorf("the second time: %v", err)
		}
		if got := calls(sim, before); got > 1 {
			t.Errorf("%s: the second time took %d calls, want one at most", want.ID(), got)
		}
	}
}

func TestCampaign_FiledAnewIsFoundByItsReference(t *testing.T) {
	r, sim := open(t)
	want := plan.Campaign{ReferenceID: "spring", BrandID: brandID}
	sim.AddCampaign(telnyxsim.Campaign{ID: "old-" + campaignID, BrandID: brandID, ReferenceID: "spring"})
	if c, err := r.Campaign(t.Context(), want); err != nil || c.CampaignID != "old-"+campaignID {
		t.Fatalf("got %+v, %v", c, err)
	}
	if err := sim.Expire("old-" + campaignID); err != nil {
		t.Fatal(err)
	}
	sim.AddCampaign(telnyxsim.Campaign{ID: campaignID, BrandID: brandID, ReferenceID: "spring"})
	if c, err := r.Campaign(t.Context(), want); err != nil || c.CampaignID != campaignID {
		t.Errorf("got %+v, %v; want the one that was filed anew", c, err)
	}
}

func TestCampaign_UnreachableIsNoMiss(t *testing.T) {
	r, sim := open(t)
	sim.AddCampaign(telnyxsim.Campaign{ID: campaignID, TCRID: "C6X6M95", BrandID: brandID})
	sim.Inject(telnyxsim.Fault{PathPrefix: "/10dlc/brand", Times: 3, Kind: telnyxsim.StatusFault(http.StatusBadRequest, "{}")})
	want := plan.Campaign{TCRCampaignID: "C6X6M95"}
	if _, err := r.Campaign(t.Context(), want); err == nil || telnyx.IsNotFound(err) {
		t.Fatalf("got %v, want an error that is no miss", err)
	}
	sim.ClearFaults()
	if _, err := r.Campaign(t.Context(), want); err != nil {
		t.Errorf("once it answers again: %v", err)
	}
}

func TestRecords_AreReadInFewestCalls(t *testing.T) {
	r, sim := open(t)
	sim.AddCampaign(telnyxsim.Campaign{ID: campaignID, CampaignStatus: telnyx.CampaignMNOProvisioned, MaxNumbers: 1000})
	var all []string
	for i := range 600 {
		number := fmt.Sprintf("+1212555%04d", i)
		all = append(all, number)
		sim.AddNumbers(telnyxsim.Number{PhoneNumber: number, MessagingProfileID: profileID})
		if err := sim.AttachNumber(number, campaignID, telnyx.Assigned); err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		numbers []string
		calls   int
	}{
		"none":                          {nil, 0},
		"one":                           {all[:1], 1},
		"three, and the list has three": {all[:3], 1 + 3},
		"four: the list is fewer":       {all[:4], 1 + 3},
		"all":                           {all, 1 + 3},
	} {
		t.Run(name, func(t *testing.T) {
			before := sim.Calls()
			records, err := r.Records(t.Context(), tt.numbers)
			if err != nil {
				t.Fatal(err)
			}
			if got := calls(sim, before); got != tt.calls {
				t.Errorf("took %d calls, want %d", got, tt.calls)
			}
			found := map[string]bool{}
			for _, record := range records {
				found[record.PhoneNumber] = true
			}
			for _, number := range tt.numbers {
				if !found[number] {
					t.Errorf("%s is missing", number)
				}
			}
		})
	}
}

// A list without a count must not be taken for the whole: a number that is in use
// elsewhere would look free.
func TestRecords_DoNotRelyOnAListWithoutACount(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if number, single := strings.CutPrefix(r.URL.Path, "/v2/10dlc/phone_number_campaigns/"); single {
			fmt.Fprintf(w, `{"phoneNumber":%q,"campaignId":"elsewhere","assignmentStatus":"ASSIGNED"}`, number)
			return
		}
		fmt.Fprint(w, `{"records":[{"phoneNumber":"+15550000001","campaignId":"a"}]}`)
	}))
	defer api.Close()
	r := account.NewReader(&telnyx.Client{BaseURL: api.URL + "/v2", HTTPClient: api.Client()}, 2)
	records, err := r.Records(t.Context(), []string{"+15551234567", "+15551234568"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, record := range records {
		got = append(got, record.PhoneNumber+" "+record.CampaignID)
	}
	if diff := cmp.Diff([]string{"+15551234567 elsewhere", "+15551234568 elsewhere"}, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestPool_IsTheProfilesLongCodes(t *testing.T) {
	r, sim := open(t)
	sim.AddNumbers(
		telnyxsim.Number{PhoneNumber: "+15551234567", MessagingProfileID: profileID},
		telnyxsim.Number{PhoneNumber: "+18005551234", MessagingProfileID: profileID, Type: "tollfree"},
		telnyxsim.Number{PhoneNumber: "+15551234568", MessagingProfileID: "5001776e-0000-4000-8000-000000000002"})
	got, err := r.Pool(t.Context(), profileID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]plan.E164{"+15551234567"}, got); diff != "" {
		t.Errorf("pool (-want +got):\n%s", diff)
	}
}
