package preflight

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"greenlight/internal/assigner"
	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
)

// Explain wraps err with the ledger's advice: why not everything could be checked, and what
// to do. The client's errors never contain the API key.
func Explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted before all checks were done: %w", context.Cause(ctx))
	}
	reason, fix := reasonOf(err)
	advice := reason.Advice()
	return fmt.Errorf("%s %s Details: %w", advice.Why, cmp.Or(fix, advice.Action), err)
}

// reasonOf returns the reason, and what to do if that differs from the ledger's advice.
func reasonOf(err error) (reason ledger.Reason, fix string) {
	if errors.Is(err, assigner.ErrKeyRefused) {
		return ledger.Unauthorized, ""
	}
	switch telnyx.Classify(err) {
	case telnyx.ClassForbidden:
		return ledger.UnknownError, "The key works for other calls. In Mission Control, check its user's permissions for 10DLC and numbers."
	case telnyx.ClassAccount:
		return ledger.AccountBlocked, ""
	case telnyx.ClassTransient:
		if telnyx.IsRateLimited(err) {
			return ledger.RateLimited, "Run this again in a minute, or set a lower TELNYX_RATE."
		}
		return ledger.TelnyxUnavailable, "Check the network and TELNYX_BASE_URL, and run this again."
	default:
		return ledger.UnknownError, ""
	}
}
