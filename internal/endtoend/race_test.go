//go:build race

package endtoend_test

import (
	"slices"

	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// The race detector makes tests several times slower, and finds races between goroutines,
// not mistakes in reading answers. So only part of the answer matrices runs with it.
// `make test` also runs them in full without it.

// sideBySide is how many tests run side by side with the race detector.
const sideBySide = "8"

// smaller is the factor by which large worlds are reduced with the race detector.
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
