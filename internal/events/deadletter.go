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

// maxDetail bounds the text that a dead letter keeps of an error.
const maxDetail = 1024

// DeadLetter is something that nobody could handle, kept for a person.
type DeadLetter struct {
	// Origin is who gave up: webhook or assigner.
	Origin string
	// Reason is a word such as not_an_event; it is part of the subject.
	Reason string
	// Detail is a sentence for a person.
	Detail string
	// Attempts is how often it was tried.
	Attempts int
	// Key tells copies of the same dead letter: one of them is kept in
	// [DedupeWindow]. Empty means that each is its own.
	Key string
	// OriginSubject and OriginSequence are the place of the message in its stream, zero
	// for what was never stored there.
	OriginSubject  string
	OriginSequence uint64
	// Header is the message's own header, kept as it was.
	Header map[string][]string
	// Body is the message's own body, byte for byte.
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
		// JetStream's own headers were about the origin's storage and would be
		// obeyed again.
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

// headerText makes a text fit for a header: one line, bounded.
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
