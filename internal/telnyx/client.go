package telnyx

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DefaultBaseURL is the address of Telnyx's API v2.
const DefaultBaseURL = "https://api.telnyx.com/v2"

// Limits of one call.
const (
	// callTimeout is for one attempt, from dialling to the answer's last byte.
	callTimeout = 20 * time.Second
	// dialTimeout is for making a connection. TCP repeats its request after one and three
	// seconds.
	dialTimeout = 5 * time.Second
	// maxAnswer is ample. A page of 500 campaigns with all their texts is about 3 MB.
	maxAnswer      = 8 << 20
	maxErrorAnswer = 64 << 10
)

// How reads are repeated.
const (
	readAttempts = 3
	// firstReadWait is the middle of the first wait; the second is three times as long.
	firstReadWait = 300 * time.Millisecond
	// longestReadWait is the longest Retry-After that a read waits for. A longer one is
	// left to the caller.
	longestReadWait = 5 * time.Second
)

// defaultHTTPClient is for every Client without an HTTPClient, so that they share
// connections.
var defaultHTTPClient = &http.Client{Timeout: callTimeout, Transport: newTransport()}

func newTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	return t
}

// Client calls the part of Telnyx's API that attaching numbers to campaigns needs.
// Every field except APIKey has a working default. Set the fields before the first call
// and do not change them afterwards; from then on a Client is safe for concurrent use.
//
// Reads are repeated up to two times when there was no answer, an unreadable one,
// or one with status 408, 429 or 5xx, after a short jittered wait or the one that
// Retry-After asks for. A connection that could not be made in 5 s is not tried again. Writes are sent once, whatever happens, because no 10DLC
// operation takes an idempotency key (https://github.com/team-telnyx/openapi).
//
// Errors are [*APIError] for an answer with another status than 2xx,
// [*ConnectionError] for none, [*UnreadableError] for one that makes no sense,
// [ErrInvalidArgument] for a call that was not made, and ctx's error while
// waiting for the Limiter; [Classify] sorts them. Each names the
// operation and the ids it was for, and none holds the key.
type Client struct {
	// APIKey goes into the Authorization header. Without one, no such header is
	// sent, and Telnyx answers 401.
	APIKey APIKey
	// BaseURL is where the API is, with its version; default [DefaultBaseURL].
	BaseURL string
	// HTTPClient makes the calls; default one that gives each attempt 20 s. Whichever
	// it is, redirects are not followed: they would carry the key elsewhere or repeat
	// a write.
	HTTPClient *http.Client
	// UserAgent is sent with each request; default "greenlight".
	UserAgent string
	// Limiter is waited for before each attempt, reads and writes alike, and sees each
	// answer. Nil means unlimited.
	Limiter *Limiter
	// OnCall is called before every attempt is sent, and what it returns after the attempt, on
	// the same goroutine. It may be nil.
	OnCall func(ctx context.Context, method, route string) (over func(Call))

	// random returns a number in [0,1) for jitter; nil means math/rand's.
	random func() float64
	// learned is made by the first call and shared by copies made after it and by
	// those that [Client.ReadOnly] makes; see [Client.state].
	learned *learned
}

// Call is one attempt to call Telnyx, as [Client.OnCall] reports it.
type Call struct {
	Method string
	// Route is the path as a template, like "/10dlc/campaign/{id}", so that it
	// can label a metric.
	Route string
	// Status is the HTTP status; zero if there was no answer.
	Status int
	// Duration is from sending to the answer's last byte. Waiting for the
	// Limiter is not in it.
	Duration time.Duration
	// Err is nil if the attempt succeeded.
	Err error
}

// request is what a method of Client asks for.
type request struct {
	method string
	route  string     // "/10dlc/campaign/{id}"
	arg    string     // fills the braces of route
	query  url.Values // may be nil
	body   any        // sent as JSON; nil for none
}

// check returns why a decoded answer is not valid, or nil.
type check[T any] func(T) error

// call makes a request and decodes its answer, repeating reads.
func call[T any](ctx context.Context, c *Client, r request, valid check[T]) (T, error) {
	for attempt := 1; ; attempt++ {
		answer, err := callOnce(ctx, c, r, valid)
		if err == nil || r.method != http.MethodGet || attempt == readAttempts || !repeatable(err) || reservationIn(ctx) != nil {
			return answer, err
		}
		wait := c.readWait(attempt, err)
		if wait > longestReadWait || sleep(ctx, wait) != nil {
			return answer, err
		}
	}
}

// callOnce makes one attempt, and reports it to OnCall.
func callOnce[T any](ctx context.Context, c *Client, r request, valid check[T]) (T, error) {
	var answer T
	req, err := c.newRequest(ctx, r)
	if err != nil {
		return answer, fmt.Errorf("%s %s: %w", r.method, r.route, err)
	}
	end, err := c.begin(ctx, r.method)
	if err != nil {
		return answer, fmt.Errorf("%s %s: %w", r.method, r.route, err)
	}
	over := func(Call) {}
	if c.OnCall != nil {
		over = c.OnCall(ctx, r.method, r.route)
	}
	started := time.Now()
	status, body, err := c.exchange(r, req, end)
	took := time.Since(started)
	if err == nil {
		answer, err = decode(r, status, body, valid)
	}
	over(Call{Method: r.method, Route: r.route, Status: status, Duration: took, Err: err})
	return answer, err
}

// begin waits until the call may be sent. A change with a reservation does not wait,
// because it rests on what was read just before.
func (c *Client) begin(ctx context.Context, method string) (end func(), err error) {
	if method != http.MethodGet && c.Limiter.isSpent(ctx) {
		return nil, ErrSpent
	}
	end, err = c.Limiter.wait(ctx)
	if err != nil {
		return nil, err
	}
	// After a stall the deadline may have passed although ctx's timer has not fired. Do
	// not send a stale request.
	if endsWithin(ctx, 0) {
		end()
		return nil, fmt.Errorf("the deadline passed before it was sent: %w", cmp.Or(ctx.Err(), context.DeadlineExceeded))
	}
	return end, nil
}

func (c *Client) newRequest(ctx context.Context, r request) (*http.Request, error) {
	path, err := fillRoute(r.route, r.arg)
	if err != nil {
		return nil, err
	}
	address := strings.TrimRight(cmp.Or(c.BaseURL, DefaultBaseURL), "/") + path
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	var body io.Reader
	if r.body != nil {
		encoded, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address, body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidArgument, err)
	}
	if c.APIKey != "" {
		req.Header.Set("Authorization", "Bearer "+c.APIKey.reveal())
	}
	if req.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", cmp.Or(c.UserAgent, "greenlight"))
	return req, nil
}

// exchange sends the request and reads the whole answer, which ends the call. The
// error is nil only for a status of 2xx.
func (c *Client) exchange(r request, req *http.Request, end func()) (status int, body []byte, err error) {
	defer end()
	res, err := c.httpClient().Do(req)
	if err != nil {
		return 0, nil, &ConnectionError{Method: r.method, Route: r.route, Err: networkCause(err)}
	}
	defer res.Body.Close()
	c.Limiter.observe(res.StatusCode, res.Header)
	if res.StatusCode < 200 || res.StatusCode > 299 {
		// A truncated body is enough for an error.
		body, _ := io.ReadAll(io.LimitReader(res.Body, maxErrorAnswer))
		return res.StatusCode, nil, newAPIError(r, res.StatusCode, res.Header, c.withoutKey(body), time.Now())
	}
	body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		err = fmt.Errorf("it is longer than %d MiB", maxAnswer>>20)
	}
	if err != nil {
		return res.StatusCode, nil, &UnreadableError{Method: r.method, Route: r.route, Status: res.StatusCode, Err: err}
	}
	c.state().answered.Store(true)
	return res.StatusCode, c.withoutKey(body), nil
}

// httpClient returns the HTTP client to use, made to stop at redirects.
func (c *Client) httpClient() *http.Client {
	client := *cmp.Or(c.HTTPClient, defaultHTTPClient)
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// withoutKey removes the key from what a server sent. A server that echoes the request's
// headers would otherwise bring it into an error or a log. A real key is far longer than
// 8 characters; a shorter one might be part of any text.
func (c *Client) withoutKey(body []byte) []byte {
	if len(c.APIKey) < 8 {
		return body
	}
	return bytes.ReplaceAll(body, []byte(c.APIKey.reveal()), []byte(redacted))
}

// readWait returns how long to wait after a read's attempt ended in err: what
// Telnyx asks for, else 0.3 s and then 0.9 s, each more or less by half.
func (c *Client) readWait(attempt int, err error) time.Duration {
	if e, ok := errors.AsType[*APIError](err); ok && e.RetryAfter > 0 {
		return e.RetryAfter
	}
	random := c.random
	if random == nil {
		random = rand.Float64
	}
	wait := firstReadWait
	for range attempt - 1 {
		wait *= 3
	}
	return time.Duration((0.5 + random()) * float64(wait))
}

// repeatable reports whether a read that ended in err may end otherwise soon.
func repeatable(err error) bool {
	if e, ok := errors.AsType[*APIError](err); ok {
		return isPassing(e.Status)
	}
	if e, ok := errors.AsType[*UnreadableError](err); ok {
		return !e.whole
	}
	_, unanswered := errors.AsType[*ConnectionError](err)
	network, isNetwork := errors.AsType[net.Error](err)
	return unanswered && !(IsUnreachable(err) && isNetwork && network.Timeout())
}

// annotate puts before err what was being done, with the ids, cut and cleaned
// since they may come from a webhook's body. A nil err stays nil.
func annotate(err error, format string, ids ...string) error {
	if err == nil {
		return nil
	}
	shown := make([]any, len(ids))
	for i, id := range ids {
		shown[i] = oneLine(id, maxIDText)
	}
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, shown...), err)
}

// get returns the request that reads what arg names under route.
func get(route, arg string) request {
	return request{method: http.MethodGet, route: route, arg: arg}
}

// fillRoute puts arg, escaped, in the place of the braces of route, if it has any. It is
// the only place where a path is made. A + stays as it is: in a path it means
// itself.
func fillRoute(route, arg string) (string, error) {
	before, rest, has := strings.Cut(route, "{")
	switch _, after, _ := strings.Cut(rest, "}"); {
	case !has:
		return route, nil
	case arg == "" || arg == "." || arg == "..":
		// These would name another path.
		return "", fmt.Errorf("%w: %q cannot be part of a path", ErrInvalidArgument, arg)
	case len(arg) > maxIDLength:
		return "", fmt.Errorf("%w: an id of %d bytes", ErrInvalidArgument, len(arg))
	default:
		return before + url.PathEscape(arg) + after, nil
	}
}

// decode reads an answer. T knows which shapes it takes.
func decode[T any](r request, status int, body []byte, valid check[T]) (T, error) {
	var answer T
	if r.method == http.MethodDelete && len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}") // nothing is left to show
	}
	err := json.Unmarshal(body, &answer)
	whole := err == nil || json.Valid(body) || len(bytes.TrimSpace(body)) == 0
	if err == nil {
		err = valid(answer)
	}
	if err != nil {
		var none T
		return none, &UnreadableError{Method: r.method, Route: r.route, Status: status, Body: bodyText(body), Err: err, whole: whole}
	}
	return answer, nil
}

// one is an answer about one record. 10DLC answers are bare objects and v2 answers
// have {"data":…} around them; since Telnyx's pages disagree on which is which,
// both are taken everywhere, and a list of one record too.
type one[T any] struct{ record T }

// UnmarshalJSON decodes all of these shapes.
func (o *one[T]) UnmarshalJSON(data []byte) error { return json.Unmarshal(single(data), &o.record) }

// callOne makes a request about one record.
func callOne[T any](ctx context.Context, c *Client, r request, valid check[T]) (T, error) {
	answer, err := call(ctx, c, r, func(o one[T]) error { return valid(o.record) })
	return answer.record, err
}

// networkCause is [NetworkCause] without the method and address that package http puts
// before the cause; our own errors name the route.
func networkCause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return NetworkCause(err)
}
