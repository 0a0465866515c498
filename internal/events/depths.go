package events

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Depths is how full the streams are and whether anybody takes work from them.
type Depths struct {
	// Waiting counts messages that no assigner has been handed yet, Open those that
	// one has and that are not settled.
	Waiting, Open int
	// Oldest is when the oldest message was stored that waits or is open; zero if none
	// does.
	Oldest time.Time
	// Listening says that some assigner asks the server for work.
	Listening bool
	// Room is that of the stream of events.
	Room Room
	// DeadLetters counts what nobody could handle.
	DeadLetters uint64
	// At is the server's time.
	At time.Time
}

// ReadDepths asks the server; it costs three or four requests, however much there is.
// The streams must exist. Before an assigner ever ran, nobody is listening.
func ReadDepths(ctx context.Context, js jetstream.JetStream) (Depths, error) {
	stream, err := js.Stream(ctx, StreamEvents)
	if err != nil {
		return Depths{}, fmt.Errorf("look up stream %s: %w", StreamEvents, err)
	}
	info := stream.CachedInfo()
	d := Depths{Room: RoomOf(info), At: info.TimeStamp}
	letters, err := js.Stream(ctx, StreamDeadLetters)
	if err != nil {
		return d, fmt.Errorf("look up stream %s: %w", StreamDeadLetters, err)
	}
	d.DeadLetters = letters.CachedInfo().State.Msgs
	consumer, err := stream.Consumer(ctx, ConsumerAssigner)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return d, nil
	}
	if err != nil {
		return d, fmt.Errorf("look up consumer %s: %w", ConsumerAssigner, err)
	}
	state := consumer.CachedInfo()
	d.Waiting, d.Open = int(state.NumPending), state.NumAckPending
	d.Listening = isHeard(state)
	if d.Waiting+d.Open == 0 {
		return d, nil
	}
	// All before the floor is settled. What comes first after it may have expired or
	// been replaced, so that what is asked for is the next one that there is.
	oldest, err := stream.GetMsg(ctx, state.AckFloor.Stream+1, jetstream.WithGetMsgSubject(">"))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return d, nil // it was settled meanwhile
	}
	if err != nil {
		return d, fmt.Errorf("read the oldest message: %w", err)
	}
	d.Oldest = oldest.Time
	return d, nil
}
