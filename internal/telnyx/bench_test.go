package telnyx

import (
	"bytes"
	"crypto/ed25519"
	"os"
	"testing"
	"time"
)

// benchmarkBody is a published event, as Telnyx words it.
func benchmarkBody(b *testing.B) []byte {
	b.Helper()
	body, err := os.ReadFile("testdata/events/10dlc.campaign.update.VERIFIED.json")
	if err != nil {
		b.Fatal(err)
	}
	return body
}

func BenchmarkVerifier_Verify(b *testing.B) {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	verifier, err := NewVerifier([]PublicKey{PublicKeyOf(private)}, nil)
	if err != nil {
		b.Fatal(err)
	}
	body := benchmarkBody(b)
	h := Sign(private, time.Now(), body)
	b.ReportAllocs()
	for b.Loop() {
		if err := verifier.Verify(h, body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseEvent(b *testing.B) {
	body := benchmarkBody(b)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := ParseEvent(body); err != nil {
			b.Fatal(err)
		}
	}
}
