package events

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/telnyx"
)

// Headers of a stored event, beside JetStream's own Nats-Msg-Id and Telnyx's, unchanged.
const (
	// HeaderReceivedAt is when the webhook had read the body, in RFC 3339 with
	// nanoseconds, UTC.
	HeaderReceivedAt = "Greenlight-Received-At"
	// HeaderTraceParent continues a trace, if there is one
	// (https://www.w3.org/TR/trace-context/).
	HeaderTraceParent = "traceparent"
)

// triggerTTL is how long a trigger is kept. An assigner reconciles everything when it
// starts, so an old trigger is worthless.
const triggerTTL = time.Hour

// Event is a verified notification, ready to be stored.
type Event struct {
	// ID is Telnyx's event id; copies with the same id are stored once in
	// [DedupeWindow].
	ID string
	// Type is Telnyx's event_type, for example 10dlc.campaign.update.
	Type string
	// About is the id of the campaign or brand, empty if it has none.
	About string
	// ReceivedAt is when the webhook had read the body.
	ReceivedAt time.Time
	// Timestamp and Signature are the headers that prove the body.
	Timestamp, Signature string
	// TraceParent is the trace of the delivery, empty if there is none.
	TraceParent string
	// Body is what Telnyx posted, byte for byte.
	Body []byte
}

// Receipt says where an event is stored.
type Receipt struct {
	// Sequence is the event's place in the stream.
	Sequence uint64
	// Duplicate says that a copy of the event was stored before this one.
	Duplicate bool
}

// Publisher stores events, triggers and dead letters. Safe for concurrent use.
type Publisher struct {
	js  jetstream.JetStream
	now func() time.Time
	// clock is how far the server's clock is ahead of ours, and when that was measured.
	clock struct {
		mu       sync.Mutex
		ahead    time.Duration
		compared time.Time
	}
}

// NewPublisher returns a publisher on js. The streams must exist; see
// [EnsureStreams].
func NewPublisher(js jetstream.JetStream) *Publisher {
	return &Publisher{js: js, now: time.Now}
}

// Publish stores the event and waits for the stream's acknowledgement. After an error it
// is unknown whether the event was stored: publish it again, which its id makes harmless.
// The error for a type or id that does not fit in a subject matches [ErrSubject].
func (p *Publisher) Publish(ctx context.Context, e Event) (Receipt, error) {
	msg, err := e.message()
	if err != nil {
		return Receipt{}, err
	}
	receipt, err := p.store(ctx, msg, StreamEvents)
	if err != nil {
		return Receipt{}, fmt.Errorf("publish event %.100q: %w", e.ID, err)
	}
	return receipt, nil
}

// store publishes the message and waits for the stream's acknowledgement until ctx ends.
// It calls the client from a goroutine, since the client ignores ctx while a write to the
// connection blocks.
func (p *Publisher) store(ctx context.Context, msg *nats.Msg, stream string) (Receipt, error) {
	type answer struct {
		ack *jetstream.PubAck
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		ack, err := p.js.PublishMsg(ctx, msg)
		answers <- answer{ack, err}
	}()
	select {
	case a := <-answers:
		if a.err != nil {
			return Receipt{}, a.err
		}
		if a.ack.Stream != stream {
			return Receipt{}, wrongStream(a.ack.Stream, stream)
		}
		return Receipt{Sequence: a.ack.Sequence, Duplicate: a.ack.Duplicate}, nil
	case <-ctx.Done():
		return Receipt{}, ctx.Err()
	}
}

func wrongStream(got, want string) error {
	return fmt.Errorf("stream %.100q acknowledged it instead of %s", got, want)
}

// message returns the event as it is stored.
func (e Event) message() (*nats.Msg, error) {
	subject, err := eventSubject(e.Type, e.About)
	if err != nil {
		return nil, fmt.Errorf("publish event %.100q: %w", e.ID, err)
	}
	header := nats.Header{
		telnyx.TimestampHeader: {e.Timestamp},
		telnyx.SignatureHeader: {e.Signature},
		HeaderReceivedAt:       {e.ReceivedAt.UTC().Format(time.RFC3339Nano)},
		jetstream.MsgIDHeader:  {messageID(e.ID)},
	}
	if e.TraceParent != "" {
		header[HeaderTraceParent] = []string{e.TraceParent}
	}
	return &nats.Msg{Subject: subject, Data: e.Body, Header: header}, nil
}

// Trigger stores a trigger for the assigner; see [TriggerSubject] for kind and
// id. Triggers expire after an hour.
func (p *Publisher) Trigger(ctx context.Context, kind Kind, id string) error {
	subject, err := TriggerSubject(kind, id)
	if err != nil {
		return fmt.Errorf("publish %s trigger: %w", kind, err)
	}
	_, err = p.js.PublishMsg(ctx, nats.NewMsg(subject),
		jetstream.WithExpectStream(StreamTriggers), jetstream.WithMsgTTL(triggerTTL))
	if err != nil {
		return fmt.Errorf("publish trigger %s: %w", subject, err)
	}
	return nil
}

// messageID returns the event's id if it fits in a header, else its digest: an id from
// outside can contain anything.
func messageID(id string) string {
	if isToken(id) {
		return id
	}
	digest := sha256.Sum256([]byte(id))
	return "sha256-" + hex.EncodeToString(digest[:])
}
