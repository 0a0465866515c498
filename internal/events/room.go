package events

import (
	"context"
	"errors"
	"fmt"
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

// Backlog tells how many messages no assigner has been handed yet, and how many
// dead letters there are. Both are zero before streams and consumer exist.
func Backlog(ctx context.Context, js jetstream.JetStream) (waiting int, deadLetters uint64, err error) {
	letters, err := js.Stream(ctx, StreamDeadLetters)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("look up stream %s: %w", StreamDeadLetters, err)
	}
	consumer, err := js.Consumer(ctx, StreamEvents, ConsumerAssigner)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return 0, letters.CachedInfo().State.Msgs, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("look up consumer %s: %w", ConsumerAssigner, err)
	}
	return int(consumer.CachedInfo().NumPending), letters.CachedInfo().State.Msgs, nil
}
