package events

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// HeaderReplayed is on an event that was replayed: the sequence that it had when
// Telnyx posted it.
const HeaderReplayed = "Greenlight-Replayed-From"

// ErrNoEvents says that the NATS server has no stream of events yet.
var ErrNoEvents = errors.New("no event was ever stored here")

const (
	// readerExpiry is how long the server keeps the consumer of a reader that died.
	readerExpiry = 30 * time.Second
	// readerPatience is how long a reader waits for a message before it asks the server
	// whether there is one: messages expire while they are read.
	readerPatience = 5 * time.Second
	// maxTypeTokens is how many tokens an event type may have for [About] to find it;
	// Telnyx's have two or three.
	maxTypeTokens = 4
)

// PastEvent is a message in the stream of events.
type PastEvent struct {
	Sequence uint64
	StoredAt time.Time
	// ID is Telnyx's event id, or its digest if it does not fit in a header.
	ID string
	// Kind is KindEvent unless the message is a trigger.
	Kind Kind
	// Type is Telnyx's event_type; About is the campaign or brand, empty if it has none.
	Type, About string
	// ReplayOf is the sequence of the event that this one replays, 0 if Telnyx posted it.
	ReplayOf uint64
	// Header and Body are the message's own. Do not change them.
	Header map[string][]string
	Body   []byte
}

// PastEvents visits the events stored since a time, oldest first. It ends with the last
// event that was stored when it was called.
func PastEvents(ctx context.Context, js jetstream.JetStream, since time.Time, visit func(PastEvent) error) error {
	stream, err := eventsStream(ctx, js)
	if err != nil {
		return err
	}
	return read(ctx, stream, since, []string{subjectEvents + ">"}, visit)
}

// About visits the events about the campaigns and brands with the given ids, events
// about numbers that name no campaign, and the reconciles of these campaigns that a
// person requested, oldest first. Events are kept for a week, requests for an hour.
// Before the stream exists there are none.
func About(ctx context.Context, js jetstream.JetStream, ids []string, visit func(PastEvent)) error {
	stream, err := eventsStream(ctx, js)
	if errors.Is(err, ErrNoEvents) {
		return nil
	}
	if err != nil {
		return err
	}
	return read(ctx, stream, time.Time{}, subjectsAbout(ids), func(e PastEvent) error {
		visit(e)
		return nil
	})
}

// FollowEvents visits events as they are stored, until ctx ends or visit returns false.
// It begins with those stored since a time, or with the next one if that is zero.
func FollowEvents(ctx context.Context, js jetstream.JetStream, since time.Time, visit func(PastEvent) (more bool, err error)) error {
	stream, err := eventsStream(ctx, js)
	if err != nil {
		return err
	}
	r, err := newReader(ctx, stream, since, jetstream.DeliverNewPolicy, []string{subjectEvents + ">"})
	if err != nil {
		return err
	}
	defer r.close(ctx)
	for {
		e, err := r.next(ctx)
		if errors.Is(err, errNothing) {
			continue
		}
		if err != nil {
			return err
		}
		if more, err := visit(e); err != nil || !more {
			return err
		}
	}
}

func eventsStream(ctx context.Context, js jetstream.JetStream) (jetstream.Stream, error) {
	stream, err := js.Stream(ctx, StreamEvents)
	if err = WhyMissing(ctx, js, err); errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, ErrNoEvents
	}
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", StreamEvents, err)
	}
	return stream, nil
}

// read visits the messages that were in the stream when it was looked up, since a time
// and under the subjects, oldest first.
func read(ctx context.Context, stream jetstream.Stream, since time.Time, subjects []string, visit func(PastEvent) error) error {
	r, err := newReader(ctx, stream, since, jetstream.DeliverAllPolicy, subjects)
	if err != nil {
		return err
	}
	defer r.close(ctx)
	for last := stream.CachedInfo().State.LastSeq; r.pending > 0; {
		e, err := r.next(ctx)
		switch {
		case errors.Is(err, errNothing):
			continue
		case err != nil:
			return err
		case e.Sequence > last:
			return nil
		}
		if err := visit(e); err != nil {
			return err
		}
	}
	return nil
}

// reader reads messages beside the assigner's consumer. It acknowledges nothing. Not safe
// for concurrent use.
type reader struct {
	stream   jetstream.Stream
	consumer jetstream.Consumer
	messages jetstream.MessagesContext
	// pending is how many messages were left after the last one that was read.
	pending uint64
}

// errNothing says that no message came for a while.
var errNothing = errors.New("no message")

// newReader reads the messages under the subjects, since a time or, if that is zero, by the
// policy.
func newReader(ctx context.Context, stream jetstream.Stream, since time.Time, policy jetstream.DeliverPolicy, subjects []string) (*reader, error) {
	config := jetstream.OrderedConsumerConfig{FilterSubjects: subjects, DeliverPolicy: policy, InactiveThreshold: readerExpiry}
	if !since.IsZero() {
		config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &since
	}
	consumer, err := stream.OrderedConsumer(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", StreamEvents, err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", StreamEvents, err)
	}
	return &reader{stream: stream, consumer: consumer, messages: messages, pending: consumer.CachedInfo().NumPending}, nil
}

// next returns the next message, or errNothing if none came or the server is away; the
// reader then continues where it was.
func (r *reader) next(ctx context.Context) (PastEvent, error) {
	waiting, cancel := context.WithTimeout(ctx, readerPatience)
	defer cancel()
	msg, err := r.messages.Next(jetstream.NextContext(waiting))
	switch {
	case ctx.Err() != nil:
		return PastEvent{}, context.Cause(ctx)
	case errors.Is(err, jetstream.ErrMsgIteratorClosed):
		return PastEvent{}, fmt.Errorf("read stream %s: %w", StreamEvents, err)
	case err != nil:
		sleep(ctx, pause)
		if info, err := r.consumer.Info(ctx); err == nil {
			r.pending = info.NumPending
		}
		return PastEvent{}, errNothing
	}
	meta, err := msg.Metadata()
	if err != nil {
		return PastEvent{}, fmt.Errorf("read event %s: %w", msg.Subject(), err)
	}
	r.pending = meta.NumPending
	return pastEvent(msg, meta), nil
}

// close removes the consumer; the server would do so after readerExpiry.
func (r *reader) close(ctx context.Context) {
	r.messages.Stop()
	_ = r.stream.DeleteConsumer(ctx, r.consumer.CachedInfo().Name)
}

func pastEvent(msg jetstream.Msg, meta *jetstream.MsgMetadata) PastEvent {
	kind, eventType, about := parseSubject(msg.Subject())
	of, _ := strconv.ParseUint(msg.Headers().Get(HeaderReplayed), 10, 64)
	return PastEvent{
		Sequence: meta.Sequence.Stream, StoredAt: meta.Timestamp, ID: msg.Headers().Get(jetstream.MsgIDHeader),
		Kind: kind, Type: eventType, About: about, ReplayOf: of, Header: msg.Headers(), Body: msg.Data(),
	}
}

// subjectsAbout lists the subjects of all that [About] visits. It skips ids that do not
// fit in a subject.
func subjectsAbout(ids []string) []string {
	subjects := []string{subjectEvents + "10dlc.phone_number.*." + noID}
	seen := map[string]bool{"": true}
	for _, id := range ids {
		if seen[id] || !isToken(id) || id == noID {
			continue
		}
		seen[id] = true
		eventType := ""
		for range maxTypeTokens {
			eventType += "*."
			subjects = append(subjects, subjectEvents+eventType+id)
		}
		subjects = append(subjects, subjectTriggers+string(KindCampaign)+"."+id)
	}
	return subjects
}

// Message returns the event as it was published, without its trace, which has ended. A
// stream drops it if it got an event with this id in [DedupeWindow].
func (e PastEvent) Message() (*nats.Msg, error) {
	subject, err := eventSubject(e.Type, e.About)
	if err != nil {
		return nil, fmt.Errorf("event %d: %w", e.Sequence, err)
	}
	msg := &nats.Msg{Subject: subject, Data: e.Body, Header: nats.Header{}}
	for key, values := range e.Header {
		// JetStream's own headers were about the first storing.
		if !isNATSHeader(key) && !strings.EqualFold(key, HeaderTraceParent) {
			msg.Header[key] = values
		}
	}
	msg.Header.Set(jetstream.MsgIDHeader, e.ID)
	return msg, nil
}

// Replay stores an event once more, so that the assigner reconciles its campaign again.
// The copy is marked, has its own id, and keeps the proof that Telnyx sent it. A second
// replay of the same event within [DedupeWindow] stores nothing, as the receipt says.
func (p *Publisher) Replay(ctx context.Context, e PastEvent) (Receipt, error) {
	msg, err := e.Message()
	if err != nil {
		return Receipt{}, fmt.Errorf("replay: %w", err)
	}
	msg.Header.Set(HeaderReplayed, strconv.FormatUint(e.Sequence, 10))
	ack, err := p.js.PublishMsg(ctx, msg, jetstream.WithExpectStream(StreamEvents),
		jetstream.WithMsgID(fmt.Sprintf("replayed-%d-%d", e.Sequence, e.StoredAt.UnixNano())))
	if err != nil {
		return Receipt{}, fmt.Errorf("replay event %d: %w", e.Sequence, err)
	}
	return Receipt{Sequence: ack.Sequence, Duplicate: ack.Duplicate}, nil
}
