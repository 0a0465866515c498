package webhook_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"greenlight/internal/events"
	"greenlight/internal/telnyx"
	"greenlight/internal/webhook"
)

// The ways in which FuzzWebhook turns a body into a delivery.
const (
	mutateNothing = iota
	mutateAge     // signed so many seconds from now
	mutateUnsigned
	mutateStranger
	mutateBody      // one bit of the body is flipped
	mutateTimestamp // the text replaces the timestamp
	mutateSignature // the text replaces the signature
	mutateTwice     // both headers twice
	mutateSecond    // the text is a second signature
	mutations
)

// FuzzWebhook posts anything: each answer is in the contract, a body that Telnyx did not
// sign within 300 s is never stored, and an accepted body is in the stream byte for byte.
func FuzzWebhook(f *testing.F) {
	for _, body := range fixtures(f) {
		f.Add(body, byte(mutateNothing), int16(0), "")
	}
	for mutation := range byte(mutations) {
		f.Add(verified(f, "id-1"), mutation, int16(301), "1723051358")
		f.Add([]byte(`{"campaignId":"C6X6M95"}`), mutation, int16(-301), "")
	}
	for _, number := range []int16{-32768, -301, -300, 0, 300, 301, 32767} {
		f.Add(verified(f, "id-1"), byte(mutateAge), number, "")
	}
	for _, text := range []string{"", " ", "0", "-1", "999999999999", "1723051358 ", "a\r\nb: c", strings.Repeat("A", 86) + "==", "é", "\x00"} {
		f.Add(verified(f, "id-1"), byte(mutateTimestamp), int16(0), text)
		f.Add(verified(f, "id-1"), byte(mutateSignature), int16(0), text)
		f.Add(envelope(f, "10dlc."+text, text, text), byte(mutateNothing), int16(0), "")
		f.Add(envelope(f, text, "id", text), byte(mutateTwice), int16(0), "")
	}
	for _, body := range []string{
		"", "null", "[]", "{}", `{"data":null}`, `{"data":{"event_type":"10dlc.\ud800"}}`, `{"campaignId":"a.b"}`, "\xff",
		`{"data":{"event_type":"10dlc` + strings.Repeat(".a", 3000) + `"}}`, strings.Repeat("[", 20_000),
	} {
		f.Add([]byte(body), byte(mutateNothing), int16(0), "")
	}
	d := open(f)
	d.rememberIDs()
	handler := d.hook.Handler()
	dead := map[string]bool{} // bodies that are, or were, dead letters
	f.Fuzz(func(t *testing.T, body []byte, mutation byte, number int16, text string) {
		d.t = t
		defer func() { d.t = f }()
		h, sent, genuine := mutate(body, mutation, number, text)
		request := httptest.NewRequest(http.MethodPost, webhook.Path, bytes.NewReader(sent))
		for key, values := range h {
			request.Header[key] = values
		}
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)
		got, err := readAnswer(recorder.Code, recorder.Header(), recorder.Body.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if log := d.drainLog(); strings.Contains(log, signed(body).Get(telnyx.SignatureHeader)) {
			t.Error("the log has the signature in it")
		}
		kept, letters := d.take(events.StreamEvents), d.take(events.StreamDeadLetters)
		switch {
		case len(sent) > webhook.DefaultMaxBody:
			assertAnswer(t, got, tooLarge)
		case !genuine && got.Status != http.StatusUnauthorized:
			t.Errorf("a delivery that Telnyx did not sign now was answered %v", got)
		case genuine && got.Status != http.StatusOK:
			t.Errorf("a genuine delivery was answered %v", got)
		}
		wantKept, wantLetters := 0, 0
		switch got {
		case accepted:
			wantKept = 1
		case deadLettered:
			if !dead[string(sent)] { // a copy gets the same answer and is not stored
				wantLetters = 1
			}
			dead[string(sent)] = true
		}
		if len(kept) != wantKept || len(letters) != wantLetters {
			t.Fatalf("answered %v: %d events and %d dead letters stored, want %d and %d", got, len(kept), len(letters), wantKept, wantLetters)
		}
		for _, m := range append(kept, letters...) {
			if m.Body != string(sent) {
				t.Errorf("stored %q, want %q", m.Body, sent)
			}
		}
	})
}

// mutate turns the body into a delivery. genuine says that its signature must be accepted.
func mutate(body []byte, mutation byte, number int16, text string) (h http.Header, sent []byte, genuine bool) {
	h = signed(body)
	switch mutation % mutations {
	case mutateAge:
		return telnyx.Sign(telnyxKey, now.Add(time.Duration(number)*time.Second), body), body, -300 <= number && number <= 300
	case mutateUnsigned:
		return http.Header{}, body, false
	case mutateStranger:
		return telnyx.Sign(strangerKey, now, body), body, false
	case mutateBody:
		if len(body) == 0 {
			return h, []byte{1}, false
		}
		sent = bytes.Clone(body)
		sent[int(uint16(number)/8)%len(sent)] ^= 1 << (uint16(number) % 8)
		return h, sent, false
	case mutateTimestamp:
		genuine = h.Get(telnyx.TimestampHeader) == text
		h.Set(telnyx.TimestampHeader, text)
		return h, body, genuine
	case mutateSignature:
		genuine = h.Get(telnyx.SignatureHeader) == text
		h.Set(telnyx.SignatureHeader, text)
		return h, body, genuine
	case mutateTwice:
		h.Add(telnyx.TimestampHeader, h.Get(telnyx.TimestampHeader))
		h.Add(telnyx.SignatureHeader, h.Get(telnyx.SignatureHeader))
		return h, body, true
	case mutateSecond:
		genuine = h.Get(telnyx.SignatureHeader) == text
		h.Add(telnyx.SignatureHeader, text)
		return h, body, genuine
	default:
		return h, body, true
	}
}

// rememberIDs makes the streams remember ids for longer than a fuzzing run, as the fuzz
// targets do: a stream rightly stores an id again that it no longer remembers.
func (d *door) rememberIDs() {
	d.t.Helper()
	for _, name := range []string{events.StreamEvents, events.StreamDeadLetters} {
		stream, err := d.js.Stream(context.Background(), name)
		if err != nil {
			d.t.Fatal(err)
		}
		cfg := stream.CachedInfo().Config
		cfg.Duplicates = 24 * time.Hour
		if _, err := d.js.UpdateStream(context.Background(), cfg); err != nil {
			d.t.Fatal(err)
		}
	}
}

// take returns and removes the stream's messages, so that a long run does not fill it.
func (d *door) take(name string) []message {
	d.t.Helper()
	messages := d.stored(name)
	if len(messages) == 0 {
		return nil
	}
	stream, err := d.js.Stream(context.Background(), name)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := stream.Purge(context.Background()); err != nil {
		d.t.Fatal(err)
	}
	return messages
}

// drainLog returns and empties the log, so that a long run does not fill the memory.
func (d *door) drainLog() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	log := d.log.String()
	d.log.Reset()
	return log
}
