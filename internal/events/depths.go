package events

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Room is how full a stream is, in bytes.
type Room struct {
	Used int64
	// Limit is the stream's limit; zero or less if it has none.
	Limit int64
}

// RoomOf returns the room in a stream.
func RoomOf(info *jetstream.StreamInfo) Room {
	return Room{Used: int64(info.State.Bytes), Limit: info.Config.MaxBytes}
}

// Full reports whether a message of the largest size would be refused.
func (r Room) Full() bool { return r.Limit > 0 && r.Limit-r.Used < eventsMaxMsgSize }

// RoomForEvents returns nil if JetStream answers and the stream of events has room, else an
// error for people.
func RoomForEvents(ctx context.Context, js jetstream.JetStream) error {
	stream, err := js.Stream(ctx, StreamEvents)
	if err != nil {
		return fmt.Errorf("stream %s cannot be reached: %w", StreamEvents, err)
	}
	return fullness(stream, "new events are answered 503 until old ones expire; find out who posts so many")
}

// RoomForDeadLetters returns an error for people if the stream of dead letters is full, else
// nil, also if the server does not answer.
func RoomForDeadLetters(ctx context.Context, js jetstream.JetStream) error {
	stream, err := js.Stream(ctx, StreamDeadLetters)
	if err != nil {
		return nil // other checks report it
	}
	return fullness(stream, "signed bodies that are not events are answered 503, and messages that cannot be handled come again; run greenlight deadletters list")
}

// fullness returns an error with the consequence if the stream is full.
func fullness(stream jetstream.Stream, consequence string) error {
	info := stream.CachedInfo()
	if room := RoomOf(info); room.Full() {
		return fmt.Errorf("stream %s is full (%d of %d bytes): %s", info.Config.Name, room.Used, room.Limit, consequence)
	}
	return nil
}

// ClockOffset returns how far the NATS server's clock is ahead of ours, and the margin of
// error: half of the time that the request took. The stream of events must exist.
func ClockOffset(ctx context.Context, js jetstream.JetStream, now func() time.Time) (ahead, within time.Duration, err error) {
	asked := now()
	stream, err := js.Stream(ctx, StreamEvents)
	if err != nil {
		return 0, 0, fmt.Errorf("stream %s cannot be reached: %w", StreamEvents, err)
	}
	within = now().Sub(asked) / 2
	served := stream.CachedInfo().TimeStamp
	if served.IsZero() {
		return 0, 0, errors.New("the NATS server does not report its time")
	}
	return served.Sub(asked.Add(within)), within, nil
}

// Backlog is the work that waits, and whether an assigner takes it.
type Backlog struct {
	// Waiting counts messages that were not delivered to an assigner yet.
	Waiting int
	// DeadLetters counts the dead letters that wait for a person.
	DeadLetters uint64
	// Idle says that no assigner asks for work.
	Idle bool
	// Ran says that an assigner has run here: the consumer exists.
	Ran bool
}

// ReadBacklog asks the server. Before the streams exist it returns the zero Backlog.
func ReadBacklog(ctx context.Context, js jetstream.JetStream) (Backlog, error) {
	backlog, _, err := readBacklog(ctx, js)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return Backlog{}, nil
	}
	return backlog, err
}

// readBacklog also returns the consumer, nil if there is none.
func readBacklog(ctx context.Context, js jetstream.JetStream) (Backlog, *jetstream.ConsumerInfo, error) {
	letters, err := js.Stream(ctx, StreamDeadLetters)
	if err != nil {
		return Backlog{}, nil, fmt.Errorf("look up stream %s: %w", StreamDeadLetters, err)
	}
	b := Backlog{Idle: true}
	if b.DeadLetters, err = WaitingDeadLetters(ctx, letters); err != nil {
		return Backlog{}, nil, err
	}
	consumer, err := js.Consumer(ctx, StreamEvents, ConsumerAssigner)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return b, nil, nil
	}
	if err != nil {
		return b, nil, fmt.Errorf("look up consumer %s: %w", ConsumerAssigner, err)
	}
	info := consumer.CachedInfo()
	b.Waiting, b.Idle, b.Ran = int(info.NumPending), !isHeard(info), true
	return b, info, nil
}

// isHeard reports whether some assigner asks the consumer for work, or has it pinned
// and is busy.
func isHeard(info *jetstream.ConsumerInfo) bool {
	return info.NumWaiting > 0 || slices.ContainsFunc(info.PriorityGroups, func(g jetstream.PriorityGroupState) bool { return g.PinnedClientID != "" })
}

// Depths is the backlog and how full and how old the stream of events is.
type Depths struct {
	Backlog
	// Open counts deliveries that an assigner has not settled yet.
	Open int
	// Oldest is when the oldest message that waits or is open was stored; zero if there
	// is none.
	Oldest time.Time
	// Room is that of the stream of events.
	Room Room
	// At is the server's time.
	At time.Time
}

// ReadDepths asks the server, with three to five requests. The streams must exist.
func ReadDepths(ctx context.Context, js jetstream.JetStream) (Depths, error) {
	stream, err := js.Stream(ctx, StreamEvents)
	if err != nil {
		return Depths{}, fmt.Errorf("look up stream %s: %w", StreamEvents, err)
	}
	d := Depths{Room: RoomOf(stream.CachedInfo()), At: stream.CachedInfo().TimeStamp}
	var consumer *jetstream.ConsumerInfo
	if d.Backlog, consumer, err = readBacklog(ctx, js); err != nil || consumer == nil {
		return d, err
	}
	d.Open = consumer.NumAckPending
	if d.Waiting+d.Open == 0 {
		return d, nil
	}
	// All before the floor is settled. The first message after it may have expired or been
	// replaced, so this asks for the next one that exists.
	oldest, err := stream.GetMsg(ctx, consumer.AckFloor.Stream+1, jetstream.WithGetMsgSubject(">"))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return d, nil // it was settled meanwhile
	}
	if err != nil {
		return d, fmt.Errorf("read the oldest message: %w", err)
	}
	d.Oldest = oldest.Time
	return d, nil
}
