package telnyx

import (
	"context"
	"errors"
	"net/http"
)

// ErrorClass says what an error is about. It is not a decision: one answer of any
// class proves little (a single 403 may be about one number).
type ErrorClass string

// The classes of errors.
const (
	// ClassTransient is a temporary failure: try again.
	ClassTransient ErrorClass = "transient"
	// ClassUnauthorized says that Telnyx does not know the API key.
	ClassUnauthorized ErrorClass = "unauthorized"
	// ClassForbidden says that the key may not do this. Whether that is about the key
	// or about one number or campaign is known only after [Client.CheckKey].
	ClassForbidden ErrorClass = "forbidden"
	// ClassAccount says that the account may not do this, or is out of funds.
	ClassAccount ErrorClass = "account"
	// ClassBusy says that something temporary about the number or campaign prevents the
	// call.
	ClassBusy ErrorClass = "busy"
	// ClassFull says that the campaign carries as many numbers as it may.
	ClassFull ErrorClass = "full"
	// ClassOtherCampaign says that the number is on another campaign.
	ClassOtherCampaign ErrorClass = "other_campaign"
	// ClassInvalid says that the call was not made, because of an argument.
	ClassInvalid ErrorClass = "invalid"
	// ClassRefused is any other refusal. Telnyx publishes no codes for most of them.
	ClassRefused ErrorClass = "refused"
)

// The codes behind the classes; what they mean is beside the constants.
var (
	accountCodes = []string{
		CodeFeatureNotPermitted, CodeFeatureLimited, CodeAccountInactive, CodeAccountBlocked, CodeAccountUnverified,
		CodeFeatureNotEnabled, CodeAccountNotLevel1, CodeAccountNotLevel2, CodeInsufficientFunds,
	}
	busyCodes      = []string{CodeAssociatedMissing, CodeInUse, CodeLocked, CodeBeingProcessed}
	transientCodes = []string{CodeUnexpected, CodeServiceUnavailable, CodeTooManyRequests}
)

// Classify says what an error is about. The first row that fits counts:
//
//	the error                                            class
//	---------------------------------------------------- --------------
//	nil                                                  ""
//	ErrInvalidArgument                                   invalid
//	no answer, unreadable answer, ended context, any     transient
//	  other error that is not an APIError
//	401, or code 10009                                   unauthorized
//	codes 10038, 10039, 20012 to 20017, 20100            account
//	408, 425, 429, 5xx                                   transient
//	words: the campaign is full                          full
//	words: the number is on another campaign             other_campaign
//	words: campaign not deployed or dormant, quota       busy
//	codes 10007, 10011, 10037                            transient
//	codes 10017, 10021, 10035, 10036                     busy
//	403, or code 10010                                   forbidden
//	any other status, with any other code or none        refused
//
// The words are those of [Complaint].
func Classify(err error) ErrorClass {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrInvalidArgument):
		return ClassInvalid
	}
	e, ok := errors.AsType[*APIError](err)
	if !ok {
		return ClassTransient
	}
	switch {
	case e.Status == http.StatusUnauthorized, e.has(CodeAuthenticationFailed):
		return ClassUnauthorized
	case e.hasAny(accountCodes):
		return ClassAccount
	case isPassing(e.Status):
		return ClassTransient
	}
	switch ComplaintOf(e) {
	case ComplaintFull:
		return ClassFull
	case ComplaintOtherCampaign:
		return ClassOtherCampaign
	case ComplaintNotDeployed, ComplaintDormant, ComplaintQuota:
		return ClassBusy
	}
	switch {
	case e.hasAny(transientCodes):
		return ClassTransient
	case e.hasAny(busyCodes):
		return ClassBusy
	case e.Status == http.StatusForbidden, e.has(CodeAuthorizationFailed):
		return ClassForbidden
	}
	return ClassRefused
}

// CheckKey makes a call that names no number and no campaign. An error of class
// [ClassUnauthorized] or [ClassForbidden] says that Telnyx refuses the key itself. A key
// that may not list brands may list numbers, so a 403 is asked about twice.
//
// OpenAPI: GET /10dlc/brand, GET /phone_numbers/messaging
func (c *Client) CheckKey(ctx context.Context) error {
	r := get(brandsRoute)
	r.query = map[string][]string{"recordsPerPage": {"1"}}
	_, err := call(ctx, c, r, func(page[Brand]) error { return nil })
	if Classify(err) == ClassForbidden {
		r = get(settingsRoute)
		r.query = map[string][]string{"page[size]": {"1"}}
		_, err = call(ctx, c, r, func(page[Number]) error { return nil })
	}
	return annotate(err, "check the API key")
}

// IsRateLimited reports whether Telnyx asks for fewer requests, also if the call was not
// sent because of that.
func IsRateLimited(err error) bool {
	e, ok := errors.AsType[*APIError](err)
	return ok && (e.Status == http.StatusTooManyRequests || e.has(CodeTooManyRequests)) || errors.Is(err, ErrPaused)
}

// HasKnownCode reports whether an answer has one of the documented codes of refusals.
func HasKnownCode(err error) bool {
	e, ok := errors.AsType[*APIError](err)
	return ok && e.hasAny(refusalCodes)
}

var refusalCodes = []string{
	CodeInactiveNumber, CodeInvalidNumber, CodeNotFound, CodeInvalidID, CodeMissingParameter, CodeBadRequest, CodeNotE164,
	CodeUnprocessable, CodeInvalidEnumValue, CodeOutOfRange, CodeAuthorizationFailed, codeDuplicate,
}

// codeDuplicate is "Duplicate resource" in Telnyx's list of error codes.
const codeDuplicate = "10012"

// isPassing reports whether a status is about the moment, not about the request.
func isPassing(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooEarly ||
		status == http.StatusTooManyRequests || status >= 500
}

// isRefusal reports an answer by which Telnyx does not understand a request, or
// does not have what it names: 400, 404 or 422.
func isRefusal(err error) bool {
	e, ok := errors.AsType[*APIError](err)
	return ok && (e.Status == http.StatusBadRequest || e.Status == http.StatusNotFound || e.Status == http.StatusUnprocessableEntity)
}

// isUnfit reports an answer that may be about the form of a request that has never
// worked: any status but those about the key and the rate of calls, as gateways
// answer 414 or 403 to long addresses, and servers that fail on a parameter 500.
func isUnfit(err error) bool {
	e, ok := errors.AsType[*APIError](err)
	if !ok {
		return false
	}
	switch e.Status {
	case http.StatusUnauthorized, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return true
}

// isAnswer reports an answer that refuses a request and is not about the moment.
func isAnswer(err error) bool {
	e, ok := errors.AsType[*APIError](err)
	return ok && !isPassing(e.Status)
}
