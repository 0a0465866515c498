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
	// ClassInvalid says that the call was not made, because of an argument.
	ClassInvalid ErrorClass = "invalid"
	// ClassRefused is any other refusal. Telnyx publishes no codes for most of them.
	ClassRefused ErrorClass = "refused"
)

// codeClasses are the error codes that Greenlight knows and the class of each, from
// https://developers.telnyx.com/development/api-fundamentals/api-errors (read in
// 2026). The comments give Telnyx's titles.
var codeClasses = map[string]ErrorClass{
	"10001":               ClassRefused,      // Inactive phone number
	"10002":               ClassRefused,      // Invalid phone number
	"10004":               ClassRefused,      // Missing required parameter
	CodeNotFound:          ClassRefused,      // Resource not found
	"10006":               ClassRefused,      // Invalid ID
	"10007":               ClassTransient,    // Unexpected error
	"10009":               ClassUnauthorized, // Authentication failed
	"10010":               ClassForbidden,    // Authorization failed
	codeTooMany:           ClassTransient,    // Too many requests
	"10012":               ClassRefused,      // Duplicate resource
	"10015":               ClassRefused,      // Bad Request
	"10016":               ClassRefused,      // Phone number must be in +E.164 format
	"10017":               ClassBusy,         // Associated resource does not exist
	"10021":               ClassBusy,         // Resource in use
	"10027":               ClassRefused,      // Unprocessable Entity
	"10032":               ClassRefused,      // Invalid enumerated value
	"10033":               ClassRefused,      // Value outside of range
	"10035":               ClassBusy,         // Resource locked
	"10036":               ClassBusy,         // Resource is being processed
	"10037":               ClassTransient,    // Service unavailable
	"10038":               ClassAccount,      // Feature not permitted (at this account level)
	"10039":               ClassAccount,      // Feature limited (at this account level)
	"20012":               ClassAccount,      // Account inactive (it may be out of funds)
	"20013":               ClassAccount,      // Account blocked
	"20014":               ClassAccount,      // Account unverified
	"20015":               ClassAccount,      // Feature not enabled
	"20016":               ClassAccount,      // Account not level 1 verified
	"20017":               ClassAccount,      // Account not level 2 verified
	CodeInsufficientFunds: ClassAccount,      // Insufficient Funds
}

// The codes that are asked for by name.
const (
	CodeNotFound          = "10005"
	CodeInsufficientFunds = "20100"

	codeTooMany = "10011"
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
//	words that are a complaint (see [ComplaintOf])       refused
//	codes 10007, 10011, 10037                            transient
//	codes 10017, 10021, 10035, 10036                     busy
//	403, or code 10010                                   forbidden
//	any other status, with any other code or none        refused
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
	case e.Status == http.StatusUnauthorized, e.hasClass(ClassUnauthorized):
		return ClassUnauthorized
	case e.hasClass(ClassAccount):
		return ClassAccount
	case isPassing(e.Status):
		return ClassTransient
	case ComplaintOf(e) != "":
		return ClassRefused
	case e.hasClass(ClassTransient):
		return ClassTransient
	case e.hasClass(ClassBusy):
		return ClassBusy
	case e.Status == http.StatusForbidden, e.hasClass(ClassForbidden):
		return ClassForbidden
	}
	return ClassRefused
}

// CheckKey makes a call that names no number and no campaign. An error of class
// [ClassUnauthorized] or [ClassForbidden] says that Telnyx refuses the key itself. A key
// that may not list brands may list numbers, so a 403 is asked about twice. So is a 404,
// which some lists without rows answer.
//
// OpenAPI: GET /10dlc/brand, GET /phone_numbers/messaging
func (c *Client) CheckKey(ctx context.Context) error {
	r := get(brandsRoute, "")
	r.query = map[string][]string{"recordsPerPage": {"1"}}
	_, err := call(ctx, c, r, func(page[Brand]) error { return nil })
	if Classify(err) == ClassForbidden || IsNotFound(err) {
		r = get(settingsRoute, "")
		r.query = map[string][]string{"page[size]": {"1"}}
		_, err = call(ctx, c, r, func(page[Number]) error { return nil })
	}
	return annotate(err, "check the API key")
}

// IsRateLimited reports whether Telnyx asks for fewer requests, also if the call was not
// sent because of that.
func IsRateLimited(err error) bool {
	e, ok := errors.AsType[*APIError](err)
	return ok && (e.Status == http.StatusTooManyRequests || e.has(codeTooMany)) || errors.Is(err, ErrPaused)
}

// HasKnownCode reports whether an answer has one of the documented codes of refusals.
func HasKnownCode(err error) bool {
	e, ok := errors.AsType[*APIError](err)
	return ok && e.hasClass(ClassRefused, ClassForbidden)
}

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
