package events

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ErrNoAssigner says that no assigner ever ran on this NATS server.
var ErrNoAssigner = errors.New("no assigner ever ran here")

// TakeOverPause ends a hold of the first edition of Greenlight, which paused the consumer,
// and reports whether there was one. Before that, while nothing is delivered, it calls
// store, which must store the hold that replaces the pause. If store fails, the pause
// remains.
func TakeOverPause(ctx context.Context, js jetstream.JetStream, store func(context.Context) error) (paused bool, err error) {
	if paused, err = isPaused(ctx, js); err != nil || !paused {
		return false, err
	}
	if err := store(ctx); err != nil {
		return true, fmt.Errorf("store the hold of a paused consumer: %w", err)
	}
	if _, err := js.ResumeConsumer(ctx, StreamEvents, ConsumerAssigner); err != nil {
		return true, fmt.Errorf("resume consumer %s: %w", ConsumerAssigner, err)
	}
	return true, nil
}

func isPaused(ctx context.Context, js jetstream.JetStream) (bool, error) {
	consumer, err := js.Consumer(ctx, StreamEvents, ConsumerAssigner)
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look up consumer %s: %w", ConsumerAssigner, err)
	}
	return consumer.CachedInfo().Paused, nil
}

// HeaderRequeued is on a message that was requeued: the sequence of its dead letter.
const HeaderRequeued = "Greenlight-Requeued-From"

// ErrNoDeadLetter is matched by the error for a dead letter that does not exist.
var ErrNoDeadLetter = errors.New("no such dead letter")

// StoredLetter is a dead letter in its stream.
type StoredLetter struct {
	// Sequence is its place in the stream, which commands take.
	Sequence uint64
	StoredAt time.Time
	// Subject is deadletter.<origin>.<reason>.
	Subject string
	Reason  string
	Detail  string
	// Attempts is how often it was tried.
	Attempts string
	// OriginSubject is the subject of the message, empty if it was never in a stream; see
	// [Requeue].
	OriginSubject string
	Header        map[string][]string
	Body          []byte
}

// DeadLetters visits all dead letters, oldest first.
func DeadLetters(ctx context.Context, js jetstream.JetStream, visit func(StoredLetter)) error {
	stream, err := js.Stream(ctx, StreamDeadLetters)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", StreamDeadLetters, err)
	}
	state := stream.CachedInfo().State
	for next := state.FirstSeq; next <= state.LastSeq; {
		msg, err := stream.GetMsg(ctx, next, jetstream.WithGetMsgSubject(">")) // that one or the first after it
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read dead letters from %d: %w", next, err)
		}
		visit(storedLetter(msg))
		next = msg.Sequence + 1
	}
	return nil
}

// DeadLetterAt returns one dead letter. The error for a missing one matches
// [ErrNoDeadLetter].
func DeadLetterAt(ctx context.Context, js jetstream.JetStream, sequence uint64) (StoredLetter, error) {
	stream, err := js.Stream(ctx, StreamDeadLetters)
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return StoredLetter{}, fmt.Errorf("look up stream %s: %w", StreamDeadLetters, err)
	}
	if err == nil {
		var msg *jetstream.RawStreamMsg
		if msg, err = stream.GetMsg(ctx, sequence); err == nil {
			return storedLetter(msg), nil
		}
	}
	if errors.Is(err, jetstream.ErrMsgNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return StoredLetter{}, fmt.Errorf("dead letter %d: %w", sequence, ErrNoDeadLetter)
	}
	return StoredLetter{}, fmt.Errorf("read dead letter %d: %w", sequence, err)
}

func storedLetter(msg *jetstream.RawStreamMsg) StoredLetter {
	return StoredLetter{
		Sequence: msg.Sequence, StoredAt: msg.Time, Subject: msg.Subject,
		Reason: msg.Header.Get(HeaderReason), Detail: msg.Header.Get(HeaderDetail), Attempts: msg.Header.Get(HeaderAttempts),
		OriginSubject: msg.Header.Get(HeaderOriginSubject), Header: msg.Header, Body: msg.Data,
	}
}

// Requeue stores the message of a dead letter in the stream of events again, and then
// deletes the letter: for a moment it is stored twice, but never lost. The first edition
// of Greenlight also stored letters about numbers, which have no message: for these,
// Requeue triggers a reconcile of campaignID. A letter with neither, for example a body
// that is not an event, is an error.
func Requeue(ctx context.Context, js jetstream.JetStream, letter StoredLetter, campaignID string) error {
	publisher := NewPublisher(js)
	if letter.OriginSubject == "" {
		if campaignID == "" {
			return fmt.Errorf("requeue dead letter %d: it has neither a message to publish again nor a campaign to reconcile", letter.Sequence)
		}
		if err := publisher.Trigger(ctx, KindCampaign, campaignID); err != nil {
			return fmt.Errorf("requeue dead letter %d: %w", letter.Sequence, err)
		}
	} else if err := publisher.republish(ctx, letter); err != nil {
		return fmt.Errorf("requeue dead letter %d: %w", letter.Sequence, err)
	}
	stream, err := js.Stream(ctx, StreamDeadLetters)
	if err == nil {
		err = stream.DeleteMsg(ctx, letter.Sequence)
	}
	if err != nil {
		// Another process may have deleted it.
		if _, goneErr := DeadLetterAt(ctx, js, letter.Sequence); errors.Is(goneErr, ErrNoDeadLetter) {
			return nil
		}
		return fmt.Errorf("delete dead letter %d, which was requeued: %w", letter.Sequence, err)
	}
	return nil
}

// republish stores the message of a dead letter, marked as requeued. Its id is new, since
// the stream remembers the old one.
func (p *Publisher) republish(ctx context.Context, letter StoredLetter) error {
	msg := &nats.Msg{Subject: letter.OriginSubject, Data: letter.Body, Header: nats.Header{}}
	for _, key := range []string{HeaderTimestamp, HeaderSignature, HeaderReceivedAt} {
		if values := letter.Header[key]; len(values) > 0 {
			msg.Header[key] = values
		}
	}
	msg.Header.Set(HeaderRequeued, strconv.FormatUint(letter.Sequence, 10))
	_, err := p.js.PublishMsg(ctx, msg, jetstream.WithMsgID(fmt.Sprintf("requeued-%d-%d", letter.Sequence, letter.StoredAt.UnixNano())))
	return err
}
