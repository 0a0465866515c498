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

// PublicKeys tells the keys that deliveries are verified with.
func PublicKeys(keys []telnyx.PublicKey) Finding {
	prints := make([]string, len(keys))
	for i, key := range keys {
		prints[i] = key.Fingerprint()
	}
	f := Finding{Check: CheckPublicKey, Level: OK, Facts: map[string]any{"fingerprints": prints}}
	if len(keys) == 1 {
		f.Says = "TELNYX_PUBLIC_KEY is a key. It begins with " + prints[0] + ": compare that with the Public Key in Mission Control."
		return f
	}
	f.Says = fmt.Sprintf("TELNYX_PUBLIC_KEY holds %d keys. They begin with %s: one of them must be the Public Key in Mission Control.", len(keys), listed(prints, "and"))
	return f
}

const (
	// telnyxTimeout bounds the call that shows whether Telnyx answers, with its
	// repetitions.
	telnyxTimeout = 15 * time.Second
	// learnTimeout bounds the calls that show how Telnyx understands requests.
	learnTimeout = 10 * time.Second
)

// Telnyx asks Telnyx for the first page of the account's brands, with a client that
// only reads, and judges the answer and the clock that comes with it.
func Telnyx(ctx context.Context, client *telnyx.Client) []Finding {
	ctx, cancel := context.WithTimeout(ctx, telnyxTimeout)
	defer cancel()
	heard := &dates{next: http.DefaultTransport}
	listening := *client.ReadOnly()
	own := http.Client{Timeout: telnyxTimeout}
	if listening.HTTPClient != nil {
		own = *listening.HTTPClient
		heard.next = own.Transport
	}
	own.Transport = heard
	listening.HTTPClient = &own
	_, brands, err := listening.BrandsPage(ctx, 1)
	findings := []Finding{TelnyxAnswer(brands, err)}
	if heard.heard {
		findings = append(findings, TelnyxClock(heard.ahead, heard.within))
	} else {
		findings = append(findings, Finding{
			Check: CheckTelnyxClock, Level: Unknown,
			Says: "Telnyx's clock could not be read, since no answer with a date came.",
		})
	}
	return findings
}

// Learn reads the beginning of two lists with a client that only reads, and one number
// of them by itself, and returns what the client found out by that about how Telnyx
// understands requests, a sentence each. Calls that fail are left out: what Telnyx
// refuses is a finding of [Telnyx], or shows when the assigner works.
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

// dates reads the clock off the answers. It is used for one request at a time.
type dates struct {
	next          http.RoundTripper
	heard         bool
	ahead, within time.Duration
}

// RoundTrip passes the request on.
func (d *dates) RoundTrip(r *http.Request) (*http.Response, error) {
	asked := time.Now()
	response, err := d.next.RoundTrip(r)
	if err != nil {
		return response, err
	}
	took := time.Since(asked)
	if told, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		// The header has whole seconds: the time was up to a second later.
		const half = time.Second / 2
		d.heard, d.within = true, took/2+half
		d.ahead = told.Add(half).Sub(asked.Add(took / 2))
	}
	return response, nil
}

// TelnyxAnswer judges what came of asking Telnyx.
func TelnyxAnswer(brands int, err error) Finding {
	f := Finding{Check: CheckTelnyx, Level: OK, Facts: map[string]any{}}
	if err == nil {
		f.Facts["brands"] = brands
		f.Says = fmt.Sprintf("Telnyx answers and takes the API key; the account has %s.", status.Count(brands, "brand"))
		return f
	}
	f.Level = Fail
	answer, answered := errors.AsType[*telnyx.APIError](err)
	if !answered {
		cause := err
		if lost, ok := errors.AsType[*telnyx.ConnectionError](err); ok {
			cause = lost.Err
		}
		f.Says = "Telnyx cannot be reached: " + sentenceEnd(cause.Error())
		f.Fix = "Check this machine's way out (DNS, proxy, firewall) and TELNYX_BASE_URL."
		if _, unreadable := errors.AsType[*telnyx.UnreadableError](err); unreadable {
			f.Says = "What answers is not Telnyx's API: " + sentenceEnd(err.Error())
			f.Fix = "Check TELNYX_BASE_URL, and whether a proxy answers in Telnyx's place."
		}
		return f
	}
	f.Facts["status"] = answer.Status
	words := saidBy(answer)
	switch {
	case answer.Status == http.StatusUnauthorized:
		f.Says = "Telnyx answers, and does not know the API key (401" + words + ")."
		f.Fix = "Create a key in Mission Control (https://portal.telnyx.com), Account, Keys & Credentials, API Keys, and set TELNYX_API_KEY."
	case answer.Status == http.StatusForbidden:
		f.Says = "Telnyx knows the API key and does not let it read the account's brands (403" + words + ")."
		f.Fix = "Look in Mission Control whether the account is active and verified, and what the key's user may do with 10DLC."
	case answer.Status == http.StatusTooManyRequests:
		f.Level = Warn
		f.Says = "Telnyx answers that too much is asked of it (429" + words + "); whether it takes the API key is not known."
		f.Fix = "Run this again in a minute. If it stays so, something else uses the account's rate."
	case answer.Status >= http.StatusInternalServerError:
		f.Level = Warn
		f.Says = fmt.Sprintf("Telnyx answers that it is in trouble (%d%s); whether it takes the API key is not known.", answer.Status, words)
		f.Fix = "See https://status.telnyx.com and run this again. The assigner tries again by itself."
	default:
		f.Says = fmt.Sprintf("Telnyx answers what was not expected (%d%s).", answer.Status, words)
		f.Fix = "Check TELNYX_BASE_URL."
	}
	return f
}

// saidBy returns Telnyx's own words as part of a sentence.
func saidBy(answer *telnyx.APIError) string {
	if len(answer.Errors) == 0 {
		return ""
	}
	detail := answer.Errors[0]
	return ": " + strings.TrimRight(cmp.Or(detail.Detail, detail.Title, detail.Code), ". ")
}
