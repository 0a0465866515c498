package ledger

import "time"

// endsSoon is how long before its end a campaign that is not renewed needs a person.
const endsSoon = 30 * 24 * time.Hour

// FixEnd says what to do about such a campaign.
const FixEnd = "To keep it, switch its renewal on in Telnyx's portal. Otherwise file a new campaign and put its id into the plan."

// EndsSoon reports whether a campaign that ends then, zero for one that does not, ends
// within 30 days.
func EndsSoon(ends, now time.Time) bool { return !ends.IsZero() && ends.Before(now.Add(endsSoon)) }

// EndSentence says of a planned campaign that it ends soon, and what to do. It is empty for
// others, and for one that has expired or is missing.
func (c Campaign) EndSentence(now time.Time) string {
	if !c.Planned || c.Phase == PhaseExpired || c.Phase == PhaseMissing || !EndsSoon(c.EndsAt, now) {
		return ""
	}
	return c.Plan + " ends on " + c.EndsAt.UTC().Format(time.DateOnly) + " and is not renewed (autoRenewal is false). " + FixEnd
}
