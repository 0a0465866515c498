package ledger_test

import (
	"testing"
	"time"

	"greenlight/internal/ledger"
)

func TestCampaign_NeedsAPersonOnlyIfPlannedUnlessItIsTheAccount(t *testing.T) {
	for name, tt := range map[string]struct {
		c    ledger.Campaign
		want bool
	}{
		"rejected and planned":     {ledger.Campaign{Planned: true, Phase: ledger.PhaseRejected}, true},
		"rejected and not planned": {ledger.Campaign{Phase: ledger.PhaseRejected}, false},
		"in review":                {ledger.Campaign{Planned: true, Phase: ledger.PhaseInReview}, false},
		"the key is refused":       {ledger.Campaign{Phase: ledger.PhaseApproved, Reason: ledger.Unauthorized}, true},
		"Telnyx does not answer":   {ledger.Campaign{Planned: true, Phase: ledger.PhaseApproved, Reason: ledger.TelnyxUnavailable}, false},
	} {
		if got := tt.c.NeedsPerson(); got != tt.want {
			t.Errorf("%s: got %t, want %t", name, got, tt.want)
		}
	}
}

func TestNextCheck_IsTheCampaignsForANumberThatWaitsForIt(t *testing.T) {
	soon, later := noon.Add(time.Minute), noon.Add(time.Hour)
	for name, tt := range map[string]struct {
		state              ledger.State
		number, ofCampaign time.Time
		want               time.Time
	}{
		"planned, without a time":   {ledger.Planned, time.Time{}, later, later},
		"attached, without a time":  {ledger.Sendable, time.Time{}, later, time.Time{}},
		"the campaign's is later":   {ledger.Pending, soon, later, later},
		"the campaign's is earlier": {ledger.Pending, later, soon, later},
		"neither has one":           {ledger.Planned, time.Time{}, time.Time{}, time.Time{}},
	} {
		got := ledger.NextCheck(ledger.Number{State: tt.state, NextAt: tt.number}, ledger.Campaign{NextAt: tt.ofCampaign})
		if !got.Equal(tt.want) {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}

// A hold changes the next step of a number that still has to be attached. Attached numbers
// are checked as usual.
func TestHold_AdvisesOnlyWhereARequestWouldFollow(t *testing.T) {
	hold, c := ledger.Hold{All: &ann}, ledger.Campaign{ID: tcrID, Phase: ledger.PhaseApproved}
	for _, state := range ledger.States() {
		n := ledger.Number{CampaignID: tcrID, State: state, NextAt: noon}
		got, next := hold.Advise(n, c)
		want, wantNext := ledger.Advise(n, c), noon
		if state.TriesAgain() {
			want.Next, wantNext = "On hold: nothing is sent until you run greenlight resume.", time.Time{}
		}
		if got != want || !next.Equal(wantNext) {
			t.Errorf("%s: got %+v at %s, want %+v at %s", state, got, next, want, wantNext)
		}
	}
}

func TestChecked_CountsPlannedCampaignsOnly(t *testing.T) {
	planned := ledger.CampaignEntry{Campaign: ledger.Campaign{ID: telnyxID, Planned: true, EntryHash: "a1"}}
	left := ledger.CampaignEntry{Campaign: ledger.Campaign{ID: tcrID, EntryHash: "b2"}}
	want := ledger.DigestEntries(map[string]string{telnyxID: "a1"})
	if got := ledger.Checked([]ledger.CampaignEntry{planned, left}); got != want {
		t.Errorf("got %s, want %s, that of the planned campaign alone", got, want)
	}
}
