package page

import (
	"strings"
	"testing"

	"greenlight/internal/ledger"
)

func TestIndex_CountsWhatItHasNoRoomFor(t *testing.T) {
	x := newIndex()
	x.most = 2
	put := func(number, campaign string, state ledger.State) {
		x.putNumber(ledger.Number{Number: number, CampaignID: campaign, State: state})
	}
	put("+15551234567", "C1", ledger.Planned)
	put("+15551234568", "C1", ledger.Planned)
	put("+15551234569", "C1", ledger.Planned)
	put("+15551234569", "C1", ledger.Sendable) // told again, it is still one
	put("+15551234570", "C2", ledger.Planned)
	put("+15551234568", "C1", ledger.Sendable) // one that is there goes on
	if left, sendable := x.alerts().LeftOut, x.totals[ledger.NumberKind{State: ledger.Sendable}]; left != 2 || sendable != 1 || x.numbers != 2 {
		t.Errorf("%d are left out, and %d sendable of %d; want 2, and 1 of 2", left, sendable, x.numbers)
	}
	if len(x.campaigns) != 1 {
		t.Errorf("%d campaigns, want the one that has numbers here", len(x.campaigns))
	}
	x.dropNumber("C2", "+15551234570")
	x.dropNumber("C1", "+15551234567")
	if left := x.alerts().LeftOut; left != 1 || x.numbers != 1 {
		t.Errorf("after two are gone: %d are left out and %d are there, want 1 and 1", left, x.numbers)
	}
}

func TestIndex_PutsLastWhatNoPlanNamesAnyMore(t *testing.T) {
	x := newIndex()
	first := ledger.Campaign{ID: "C1", Plan: "autumn", Planned: true}
	x.putCampaign(first)
	x.putCampaign(ledger.Campaign{ID: "C2", Plan: "spring", Planned: true})
	if got := x.sorted()[0].ID; got != "C1" {
		t.Fatalf("the first is %s", got)
	}
	first.Planned = false
	x.putCampaign(first)
	if got := x.sorted()[0].ID; got != "C2" {
		t.Errorf("the first is %s, which no plan names", got)
	}
}

func TestClip_CutsNoLetterInTwo(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"as long as may be": {strings.Repeat("x", maxDetail), strings.Repeat("x", maxDetail)},
		"a byte longer":     {strings.Repeat("x", maxDetail+1), strings.Repeat("x", maxDetail) + "…"},
		"a letter of two":   {strings.Repeat("x", maxDetail-1) + "é", strings.Repeat("x", maxDetail-1) + "…"},
	} {
		if got := clip(test.text); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}
