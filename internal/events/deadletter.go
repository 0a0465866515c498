package events

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Headers of a dead letter.
const (
	HeaderReason         = "Greenlight-Reason"
	HeaderDetail         = "Greenlight-Detail"
	HeaderAttempts       = "Greenlight-Attempts"
	HeaderOriginSubject  = "Greenlight-Origin-Subject"
	HeaderOriginSequence = "Greenlight-Origin-Sequence"
	HeaderDeadAt         = "Greenlight-Dead-At"
)

// maxDetail limits the error text of a dead letter, in bytes.
const maxDetail = 1024

// DeadLetter is a message that could not be handled, kept for a person.
type DeadLetter struct {
	// Origin is the part that gave up: webhook or assigner.
	Origin string
	// Reason is one word, for example not_an_event; it is part of the subject.
	Reason string
	// Detail says more, for people.
	Detail string
	// Attempts is how often it was tried.
	Attempts int
	// Key identifies copies of the same dead letter: only one is kept in [DedupeWindow].
	// Without a key, each is kept.
	Key string
	// OriginSubject and OriginSequence locate the message in its stream; zero if it was
	// never stored.
	OriginSubject  string
	OriginSequence uint64
	// Header is the message's header, unchanged.
	Header map[string][]string
	// Body is the message's body, byte for byte.
	Body []byte
}

// DeadLetter stores the letter and waits for the stream's acknowledgement.
func (p *Publisher) DeadLetter(ctx context.Context, letter DeadLetter) error {
	if !isToken(letter.Origin) || !isToken(letter.Reason) {
		return fmt.Errorf("store dead letter: origin %q and reason %q must be plain words", letter.Origin, letter.Reason)
	}
	msg := nats.NewMsg(subjectDeadLetters + letter.Origin + "." + letter.Reason)
	msg.Data = letter.Body
	for key, values := range letter.Header {
		// JetStream would obey its own headers again.
		if !isNATSHeader(key) {
			msg.Header[key] = values
		}
	}
	msg.Header.Set(HeaderReason, letter.Reason)
	msg.Header.Set(HeaderDetail, headerText(letter.Detail))
	msg.Header.Set(HeaderAttempts, strconv.Itoa(letter.Attempts))
	msg.Header.Set(HeaderDeadAt, time.Now().UTC().Format(time.RFC3339Nano))
	if letter.OriginSubject != "" {
		msg.Header.Set(HeaderOriginSubject, letter.OriginSubject)
		msg.Header.Set(HeaderOriginSequence, strconv.FormatUint(letter.OriginSequence, 10))
	}
	msg.Header.Set(jetstream.ExpectedStreamHeader, StreamDeadLetters)
	if letter.Key != "" {
		msg.Header.Set(jetstream.MsgIDHeader, messageID(letter.Key))
	}
	if _, err := p.store(ctx, msg, StreamDeadLetters); err != nil {
		return fmt.Errorf("store dead letter (%s, %s): %w", letter.Origin, letter.Reason, err)
	}
	return nil
}

func isNATSHeader(key string) bool {
	return len(key) >= 5 && (key[:5] == "Nats-" || key[:5] == "nats-")
}

// headerText returns a text that fits in a header: one line of limited length.
func headerText(text string) string {
	if len(text) > maxDetail {
		text = text[:maxDetail]
	}
	clean := make([]rune, 0, len(text))
	for _, r := range text {
		if r < ' ' || r == 0x7f {
			r = ' '
		}
		clean = append(clean, r)
	}
	return string(clean)
}
