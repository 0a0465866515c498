package telnyxsim

import (
	"crypto/ed25519"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// SignedHeader returns the header of a delivery of body that claims to be made
// at the given time, signed with the simulator's key; see [Signed].
func (s *Simulator) SignedHeader(at time.Time, body []byte) http.Header {
	return Signed(s.key, at, body)
}

// Signed returns the header of a delivery of body that claims to be made at the
// given time: the two signature fields, Content-Type and User-Agent. The signed
// bytes are the time in Unix seconds, a "|", and the body
// (https://developers.telnyx.com/development/api-fundamentals/webhooks/receiving-webhooks).
func Signed(key ed25519.PrivateKey, at time.Time, body []byte) http.Header {
	stamp := strconv.FormatInt(at.Unix(), 10)
	signature := ed25519.Sign(key, slices.Concat([]byte(stamp+"|"), body))
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "telnyx-webhooks")
	h.Set("Telnyx-Timestamp", stamp)
	h.Set("Telnyx-Signature-Ed25519", base64.StdEncoding.EncodeToString(signature))
	return h
}
