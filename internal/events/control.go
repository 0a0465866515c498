package events

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// ErrNoAssigner says that no assigner ever ran on this NATS server.
var ErrNoAssigner = errors.New("no assigner ever ran here")

// MigratePause ends a hold of the first edition of Greenlight, which paused the consumer,
// and reports whether there was one. Before that, while nothing is delivered, it calls
// store, which must store the hold that replaces the pause. If store fails, the pause
// remains.
func MigratePause(ctx context.Context, js jetstream.JetStream, store func(context.Context) error) (paused bool, err error) {
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
