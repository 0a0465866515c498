package telnyxsim

import (
	"crypto/ed25519"
	"net/http"
	"time"
)

// Never is an infinite delay, for AssignDelay, MappingDelay, MappingGap, UnassignDelay
// and ReactivateDelay: what waits for it does not happen.
const Never time.Duration = -1

// Options are the settings of a [Simulator]. The zero value is a fast, strict
// Telnyx: every step follows immediately, any API key is accepted, and there is no rate
// limit.
type Options struct {
	// RequiredAPIKey is the only bearer key that is accepted. Empty: any key that is not
	// empty.
	RequiredAPIKey string
	// SigningKey signs deliveries. Nil: a new key. New panics on a key of the
	// wrong size.
	SigningKey ed25519.PrivateKey

	// AssignDelay is the time from a POST that attaches a number to ASSIGNED or
	// FAILED_ASSIGNMENT. Even with 0 the POST itself answers PENDING_ASSIGNMENT.
	// [Never] leaves it pending.
	AssignDelay time.Duration
	// MappingDelay is the time from ASSIGNED to the T-Mobile mapping's ADDED.
	MappingDelay time.Duration
	// MappingGap is how much later than T-Mobile's the other carriers' mapping
	// is ADDED. 0: together.
	MappingGap time.Duration
	// UnassignDelay is the time from a DELETE to the removal of the record.
	UnassignDelay time.Duration
	// ReattachDelay is how long after that a POST for the same number still answers
	// with code 10036. Customers report some minutes.
	ReattachDelay time.Duration
	// ReactivateDelay is how long a dormant campaign keeps failing assignments after
	// the first one, which reactivates it. 0: only that one fails.
	ReactivateDelay time.Duration

	// MaxNumbersPerCampaign is how many numbers a campaign takes unless it has its own
	// MaxNumbers. 0: 49, T-Mobile's limit without a number pool.
	MaxNumbersPerCampaign int
	// Latency is added before each request is handled.
	Latency time.Duration
	// RateLimit is how many requests are accepted per second. 0: no limit, and no
	// x-ratelimit headers.
	RateLimit int

	// RetryInterval is the time between the attempts of a delivery. 0: 30 s. Negative:
	// none.
	RetryInterval time.Duration
	// Attempts is how often a delivery is tried. 0: 5.
	Attempts int
	// DeliveryTimeout is how long an attempt may take. 0: 2 s.
	DeliveryTimeout time.Duration
	// DeliveryTransport carries deliveries. Nil: a new transport. Tests set it to
	// deliver without a network.
	DeliveryTransport http.RoundTripper

	// Dialect chooses between contradicting interpretations of Telnyx's pages.
	Dialect Dialect
}

// withDefaults returns the options with every documented default filled in.
func (o Options) withDefaults() Options {
	o.MaxNumbersPerCampaign = orDefault(o.MaxNumbersPerCampaign, 49)
	o.Attempts = orDefault(o.Attempts, 5)
	o.RetryInterval = orDefault(o.RetryInterval, 30*time.Second)
	o.DeliveryTimeout = orDefault(o.DeliveryTimeout, 2*time.Second)
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
