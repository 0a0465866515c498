package events

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// RoomForEvents returns nil when JetStream answers and the stream of events has
// room for more, else a sentence that says what is wrong.
func RoomForEvents(ctx context.Context, js jetstream.JetStream) error {
	stream, err := js.Stream(ctx, StreamEvents)
	if err != nil {
		return fmt.Errorf("stream %s cannot be reached: %w", StreamEvents, err)
	}
	info := stream.CachedInfo()
	free := info.Config.MaxBytes - int64(info.State.Bytes)
	if info.Config.MaxBytes > 0 && free < eventsMaxMsgSize {
		return fmt.Errorf("stream %s is full (%d of %d bytes): new events are answered 503 until old ones expire; find out who posts so many",
			StreamEvents, info.State.Bytes, info.Config.MaxBytes)
	}
	return nil
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
