package telnyx

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestVerifier_AcceptsEveryVector(t *testing.T) {
	for _, v := range readVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			verifier := verifierAt(t, v.signedAt(t), v.PublicKey)
			if err := verifier.Verify(v.headers(), v.body); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSign_MakesTheVectorsSignatures(t *testing.T) {
	for _, v := range readVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			h := Sign(v.privateKey(t), v.signedAt(t), v.body)
			if got := h.Get("telnyx-signature-ed25519"); got != v.Signature {
				t.Errorf("signature %s, want %s", got, v.Signature)
			}
			if got := h.Get("telnyx-timestamp"); got != v.Timestamp {
				t.Errorf("timestamp %s, want %s", got, v.Timestamp)
			}
			if got := PublicKeyOf(v.privateKey(t)).String(); got != v.PublicKey {
				t.Errorf("public key %s, want %s", got, v.PublicKey)
			}
		})
	}
}

// Every row spoils one thing of a good delivery (vector A2, the published
// VERIFIED example).
func TestVerifier_RefusesADeliverySpoiltInOneWay(t *testing.T) {
	good := readVectors(t)[1]
	private := good.privateKey(t)
	tests := map[string]struct {
		spoil func(h http.Header, body []byte) []byte
		want  SignatureCode
	}{
		"no signature":          {without(SignatureHeader), SignatureMissing},
		"no timestamp":          {without(TimestampHeader), SignatureMissing},
		"empty signature":       {with(SignatureHeader, ""), SignatureMissing},
		"empty timestamp":       {with(TimestampHeader, ""), SignatureMissing},
		"timestamp a word":      {with(TimestampHeader, "yesterday"), TimestampMalformed},
		"timestamp signed":      {with(TimestampHeader, "+1723051357"), TimestampMalformed},
		"timestamp negative":    {with(TimestampHeader, "-1723051357"), TimestampMalformed},
		"timestamp a fraction":  {with(TimestampHeader, "1723051357.0"), TimestampMalformed},
		"timestamp hex":         {with(TimestampHeader, "0x66b3a"), TimestampMalformed},
		"timestamp underscored": {with(TimestampHeader, "1_723_051"), TimestampMalformed},
		"timestamp spaced":      {with(TimestampHeader, "1723051357 "), TimestampMalformed},
		"timestamp in ms":       {with(TimestampHeader, "1723051357000"), TimestampMalformed},
		"timestamp RFC 3339":    {with(TimestampHeader, "2024-08-07T17:22:37Z"), TimestampMalformed},
		"timestamp Arabic":      {with(TimestampHeader, "١٧٢٣"), TimestampMalformed},
		"timestamp huge":        {with(TimestampHeader, strings.Repeat("9", 1<<16)), TimestampMalformed},
		"two timestamps":        {with(TimestampHeader, good.Timestamp, "1723051358"), TimestampMalformed},
		"timestamp of 1970":     {with(TimestampHeader, "0"), TimestampStale},
		"timestamp far ahead":   {with(TimestampHeader, "999999999999"), TimestampFuture},
		"signature not base64":  {with(SignatureHeader, "!"+good.Signature[1:]), SignatureMalformed},
		"signature unpadded":    {with(SignatureHeader, strings.TrimRight(good.Signature, "=")), SignatureMalformed},
		"signature URL-safe":    {with(SignatureHeader, strings.NewReplacer("+", "-", "/", "_").Replace(good.Signature)), SignatureMalformed},
		"signature in lines":    {with(SignatureHeader, good.Signature[:44]+"\r\n"+good.Signature[44:]), SignatureMalformed},
		"signature with end":    {with(SignatureHeader, good.Signature+"\n"), SignatureMalformed},
		"signature hex":         {with(SignatureHeader, strings.Repeat("ab", 64)), SignatureMalformed},
		"signature 63 bytes":    {with(SignatureHeader, base64.StdEncoding.EncodeToString(make([]byte, 63))), SignatureMalformed},
		"signature 65 bytes":    {with(SignatureHeader, base64.StdEncoding.EncodeToString(make([]byte, 65))), SignatureMalformed},
		"signature loose bits":  {with(SignatureHeader, strings.TrimSuffix(good.Signature, "Q==")+"R=="), SignatureMalformed},
		"signature huge":        {with(SignatureHeader, strings.Repeat("A", 1<<20)), SignatureMalformed},
		"two signatures":        {with(SignatureHeader, good.Signature, readVectors(t)[0].Signature), SignatureMalformed},
		"signature all zero":    {with(SignatureHeader, base64.StdEncoding.EncodeToString(make([]byte, 64))), SignatureMismatch},
		"another's signature":   {with(SignatureHeader, readVectors(t)[0].Signature), SignatureMismatch},
		"timestamp a second on": {with(TimestampHeader, "1723051358"), SignatureMismatch},
		"timestamp with zeros":  {with(TimestampHeader, "001723051357"), SignatureMismatch},
		"body empty":            {bodyTo(func([]byte) []byte { return nil }), SignatureMismatch},
		"body with newline":     {bodyTo(func(b []byte) []byte { return append(b, '\n') }), SignatureMismatch},
		"body compacted":        {bodyTo(func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n  "), nil) }), SignatureMismatch},
		"body a bit off":        {bodyTo(func(b []byte) []byte { b[100] ^= 1; return b }), SignatureMismatch},
		"body the other way":    {bodyTo(func(b []byte) []byte { return bytes.Replace(b, []byte("VERIFIED"), []byte("REJECTED"), 1) }), SignatureMismatch},
		// Ways to sign that stand in older Telnyx texts and are wrong.
		"body signed alone":      {signing(private, func(_ string, b []byte) []byte { return b }), SignatureMismatch},
		"a dot for the bar":      {signing(private, func(ts string, b []byte) []byte { return append([]byte(ts+"."), b...) }), SignatureMismatch},
		"signed in base64":       {signing(private, func(ts string, b []byte) []byte { return encoded(append([]byte(ts+"|"), b...)) }), SignatureMismatch},
		"HMAC with the key":      {withHMAC(good.PublicKey), SignatureMalformed},
		"signed by a stranger":   {signing(ed25519.NewKeyFromSeed(make([]byte, 32)), signedBytes), SignatureMismatch},
		"bar moved to timestamp": {with(TimestampHeader, good.Timestamp+"|"), TimestampMalformed},
	}
	verifier := verifierAt(t, good.signedAt(t), good.PublicKey)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := good.headers()
			body := tt.spoil(h, bytes.Clone(good.body))
			assertRefused(t, verifier.Verify(h, body), tt.want)
		})
	}
}

func TestVerifier_WindowIsClosedOnBothSides(t *testing.T) {
	good := readVectors(t)[0]
	signed := good.signedAt(t)
	tests := map[string]struct {
		off  time.Duration
		want SignatureCode // empty: passes
	}{
		"300 s old":            {300 * time.Second, ""},
		"300.999 s old":        {300*time.Second + 999*time.Millisecond, ""},
		"301 s old":            {301 * time.Second, TimestampStale},
		"300 s ahead":          {-300 * time.Second, ""},
		"301 s ahead":          {-301 * time.Second, TimestampFuture},
		"300.001 s ahead":      {-300*time.Second - time.Millisecond, TimestampFuture},
		"a century old":        {100 * 365 * 24 * time.Hour, TimestampStale},
		"fifty years too soon": {-50 * 365 * 24 * time.Hour, TimestampFuture},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := verifierAt(t, signed.Add(tt.off), good.PublicKey).Verify(good.headers(), good.body)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			assertRefused(t, err, tt.want)
		})
	}
}

func TestVerifier_TellsHowFarTheClockIsOff(t *testing.T) {
	good := readVectors(t)[0]
	err := verifierAt(t, good.signedAt(t).Add(421*time.Second), good.PublicKey).Verify(good.headers(), good.body)
	refused, ok := errors.AsType[*SignatureError](err)
	if !ok || refused.Age != 421*time.Second {
		t.Fatalf("got %v, want an age of 421 s", err)
	}
	for _, want := range []string{"421 s ago", "300 s", "clock"} {
		if !strings.Contains(refused.Message, want) {
			t.Errorf("message %q lacks %q", refused.Message, want)
		}
	}
}

func TestVerifier_AcceptsEitherOfTwoKeys(t *testing.T) {
	vectors := readVectors(t)
	a, b := vectors[0], vectors[2]
	for _, v := range []vector{a, b} {
		verifier := verifierAt(t, v.signedAt(t), a.PublicKey, b.PublicKey)
		if err := verifier.Verify(v.headers(), v.body); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
	}
	assertRefused(t, verifierAt(t, b.signedAt(t), a.PublicKey).Verify(b.headers(), b.body), SignatureMismatch)
}

func TestVerifier_ReplacesItsKeysWhileItIsUsed(t *testing.T) {
	old, next := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32)), ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, 32))
	now := time.Unix(1_700_000_000, 0)
	v, err := NewVerifier([]PublicKey{PublicKeyOf(old)}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	body := []byte("{}")
	check := func(private ed25519.PrivateKey) (PublicKey, error) {
		claim, err := v.Claim(Sign(private, now, body))
		if err != nil {
			return PublicKey{}, err
		}
		return claim.Check(append(claim.AppendPrefix(nil), body...))
	}
	stop := make(chan struct{})
	var users sync.WaitGroup
	users.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if key, err := check(old); err != nil || key != PublicKeyOf(old) {
				t.Errorf("the key that stays: got %s, %v", key, err)
				return
			}
		}
	})
	_, err = check(next)
	assertRefused(t, err, SignatureMismatch)
	early, err := v.Claim(Sign(next, now, body))
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Replace([]PublicKey{PublicKeyOf(old), PublicKeyOf(next)}); err != nil {
		t.Fatal(err)
	}
	if key, err := check(next); err != nil || key != PublicKeyOf(next) {
		t.Errorf("the new key: got %s, %v", key, err)
	}
	if _, err := early.Check(append(early.AppendPrefix(nil), body...)); err == nil {
		t.Error("a claim made before the change was held against the new keys")
	}
	for _, keys := range [][]PublicKey{nil, {}, {PublicKeyOf(next), {}}} {
		if err := v.Replace(keys); err == nil {
			t.Errorf("%v: replaced", keys)
		}
	}
	if got, want := v.Keys(), []PublicKey{PublicKeyOf(old), PublicKeyOf(next)}; !slices.Equal(got, want) {
		t.Errorf("after faults: got %v, want %v", got, want)
	}
	close(stop)
	users.Wait()
	if err := v.Replace([]PublicKey{PublicKeyOf(next)}); err != nil {
		t.Fatal(err)
	}
	_, err = check(old)
	assertRefused(t, err, SignatureMismatch)
}

func TestVerifier_TakesTheSameHeaderTwice(t *testing.T) {
	good := readVectors(t)[0]
	h := good.headers()
	h.Add(TimestampHeader, good.Timestamp)
	h.Add(SignatureHeader, good.Signature)
	if err := verifierAt(t, good.signedAt(t), good.PublicKey).Verify(h, good.body); err != nil {
		t.Error(err)
	}
}

func TestVerifier_IsSafeForConcurrentUse(t *testing.T) {
	good := readVectors(t)[1]
	verifier := verifierAt(t, good.signedAt(t), good.PublicKey)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := verifier.Verify(good.headers(), good.body); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestNewVerifier_NeedsAKey(t *testing.T) {
	if _, err := NewVerifier(nil, time.Now); err == nil {
		t.Error("made a verifier without keys")
	}
	if _, err := NewVerifier([]PublicKey{{}}, time.Now); err == nil {
		t.Error("made a verifier with the zero key")
	}
}

func TestNewVerifier_TakesTheWallClockByDefault(t *testing.T) {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	v, err := NewVerifier([]PublicKey{PublicKeyOf(private)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Verify(Sign(private, time.Now(), nil), nil); err != nil {
		t.Error(err)
	}
}

// FuzzVerifier changes a valid delivery at will: nothing but the original may pass.
func FuzzVerifier(f *testing.F) {
	good := readVectors(f)[1]
	verifier := verifierAt(f, good.signedAt(f), good.PublicKey)
	f.Add(good.Timestamp, good.Signature, good.body)
	f.Add(good.Timestamp, good.Signature+"\n", good.body)
	f.Add("0"+good.Timestamp, good.Signature, good.body)
	f.Add(good.Timestamp+"|", good.Signature, good.body[1:])
	for _, v := range readVectors(f) {
		f.Add(v.Timestamp, v.Signature, v.body)
	}
	f.Fuzz(func(t *testing.T, timestamp, signature string, body []byte) {
		body = body[:min(len(body), 16<<10)] // long ones are slow
		h := http.Header{TimestampHeader: {timestamp}, SignatureHeader: {signature}}
		err := verifier.Verify(h, body)
		original := timestamp == good.Timestamp && signature == good.Signature && bytes.Equal(body, good.body)
		if (err == nil) != original {
			t.Fatalf("Verify = %v for timestamp %q, signature %q, body %q", err, timestamp, signature, body)
		}
		if err == nil {
			return
		}
		refused, ok := errors.AsType[*SignatureError](err)
		if !ok || refused.Code == "" || len(refused.Message) > 300 {
			t.Fatalf("refused with %#v, want a SignatureError with a code and a short message", err)
		}
	})
}

func assertRefused(t *testing.T, err error, want SignatureCode) {
	t.Helper()
	refused, ok := errors.AsType[*SignatureError](err)
	if !ok {
		t.Fatalf("got error %v, want %s", err, want)
	}
	if refused.Code != want {
		t.Errorf("got %s (%v), want %s", refused.Code, err, want)
	}
	if len(err.Error()) > 300 {
		t.Errorf("the error has %d characters, so it repeats the request", len(err.Error()))
	}
}

type spoil = func(http.Header, []byte) []byte

func without(header string) spoil {
	return func(h http.Header, body []byte) []byte { h.Del(header); return body }
}

func with(header string, values ...string) spoil {
	return func(h http.Header, body []byte) []byte { h[header] = values; return body }
}

func bodyTo(change func([]byte) []byte) spoil {
	return func(_ http.Header, body []byte) []byte { return change(body) }
}

// signing signs with private what bytesOf makes of timestamp and body.
func signing(private ed25519.PrivateKey, bytesOf func(timestamp string, body []byte) []byte) spoil {
	return func(h http.Header, body []byte) []byte {
		signature := ed25519.Sign(private, bytesOf(h.Get(TimestampHeader), bytes.Clone(body)))
		h.Set(SignatureHeader, base64.StdEncoding.EncodeToString(signature))
		return body
	}
}

func withHMAC(key string) spoil {
	return func(h http.Header, body []byte) []byte {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write(signedBytes(h.Get(TimestampHeader), body))
		h.Set(SignatureHeader, base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		return body
	}
}

func encoded(b []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(b)) }
