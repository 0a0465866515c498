package preflight

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
)

// Explain says why Telnyx could not be asked to the end and what to do about it, in the
// words that the ledger has for it, and then what exactly was told. No error of the
// client's holds the key.
func Explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("stopped before Telnyx had answered everything: %w", context.Cause(ctx))
	}
	reason, mend := troubleOf(err)
	advice := reason.Advice()
	return fmt.Errorf("%s %s Told: %w", advice.Why, cmp.Or(mend, advice.Action), err)
}

// troubleOf returns the reason, and what to do if that is not what the ledger
// advises on the day.
func troubleOf(err error) (reason ledger.Reason, mend string) {
	switch telnyx.Judge(err) {
	case telnyx.StopEverything:
		if telnyx.KeyRefused(err) {
			return ledger.Unauthorized, ""
		}
		return ledger.AccountBlocked, ""
	case telnyx.Later:
		if answer, answered := asAPIError(err); answered && answer.Status == http.StatusTooManyRequests {
			return ledger.RateLimited, "Run this again in a minute; a lower TELNYX_RATE keeps clear of the limit."
		}
		return ledger.TelnyxUnavailable, "Check the network and TELNYX_BASE_URL, and run this again."
	default:
		return ledger.UnknownError, "Read Telnyx's words, and ask its support if they do not help."
	}
}

func asAPIError(err error) (*telnyx.APIError, bool) { return errors.AsType[*telnyx.APIError](err) }
