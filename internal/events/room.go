package events

import (
	"context"
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
