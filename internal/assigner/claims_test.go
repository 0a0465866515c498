package assigner

import (
	"testing"
	"time"

	"greenlight/internal/ledger"
)

// However a claim is dated, it is waited for by the time that passes here.
func TestSettledAt_TrustsNoClockButItsOwn(t *testing.T) {
	noon := time.Date(2026, 8, 7, 12, 0, 0, 0, time.UTC)
	const settle = 30 * time.Second
	for name, tt := range map[string]struct {
		claimed  time.Time
		attempts int
		wait     time.Duration // from the first sight
	}{
		"just now":                            {noon, 1, settle},
		"a moment ago":                        {noon.Add(-10 * time.Second), 1, settle},
		"long ago":                            {noon.Add(-time.Hour), 1, settle},
		"by a clock that is slow":             {noon.Add(-5 * time.Minute), 1, settle},
		"by a clock that is ahead":            {noon.Add(5 * time.Minute), 1, settle},
		"by a clock that is hours ahead":      {noon.Add(5 * time.Hour), 1, settle},
		"the third, just now":                 {noon, 3, 4 * settle},
		"the third, half a minute ago":        {noon.Add(-30 * time.Second), 3, 4*settle - 30*time.Second},
		"the third, by a clock that is ahead": {noon.Add(time.Hour), 3, 4 * settle},
		"the third, long ago":                 {noon.Add(-time.Hour), 3, settle},
	} {
		t.Run(name, func(t *testing.T) {
			now := noon
			a := &Assigner{claims: newClaims(), now: func() time.Time { return now }}
			a.config.Settle = settle
			n := ledger.Number{CampaignID: "c", Number: "+15551234567", ClaimedAt: tt.claimed, Attempts: tt.attempts}
			if got := a.settledAt(n).Sub(noon); got != tt.wait {
				t.Errorf("got %s after the first sight, want %s", got, tt.wait)
			}
			now = noon.Add(tt.wait)
			if until := a.settledAt(n); now.Before(until) {
				t.Errorf("not settled %s after the first sight, but at %s", tt.wait, until)
			}
		})
	}
}

func TestSettledAt_SurvivesAClockThatIsSetBack(t *testing.T) {
	now := time.Date(2026, 8, 7, 12, 0, 0, 0, time.UTC)
	a := &Assigner{claims: newClaims(), now: func() time.Time { return now }}
	a.config.Settle = 30 * time.Second
	n := ledger.Number{CampaignID: "c", Number: "+15551234567", ClaimedAt: now, Attempts: 1}
	a.settledAt(n)
	now = now.Add(-time.Hour)
	if wait := a.settledAt(n).Sub(now); wait != 30*time.Second {
		t.Errorf("waits %s, want 30s", wait)
	}
	n.ClaimedAt = time.Time{}
	if until := a.settledAt(n); !until.IsZero() || len(a.claims.seen) != 0 {
		t.Errorf("got %s and %d remembered, want nothing", until, len(a.claims.seen))
	}
}
