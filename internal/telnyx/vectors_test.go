package telnyx

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// vector is a signed delivery from testdata/vectors.
type vector struct {
	Name        string `json:"name"`
	PublicKey   string `json:"public_key"`
	PrivateSeed string `json:"private_seed"`
	Timestamp   string `json:"timestamp"`
	BodyFile    string `json:"body_file"`
	BodySHA256  string `json:"body_sha256"`
	Signature   string `json:"signature"`
	body        []byte
}

// readVectors reads every vector and checks that its body is still the one that
// was signed, which an editor's last newline would break.
func readVectors(t testing.TB) []vector {
	t.Helper()
	var vectors []vector
	if err := json.Unmarshal(readFile(t, "testdata/vectors/vectors.json"), &vectors); err != nil {
		t.Fatal(err)
	}
	for i := range vectors {
		v := &vectors[i]
		v.body = readFile(t, filepath.Join("testdata/vectors", v.BodyFile))
		if sum := sha256.Sum256(v.body); hex.EncodeToString(sum[:]) != v.BodySHA256 {
			t.Fatalf("%s has SHA-256 %x, want %s", v.BodyFile, sum, v.BodySHA256)
		}
	}
	return vectors
}

func (v vector) headers() http.Header {
	h := http.Header{}
	h.Set("telnyx-timestamp", v.Timestamp)
	h.Set("telnyx-signature-ed25519", v.Signature)
	return h
}

func (v vector) signedAt(t testing.TB) time.Time {
	t.Helper()
	seconds, err := strconv.ParseInt(v.Timestamp, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Unix(seconds, 0)
}

func (v vector) privateKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	seed, err := base64.StdEncoding.DecodeString(v.PrivateSeed)
	if err != nil {
		t.Fatal(err)
	}
	return ed25519.NewKeyFromSeed(seed)
}

// verifierAt returns a Verifier for the keys whose clock shows now.
func verifierAt(t testing.TB, now time.Time, keys ...string) *Verifier {
	t.Helper()
	var parsed []PublicKey
	for _, text := range keys {
		key, err := ParsePublicKey(text)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, key)
	}
	v, err := NewVerifier(parsed, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
