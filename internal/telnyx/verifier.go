package telnyx

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

// The headers that make a delivery verifiable. Telnyx writes them in lower
// case; HTTP does not mind, and these are the canonical spellings.
const (
	SignatureHeader = "Telnyx-Signature-Ed25519"
	TimestampHeader = "Telnyx-Timestamp"
)

// Tolerance is how far a delivery's timestamp may lie from our clock, in the
// past or in the future, in whole seconds: 300 s passes, 301 s does not. It is
// what Telnyx's own SDKs allow (github.com/team-telnyx/telnyx-go,
// lib/webhook_verification.go).
const Tolerance = 300 * time.Second

// maxTimestampDigits bounds the text that is parsed.
const maxTimestampDigits = 12

// SignatureCode names the one thing that was wrong with a delivery. The codes
// are part of the webhook's answers, so they do not change.
type SignatureCode string

// The codes, in the order in which [Verifier.Verify] looks for them.
const (
	// SignatureMissing: one of the two headers is absent or empty.
	SignatureMissing SignatureCode = "signature_missing"
	// TimestampMalformed: not 1 to 12 digits, or two values that differ.
	TimestampMalformed SignatureCode = "timestamp_malformed"
	// TimestampStale: older than [Tolerance].
	TimestampStale SignatureCode = "timestamp_stale"
	// TimestampFuture: ahead of our clock by more than [Tolerance].
	TimestampFuture SignatureCode = "timestamp_future"
	// SignatureMalformed: not the base64 of 64 bytes, or two values that differ.
	SignatureMalformed SignatureCode = "signature_malformed"
	// SignatureMismatch: well formed, but no key of ours made it for these bytes.
	SignatureMismatch SignatureCode = "signature_mismatch"
)

// SignatureError says why a delivery was not accepted as Telnyx's.
type SignatureError struct {
	Code SignatureCode
	// Message is a sentence for a person. It repeats nothing of the request but
	// the age of its timestamp.
	Message string
	// Age is how old the timestamp was by our clock, negative when it lay in the
	// future. It is zero unless Code is TimestampStale or TimestampFuture.
	Age time.Duration
}

// Error returns the message, after the operation.
func (e *SignatureError) Error() string { return "verify delivery: " + e.Message }

// Verifier recognizes the deliveries that Telnyx signed, as described in
// https://developers.telnyx.com/development/api-fundamentals/webhooks/receiving-webhooks.
// It keeps no record of what it has seen: within [Tolerance] a copy of a delivery
// passes again, so callers must deduplicate by event id. It is safe for
// concurrent use.
type Verifier struct {
	keys atomic.Pointer[[]PublicKey]
	now  func() time.Time
}

// NewVerifier returns a Verifier that accepts a signature by any of the keys,
// of which there must be at least one. now is the clock that timestamps are compared
// with; nil means time.Now.
func NewVerifier(keys []PublicKey, now func() time.Time) (*Verifier, error) {
	if now == nil {
		now = time.Now
	}
	v := &Verifier{now: now}
	if err := v.Replace(keys); err != nil {
		return nil, fmt.Errorf("new verifier: %w", err)
	}
	return v, nil
}

// Replace replaces all keys. If the new ones cannot be used, it changes nothing and
// returns an error. A concurrent verification uses either all old keys or all new ones.
func (v *Verifier) Replace(keys []PublicKey) error {
	if len(keys) == 0 {
		return errors.New("no public key given")
	}
	if i := slices.Index(keys, PublicKey{}); i >= 0 {
		return fmt.Errorf("key %d of %d is the zero key", i+1, len(keys))
	}
	own := slices.Clone(keys)
	v.keys.Store(&own)
	return nil
}

// Keys returns the keys in use, in the order in which they are tried.
func (v *Verifier) Keys() []PublicKey { return slices.Clone(*v.keys.Load()) }

// Verify returns nil if body, byte for byte as it was received, was signed with
// one of the keys at about this time, and a [*SignatureError] otherwise. The
// cheap checks come first and the signature last:
//
//	both headers there        else SignatureMissing
//	timestamp is a number     else TimestampMalformed
//	within Tolerance of now   else TimestampStale, TimestampFuture
//	signature is 64 bytes     else SignatureMalformed
//	signed by one of the keys else SignatureMismatch
//
// All but the last need no body: see [Verifier.Claim].
func (v *Verifier) Verify(h http.Header, body []byte) error {
	claim, err := v.Claim(h)
	if err != nil {
		return err
	}
	_, err = claim.Check(signedBytes(claim.timestamp, body))
	return err
}

// Claim is the signature and timestamp in the headers of a delivery. It is well formed,
// and proves nothing until it is checked.
type Claim struct {
	timestamp string
	signature [ed25519.SignatureSize]byte
	keys      []PublicKey
}

// Claim makes the checks of [Verifier.Verify] that need no body, so that a delivery
// which fails them can be refused before its body is read. The error is a
// [*SignatureError].
func (v *Verifier) Claim(h http.Header) (Claim, error) {
	timestamps, signatures := h.Values(TimestampHeader), h.Values(SignatureHeader)
	switch {
	case isMissing(timestamps):
		return Claim{}, refuse(SignatureMissing, "the header %s is missing or empty", TimestampHeader)
	case isMissing(signatures):
		return Claim{}, refuse(SignatureMissing, "the header %s is missing or empty", SignatureHeader)
	case differ(timestamps):
		return Claim{}, refuse(TimestampMalformed, "the header %s appears twice with different values", TimestampHeader)
	}
	// The text of the header is what was signed, not the number.
	claim := Claim{timestamp: timestamps[0], keys: *v.keys.Load()}
	if !timestampForm.MatchString(claim.timestamp) {
		return Claim{}, refuse(TimestampMalformed, "the header %s must be Unix seconds, at most %d digits", TimestampHeader, maxTimestampDigits)
	}
	seconds, _ := strconv.ParseInt(claim.timestamp, 10, 64) // cannot fail
	if err := v.checkAge(time.Unix(seconds, 0)); err != nil {
		return Claim{}, err
	}
	raw, err := decodeStrict(signatures[0])
	switch {
	case differ(signatures):
		return Claim{}, refuse(SignatureMalformed, "the header %s appears twice with different values", SignatureHeader)
	case err != nil:
		return Claim{}, refuse(SignatureMalformed, "the header %s is not standard base64", SignatureHeader)
	case len(raw) != ed25519.SignatureSize:
		return Claim{}, refuse(SignatureMalformed, "the header %s holds %d bytes, not %d", SignatureHeader, len(raw), ed25519.SignatureSize)
	}
	claim.signature = [ed25519.SignatureSize]byte(raw)
	return claim, nil
}

// refuse returns a [*SignatureError].
func refuse(code SignatureCode, format string, args ...any) error {
	return &SignatureError{Code: code, Message: fmt.Sprintf(format, args...)}
}

func isMissing(values []string) bool { return len(values) == 0 || values[0] == "" }

// differ reports whether a header that may appear once appears several times with
// different values. Some proxies repeat a header with the same value.
func differ(values []string) bool {
	return slices.ContainsFunc(values, func(v string) bool { return v != values[0] })
}

// timestampForm is digits alone: 12 of them last beyond the year 30000.
var timestampForm = regexp.MustCompile(fmt.Sprintf(`^[0-9]{1,%d}$`, maxTimestampDigits))

// AppendPrefix appends the signed bytes that precede the body. A body that is read into the
// same buffer need not be copied to be checked.
func (c Claim) AppendPrefix(b []byte) []byte { return append(append(b, c.timestamp...), '|') }

// Check returns the key that signed these bytes, prefix and body, or a
// [*SignatureError].
func (c Claim) Check(signed []byte) (PublicKey, error) {
	for i := range c.keys {
		if ed25519.Verify(c.keys[i].bytes[:], signed, c.signature[:]) {
			return c.keys[i], nil
		}
	}
	return PublicKey{}, refuse(SignatureMismatch, "the signature does not match the body and the configured public key: "+
		"the key is another account's, the body was changed on the way, or Telnyx did not send it")
}

// checkAge refuses a timestamp too far from now on either side. It counts in
// whole seconds, as the timestamp does. Sub holds at the largest Duration
// instead of overflowing, so an absurd timestamp is still refused.
func (v *Verifier) checkAge(timestamp time.Time) error {
	age := time.Unix(v.now().Unix(), 0).Sub(timestamp)
	if age > Tolerance {
		return &SignatureError{Code: TimestampStale, Age: age, Message: fmt.Sprintf(
			"the delivery was signed %d s ago and only %d s are allowed: check this machine's clock, "+
				"and whether deliveries are held up or replayed on the way",
			age/time.Second, Tolerance/time.Second)}
	}
	if age < -Tolerance {
		return &SignatureError{Code: TimestampFuture, Age: age, Message: fmt.Sprintf(
			"the delivery was signed %d s in the future and only %d s are allowed: check this machine's clock",
			-age/time.Second, Tolerance/time.Second)}
	}
	return nil
}
