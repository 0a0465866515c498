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

// ErrNoEvents says that no event was ever stored on this NATS server.
var ErrNoEvents = errors.New("no event was ever stored here")

// lookerIdle is how long the server remembers somebody who reads events and is gone.
const lookerIdle = 30 * time.Second

// PastEvent is an event as the stream has it.
type PastEvent struct {
	Sequence uint64
	StoredAt time.Time
	// ID is Telnyx's id of the event, or what stands for one that no header can hold.
	ID string
	// Type is Telnyx's event_type; About is the campaign or brand, empty if it has none.
	Type, About string
	// ReplayOf is the sequence of which this is a replay, 0 if Telnyx posted it.
	ReplayOf uint64
	// Header and Body are the message's own. Do not change them.
	Header map[string][]string
	Body   []byte
}

// PastEvents visits the events that were stored since a time, the oldest first, and
// ends with the one that was the last when it was called. It reads beside the
// assigner's consumer and takes nothing from it.
func PastEvents(ctx context.Context, js jetstream.JetStream, since time.Time, visit func(PastEvent) error) error {
	stream, err := eventsStream(ctx, js)
	if err != nil {
		return err
	}
	last, err := stream.GetLastMsgForSubject(ctx, subjectEvents+">")
	if errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && last.Time.Before(since) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read stream %s: %w", StreamEvents, err)
	}
	return look(ctx, stream, startAt(since), func(e PastEvent) (goOn bool, err error) {
		if e.Sequence > last.Sequence {
			return false, nil
		}
		return e.Sequence < last.Sequence, visit(e)
	})
}

// FollowEvents visits events as they are stored, until ctx ends or visit returns
// false: those that come from now on, and before them those since a time, unless that
// is zero. It reads beside the assigner's consumer and takes nothing from it.
func FollowEvents(ctx context.Context, js jetstream.JetStream, since time.Time, visit func(PastEvent) (goOn bool, err error)) error {
	stream, err := eventsStream(ctx, js)
	if err != nil {
		return err
	}
	config := jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverNewPolicy}
	if !since.IsZero() {
		config = startAt(since)
	}
	return look(ctx, stream, config, visit)
}

func eventsStream(ctx context.Context, js jetstream.JetStream) (jetstream.Stream, error) {
	stream, err := js.Stream(ctx, StreamEvents)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, ErrNoEvents
	}
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", StreamEvents, err)
	}
	return stream, nil
}

func startAt(since time.Time) jetstream.OrderedConsumerConfig {
	if since.IsZero() {
		return jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy}
	}
	return jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &since}
}

// look visits events until visit has enough. Nothing is acknowledged and nothing is
// kept on the server: an ordered consumer is its reader's alone.
func look(ctx context.Context, stream jetstream.Stream, config jetstream.OrderedConsumerConfig, visit func(PastEvent) (bool, error)) error {
	config.FilterSubjects, config.InactiveThreshold = []string{subjectEvents + ">"}, lookerIdle
	consumer, err := stream.OrderedConsumer(ctx, config)
	if err != nil {
		return fmt.Errorf("read stream %s: %w", StreamEvents, err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("read stream %s: %w", StreamEvents, err)
	}
	defer messages.Stop()
	for {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, jetstream.ErrMsgIteratorClosed):
			return fmt.Errorf("read stream %s: %w", StreamEvents, err)
		case err != nil:
			sleep(ctx, pause) // the server is away; the reader goes on where it was
			continue
		}
		e, err := pastEvent(msg)
		if err != nil {
			return err
		}
		if goOn, err := visit(e); err != nil || !goOn {
			return err
		}
	}
}

func pastEvent(msg jetstream.Msg) (PastEvent, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return PastEvent{}, fmt.Errorf("read event %s: %w", msg.Subject(), err)
	}
	_, eventType, about := parseSubject(msg.Subject())
	of, _ := strconv.ParseUint(msg.Headers().Get(HeaderReplayed), 10, 64)
	return PastEvent{
		Sequence: meta.Sequence.Stream, StoredAt: meta.Timestamp, ID: msg.Headers().Get(jetstream.MsgIDHeader),
		Type: eventType, About: about, ReplayOf: of, Header: msg.Headers(), Body: msg.Data(),
	}, nil
}

// Replay stores an event once more, so that the assigner looks at what it is about as
// it did when Telnyx posted it. The copy is marked, has an id of its own, and keeps
// the proof that Telnyx sent it. Within [DedupeWindow] a second replay of the same
// event stores nothing, which the receipt tells.
func (p *Publisher) Replay(ctx context.Context, e PastEvent) (Receipt, error) {
	subject, err := EventSubject(e.Type, e.About)
	if err != nil {
		return Receipt{}, fmt.Errorf("replay event %d: %w", e.Sequence, err)
	}
	msg := &nats.Msg{Subject: subject, Data: e.Body, Header: nats.Header{}}
	for key, values := range e.Header {
		// JetStream's own headers were about the first storing, and a trace is over.
		if !isNATSHeader(key) && !strings.EqualFold(key, HeaderTraceParent) {
			msg.Header[key] = values
		}
	}
	msg.Header.Set(HeaderReplayed, strconv.FormatUint(e.Sequence, 10))
	ack, err := p.js.PublishMsg(ctx, msg, jetstream.WithExpectStream(StreamEvents),
		jetstream.WithMsgID(fmt.Sprintf("replayed-%d-%d", e.Sequence, e.StoredAt.UnixNano())))
	if err != nil {
		return Receipt{}, fmt.Errorf("replay event %d: %w", e.Sequence, err)
	}
	return Receipt{Sequence: ack.Sequence, Duplicate: ack.Duplicate}, nil
}
