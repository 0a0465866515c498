package telnyx

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
)

func TestAssignmentsOn_AreThatCampaignsOnly(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		rows     int // on each of three campaigns
		quirk    *world
		campaign Campaign
		want     int
		complete bool
		maxCalls int
	}{
		"small account":             {100, &world{}, Campaign{CampaignID: "a"}, 100, true, 2},
		"small, another case":       {100, &world{}, Campaign{CampaignID: "A"}, 100, true, 2},
		"small, empty":              {100, &world{}, Campaign{CampaignID: "x"}, 0, true, 2},
		"large, by Telnyx id":       {500, &world{}, Campaign{CampaignID: "a", TCRCampaignID: "Ca"}, 500, true, 4},
		"large, shared":             {500, &world{}, Campaign{TCRCampaignID: "Ca", Shared: true}, 500, true, 4},
		"large, the guide's filter": {500, &world{campaignFilter: "filter[campaignId]"}, Campaign{CampaignID: "a", TCRCampaignID: "Ca"}, 500, true, 7},
		"large, empty, proven":      {500, &world{}, Campaign{CampaignID: "x"}, 0, true, 3},
		"huge, filters ignored":     {3000, &world{campaignFilter: "none"}, Campaign{CampaignID: "a", TCRCampaignID: "Ca"}, 84, false, 5},
		"huge, no totals":           {3000, &world{campaignFilter: "none", totals: "none"}, Campaign{CampaignID: "a", TCRCampaignID: "Ca"}, 417, false, 9},
	} {
		t.Run(name, func(t *testing.T) {
			w := tt.quirk
			w.assignments = attached(tt.rows, "a", "b", "c").assignments
			got, err := w.client().AssignmentsOn(t.Context(), tt.campaign)
			if err != nil || len(got.All) != tt.want || got.Complete != tt.complete || (got.Why == "") != tt.complete {
				t.Errorf("got %d rows, complete %v (%s), %v; want %d, %v", len(got.All), got.Complete, got.Why, err, tt.want, tt.complete)
			}
			for _, row := range got.All {
				if !row.On(tt.campaign) {
					t.Fatalf("got a row of another campaign: %+v", row)
				}
			}
			if len(w.calls) > tt.maxCalls {
				t.Errorf("got %d calls, want at most %d: %q", len(w.calls), tt.maxCalls, w.calls)
			}
		})
	}
}

func TestAssignmentsOn_ProvesAFilterOnceForAll(t *testing.T) {
	t.Parallel()
	w := attached(500, "a", "b", "c")
	c := w.client()
	var group sync.WaitGroup
	for range 4 {
		for _, id := range []CampaignID{"a", "b", "c", "x"} {
			group.Go(func() {
				if got, err := c.AssignmentsOn(t.Context(), Campaign{CampaignID: id}); err != nil || !got.Complete || (len(got.All) == 500) != (id != "x") {
					t.Errorf("%s: got %d rows, complete %v, %v", id, len(got.All), got.Complete, err)
				}
			})
		}
	}
	group.Wait()
	// A first page for each, three pages for a campaign that has numbers, one for an empty
	// one, and one control.
	if got, want := len(w.calls), 16+4*(3*3+1)+1; got > want {
		t.Errorf("got %d calls, want at most %d", got, want)
	}
}

func TestAssignmentsOn_AreReadWhateverRefusesAFilter(t *testing.T) {
	t.Parallel()
	for _, status := range []int{403, 414, 500, 501} {
		synctest.Test(t, func(t *testing.T) {
			w := attached(500, "a", "b", "c")
			c := w.client()
			c.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.URL.Query().Has("filter[telnyx_campaign_id]") {
					return respond(status, ""), nil
				}
				return w.RoundTrip(r)
			})}
			got, err := c.AssignmentsOn(t.Context(), Campaign{CampaignID: "a", TCRCampaignID: "Ca"})
			if err != nil || len(got.All) != 500 || !got.Complete {
				t.Errorf("%d: got %d rows, complete %v, %v", status, len(got.All), got.Complete, err)
			}
		})
	}
}

// A filter that works for Telnyx's ids may find nothing for TCR ids.
func TestAssignmentsOn_ProvesAFilterForOneKindOfID(t *testing.T) {
	t.Parallel()
	w := attached(1000, "a", "b")
	for i := range w.assignments {
		if a := &w.assignments[i]; a.CampaignID == "b" { // shared
			a.CampaignID, a.TelnyxCampaignID, a.TCRCampaignID = "Cb", "", "Cb"
		}
	}
	c := w.client()
	c.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		query, known := r.URL.Query(), r.URL.Query().Get("filter[campaignId]")
		if known == "" && hasFilter(query) || known != "" && known != "a" {
			return respond(200, `{"records":[],"totalRecords":0}`), nil
		}
		if known != "" {
			query.Set("filter[telnyx_campaign_id]", known)
			r.URL.RawQuery = query.Encode()
		}
		return w.RoundTrip(r)
	})}
	got, err := c.AssignmentsOn(t.Context(), Campaign{CampaignID: "a", TCRCampaignID: "Ca"})
	if err != nil || len(got.All) != 1000 || !got.Complete {
		t.Errorf("own: got %d rows, complete %v (%s), %v", len(got.All), got.Complete, got.Why, err)
	}
	got, err = c.AssignmentsOn(t.Context(), Campaign{TCRCampaignID: "Cb", Shared: true})
	if err != nil || got.Complete {
		t.Errorf("shared: got %d rows, complete %v, %v; want an incomplete list", len(got.All), got.Complete, err)
	}
}
