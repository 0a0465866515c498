package assigner

import (
	"errors"
	"testing"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
)

// A claim ends settle after its request, however long ago the reconcile began.
func TestReconcile_ClaimEndsAfterTheRequest(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	a := &Assigner{claims: newClaims(30 * time.Second), now: func() time.Time { return now }}
	r := &reconcile{a: a, now: now, readFrom: now}
	now = now.Add(10 * time.Minute) // the reconcile has many numbers
	n := ledger.Number{CampaignID: "spring", Number: "+12125550101", ClaimedAt: now}
	a.claims.see(n, now)
	want := now.Add(30 * time.Second)
	now = now.Add(time.Second)
	if got := r.claimEnds(n); !got.Equal(want) {
		t.Errorf("the claim ends at %s, want %s", got, want)
	}
}

// A read from before the end of a claim does not prove that its request had no effect.
func TestReconcile_ClaimOutlastsOldReadings(t *testing.T) {
	begin := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	now := begin
	a := &Assigner{claims: newClaims(30 * time.Second), now: func() time.Time { return now }}
	n := ledger.Number{CampaignID: "spring", Number: "+12125550101", ClaimedAt: begin}
	a.claims.see(n, begin)
	now = begin.Add(31 * time.Second)
	old := &reconcile{a: a, readFrom: begin.Add(29 * time.Second)}
	if got := old.claimEnds(n); !got.After(now) {
		t.Errorf("read before the end: the claim ends at %s, want after %s", got, now)
	}
	fresh := &reconcile{a: a, readFrom: begin.Add(30 * time.Second)}
	if got := fresh.claimEnds(n); got.After(now) {
		t.Errorf("read after the end: the claim ends at %s, want %s at most", got, now)
	}
}

// A write whose last checks are too old is not sent, and is retried soon.
func TestReconcile_DoesNotSendOnOldChecks(t *testing.T) {
	answer := (&reconcile{}).send(t.Context(), Decision{Write: WriteMove}, time.Now().Add(-maxCheckAge))
	if !errors.Is(answer.Err, errLate) || telnyx.WasSent(answer.Err) {
		t.Fatalf("got %v, want that it was not sent", answer.Err)
	}
	now := time.Now()
	got := Decide(Case{
		Phase: ledger.PhaseApproved, Answer: &answer, Now: now,
		Record: ledger.Number{State: ledger.Attaching, ClaimedAt: now, Tries: ledger.Tries{Unanswered: 1}},
	}).Record
	if got.State != ledger.Planned || got.Reason != ledger.Unverified || !got.ClaimedAt.IsZero() || got.Tries.Unanswered != 0 {
		t.Errorf("got %s (%s), claimed at %s, %d unanswered; want planned (unverified) without a claim or a count",
			got.State, got.Reason, got.ClaimedAt, got.Tries.Unanswered)
	}
	if want := now.Add(soon); !got.NextAt.Equal(want) {
		t.Errorf("next at %s, want %s", got.NextAt, want)
	}
}
