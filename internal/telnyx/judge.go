package telnyx

import (
	"context"
	"errors"
	"net/http"
)

// Verdict says what an error means for repeating what was tried.
type Verdict string

// The verdicts. "Try" means reading the state first and writing only if that
// still calls for it; see [EffectUnknown].
const (
	// Later: try again after a growing, jittered wait (at least
	// [APIError.RetryAfter]), and tell a person when it goes on too long.
	Later Verdict = "later"
	// ForGood: the same request will never succeed. Report it with its number.
	ForGood Verdict = "for_good"
	// StopEverything: the account or the key is at fault, so every other request
	// would fail too. Alarm once, blame no number, try slowly.
	StopEverything Verdict = "stop_everything"
	// Unclear: Telnyx refused for a reason that it publishes nowhere. Try a few
	// more times, well spaced, then hand it to a person.
	Unclear Verdict = "unclear"
)

// The codes behind the verdicts; what they mean stands beside the constants.
var (
	stopCodes = []string{
		CodeAuthenticationFailed, CodeAuthorizationFailed, CodeFeatureNotPermitted, CodeFeatureLimited,
		CodeAccountInactive, CodeAccountBlocked, CodeAccountUnverified, CodeFeatureNotEnabled,
		CodeAccountNotLevel1, CodeAccountNotLevel2, CodeInsufficientFunds,
	}
	forGoodCodes = []string{
		CodeInactiveNumber, CodeInvalidNumber, CodeNotFound, CodeInvalidID,
		CodeMissingParameter, CodeBadRequest, CodeNotE164, CodeUnprocessable, CodeInvalidEnumValue, CodeOutOfRange,
	}
	laterCodes = []string{
		CodeUnexpected, CodeServiceUnavailable, CodeTooManyRequests,
		CodeAssociatedMissing, CodeInUse, CodeLocked, CodeBeingProcessed,
	}
)

// Judge decides whether what ended in err is worth repeating. It is the only
// place that does. The first row that fits counts:
//
//	the error                                        verdict
//	------------------------------------------------ --------------
//	nil                                              Unclear
//	ErrInvalidArgument                               ForGood
//	no answer, unreadable answer                     Later
//	context cancelled, or its deadline exceeded      Later
//	any other error that is no APIError              Unclear
//	status 401, 403, or a code of the key or the     StopEverything
//	  account: 10009, 10010, 10038, 10039,
//	  20012 to 20017, 20100
//	status 408, 429, 5xx                             Later
//	words of the aggregator that name something      Later
//	  that passes: see [Complaint]
//	a code that passes: 10007, 10037, 10011, 10017,  Later
//	  10021, 10035, 10036
//	a code of the request itself: 10001, 10002,      ForGood
//	  10004 to 10006, 10015, 10016, 10027, 10032,
//	  10033
//	any other status, with any other code or none    Unclear
//
// Some rows are choices. 10036 (being processed) is transient after a removal
// but was also seen to stay, and 10017 may be for good: Later is right only with
// a cap on the attempts. 10012 (duplicate) is Unclear because the state decides,
// and every try reads it. A 404 without a code is Unclear because a gateway or a
// wrong path answers it too. A passing code wins over one of the request, as
// the request will be judged again.
//
// A nil err is a mistake of the caller. It gets Unclear, so that a person sees
// it, rather than a panic in a service.
func Judge(err error) Verdict {
	if errors.Is(err, ErrInvalidArgument) {
		return ForGood
	}
	if e, ok := errors.AsType[*APIError](err); ok {
		return e.verdict()
	}
	if unanswered(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return Later
	}
	return Unclear
}

func (e *APIError) verdict() Verdict {
	switch {
	case e.blamesAccount():
		return StopEverything
	case isPassing(e.Status), ComplaintOf(e) != "", e.hasAny(laterCodes):
		return Later
	case e.hasAny(forGoodCodes):
		return ForGood
	default:
		return Unclear
	}
}

// blamesAccount reports a refusal of the account or its key.
func (e *APIError) blamesAccount() bool {
	return e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden || e.hasAny(stopCodes)
}

// unanswered reports whether a request was made and nothing usable came back.
func unanswered(err error) bool {
	if _, ok := errors.AsType[*ConnectionError](err); ok {
		return true
	}
	_, ok := errors.AsType[*UnreadableError](err)
	return ok
}

// isPassing reports whether a status speaks of the moment, not of the request.
func isPassing(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= 500
}
