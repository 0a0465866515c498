package app

import (
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	"greenlight/internal/assigner"
	"greenlight/internal/notice"
	"greenlight/internal/plan"
	"greenlight/internal/status"
	"greenlight/internal/telnyx"
)

// whereKeys is the page on which Telnyx shows its keys.
const whereKeys = "in Mission Control (https://portal.telnyx.com), Account, Keys & Credentials"

// Telnyx is access to Telnyx's API.
type Telnyx struct {
	APIKey      string `name:"telnyx-api-key" env:"TELNYX_API_KEY" placeholder:"KEY" help:"API v2 key of the Telnyx account. Other users of the machine can see flags: prefer the environment or a file."`
	APIKeyFile  string `name:"telnyx-api-key-file" env:"TELNYX_API_KEY_FILE" placeholder:"FILE" help:"File with the API key."`
	BaseURL     string `name:"telnyx-base-url" env:"TELNYX_BASE_URL" default:"https://api.telnyx.com/v2" placeholder:"URL" help:"URL of Telnyx's API (${default})."`
	Rate        string `name:"telnyx-rate" env:"TELNYX_RATE" placeholder:"N" help:"Maximum API calls per second. Default: start at 2 and follow Telnyx's rate-limit headers, up to 20."`
	Concurrency string `name:"telnyx-concurrency" env:"TELNYX_CONCURRENCY" default:"8" placeholder:"N" help:"Maximum API calls at the same time (${default})."`
}

// client returns a client with the only limiter of the process.
func (s Telnyx) client(faults *Faults) *telnyx.Client {
	key := secret(faults, "TELNYX_API_KEY", s.APIKey, s.APIKeyFile,
		"Create a key "+whereKeys+", API Keys. Put it into the environment, or into a file named by TELNYX_API_KEY_FILE.")
	if fault := apiKeyFault(key); fault != "" {
		faults.add("TELNYX_API_KEY", "cannot be used: "+fault, "Copy only the key, from Mission Control, Account, Keys & Credentials, API Keys.")
	}
	if fault := baseURLFault(s.BaseURL); fault != "" {
		faults.add("TELNYX_BASE_URL", fault, "Leave it out, or use a URL like "+telnyx.DefaultBaseURL+".")
	}
	ceiling := 0.0
	if s.Rate != "" {
		var err error
		ceiling, err = strconv.ParseFloat(s.Rate, 64)
		if err != nil || !(ceiling > 0 && ceiling <= 1000) {
			faults.addValue("TELNYX_RATE", s.Rate, "a number of calls per second above 0 and at most 1000, for example 5 or 0.5")
		}
	}
	concurrency, _ := strconv.Atoi(s.Concurrency) // a fault is reported by the caller
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
		return "contains a user name or password, which Telnyx does not accept"
	case base.RawQuery != "" || base.Fragment != "":
		return "has a query or a fragment"
	case base.Scheme == "http" && !status.IsLoopback(net.JoinHostPort(base.Hostname(), "0")):
		return "begins with http:// and leads to another machine, so the API key would be sent unencrypted"
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
	return s.client(faults), readCount(faults, "TELNYX_CONCURRENCY", s.Concurrency, 1, 100)
}

// ReadOnlyClient returns a client that cannot change anything, for a command that only
// reads, and how many calls it should make at once.
func (s Telnyx) ReadOnlyClient(faults *Faults) (client *telnyx.Client, concurrency int) {
	return s.client(faults).ReadOnly(), readCount(faults, "TELNYX_CONCURRENCY", s.Concurrency, 1, 100)
}

// Assigner is what to attach, and how often to reconcile.
type Assigner struct {
	Plans           string `name:"plans" env:"PLANS" default:"config/plans" placeholder:"PATH" help:"Plan file, or folder of plan files (${default})."`
	Resync          string `name:"resync" env:"RESYNC" default:"15m" placeholder:"DURATION" help:"How often every planned campaign is reconciled, even without an event (${default})."`
	PruneLimit      string `name:"prune-limit" env:"PRUNE_LIMIT" default:"0" placeholder:"N" help:"How many numbers an entry with prune: true may remove without a person, if that is more than a third of its numbers (${default})."`
	PendingDeadline string `name:"pending-deadline" env:"PENDING_DEADLINE" default:"72h" placeholder:"DURATION" help:"How long Telnyx may take to attach a number before the number needs a person (${default})."`
}

// Config loads the plans. It returns the assigner's configuration as far as it is settings,
// and the watch over the plan files. Files with errors are not a fault of the settings: the
// assigner waits until they are corrected.
func (s Assigner) Config(faults *Faults, calls Telnyx) (assigner.Config, *Plans) {
	plans, _ := WatchPlans(s.Plans) // Plans.Err has the error
	CheckPlans(faults, s.Plans)
	return assigner.Config{
		Telnyx:          calls.client(faults),
		Plans:           plans.Set,
		Resync:          readDuration(faults, "RESYNC", s.Resync, time.Second, 24*time.Hour, "1s to 24h", "15m or 1h30m"),
		PendingDeadline: readDuration(faults, "PENDING_DEADLINE", s.PendingDeadline, time.Minute, 30*24*time.Hour, "1m to 720h", "72h"),
		PruneLimit:      readCount(faults, "PRUNE_LIMIT", s.PruneLimit, 0, 1_000_000),
		Concurrency:     readCount(faults, "TELNYX_CONCURRENCY", calls.Concurrency, 1, 100),
	}, plans
}

// CheckPlans notes a path of plans that does not exist, and reports whether it does.
func CheckPlans(faults *Faults, path string) (exists bool) {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return true
	}
	faults.add("PLANS", "is "+plan.Printable(path)+", which does not exist",
		"Give the path of your plans, or run greenlight init to write the first one.")
	return false
}

// Notify is the receiver of notices.
type Notify struct {
	URL     string `name:"notify-url" env:"NOTIFY_URL" placeholder:"URL" help:"Receiver of notices, besides stream NOTICES: slack://…, teams+https://…, discord://…, smtp://… or generic+https://…. A secret: prefer the environment or a file."`
	URLFile string `name:"notify-url-file" env:"NOTIFY_URL_FILE" placeholder:"FILE" help:"File with the URL of the receiver."`
}

const fixNotify = "Use a URL as docs/operations.md shows for your service, or leave it out. Before the URL of your own service, write generic+."

// Receiver returns the receiver of notices, nil if there is none.
func (s Notify) Receiver(faults *Faults) notice.Receiver {
	if s.URL == "" && s.URLFile == "" {
		return nil
	}
	address := secret(faults, "NOTIFY_URL", s.URL, s.URLFile, fixNotify)
	if address == "" {
		return nil
	}
	receiver, err := notice.Open(address)
	if err != nil {
		faults.add("NOTIFY_URL", err.Error(), fixNotify)
		return nil
	}
	return receiver
}

// RequiredReceiver is Receiver for a command that can do nothing without one.
func (s Notify) RequiredReceiver(faults *Faults) notice.Receiver {
	if s.URL == "" && s.URLFile == "" {
		faults.add("NOTIFY_URL", "is missing", "Use a URL as docs/operations.md shows for your service.")
	}
	return s.Receiver(faults)
}
