package assigner

import (
	"time"

	"greenlight/internal/ledger"
)

// noteApproval notes in a campaign's record when it was approved. It stands in the
// ledger, as what noteAttached notes, so that a restart in between loses neither.
func (r *reconcile) noteApproval(c *ledger.Campaign) {
	if c.Phase != ledger.PhaseApproved || !r.planned {
		c.ApprovedAt, c.AttachedAt = time.Time{}, time.Time{}
		return
	}
	if !c.ApprovedAt.IsZero() {
		return
	}
	c.ApprovedAt = r.a.now().UTC().Round(0) // without the monotonic clock, which no record keeps
	if !r.req.noticed.IsZero() && r.req.noticed.Before(c.ApprovedAt) {
		c.ApprovedAt = r.req.noticed.UTC().Round(0)
	}
}

// noteAttached notes when every planned number was attached for the first time since
// the approval.
func (r *reconcile) noteAttached(c *ledger.Campaign) {
	if !c.ApprovedAt.IsZero() && c.AttachedAt.IsZero() && r.allAttached() {
		c.AttachedAt = r.a.now().UTC().Round(0)
	}
}

// tookToAttach returns how long it took from the approval until every planned number
// was attached, if that is what the second record has to tell and the first, of before
// the reconcile, had not. A campaign whose numbers were all attached when it was first read
// as approved tells nothing of us.
func tookToAttach(before, after ledger.Campaign) (took time.Duration, known bool) {
	if before.ApprovedAt.IsZero() || !before.AttachedAt.IsZero() || after.AttachedAt.IsZero() {
		return 0, false
	}
	return after.AttachedAt.Sub(after.ApprovedAt), true
}

// allAttached reports whether every planned number is attached, as far as this
// reconcile knows.
func (r *reconcile) allAttached() bool {
	numbers := r.plannedNumbers()
	for _, number := range numbers {
		if state := r.known(number).State; state != ledger.Attached && state != ledger.Sendable {
			return false
		}
	}
	return len(numbers) > 0
}
