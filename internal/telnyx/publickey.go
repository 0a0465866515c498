package telnyx

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// PublicKey is the Ed25519 key that verifies what Telnyx signs. An account has
// one; Mission Control shows it under Account, Keys & Credentials, Public Key.
// The zero value is not a valid key, and [NewVerifier] refuses it. It is comparable and,
// being public, prints in full.
type PublicKey struct {
	bytes [ed25519.PublicKeySize]byte
}

// spkiSize is the length of an Ed25519 key in SPKI form (RFC 8410): 12 bytes that
// name the algorithm, then the key. The first byte is 0x30, a DER sequence.
const spkiSize = 12 + ed25519.PublicKeySize

// whereToFind ends every error about a key's text.
const whereToFind = "copy it from Mission Control: Account, Keys & Credentials, Public Key (44 characters ending in =)"

// ParsePublicKey reads a key as Mission Control (portal.telnyx.com) shows it: its 32 bytes
// in padded standard base64. White space around it is dropped, so that a file with a final
// newline works. Errors say what the text seems to be and where to find the key. They
// never repeat the text, because what is pasted here by mistake is usually a secret.
func ParsePublicKey(text string) (PublicKey, error) {
	text = strings.TrimSpace(text)
	raw, err := decodeStrict(text)
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return PublicKey{}, fmt.Errorf("parse public key: %s; %s", mistakenFor(text, raw, err), whereToFind)
	}
	key := PublicKey{bytes: [ed25519.PublicKeySize]byte(raw)}
	if key == (PublicKey{}) {
		return PublicKey{}, fmt.Errorf("parse public key: its 32 bytes are all zero, which is a placeholder; %s", whereToFind)
	}
	return key, nil
}

// ParsePublicKeys reads one or more keys, separated by commas. Several are needed while
// a key is being rotated. It returns the faults of all keys as joined errors, each with the
// position of its key in the list.
func ParsePublicKeys(commaSeparated string) ([]PublicKey, error) {
	texts := strings.Split(commaSeparated, ",")
	keys, faults := make([]PublicKey, len(texts)), make([]error, len(texts))
	for i, text := range texts {
		var err error
		if keys[i], err = ParsePublicKey(text); err != nil && len(texts) > 1 {
			err = fmt.Errorf("key %d of %d: %w", i+1, len(texts), err)
		}
		faults[i] = err
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return keys, nil
}

// PublicKeyOf returns the key that verifies what private signs, for the
// simulator and for tests.
func PublicKeyOf(private ed25519.PrivateKey) PublicKey {
	return PublicKey{bytes: [ed25519.PublicKeySize]byte(private.Public().(ed25519.PublicKey))}
}

// String returns the key as Mission Control shows it and [ParsePublicKey] reads it.
func (k PublicKey) String() string { return base64.StdEncoding.EncodeToString(k.bytes[:]) }

// Fingerprint returns the first 8 characters of the key's text, for logs and
// metrics. It is not a hash, so that a person can compare it by eye with
// the key in Mission Control.
func (k PublicKey) Fingerprint() string { return base64.StdEncoding.EncodeToString(k.bytes[:6]) }

// mistakenFor says what a text that is not a public key seems to be.
func mistakenFor(text string, raw []byte, err error) string {
	switch {
	case text == "":
		return "it is empty"
	case strings.Contains(text, "-----BEGIN"):
		return "it is in PEM form, but Telnyx shows the bare key"
	case strings.HasPrefix(text, "KEY"):
		return "it looks like an API key, which is secret and not the public key"
	case strings.HasPrefix(text, "whsec_"):
		return "it looks like a Standard Webhooks secret, which Telnyx does not use"
	case errors.Is(err, errLineBreak):
		return "it contains a line break"
	case err != nil && strings.ContainsAny(text, "-_"):
		return "it is URL-safe base64, with - or _ in place of + and /"
	case err != nil && len(text)%4 != 0:
		return fmt.Sprintf("its %d characters are not complete base64: it may be cut off, or lack the final =", len(text))
	case err != nil:
		return "it is not base64"
	case len(raw) == ed25519.PrivateKeySize:
		return "it has 64 bytes, like a private key, which must stay secret"
	case len(raw) == spkiSize && raw[0] == 0x30:
		return "it is in SPKI (DER) form, but Telnyx shows the bare key"
	default:
		return fmt.Sprintf("it has %d bytes, not %d", len(raw), ed25519.PublicKeySize)
	}
}

var errLineBreak = errors.New("line break in base64")

var strictBase64 = base64.StdEncoding.Strict()

// decodeStrict decodes padded standard base64 that has exactly one spelling.
// Go's decoder skips line breaks even when it is strict, so they are refused
// here.
func decodeStrict(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errLineBreak
	}
	return strictBase64.DecodeString(text)
}
