package telnyx

import (
	"crypto/ed25519"
	"encoding/base64"
	"net/http"
	"strconv"
	"time"
)

// Sign returns the two headers of a delivery of body that was signed at the given time.
// It is for the simulator and for tests, since only Telnyx has Telnyx's private key.
func Sign(private ed25519.PrivateKey, at time.Time, body []byte) http.Header {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	signature := ed25519.Sign(private, signedBytes(timestamp, body))
	h := http.Header{}
	h.Set(TimestampHeader, timestamp)
	h.Set(SignatureHeader, base64.StdEncoding.EncodeToString(signature))
	return h
}

// signedBytes returns what Telnyx signs: the timestamp as it is in the
// header, a bar, and the body. Method, address and query are not signed.
func signedBytes(timestamp string, body []byte) []byte {
	signed := make([]byte, 0, len(timestamp)+1+len(body))
	signed = append(signed, timestamp...)
	signed = append(signed, '|')
	return append(signed, body...)
}
