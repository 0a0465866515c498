package telnyx_test

import (
	"crypto/ed25519"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"greenlight/internal/telnyx"
)

// A webhook caps the body, verifies its bytes, and only then looks into them.
func ExampleVerifier() {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) // in place of Telnyx's
	verifier, err := telnyx.NewVerifier([]telnyx.PublicKey{telnyx.PublicKeyOf(private)}, time.Now)
	if err != nil {
		panic(err)
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 256<<10))
		if err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		if err := verifier.Verify(r.Header, body); err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		event, err := telnyx.ParseEvent(body)
		if err != nil {
			return // authentic, but no event: keep it for a person
		}
		fmt.Println(event.Type, event.Payload.Type, "about", event.About())
	}

	body := `{"data":{"event_type":"10dlc.campaign.update","id":"1","payload":{"type":"VERIFIED","campaignId":"C6X6M95"}}}`
	r := httptest.NewRequest(http.MethodPost, "/webhooks/telnyx", strings.NewReader(body))
	handler(httptest.NewRecorder(), r) // unsigned: refused
	r = httptest.NewRequest(http.MethodPost, "/webhooks/telnyx", strings.NewReader(body))
	r.Header = telnyx.Sign(private, time.Now(), []byte(body))
	handler(httptest.NewRecorder(), r)
	// Output: 10dlc.campaign.update VERIFIED about C6X6M95
}
