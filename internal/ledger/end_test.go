package ledger_test

import (
	"strings"
	"testing"
	"time"

	"greenlight/internal/ledger"
)

func TestCampaign_EndSentence(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	soon := ledger.Campaign{Planned: true, Plan: "spring", Phase: ledger.PhaseApproved, EndsAt: now.AddDate(0, 0, 10)}
	for name, tc := range map[string]struct {
		change func(*ledger.Campaign)
		want   string
	}{
		"soon":               {func(*ledger.Campaign) {}, "spring ends on 2026-03-12 and is not renewed"},
		"overdue":            {func(c *ledger.Campaign) { c.EndsAt = now.AddDate(0, 0, -1) }, "spring ends on 2026-03-01"},
		"in a month":         {func(c *ledger.Campaign) { c.EndsAt = now.AddDate(0, 0, 30) }, ""},
		"renewed":            {func(c *ledger.Campaign) { c.EndsAt = time.Time{} }, ""},
		"not planned":        {func(c *ledger.Campaign) { c.Planned = false }, ""},
		"expired already":    {func(c *ledger.Campaign) { c.Phase = ledger.PhaseExpired }, ""},
		"not on the account": {func(c *ledger.Campaign) { c.Phase = ledger.PhaseMissing }, ""},
	} {
		c := soon
		tc.change(&c)
		if got := c.EndSentence(now); !strings.HasPrefix(got, tc.want) || (got == "") != (tc.want == "") {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}
