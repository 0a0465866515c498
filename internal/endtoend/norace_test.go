//go:build !race

package endtoend_test

import (
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// sideBySide is how many tests run side by side. Most of them wait.
const sideBySide = "20"

// smaller is the factor by which large worlds are reduced.
const smaller = 1

// selectDialects returns the dialects to try.
func selectDialects(all []telnyxsim.NamedDialect) []telnyxsim.NamedDialect { return all }

// selectStatuses returns the campaign statuses to combine with the nth notification.
func selectStatuses(int) []telnyx.CampaignStatus { return everyCampaignStatus }
