package telnyxsim

import (
	"crypto/ed25519"
	"net/http"
	"time"

	"greenlight/internal/telnyx"
)

// SignedHeader returns the header of a delivery of body that claims to be made
// at the given time, signed with the simulator's key; see [Signed].
func (s *Simulator) SignedHeader(at time.Time, body []byte) http.Header {
	return Signed(s.key, at, body)
}

// Signed returns the header of a delivery of body that claims to be made at the
// given time: that of [telnyx.Sign], Content-Type and User-Agent.
func Signed(key ed25519.PrivateKey, at time.Time, body []byte) http.Header {
	h := telnyx.Sign(key, at, body)
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "telnyx-webhooks")
	return h
}
