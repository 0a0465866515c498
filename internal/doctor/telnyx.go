package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"greenlight/internal/status"
	"greenlight/internal/telnyx"
)

// PublicKeys shows the keys that deliveries are verified with.
func PublicKeys(keys []telnyx.PublicKey) Finding {
	prints := make([]string, len(keys))
	for i, key := range keys {
		prints[i] = key.Fingerprint()
	}
	f := Finding{Check: CheckPublicKey, Facts: map[string]any{"fingerprints": prints}}
	if len(keys) == 1 {
		return f.is(OK, "TELNYX_PUBLIC_KEY begins with "+prints[0]+". It must match the Public Key in Mission Control.", "")
	}
	return f.is(OK, fmt.Sprintf("TELNYX_PUBLIC_KEY holds %d keys, which begin with %s. One of them must match the Public Key in Mission Control.", len(keys), listed(prints, "and")), "")
}

const (
	// telnyxTimeout bounds the call that checks Telnyx, including retries.
	telnyxTimeout = 15 * time.Second
	// learnTimeout bounds the calls that find out how Telnyx understands requests.
	learnTimeout = 10 * time.Second
)

// Telnyx reads the first page of the account's brands with a read-only client, and checks
// the answer and Telnyx's clock.
func Telnyx(ctx context.Context, client *telnyx.Client) []Finding {
	ctx, cancel := context.WithTimeout(ctx, telnyxTimeout)
	defer cancel()
	clock := &clockReader{next: http.DefaultTransport}
	reader := *client.ReadOnly()
	httpClient := http.Client{Timeout: telnyxTimeout}
	if reader.HTTPClient != nil {
		httpClient = *reader.HTTPClient
		clock.next = httpClient.Transport
	}
	httpClient.Transport = clock
	reader.HTTPClient = &httpClient
	_, brands, err := reader.BrandsPage(ctx, 1)
	findings := []Finding{telnyxAnswer(brands, err)}
	if !clock.known {
		return append(findings, Finding{Check: CheckTelnyxClock}.is(Unknown, "Telnyx's clock could not be read: no answer had a date.", ""))
	}
	return append(findings, TelnyxClock(clock.ahead, clock.within))
}

// Learn reads the beginning of two lists and one number with a read-only client. It
// returns what the client found out about how Telnyx understands requests, one sentence
// each. Failed calls are ignored, since [Telnyx] reports them.
func Learn(ctx context.Context, client *telnyx.Client) []string {
	ctx, cancel := context.WithTimeout(ctx, learnTimeout)
	defer cancel()
	client = client.ReadOnly()
	_, _ = client.Assignments(ctx, 1)
	if owned, err := client.AccountNumbers(ctx, 1); err == nil && len(owned.All) > 0 {
		_, _ = client.Numbers(ctx, []string{owned.All[0].PhoneNumber})
	}
	return client.Learned()
}

// clockReader reads the clock in the answers. It is not safe for concurrent use.
type clockReader struct {
	next          http.RoundTripper
	known         bool
	ahead, within time.Duration
}

// RoundTrip makes the request and compares the answer's date with our clock.
func (c *clockReader) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := time.Now()
	response, err := c.next.RoundTrip(r)
	if err != nil {
		return response, err
	}
	took := time.Since(sent)
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		// The header has whole seconds, so the clock was up to a second later.
		const half = time.Second / 2
		c.known, c.within = true, took/2+half
		c.ahead = date.Add(half).Sub(sent.Add(took / 2))
	}
	return response, nil
}

// telnyxAnswer checks the result of a call to Telnyx.
func telnyxAnswer(brands int, err error) Finding {
	f := Finding{Check: CheckTelnyx, Facts: map[string]any{}}
	if err == nil {
		f.Facts["brands"] = brands
		return f.is(OK, fmt.Sprintf("Telnyx answers and accepts the API key; the account has %s.", status.Count(brands, "brand")), "")
	}
	answer, answered := errors.AsType[*telnyx.APIError](err)
	if !answered {
		return unanswered(f, err)
	}
	f.Facts["status"] = answer.Status
	status := fmt.Sprintf(" (%d%s).", answer.Status, detailOf(answer))
	const unchecked = " The API key could not be checked."
	switch {
	case answer.Status == http.StatusUnauthorized:
		return f.is(Fail, "Telnyx does not accept the API key"+status,
			"Create a key in Mission Control (https://portal.telnyx.com), Account, Keys & Credentials, API Keys, and set TELNYX_API_KEY.")
	case answer.Status == http.StatusForbidden:
		return f.is(Fail, "Telnyx knows the API key, but does not let it read the account's brands"+status,
			"In Mission Control, check that the account is active and verified, and that the key's user has access to 10DLC.")
	case answer.Status == http.StatusTooManyRequests:
		return f.is(Warn, "Telnyx's rate limit is used up"+status+unchecked,
			"Run this again in a minute. If it happens again, another program uses the account's rate limit.")
	case answer.Status >= http.StatusInternalServerError:
		return f.is(Warn, "Telnyx has an outage"+status+unchecked,
			"See https://status.telnyx.com, and run this again later. The assigner retries by itself.")
	default:
		return f.is(Fail, "Telnyx answers with an unexpected status"+status, "Check TELNYX_BASE_URL.")
	}
}

// unanswered is the finding for a call without an answer from Telnyx's API.
func unanswered(f Finding, err error) Finding {
	if _, ok := errors.AsType[*telnyx.UnreadableError](err); ok {
		return f.is(Fail, "The server that answers is not Telnyx's API: "+sentenceEnd(err.Error()),
			"Check TELNYX_BASE_URL, and whether a proxy answers instead of Telnyx.")
	}
	if lost, ok := errors.AsType[*telnyx.ConnectionError](err); ok {
		err = lost.Err
	}
	return f.is(Fail, "Telnyx cannot be reached: "+sentenceEnd(err.Error()), "Check this machine's network (DNS, proxy, firewall) and TELNYX_BASE_URL.")
}

// detailOf returns Telnyx's text as part of a sentence.
func detailOf(answer *telnyx.APIError) string {
	if len(answer.Errors) == 0 {
		return ""
	}
	detail := answer.Errors[0]
	return ": " + strings.TrimRight(cmp.Or(detail.Detail, detail.Title, detail.Code), ". ")
}
