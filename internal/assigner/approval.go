package assigner

import (
	"time"

	"greenlight/internal/ledger"
)

// noteApproval notes in a campaign's record when it was approved. It stands in the
// ledger, as what noteAttached notes, so that a restart in between loses neither.
func (p *pass) noteApproval(c *ledger.Campaign) {
	if c.Phase != ledger.Ready || !p.planned {
		c.ApprovedAt, c.AttachedAt = time.Time{}, time.Time{}
		return
	}
	if !c.ApprovedAt.IsZero() {
		return
	}
	c.ApprovedAt = p.a.now().UTC().Round(0) // without the monotonic clock, which no record keeps
	if !p.toldAt.IsZero() && p.toldAt.Before(c.ApprovedAt) {
		c.ApprovedAt = p.toldAt.UTC().Round(0)
	}
}

// noteAttached notes when every planned number was attached for the first time since
// the approval.
func (p *pass) noteAttached(c *ledger.Campaign) {
	if !c.ApprovedAt.IsZero() && c.AttachedAt.IsZero() && p.allAttached() {
		c.AttachedAt = p.a.now().UTC().Round(0)
	}
}

// tookToAttach returns how long it took from the approval until every planned number
// was attached, if that is what the second record has to tell and the first, of before
// the pass, had not. A campaign whose numbers were all attached when it was first read
// as approved tells nothing of us.
func tookToAttach(before, after ledger.Campaign) (took time.Duration, known bool) {
	if before.ApprovedAt.IsZero() || !before.AttachedAt.IsZero() || after.AttachedAt.IsZero() {
		return 0, false
	}
	return after.AttachedAt.Sub(after.ApprovedAt), true
}

// allAttached reports whether every planned number is attached, as far as this pass
// knows.
func (p *pass) allAttached() bool {
	numbers := p.plannedNumbers()
	for _, number := range numbers {
		if state := p.known(number).State; state != ledger.Attached && state != ledger.Sendable {
			return false
		}
	}
	return len(numbers) > 0
}
