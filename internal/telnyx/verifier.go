package telnyx

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
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

// maxTimestampDigits bounds the text that is parsed: 12 digits of seconds last
// beyond the year 30000.
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

// Verifier tells deliveries that Telnyx signed from all others, as described in
// https://developers.telnyx.com/development/api-fundamentals/webhooks/receiving-webhooks.
// It keeps no record of what it has seen: within [Tolerance] a copy of a delivery
// passes again, so whoever acts on one looks for its id. It is safe for
// concurrent use.
type Verifier struct {
	keys atomic.Pointer[[]PublicKey]
	now  func() time.Time
}

// NewVerifier returns a Verifier that accepts a signature by any of the keys,
// of which there must be at least one. now is the clock to hold timestamps
// against; nil means time.Now.
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

// Replace puts other keys in the place of all that were, or changes nothing and
// returns an error if they cannot be used. What is being verified meanwhile is held
// against the old keys or the new ones, never against some of both.
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
	_, err = claim.Check(append(claim.AppendPrefix(make([]byte, 0, len(claim.timestamp)+1+len(body))), body...))
	return err
}

// Claim is what the headers of a delivery say: that somebody signed its body just
// now. It is well formed and proves nothing until it is checked.
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
	if err := checkPresent(timestamps, signatures); err != nil {
		return Claim{}, err
	}
	timestamp, err := parseTimestamp(timestamps)
	if err != nil {
		return Claim{}, err
	}
	if err := v.checkAge(timestamp); err != nil {
		return Claim{}, err
	}
	// The text of the header is what was signed, not the number it stands for.
	claim := Claim{timestamp: timestamps[0], keys: *v.keys.Load()}
	if err := parseSignature(&claim.signature, signatures); err != nil {
		return Claim{}, err
	}
	return claim, nil
}

// AppendPrefix appends what is signed before the body. A body that is read behind it
// need not be copied to be checked.
func (c Claim) AppendPrefix(b []byte) []byte { return append(append(b, c.timestamp...), '|') }

// Check returns the key that signed these bytes, prefix and body, or a
// [*SignatureError].
func (c Claim) Check(signed []byte) (PublicKey, error) {
	for i := range c.keys {
		if ed25519.Verify(c.keys[i].bytes[:], signed, c.signature[:]) {
			return c.keys[i], nil
		}
	}
	return PublicKey{}, &SignatureError{
		Code: SignatureMismatch,
		Message: "the signature does not fit this body and the configured public key: the key is another account's, " +
			"or something on the way changed the body, or Telnyx did not send this",
	}
}

// checkPresent refuses a request that lacks either header.
func checkPresent(timestamps, signatures []string) error {
	for _, header := range []struct {
		name   string
		values []string
	}{{TimestampHeader, timestamps}, {SignatureHeader, signatures}} {
		if len(header.values) == 0 || header.values[0] == "" {
			return &SignatureError{Code: SignatureMissing, Message: "the header " + header.name + " is missing or empty"}
		}
	}
	return nil
}

// parseTimestamp reads Unix seconds. It takes digits only: strconv alone would
// take a sign too.
func parseTimestamp(values []string) (time.Time, error) {
	malformed := func(why string) error {
		return &SignatureError{Code: TimestampMalformed, Message: "the header " + TimestampHeader + " " + why}
	}
	if differ(values) {
		return time.Time{}, malformed("stands twice, with different values")
	}
	text := values[0]
	if len(text) > maxTimestampDigits {
		return time.Time{}, malformed(fmt.Sprintf("has more than %d characters; it must be Unix seconds", maxTimestampDigits))
	}
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return time.Time{}, malformed("has a character that is no digit; it must be Unix seconds")
		}
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, malformed("is not Unix seconds")
	}
	return time.Unix(seconds, 0), nil
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

// parseSignature decodes the 64 bytes of an Ed25519 signature from the one
// spelling that they have.
func parseSignature(signature *[ed25519.SignatureSize]byte, values []string) error {
	malformed := func(why string) error {
		return &SignatureError{Code: SignatureMalformed, Message: "the header " + SignatureHeader + " " + why}
	}
	if differ(values) {
		return malformed("stands twice, with different values")
	}
	raw, err := decodeStrict(values[0])
	if err != nil {
		return malformed("is not standard base64")
	}
	if len(raw) != ed25519.SignatureSize {
		return malformed(fmt.Sprintf("holds %d bytes, not %d", len(raw), ed25519.SignatureSize))
	}
	copy(signature[:], raw)
	return nil
}

// differ reports whether a header that may stand once stands several times with
// different values. The same value twice is what some proxies make of one.
func differ(values []string) bool {
	return slices.ContainsFunc(values, func(v string) bool { return v != values[0] })
}
