package ledger

import "time"

// endsSoon is how long before its end a campaign that is not renewed needs a person.
const endsSoon = 30 * 24 * time.Hour

// FixEnd says what to do about such a campaign.
const FixEnd = "To keep it, switch its renewal on in Telnyx's portal. Otherwise file a new campaign and put its id into the plan."

// EndsSoon reports whether a campaign that ends then, zero for one that does not, ends
// within 30 days.
func EndsSoon(ends, now time.Time) bool { return !ends.IsZero() && ends.Before(now.Add(endsSoon)) }
