package telnyxsim

import (
	"crypto/ed25519"
	"net/http"
	"time"
)

// Never is a delay that does not end, for AssignDelay, MappingDelay, MappingGap,
// UnassignDelay and ReactivateDelay: what waits for it does not happen.
const Never time.Duration = -1

// Options are the settings of a [Simulator]. The zero value is a fast, strict
// Telnyx: every step follows at once, any API key is taken, and nothing is
// limited.
type Options struct {
	// RequiredAPIKey is the only bearer key that is taken. Empty: any key that
	// is not empty.
	RequiredAPIKey string
	// SigningKey signs deliveries. Nil: a new key is made. New panics on a key
	// of a wrong size.
	SigningKey ed25519.PrivateKey

	// AssignDelay passes between a POST that attaches a number and ASSIGNED (or
	// FAILED_ASSIGNMENT). With 0 that happens at once, yet after the answer was
	// made: a POST always answers PENDING_ASSIGNMENT. [Never] leaves it pending.
	AssignDelay time.Duration
	// MappingDelay passes between ASSIGNED and the T-Mobile mapping's ADDED.
	MappingDelay time.Duration
	// MappingGap is how much later than T-Mobile's the other carriers' mapping
	// is ADDED. 0: together.
	MappingGap time.Duration
	// UnassignDelay passes between a DELETE and the record's end.
	UnassignDelay time.Duration
	// ReattachDelay is how long after that end a POST for the same number is
	// still answered with code 10036. The field reports some minutes.
	ReattachDelay time.Duration
	// ReactivateDelay is how long a dormant campaign goes on failing
	// assignments after the first one that woke it. 0: only that one fails.
	ReactivateDelay time.Duration

	// MaxNumbersPerCampaign is how many numbers a campaign carries, unless it
	// says otherwise itself. 0: 49, T-Mobile's limit without a number pool.
	MaxNumbersPerCampaign int
	// MaxPageSize is the largest recordsPerPage that 10DLC lists honour; larger ones
	// are cut to it silently. 0: 500.
	MaxPageSize int
	// Latency passes before each request is looked at.
	Latency time.Duration
	// RateLimit is how many requests are taken in a second. 0: no limit, and no
	// x-ratelimit headers.
	RateLimit int

	// RetryInterval passes between the attempts of a delivery. 0: 30 s. Negative:
	// nothing.
	RetryInterval time.Duration
	// Attempts is how often a delivery is tried. 0: 5.
	Attempts int
	// DeliveryTimeout is how long an attempt may take. 0: 2 s.
	DeliveryTimeout time.Duration
	// DeliveryTransport carries deliveries. Nil: a transport of the simulator's
	// own. Tests use it to deliver without a network.
	DeliveryTransport http.RoundTripper

	// Dialect chooses between readings of Telnyx that contradict each other.
	Dialect Dialect
	// Logf gets a line for every delivery and every write. Nil logs nothing. It must
	// be safe for concurrent use and must not call the Simulator.
	Logf func(format string, args ...any)
}

// withDefaults returns the options with every documented default filled in.
func (o Options) withDefaults() Options {
	o.MaxNumbersPerCampaign = orDefault(o.MaxNumbersPerCampaign, 49)
	o.MaxPageSize = orDefault(o.MaxPageSize, 500)
	o.Attempts = orDefault(o.Attempts, 5)
	o.RetryInterval = orDefault(o.RetryInterval, 30*time.Second)
	o.DeliveryTimeout = orDefault(o.DeliveryTimeout, 2*time.Second)
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	return o
}

// orDefault returns value, or fallback when value is zero.
func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
