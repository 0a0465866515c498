package webhook_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/events/embedded"
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
	c := openCopied(f)
	handler := c.hook.Handler()
	dead := map[[sha256.Size]byte]bool{} // bodies that are, or were, dead letters
	f.Fuzz(func(t *testing.T, body []byte, mutation byte, number int16, text string) {
		c.t = t
		defer func() { c.t = f }()
		if c.begin() {
			clear(dead)
		}
		body, text = body[:min(len(body), fuzzLongest)], text[:min(len(text), fuzzLongest)]
		h := signed(body)
		signature := h.Get(telnyx.SignatureHeader)
		h, sent, genuine := mutate(h, body, mutation, number, text)
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
		if log := c.drainLog(); strings.Contains(log, signature) {
			t.Error("the log has the signature in it")
		}
		kept, letters := c.take()
		switch {
		case len(sent) > fuzzMaxBody:
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
			digest := sha256.Sum256(sent)
			if !dead[digest] { // a copy gets the same answer and is not stored
				wantLetters = 1
			}
			dead[digest] = true
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

// mutate turns the body and its headers, signed now, into a delivery. genuine says that its
// signature must be accepted.
func mutate(h http.Header, body []byte, mutation byte, number int16, text string) (_ http.Header, sent []byte, genuine bool) {
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

const (
	// fuzzMaxBody is the webhook's largest body: small, so that executions are fast, and
	// over what is read at first.
	fuzzMaxBody = 20 << 10
	// fuzzLongest is the length at which inputs are cut.
	fuzzLongest = fuzzMaxBody + 1<<10
	// fuzzKept is how many messages the streams keep.
	fuzzKept = 32
	// fuzzRenew is the number of executions after which the streams are created again:
	// the ids that they remember take memory.
	fuzzRenew = 20_000
)

// copied is a door with a copy of each message that its streams store. The server sends the
// copy on the webhook's own connection and before it acknowledges the message, so it is there
// when the webhook answers. To read the streams instead would take most of the time.
type copied struct {
	*door
	copies chan *nats.Msg
	runs   int
	newest map[string][]message // the last fuzzKept copies, by stream
}

func openCopied(f *testing.F, changes ...func(*setup)) *copied {
	f.Helper()
	c := &copied{copies: make(chan *nats.Msg, 1000), newest: map[string][]message{}}
	c.door = open(f, append(changes, func(s *setup) {
		s.config.MaxBody = fuzzMaxBody
		connect := s.connect
		s.connect = func(server *embedded.Server) (*nats.Conn, error) {
			nc, err := connect(server)
			if err != nil {
				return nil, err
			}
			_, err = nc.ChanSubscribe("copy.>", c.copies)
			return nc, err
		}
	})...)
	c.renew()
	f.Cleanup(c.compareNewest)
	return c
}

// begin starts an execution. After fuzzRenew of them it creates the streams again, which then
// remember no ids, and returns true.
func (c *copied) begin() (renewed bool) {
	c.t.Helper()
	c.runs++
	if c.runs%fuzzRenew != 0 {
		return false
	}
	c.compareNewest()
	c.renew()
	return true
}

// renew creates the streams in memory. They remember ids until they are deleted: a stream
// rightly stores an id again that it no longer remembers.
func (c *copied) renew() {
	c.t.Helper()
	ctx := context.Background()
	for _, cfg := range events.Settings() {
		if err := c.js.DeleteStream(ctx, cfg.Name); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			c.t.Fatal(err)
		}
		if cfg.Name == events.StreamTriggers {
			continue
		}
		cfg.Storage, cfg.Discard, cfg.MaxBytes, cfg.MaxMsgs = jetstream.MemoryStorage, jetstream.DiscardOld, -1, fuzzKept
		cfg.Sources, cfg.Duplicates = nil, 24*time.Hour
		cfg.RePublish = &jetstream.RePublish{Destination: "copy.>"}
		if _, err := c.js.CreateStream(ctx, cfg); err != nil {
			c.t.Fatal(err)
		}
	}
	clear(c.newest)
}

// take returns what was stored since the last call.
func (c *copied) take() (kept, letters []message) {
	for {
		select {
		case copied := <-c.copies:
			stream := copied.Header.Get(jetstream.StreamHeader)
			m := message{copied.Header.Get(jetstream.SubjectHeader), copied.Header, string(copied.Data)}
			for _, own := range []string{jetstream.SequenceHeader, jetstream.StreamHeader, jetstream.SubjectHeader, jetstream.TimeStampHeaer, jetstream.LastSequenceHeader} {
				m.Header.Del(own)
			}
			if stream == events.StreamEvents {
				kept = append(kept, m)
			} else {
				letters = append(letters, m)
			}
			newest := append(c.newest[stream], m)
			c.newest[stream] = newest[max(0, len(newest)-fuzzKept):]
		default:
			return kept, letters
		}
	}
}

// compareNewest compares what the streams hold with the copies.
func (c *copied) compareNewest() {
	c.t.Helper()
	for _, stream := range []string{events.StreamEvents, events.StreamDeadLetters} {
		if diff := cmp.Diff(c.newest[stream], c.stored(stream)); diff != "" {
			c.t.Errorf("%s (-copies +stored):\n%s", stream, clip(diff))
		}
	}
}

// drainLog returns and empties the log, so that a long run does not fill the memory.
func (d *door) drainLog() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	log := d.log.String()
	d.log.Reset()
	return log
}
