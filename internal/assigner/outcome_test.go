package assigner

import (
	"testing"
	"time"

	"greenlight/internal/ledger"
)

// Each later look at a number that Telnyx works on must find its record as it was,
// or it would write thousands of them anew.
func TestAnswered_CountsOnce(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	p := &pass{a: &Assigner{now: func() time.Time { return now }}}
	var n ledger.Number
	p.answered(&n, ledger.Accepted)
	if n.Request != (ledger.Request{}) {
		t.Errorf("without a request: got %+v", n.Request)
	}
	n.Request.At = now
	p.answered(&n, ledger.Accepted)
	want := ledger.Request{At: now, Outcome: ledger.Accepted, AnsweredAt: now}
	now = now.Add(time.Hour)
	p.answered(&n, ledger.Refused)
	if n.Request != want {
		t.Errorf("got %+v, want %+v", n.Request, want)
	}
}
