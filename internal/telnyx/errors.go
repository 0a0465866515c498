package telnyx

import (
	"cmp"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// ErrInvalidArgument is matched by the error for a call that was not made
// because an argument cannot be sent, like an empty id.
var ErrInvalidArgument = errors.New("invalid argument")

// What an error keeps of an answer at most: details, and bytes of each text.
const (
	maxDetails    = 10
	maxDetailText = 300
	maxBodyText   = 300
	maxIDText     = 100
)

// APIError is an answer with a status other than 2xx. Redirects are among them,
// since none is followed.
type APIError struct {
	// Method and Route are of the request; Route is a template like
	// "/10dlc/campaign/{id}".
	Method, Route string
	// Status is the HTTP status.
	Status int
	// Errors are Telnyx's details, at most 10. It is empty if the body had none,
	// as with a gateway's page.
	Errors []ErrorDetail
	// RequestID is the header x-request-id, for Telnyx's support; it may be empty.
	RequestID string
	// RetryAfter is how long Telnyx asks to wait: the header Retry-After, or for a
	// 429 without it x-ratelimit-reset. Zero if it does not say.
	RetryAfter time.Duration
	// Body is the beginning of the body as one line without markup. It is for
	// showing; Errors has the same when Telnyx wrote it.
	Body string

	// routeUnknown says that nothing has shown yet that the route exists.
	routeUnknown bool
}

// ErrorDetail is one of the errors in an answer, its texts cut to 300 bytes.
type ErrorDetail struct {
	// Code is a code like "10016". It is empty where the answer has no codes.
	Code string
	// Title and Detail are sentences. Either may be empty.
	Title, Detail string
	// Source is the field or parameter that is to blame, if Telnyx named it.
	Source string
}

// Error gives the request, the status and all that Telnyx said.
func (e *APIError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %d %s", e.Method, e.Route, e.Status, cmp.Or(http.StatusText(e.Status), "(unknown status)"))
	for _, detail := range e.Errors {
		fmt.Fprintf(&b, ": %s", detail)
	}
	if len(e.Errors) == 0 && e.Body != "" {
		fmt.Fprintf(&b, ": %q", e.Body)
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, "; retry after %s", e.RetryAfter)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, "; request id %s", e.RequestID)
	}
	return b.String()
}

// String returns the detail on one line, like
// "10016 Phone number must be in +E.164 format (phoneNumber)".
func (d ErrorDetail) String() string {
	text := strings.TrimSpace(d.Code + " " + d.Title)
	if d.Detail != "" && d.Detail != d.Title {
		text = strings.TrimPrefix(text+": "+d.Detail, ": ")
	}
	if d.Source != "" {
		text += " (" + d.Source + ")"
	}
	return text
}

// ConnectionError is a request without an answer: refused, broken, timed out or
// cancelled. Telnyx may have received the request nevertheless.
type ConnectionError struct {
	Method, Route string
	Err           error
}

// Error gives the request and the cause.
func (e *ConnectionError) Error() string {
	return fmt.Sprintf("%s %s: no answer: %v", e.Method, e.Route, e.Err)
}

// Unwrap returns the cause, context.DeadlineExceeded for example.
func (e *ConnectionError) Unwrap() error { return e.Err }

// IsUnreachable reports whether err says that no connection to the server could be made. Then
// any other call would fail as well.
func IsUnreachable(err error) bool {
	_, unanswered := errors.AsType[*ConnectionError](err)
	failed, ok := errors.AsType[*net.OpError](err)
	return unanswered && ok && (failed.Op == "dial" || failed.Op == "proxyconnect")
}

// NetworkError is the failure of a call over the network, in an operator's words. Go's texts
// name resolvers and system calls, and may repeat an address, which can be a secret.
type NetworkError struct {
	Text string
	Err  error
}

// Error returns the text.
func (e *NetworkError) Error() string { return e.Text }

// Unwrap returns the error that the text is about.
func (e *NetworkError) Unwrap() error { return e.Err }

// NetworkCause returns a [*NetworkError] for an error of the network, and other errors as
// they are.
func NetworkCause(err error) error {
	network, isNetwork := errors.AsType[net.Error](err)
	address, isAddress := errors.AsType[*net.AddrError](err)
	code, isCode := errors.AsType[syscall.Errno](err)
	_, isLookup := errors.AsType[*net.DNSError](err)
	_, isCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case isLookup:
		return &NetworkError{"the host name cannot be resolved", err}
	case isAddress:
		return &NetworkError{address.Err, err}
	case isCertificate:
		return &NetworkError{"the certificate is not trusted, or not valid for the host name", err}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &NetworkError{"the server closed the connection", err}
	case isNetwork && network.Timeout():
		return &NetworkError{"no answer in time", err}
	case isCode:
		return &NetworkError{code.Error(), err}
	}
	return err
}

// UnreadableError is an answer with status 2xx that is not what it should be: cut
// off, too big, not JSON, or without the fields that make it a record.
type UnreadableError struct {
	Method, Route string
	Status        int
	// Body is the beginning of the body as one line without markup.
	Body string
	Err  error

	// whole says that the body arrived whole and is JSON, so that asking again is
	// unlikely to bring another.
	whole bool
}

// Error gives the request, the cause and how the answer began.
func (e *UnreadableError) Error() string {
	if e.Body == "" {
		return fmt.Sprintf("%s %s: unreadable answer with status %d: %v", e.Method, e.Route, e.Status, e.Err)
	}
	return fmt.Sprintf("%s %s: unreadable answer with status %d: %v: %q", e.Method, e.Route, e.Status, e.Err, e.Body)
}

// Unwrap returns the cause.
func (e *UnreadableError) Unwrap() error { return e.Err }

// IsWhole reports whether the answer arrived whole, so that it is what Telnyx says.
func (e *UnreadableError) IsWhole() bool { return e.whole }

// ErrNoAPI is matched by an error if Telnyx answers 404 to everything, as it does
// at a base URL without its version.
var ErrNoAPI = errors.New("every request is answered 404: the base URL is wrong, or the account has nothing yet")

// IsNotFound reports whether err says that Telnyx has no such record: a 404 with
// one of Telnyx's codes in it, or [CodeNotFound]. A 404 with another body does not count,
// since it says nothing about the record: a gateway's page, the {"detail":"Not Found"} of
// a path that does not exist, or an empty body.
// Neither does one about a number's record while nothing has shown that Telnyx
// serves such records under the path; see [Is404].
func IsNotFound(err error) bool {
	e, ok := errors.AsType[*APIError](err)
	if !ok || e.routeUnknown || errors.Is(err, ErrNoAPI) {
		return false
	}
	if e.has(CodeNotFound) {
		return true
	}
	coded := slices.ContainsFunc(e.Errors, func(d ErrorDetail) bool { return d.Code != "" })
	return e.Status == http.StatusNotFound && coded && !e.hasClass(ClassBusy, ClassTransient)
}

// Is404 reports whether err is an [APIError] with status 404, whatever its body says.
func Is404(err error) bool {
	e, ok := errors.AsType[*APIError](err)
	return ok && e.Status == http.StatusNotFound
}

// WasSent reports whether the request that ended in err was sent at all. It was not when an argument was refused or when the wait for the
// [Limiter] ended first.
func WasSent(err error) bool {
	_, sent := sentMethod(err)
	return sent
}

// EffectUnknown reports whether a write may have taken effect although it ended
// in err: no answer came, or an unreadable one, or one by which the server
// itself gave up (408, 5xx). Read the record before writing again. It is false
// for reads, which have no effect, and for errors of other packages.
func EffectUnknown(err error) bool {
	method, sent := sentMethod(err)
	e, answered := errors.AsType[*APIError](err)
	return sent && method != http.MethodGet && (!answered || e.Status == http.StatusRequestTimeout || e.Status >= 500)
}

// sentMethod returns the method of the request that ended in err, if it was sent.
func sentMethod(err error) (method string, sent bool) {
	if e, ok := errors.AsType[*APIError](err); ok {
		return e.Method, true
	}
	if e, ok := errors.AsType[*ConnectionError](err); ok {
		return e.Method, true
	}
	if e, ok := errors.AsType[*UnreadableError](err); ok {
		return e.Method, true
	}
	return "", false
}

func (e *APIError) has(code string) bool {
	return slices.ContainsFunc(e.Errors, func(d ErrorDetail) bool { return d.Code == code })
}

// hasClass reports whether one of the codes is of one of the classes.
func (e *APIError) hasClass(classes ...ErrorClass) bool {
	return slices.ContainsFunc(e.Errors, func(d ErrorDetail) bool {
		class, known := codeClasses[d.Code]
		return known && slices.Contains(classes, class)
	})
}

// newAPIError reads an error answer. It never fails: what it cannot read is
// in Body.
func newAPIError(r request, status int, h http.Header, body []byte, now time.Time) *APIError {
	return &APIError{
		Method:     r.method,
		Route:      r.route,
		Status:     status,
		Errors:     errorDetails(body),
		RequestID:  oneLine(h.Get("X-Request-Id"), maxIDText),
		RetryAfter: waitAskedFor(status, h, now),
		Body:       bodyText(body),
	}
}

// errorDetails reads the shapes in which errors come: {"errors":[…]} from the API
// (v2 and 10DLC), {"detail":[…]} from request validation in 10DLC's campaign and
// brand calls, {"message":…} from its bulk calls. Each may be a list or a single one, of
// objects or texts.
func errorDetails(body []byte) (details []ErrorDetail) {
	top, _ := asObject(body)
	var said json.RawMessage
	for _, key := range []string{"errors", "detail", "message"} {
		if isNull(said) {
			said = top[key]
		}
	}
	list := elements[json.RawMessage](said, maxDetails)
	if list == nil {
		list = []json.RawMessage{said}
	}
	for _, raw := range list[:min(len(list), maxDetails)] {
		if one, ok := asObject(raw); ok && len(one) > 0 {
			details = append(details, detailOf(one))
		} else if text := ReasonText(raw); text != "" {
			details = append(details, ErrorDetail{Title: oneLine(text, maxDetailText)})
		}
	}
	return details
}

// detailOf reads {"code":…,"title":…,"detail":…,"source":{…}} or, from request validation,
// {"loc":["body","phoneNumber"],"msg":…,"type":…}, whose type is not one of Telnyx's codes.
func detailOf(one object) ErrorDetail {
	source, _ := asObject(one["source"])
	var path []string
	for _, step := range elements[json.RawMessage](one["loc"], maxDetails) {
		path = append(path, strings.Trim(string(step), `"`))
	}
	return ErrorDetail{
		Code:   oneLine(one.scalar("code"), maxIDText),
		Title:  oneLine(cmp.Or(one.string("title"), one.string("msg")), maxDetailText),
		Detail: oneLine(cmp.Or(one.string("detail"), one.string("message"), one.string("type")), maxDetailText),
		Source: oneLine(cmp.Or(source.string("pointer"), source.string("parameter"), strings.Join(path, ".")), maxIDText),
	}
}

var markup = regexp.MustCompile(`(?s)<(?:style|script|!--).*?(?:</style>|</script>|-->)|<[^>]*>`)

// bodyText shows the beginning of a body that may be a gateway's HTML page.
func bodyText(body []byte) string {
	beginning := string(body[:min(len(body), 16*maxBodyText)])
	return oneLine(markup.ReplaceAllString(beginning, " "), maxBodyText)
}
