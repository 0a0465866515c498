package notice

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// ErrAddress is matched by the error for an unusable address.
var ErrAddress = errors.New("is not an address that notices can be sent to")

// title is shown above a notice if the receiver has a title.
const title = "Greenlight"

// targets open the receiver for each scheme. The addresses have the form of shoutrrr's,
// which sent notices before; its clients have no limits.
var targets = map[string]func(address) (Receiver, error){
	"slack":   openSlack,
	"discord": openDiscord,
	"teams":   openTeams,
	"generic": openGeneric,
	"smtp":    openMail,
}

// schemeForm is a scheme that an error may repeat; anything else may be a secret without
// its scheme.
var schemeForm = regexp.MustCompile(`^[a-z]{2,12}$`)

// Open returns the receiver of an address:
//
//	slack://hook:<A>-<B>-<C>@webhook        the three parts of an incoming webhook's path
//	slack://xoxb:<A>-<B>-<C>@<channel id>   a bot's token
//	discord://<token>@<webhook id>
//	teams+https://…                         the webhook address that Teams shows
//	smtp://<user>:<password>@<host>:<port>/?from=<address>&to=<address>,<address>
//	generic+https://…                       the text as the body of a POST
//
// Parameters of shoutrrr that only change how a notice looks, or how long it may take,
// are ignored.
//
// The error matches [ErrAddress] and never repeats the address, which is a secret.
func Open(text string) (Receiver, error) {
	parsed, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w: it is not a URL", ErrAddress)
	}
	scheme, inner, _ := strings.Cut(parsed.Scheme, "+")
	open, known := targets[scheme]
	if !known {
		if !schemeForm.MatchString(scheme) {
			scheme = "its scheme"
		}
		return nil, fmt.Errorf("%w: %s is not one of slack, discord, teams, smtp and generic", ErrAddress, scheme)
	}
	receiver, err := open(address{URL: parsed, service: scheme, inner: inner, query: parsed.Query()})
	if err != nil {
		return nil, fmt.Errorf("%w: for %s, %w", ErrAddress, scheme, err)
	}
	return receiver, nil
}

// address is a parsed NOTIFY_URL.
type address struct {
	*url.URL
	service string
	// inner is the scheme after the plus sign in generic+https, else empty.
	inner string
	// query holds the parameters that take has not removed.
	query url.Values
}

// take removes a parameter under any of its names and returns its first value. Case does
// not matter, as in shoutrrr.
func (a address) take(names ...string) string {
	found := ""
	keys := slices.Sorted(maps.Keys(a.query))
	for _, name := range names {
		for _, key := range keys {
			if strings.EqualFold(key, name) {
				found = cmp.Or(found, a.query.Get(key))
				a.query.Del(key)
			}
		}
	}
	return found
}

// leftOver returns an error if there is a parameter besides the ignored ones. It does not
// repeat the name, which may be part of a secret.
func (a address) leftOver(ignored ...string) error {
	a.take(ignored...)
	if len(a.query) > 0 {
		return errors.New("it has a parameter that is not supported")
	}
	return nil
}

// web returns the address after the plus sign, without the removed parameters.
func (a address) web() (string, error) {
	target := *a.URL
	target.Scheme, target.RawQuery, target.Fragment = a.inner, a.query.Encode(), ""
	if target.Host == "" || !slices.Contains([]string{"http", "https"}, target.Scheme) {
		return "", fmt.Errorf("write it as %s+https:// and the rest of the web address", a.service)
	}
	return target.String(), nil
}
