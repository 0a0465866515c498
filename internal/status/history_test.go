package status

import (
	"testing"
	"time"

	"greenlight/internal/ledger"
)

// A campaign of three numbers is approved at noon. The first is attached a second later, and
// every carrier has it at 12:30; the second is refused at 12:10; the third is in progress.
func TestHistory_FollowsFromTheRecords(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	view := NewView(ViewConfig{})
	x := &view.contents
	x.putCampaign(ledger.Campaign{ID: "C1", Planned: true, Phase: ledger.PhaseApproved, Since: noon, ApprovedAt: noon, NoticedAt: noon, AttachedAt: at(5)})
	named := at(-60)
	number := func(e164 string, state ledger.State, since time.Time, firsts ledger.Firsts) ledger.Number {
		firsts.Named = named
		return ledger.Number{Number: e164, CampaignID: "C1", State: state, Since: since, Firsts: firsts}
	}
	first := noon.Add(time.Second)
	sendable := number("+12125550100", ledger.Sendable, at(30), ledger.Firsts{Requested: noon, Attached: first, Sendable: at(30)})
	sendable.TMobile, sendable.NonTMobile = "ADDED", "ADDED"
	refused := number("+12125550101", ledger.Failed, at(10), ledger.Firsts{Requested: at(1)})
	refused.Reason, refused.NeedsPerson = ledger.Rejected, true
	attached := number("+12125550102", ledger.Attached, at(5), ledger.Firsts{Requested: at(2), Attached: at(5)})
	attached.TMobile, attached.NonTMobile = "FAILED", "ADDED"
	for _, n := range []ledger.Number{sendable, refused, attached} {
		x.putNumber(n)
	}
	now := at(45)
	h := x.History(now)
	if h.Slot != 2*time.Minute || !h.End.After(now) || len(h.Counts) != 90 {
		t.Fatalf("got %d slots of %v until %v, want 3 hours", len(h.Counts), h.Slot, h.End)
	}
	for minutes, want := range map[int][Parts]int{
		-70: {}, -30: {InReview: 3}, 3: {OnCampaign: 1, InProgress: 2}, 7: {OnCampaign: 2, InProgress: 1},
		20: {OnCampaign: 2, WithPerson: 1}, 45: {CanSend: 1, OnCampaign: 1, WithPerson: 1},
	} {
		slot := len(h.Counts) - 1 - int(h.End.Sub(at(minutes))/h.Slot)
		if got := h.Counts[min(slot, len(h.Counts)-1)]; got != want {
			t.Errorf("%d minutes after the approval: got %v, want %v", minutes, got, want)
		}
	}
	entry := x.Campaign("C1")
	if got, want := entry.Milestones(), (Milestones{Approved: noon, First: first, Attached: at(5)}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := LanesOf(x.Campaigns()), (Lanes{TMobile: Lane{Added: 1, Failed: 1}, Others: Lane{Added: 2}}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	// The last number that can send completes the campaign.
	x.dropNumber("C1", refused.Number)
	attached.State, attached.Since, attached.Firsts.Sendable = ledger.Sendable, at(40), at(40)
	x.putNumber(attached)
	if got := entry.Milestones().Sendable; !got.Equal(at(40)) {
		t.Errorf("all carriers: got %v, want 12:40", got)
	}
	if h := HistoryOf(x.Campaigns(), now); h.Counts[len(h.Counts)-1] != [Parts]int{CanSend: 2} {
		t.Errorf("at last: got %v, want two that can send", h.Counts[len(h.Counts)-1])
	}
}
