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
	// Most is the stream's bound; zero or less if it has none.
	Most int64
}

// RoomOf returns the room in a stream.
func RoomOf(info *jetstream.StreamInfo) Room {
	return Room{Used: int64(info.State.Bytes), Most: info.Config.MaxBytes}
}

// Full reports whether a message of the largest size would be refused.
func (r Room) Full() bool { return r.Most > 0 && r.Most-r.Used < eventsMaxMsgSize }

// RoomForEvents returns nil when JetStream answers and the stream of events has
// room for more, else a sentence that says what is wrong.
func RoomForEvents(ctx context.Context, js jetstream.JetStream) error {
	stream, err := js.Stream(ctx, StreamEvents)
	if err != nil {
		return fmt.Errorf("stream %s cannot be reached: %w", StreamEvents, err)
	}
	if room := RoomOf(stream.CachedInfo()); room.Full() {
		return fmt.Errorf("stream %s is full (%d of %d bytes): new events are answered 503 until old ones expire; find out who posts so many",
			StreamEvents, room.Used, room.Most)
	}
	return nil
}

// ClockOffset returns how far the NATS server's clock is ahead of ours, and by how
// much that may be wrong either way: half of what the question took. The stream of
// events must exist.
func ClockOffset(ctx context.Context, js jetstream.JetStream, now func() time.Time) (ahead, within time.Duration, err error) {
	asked := now()
	stream, err := js.Stream(ctx, StreamEvents)
	if err != nil {
		return 0, 0, fmt.Errorf("stream %s cannot be reached: %w", StreamEvents, err)
	}
	within = now().Sub(asked) / 2
	told := stream.CachedInfo().TimeStamp
	if told.IsZero() {
		return 0, 0, errors.New("the NATS server does not tell its time")
	}
	return told.Sub(asked.Add(within)), within, nil
}

// Backlog is what waits to be done, and whether anybody does it.
type Backlog struct {
	// Waiting counts messages that no assigner has been handed yet.
	Waiting int
	// DeadLetters counts what nobody could handle.
	DeadLetters uint64
	// Idle says that no assigner asks for work.
	Idle bool
	// Ran says that an assigner has run here: the consumer is there.
	Ran bool
}

// ReadBacklog asks the server. Before there are streams nothing waits, for nobody.
func ReadBacklog(ctx context.Context, js jetstream.JetStream) (Backlog, error) {
	letters, err := js.Stream(ctx, StreamDeadLetters)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return Backlog{}, nil
	}
	if err != nil {
		return Backlog{}, fmt.Errorf("look up stream %s: %w", StreamDeadLetters, err)
	}
	b := Backlog{DeadLetters: letters.CachedInfo().State.Msgs, Idle: true}
	consumer, err := js.Consumer(ctx, StreamEvents, ConsumerAssigner)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return b, nil
	}
	if err != nil {
		return b, fmt.Errorf("look up consumer %s: %w", ConsumerAssigner, err)
	}
	info := consumer.CachedInfo()
	b.Waiting, b.Idle, b.Ran = int(info.NumPending), !isHeard(info), true
	return b, nil
}

// isHeard reports whether some assigner asks the consumer for work, or has it pinned
// and is busy.
func isHeard(info *jetstream.ConsumerInfo) bool {
	return info.NumWaiting > 0 || slices.ContainsFunc(info.PriorityGroups, func(g jetstream.PriorityGroupState) bool { return g.PinnedClientID != "" })
}
