package assigner

import (
	"testing"
	"time"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
)

func TestApprovedAt_IsTelnyxsTimeOfTheApproval(t *testing.T) {
	for name, tt := range map[string]struct{ body, want string }{
		"approval":       {`{"data":{"event_type":"10dlc.campaign.update","id":"1","occurred_at":"2026-08-07T12:00:00Z","payload":{"campaignId":"c","type":"VERIFIED"}}}`, "2026-08-07T12:00:00Z"},
		"one carrier":    {`{"data":{"event_type":"10dlc.campaign.update","id":"1","occurred_at":"2026-08-07T12:00:00Z","payload":{"campaignId":"c","type":"MNO_REVIEW"}}}`, "0001-01-01T00:00:00Z"},
		"without a time": {`{"campaignId":"c","type":"VERIFIED"}`, "0001-01-01T00:00:00Z"},
		"no event":       {`x`, "0001-01-01T00:00:00Z"},
	} {
		if got := approvedAt(&events.Delivery{Body: []byte(tt.body)}).UTC().Format(time.RFC3339); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}

// Without Telnyx's time, the record says only when the approval was noticed.
func TestNoteApproval_KeepsTelnyxsTimeApartFromOurs(t *testing.T) {
	now := time.Date(2026, 8, 7, 12, 0, 10, 0, time.UTC)
	stored, said := now.Add(-5*time.Second), now.Add(-8*time.Second)
	r := &reconcile{a: &Assigner{now: func() time.Time { return now }}, planned: true, req: request{noticed: stored}}
	c := ledger.Campaign{Phase: ledger.PhaseApproved}
	r.noteApproval(&c)
	if !c.ApprovedAt.IsZero() || !c.NoticedAt.Equal(stored) {
		t.Errorf("got approved %s, noticed %s; want only %s", c.ApprovedAt, c.NoticedAt, stored)
	}
	r.req.approved = said // its event came later
	r.noteApproval(&c)
	if !c.ApprovedAt.Equal(said) || !c.NoticedAt.Equal(stored) {
		t.Errorf("got approved %s, noticed %s; want %s, %s", c.ApprovedAt, c.NoticedAt, said, stored)
	}
	// A replayed event is of an earlier approval, whose suspension has ended meanwhile.
	for name, before := range map[string]ledger.Campaign{
		"it was suspended since":    {Phase: ledger.PhaseSuspended, Since: said.Add(time.Hour)},
		"it was noticed days later": {Phase: ledger.PhaseApproved, NoticedAt: said.Add(48 * time.Hour)},
	} {
		r.before = before
		again := ledger.Campaign{Phase: ledger.PhaseApproved}
		if r.noteApproval(&again); !again.ApprovedAt.IsZero() || again.NoticedAt.IsZero() {
			t.Errorf("%s: got approved %s, noticed %s", name, again.ApprovedAt, again.NoticedAt)
		}
	}
	c.Phase = ledger.PhaseSuspended
	r.noteApproval(&c)
	if !c.ApprovedAt.IsZero() || !c.NoticedAt.IsZero() {
		t.Errorf("got approved %s, noticed %s after the approval ended", c.ApprovedAt, c.NoticedAt)
	}
}
