//go:build race

package endtoend_test

import (
	"slices"

	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// The race detector makes everything several times as slow, and finds races in what runs
// at once, not in how an answer is read. So matrices of answers are thinned out with it.
// `make test` runs them in full without it.

// sideBySide is how many tests run side by side with the race detector.
const sideBySide = "8"

// smaller is how many times smaller large worlds are with the race detector.
const smaller = 4

// selectDialects returns the dialects to try.
func selectDialects(all []telnyxsim.NamedDialect) []telnyxsim.NamedDialect {
	return slices.DeleteFunc(all, func(d telnyxsim.NamedDialect) bool { return !slices.Contains(representative, d.Name) })
}

// selectStatuses returns the campaign statuses to combine with the nth notification: the
// provisioned one, and another in turn.
func selectStatuses(n int) []telnyx.CampaignStatus {
	return []telnyx.CampaignStatus{telnyx.CampaignMNOProvisioned, everyCampaignStatus[n%len(everyCampaignStatus)]}
}
