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

// Explain wraps the error of a command with what it means and what to do, if it is about
// Telnyx's API or the command was interrupted. Other errors may say what was done so far, so
// an interruption is only added to them. The client's errors never contain the API key.
func Explain(ctx context.Context, err error) error {
	interrupted := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	isAnswer := telnyx.WasSent(err) || telnyx.IsRateLimited(err)
	switch {
	case ctx.Err() != nil && (interrupted || isAnswer):
		return fmt.Errorf("interrupted before everything was done: %w", err)
	case !isAnswer:
		return err
	}
	why, fix := meaningOf(err)
	return fmt.Errorf("%s %s Details: %w", why, fix, err)
}

// meaningOf says what an error of Telnyx's API means, and what to do.
func meaningOf(err error) (why, fix string) {
	class := telnyx.Classify(err)
	reason := ledger.UnknownError
	switch {
	case errors.Is(err, assigner.ErrKeyRefused), class == telnyx.ClassUnauthorized:
		reason = ledger.Unauthorized
	case errors.Is(err, telnyx.ErrNoAPI):
		return "Every request is answered 404: the account has nothing yet, or the base URL is wrong.", "Leave out TELNYX_BASE_URL, or use a URL like " + telnyx.DefaultBaseURL + "."
	case telnyx.IsNotFound(err):
		return "Telnyx answers 404: it has no such record, or not under this base URL.", "Check the id if you gave one, that the API key belongs to the right account, and TELNYX_BASE_URL if it is set."
	case class == telnyx.ClassForbidden:
		fix = "In Mission Control, check the permissions of the key's user for 10DLC and numbers."
	case class == telnyx.ClassAccount:
		reason = ledger.AccountBlocked
	case telnyx.IsRateLimited(err):
		reason, fix = ledger.RateLimited, "Run this again in a minute, or set a lower TELNYX_RATE."
	case class == telnyx.ClassTransient:
		reason, fix = ledger.TelnyxUnavailable, "Check the network and TELNYX_BASE_URL, and run this again."
	case class == telnyx.ClassBusy:
		fix = "Run this again in a minute."
	}
	advice := reason.Advice()
	return advice.Why, cmp.Or(fix, advice.Action)
}
