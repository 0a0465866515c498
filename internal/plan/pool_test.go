package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWithPool_LeavesNumbersToTheEntryThatListsThem(t *testing.T) {
	text := `
version: 1
campaigns:
  - {name: pool, campaign_id: a, number_pool: p, numbers: [+12125550109]}
  - {name: named, campaign_id: b, numbers: [+12125550102]}
`
	loaded, err := LoadBytes("plan.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for name, set := range map[string]*Set{"loaded": loaded, "built in code": {Campaigns: loaded.Campaigns}} {
		pool := []E164{"+12125550103", "+12125550102", "+12125550109", "+12125550101", "+12125550103"}
		entry, _ := set.Find("a")
		got := set.WithPool(entry, pool)
		if diff := cmp.Diff([]E164{"+12125550101", "+12125550103", "+12125550109"}, got.Numbers); diff != "" || got.Places != nil {
			t.Errorf("%s: places %v, numbers (-want +got):\n%s", name, got.Places, diff)
		}
		if len(entry.Numbers) != 1 {
			t.Errorf("%s: the entry itself was changed: %v", name, entry.Numbers)
		}
		other, _ := set.Find("b")
		if got := set.WithPool(other, pool); len(got.Numbers) != 1 {
			t.Errorf("%s: an entry without a pool has %v", name, got.Numbers)
		}
	}
}

func TestRank_PutsTheCampaignsOwnIDFirst(t *testing.T) {
	own, tcr, reference := Campaign{CampaignID: "a"}, Campaign{TCRCampaignID: "C1"}, Campaign{ReferenceID: "r"}
	if !(own.Rank() < tcr.Rank() && tcr.Rank() < reference.Rank()) {
		t.Errorf("got %d, %d, %d", own.Rank(), tcr.Rank(), reference.Rank())
	}
}
