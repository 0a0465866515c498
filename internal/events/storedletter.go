package events

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/telnyx"
)

// HeaderRequeued is on a message that was requeued: the sequence of its dead letter.
const HeaderRequeued = "Greenlight-Requeued-From"

var (
	// ErrNoDeadLetter is matched by the error for a dead letter that does not exist.
	ErrNoDeadLetter = errors.New("no such dead letter; greenlight deadletters list shows those that are stored")
	// ErrNotRequeued is matched by the error for a dead letter that cannot be requeued.
	ErrNotRequeued = errors.New("it has neither an event to process again nor a campaign to reconcile")
	// ErrDiscarded is matched by the error for a dead letter that was discarded before.
	ErrDiscarded = errors.New("it was discarded")
)

// StoredLetter is a dead letter in its stream.
type StoredLetter struct {
	// Sequence is its place in the stream, which commands take.
	Sequence uint64
	StoredAt time.Time
	// Subject is deadletter.<origin>.<reason>, or deadletter.discarded.<reason>.
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
	// Discarded is nil while it waits for a person.
	Discarded *Discarded
}

// Discarded says who discarded a dead letter, and why.
type Discarded struct {
	// Sequence is the one that the dead letter had before.
	Sequence uint64    `json:"sequence"`
	By       string    `json:"by"`
	At       time.Time `json:"at"`
	Reason   string    `json:"reason,omitempty"`
}

// DeadLetters visits all dead letters, oldest first, also discarded ones.
func DeadLetters(ctx context.Context, js jetstream.JetStream, visit func(StoredLetter)) error {
	stream, err := js.Stream(ctx, StreamDeadLetters)
	if err = WhyMissing(ctx, js, err); errors.Is(err, jetstream.ErrStreamNotFound) {
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
	err = WhyMissing(ctx, js, err)
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
	letter := StoredLetter{
		Sequence: msg.Sequence, StoredAt: msg.Time, Subject: msg.Subject,
		Reason: msg.Header.Get(HeaderReason), Detail: msg.Header.Get(HeaderDetail), Attempts: msg.Header.Get(HeaderAttempts),
		OriginSubject: msg.Header.Get(HeaderOriginSubject), Header: msg.Header, Body: msg.Data,
	}
	if strings.HasPrefix(msg.Subject, subjectDiscarded) {
		letter.Discarded = new(Discarded)
		_ = json.Unmarshal([]byte(msg.Header.Get(headerDiscarded)), letter.Discarded) // a fault leaves out who and why
	}
	return letter
}

// WaitingDeadLetters returns how many letters in the stream of dead letters were not
// discarded.
func WaitingDeadLetters(ctx context.Context, stream jetstream.Stream) (uint64, error) {
	all := stream.CachedInfo().State.Msgs
	if all == 0 {
		return 0, nil
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(subjectDiscarded+">"))
	if err != nil {
		return 0, fmt.Errorf("count discarded dead letters: %w", err)
	}
	waiting := info.State.Msgs
	for _, n := range info.State.Subjects {
		waiting -= min(n, waiting)
	}
	return waiting, nil
}

// headerDiscarded has the JSON of [Discarded].
const headerDiscarded = "Greenlight-Discarded"

// Discard deletes a dead letter, and stores without its body that it was discarded. It
// deletes first, since it must work in a full stream. The error for one that was discarded
// before matches [ErrDiscarded].
func Discard(ctx context.Context, js jetstream.JetStream, letter StoredLetter, by, reason string) error {
	if letter.Discarded != nil {
		return fmt.Errorf("discard dead letter %d: %w", letter.Sequence, ErrDiscarded)
	}
	mark, err := json.Marshal(Discarded{Sequence: letter.Sequence, By: by, At: time.Now().UTC(), Reason: reason})
	if err != nil {
		return err
	}
	stream, err := js.Stream(ctx, StreamDeadLetters)
	if err == nil {
		err = stream.DeleteMsg(ctx, letter.Sequence)
	}
	if err != nil {
		return fmt.Errorf("discard dead letter %d: %w", letter.Sequence, err)
	}
	msg := nats.NewMsg(subjectDiscarded + cmp.Or(letter.Reason, "unknown"))
	for key, values := range letter.Header {
		if !isNATSHeader(key) {
			msg.Header[key] = values
		}
	}
	msg.Header.Set(headerDiscarded, string(mark))
	if _, err := js.PublishMsg(ctx, msg, jetstream.WithExpectStream(StreamDeadLetters)); err != nil {
		return fmt.Errorf("dead letter %d was deleted, but who discarded it could not be stored: %w", letter.Sequence, err)
	}
	return nil
}

// Requeue stores the message of a dead letter in the stream of events again, and then
// deletes the letter: for a moment it is stored twice, but never lost. The first edition
// of Greenlight also stored letters about numbers, which have no message: for these,
// Requeue triggers a reconcile of campaignID. A letter with neither, for example a body
// that is not an event, matches [ErrNotRequeued], and a discarded one [ErrDiscarded].
func Requeue(ctx context.Context, js jetstream.JetStream, letter StoredLetter, campaignID string) error {
	if letter.Discarded != nil {
		return fmt.Errorf("requeue dead letter %d: %w", letter.Sequence, ErrDiscarded)
	}
	publisher := NewPublisher(js)
	if letter.OriginSubject == "" {
		if campaignID == "" {
			return fmt.Errorf("requeue dead letter %d: %w", letter.Sequence, ErrNotRequeued)
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
	for _, key := range []string{telnyx.TimestampHeader, telnyx.SignatureHeader, HeaderReceivedAt} {
		if values := letter.Header[key]; len(values) > 0 {
			msg.Header[key] = values
		}
	}
	msg.Header.Set(HeaderRequeued, strconv.FormatUint(letter.Sequence, 10))
	_, err := p.js.PublishMsg(ctx, msg, jetstream.WithMsgID(fmt.Sprintf("requeued-%d-%d", letter.Sequence, letter.StoredAt.UnixNano())))
	return err
}
