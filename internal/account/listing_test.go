package account_test

import (
	"fmt"
	"net/http"
	"testing"

	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// brandOf adds campaigns to a brand and returns their ids.
func brandOf(sim *telnyxsim.Simulator, brand string, campaigns int) (ids []telnyx.CampaignID) {
	for i := range campaigns {
		id := fmt.Sprintf("%s-campaign-%04d", brand, i)
		sim.AddCampaign(telnyxsim.Campaign{ID: id, BrandID: brand})
		ids = append(ids, telnyx.CampaignID(id))
	}
	return ids
}

func TestListing_ReadsABrandOnceAndOnlyWhenItIsFewerCalls(t *testing.T) {
	for name, tt := range map[string]struct {
		campaigns, wanted int
		known             bool // whether the campaigns' brand is known
		calls, listed     int
	}{
		"1200 of 1200":                       {1200, 1200, true, 3, 1200},
		"two, and the list has one page":     {300, 2, true, 1, 2},
		"one: by itself":                     {300, 1, true, 0, 0},
		"two, and the list has three pages":  {1200, 2, true, 1, 2}, // both are on the page that told so
		"1200 whose brand is not known":      {1200, 1200, false, 1 + 3, 1200},
		"one whose brand is not known":       {1200, 1, false, 0, 0},
		"none of the brand's, all elsewhere": {0, 50, true, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r, sim := open(t)
			ids := brandOf(sim, brandID, tt.campaigns)
			brand := brandID
			if !tt.known {
				brand = ""
			}
			before := sim.Calls()
			l := r.NewListing(map[string]int{brand: tt.wanted})
			listed := 0
			for i := range tt.wanted {
				id := telnyx.CampaignID("nobody")
				if i < len(ids) {
					id = ids[i]
				}
				if c, ok := l.Campaign(t.Context(), brand, id); ok && c.CampaignID == id {
					listed++
				}
			}
			if got := calls(sim, before); got != tt.calls || listed != tt.listed {
				t.Errorf("took %d calls for %d campaigns, want %d for %d", got, listed, tt.calls, tt.listed)
			}
		})
	}
}

// An account of many brands and few new plans must not read thousands of lists.
func TestListing_GivesUpWhenBrandsAreMany(t *testing.T) {
	r, sim := open(t)
	for i := range 700 {
		brandOf(sim, fmt.Sprintf("brand-%04d", i), 1)
	}
	before := sim.Calls()
	l := r.NewListing(map[string]int{"": 30})
	for range 30 {
		l.Campaign(t.Context(), "", "brand-0001-campaign-0000")
	}
	if got := calls(sim, before); got != 1 {
		t.Errorf("took %d calls, want one, which tells how many brands there are", got)
	}
}

func TestListing_ThatCannotBeReadIsNoAnswer(t *testing.T) {
	r, sim := open(t)
	ids := brandOf(sim, brandID, 600)
	sim.Inject(telnyxsim.Fault{PathPrefix: "/10dlc/campaign", Times: -1, Kind: telnyxsim.StatusFault(http.StatusBadRequest, "{}")})
	l := r.NewListing(map[string]int{brandID: 600})
	for _, id := range ids {
		if _, ok := l.Campaign(t.Context(), brandID, id); ok {
			t.Fatalf("%s is said to be listed", id)
		}
	}
}
