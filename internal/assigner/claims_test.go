package assigner

import (
	"testing"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
)

// A claim's end depends only on when this process first saw it, not on the claim's date.
func TestClaims_TrustNoClockButTheirOwn(t *testing.T) {
	noon := time.Date(2026, 8, 7, 12, 0, 0, 0, time.UTC)
	const settle = 30 * time.Second
	for name, claimed := range map[string]time.Time{
		"just now":                       noon,
		"a moment ago":                   noon.Add(-10 * time.Second),
		"long ago":                       noon.Add(-time.Hour),
		"by a clock that is ahead":       noon.Add(5 * time.Minute),
		"by a clock that is hours ahead": noon.Add(5 * time.Hour),
	} {
		t.Run(name, func(t *testing.T) {
			c := newClaims(settle)
			n := ledger.Number{CampaignID: "c", Number: "+15551234567", ClaimedAt: claimed, Tries: ledger.Tries{Unanswered: 7}}
			if got := c.endOf(n, noon).Sub(noon); got != settle {
				t.Errorf("got %s after the first sight, want %s", got, settle)
			}
			if got := c.endOf(n, noon.Add(settle)).Sub(noon); got != settle {
				t.Errorf("got %s after a later sight, want %s still", got, settle)
			}
		})
	}
}

// The claim of another request for the same number has its own end.
func TestClaims_AreDistinguishedByTheirTime(t *testing.T) {
	noon := time.Date(2026, 8, 7, 12, 0, 0, 0, time.UTC)
	const settle = 30 * time.Second
	c := newClaims(settle)
	n := ledger.Number{CampaignID: "c", Number: "+15551234567", ClaimedAt: noon}
	c.endOf(n, noon)
	later := noon.Add(time.Hour)
	n.ClaimedAt = later
	if got := c.endOf(n, later); !got.Equal(later.Add(settle)) {
		t.Errorf("got %s, want %s", got, later.Add(settle))
	}
}

func TestClaims_SurviveAClockThatIsSetBack(t *testing.T) {
	now := time.Date(2026, 8, 7, 12, 0, 0, 0, time.UTC)
	c := newClaims(30 * time.Second)
	n := ledger.Number{CampaignID: "c", Number: "+15551234567", ClaimedAt: now}
	c.endOf(n, now)
	now = now.Add(-time.Hour)
	if wait := c.endOf(n, now).Sub(now); wait != 30*time.Second {
		t.Errorf("waits %s, want 30s", wait)
	}
	n.ClaimedAt = time.Time{}
	if until := c.endOf(n, now); !until.IsZero() || len(c.seen) != 0 {
		t.Errorf("got %s and %d remembered, want nothing", until, len(c.seen))
	}
}

// That a pool lost numbers is believed when a second, later, complete read confirms it.
func TestPools_BelieveALossOnlyTheSecondTime(t *testing.T) {
	const late = poolConfirm
	one, two := []plan.E164{"+15551230001"}, []plan.E164{"+15551230001", "+15551230002"}
	type reading struct {
		after    time.Duration
		lost     []plan.E164
		complete bool
	}
	for name, tt := range map[string]struct {
		readings []reading
		want     bool // of the last one
	}{
		"once":                           {[]reading{{0, one, true}}, false},
		"twice":                          {[]reading{{0, one, true}, {late, one, true}}, true},
		"twice at the same moment":       {[]reading{{0, one, true}, {time.Second, one, true}}, false},
		"again soon, and later":          {[]reading{{0, one, true}, {time.Second, one, true}, {late, one, true}}, true},
		"the second is incomplete":       {[]reading{{0, one, true}, {late, one, false}}, false},
		"an incomplete one in between":   {[]reading{{0, one, true}, {late, one, false}, {late, one, true}}, false},
		"the first is incomplete":        {[]reading{{0, one, false}, {late, one, true}}, false},
		"fewer are lost the second time": {[]reading{{0, two, true}, {late, one, true}}, true},
		"more are lost the second time":  {[]reading{{0, one, true}, {late, two, true}}, false},
		"none is lost in between":        {[]reading{{0, one, true}, {late, nil, true}, {late, one, true}}, false},
		"a loss that was believed":       {[]reading{{0, one, true}, {late, one, true}, {late, one, true}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, now, got := newPools(), time.Date(2026, 8, 7, 12, 0, 0, 0, time.UTC), false
			for _, r := range tt.readings {
				now = now.Add(r.after)
				got = p.confirm("c", r.lost, r.complete, now)
			}
			if got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
		})
	}
}
