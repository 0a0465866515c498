package app

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"greenlight/internal/status"
	"greenlight/internal/telnyx"
)

// whereKeys is where Telnyx shows its keys.
const whereKeys = "in Mission Control (https://portal.telnyx.com), Account, Keys & Credentials"

// Telnyx is how to call Telnyx's API.
type Telnyx struct {
	APIKey      string `name:"telnyx-api-key" env:"TELNYX_API_KEY" placeholder:"KEY" help:"API v2 key of the Telnyx account. A flag can be seen by other users of the machine: prefer the environment or a file."`
	APIKeyFile  string `name:"telnyx-api-key-file" env:"TELNYX_API_KEY_FILE" placeholder:"FILE" help:"File that holds the API key."`
	BaseURL     string `name:"telnyx-base-url" env:"TELNYX_BASE_URL" default:"https://api.telnyx.com/v2" placeholder:"URL" help:"Where Telnyx's API is (${default})."`
	Rate        string `name:"telnyx-rate" env:"TELNYX_RATE" placeholder:"N" help:"Ceiling for calls a second. Unset: begin at 2 and follow what Telnyx's rate-limit headers allow, up to 20."`
	Concurrency string `name:"telnyx-concurrency" env:"TELNYX_CONCURRENCY" default:"8" placeholder:"N" help:"Calls under way at once (${default})."`
}

// client returns a client with the only limiter of the process.
func (s Telnyx) client(faults *Faults) *telnyx.Client {
	key := secret(faults, "TELNYX_API_KEY", s.APIKey, s.APIKeyFile,
		"Create a key "+whereKeys+", API Keys, and put it into the environment or into a file that TELNYX_API_KEY_FILE names.")
	if fault := apiKeyFault(key); fault != "" {
		faults.add("TELNYX_API_KEY", "cannot be used: "+fault, "Copy the key alone "+whereKeys+", API Keys.")
	}
	if fault := baseURLFault(s.BaseURL); fault != "" {
		faults.add("TELNYX_BASE_URL", fault, "Leave it out, or write it like "+telnyx.DefaultBaseURL+".")
	}
	ceiling := 0.0
	if s.Rate != "" {
		var err error
		ceiling, err = strconv.ParseFloat(s.Rate, 64)
		if err != nil || !(ceiling > 0 && ceiling <= 1000) {
			faults.add("TELNYX_RATE", fmt.Sprintf("%q is not a valid rate", s.Rate), "Use calls per second, above 0 and at most 1000 (for example 5 or 0.5), or leave it unset.")
		}
	}
	concurrency, _ := strconv.Atoi(s.Concurrency) // Its fault is reported where it is a setting of its own.
	return &telnyx.Client{
		APIKey:    telnyx.APIKey(key),
		BaseURL:   s.BaseURL,
		UserAgent: ThisBuild().UserAgent(),
		Limiter:   telnyx.NewLimiter(telnyx.LimiterConfig{Ceiling: ceiling, Concurrency: concurrency}),
	}
}

// baseURLFault says what is wrong with the address of Telnyx's API, empty if nothing is.
// The address is never repeated, since people write passwords into addresses. Without TLS
// the API key would be readable on the way, so http is taken within this machine only.
func baseURLFault(address string) string {
	base, err := url.Parse(address)
	switch {
	case err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http":
		return "is not a URL"
	case base.User != nil:
		return "has a user name or password in it, which Telnyx does not take"
	case base.RawQuery != "" || base.Fragment != "":
		return "has a query or fragment, and paths are added at its end"
	case base.Scheme == "http" && !status.IsLoopback(net.JoinHostPort(base.Hostname(), "0")):
		return "begins with http:// and leads to another machine, where the API key would be sent unencrypted"
	}
	return ""
}

// apiKeyFault says what is wrong with the text of an API key, empty if nothing is. It
// refuses only what cannot be one: Telnyx does not publish their form. The text itself is
// never repeated.
func apiKeyFault(key string) string {
	outside := func(r rune) bool { return r < '!' || r > '~' }
	switch {
	case key == "":
		return "" // reported as missing already
	case strings.ContainsAny(key, "\r\n"):
		return "it contains a line break"
	case len(key) >= len("Bearer") && strings.EqualFold(key[:len("Bearer")], "Bearer"):
		return `it begins with "Bearer", which Greenlight adds itself`
	case strings.ContainsAny(key, "\"'`“”‘’"):
		return "it contains quotes"
	case strings.ContainsFunc(key, unicode.IsSpace):
		return "it contains white space"
	case strings.ContainsFunc(key, outside):
		return "it contains characters that are not allowed in an HTTP header"
	}
	if _, err := telnyx.ParsePublicKey(key); err == nil {
		return "it looks like the account's public key, which belongs in TELNYX_PUBLIC_KEY"
	}
	return ""
}

// Client returns a client for a command that writes, and how many calls it should make at
// once.
func (s Telnyx) Client(faults *Faults) (client *telnyx.Client, concurrency int) {
	return s.client(faults), count(faults, "TELNYX_CONCURRENCY", s.Concurrency, 1, 100)
}

// ReadOnlyClient returns a client that cannot change anything, for a command that only
// reads, and how many calls it should make at once.
func (s Telnyx) ReadOnlyClient(faults *Faults) (client *telnyx.Client, concurrency int) {
	return s.client(faults).ReadOnly(), count(faults, "TELNYX_CONCURRENCY", s.Concurrency, 1, 100)
}
