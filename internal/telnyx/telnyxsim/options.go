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
	// StaleReadDelay is how long reads go on showing the old campaign after a
	// PUT has moved a number.
	StaleReadDelay time.Duration
	// ListLag is how much later than a POST began it the list of phone number
	// campaigns shows a record. Reading the one number shows
	// it at once. Until then the list shows the number's record before, such as a
	// failed one, or nothing. 0: none.
	ListLag time.Duration
	// ReadLag is the same for reading the one number, which answers 404 if there
	// was no record before, and for the list as well, unless ListLag is longer.
	// Writes and events are as prompt as ever: who posts again is told of the
	// record that nobody can read. 0: none.
	ReadLag time.Duration

	// MaxNumbersPerCampaign is how many numbers a campaign carries, unless it
	// says otherwise itself. 0: 49, T-Mobile's limit without a number pool.
	MaxNumbersPerCampaign int
	// MaxPageSize is the largest recordsPerPage that 10DLC lists honour; larger
	// ones are cut to it without a word. 0: 500.
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

	// Quirks choose between readings of Telnyx that contradict each other.
	Quirks Quirks
	// Logf is told about every delivery and every write, one line each. Nil:
	// nobody is. It must be safe for concurrent use and must not call the
	// Simulator.
	Logf func(format string, args ...any)
}

// Quirks choose how the simulator behaves where no source says how Telnyx does,
// or where sources contradict each other. The zero value is the reading that
// asks most of a client.
type Quirks struct {
	// RefuseRepeats answers a POST of a pair that is attached already with 400
	// and code 10012. Else it answers 200 with the record as it is, which a PUT
	// does in either case.
	RefuseRepeats bool
	// RefuseConflicts answers a POST of a number that lives on another campaign
	// with 400. Else it answers 200 with a record whose field errors holds the
	// aggregator's sentence. The number stays where it is in both cases.
	RefuseConflicts bool
	// RefuseDormant answers a POST to a dormant campaign with 400 and code
	// 10036. Else it answers 200, and the assignment fails later.
	RefuseDormant bool
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
