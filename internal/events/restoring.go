package events

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// RestoreStream exists while a backup is restored, or if that was interrupted. Meanwhile
// nothing is created; see [Layout]. It has no messages.
const RestoreStream = "GREENLIGHT_RESTORE"

// ErrRestoring is matched by the error for streams that are being restored.
var ErrRestoring = errors.New("a backup is being restored, or that was interrupted")

// Restoring reports whether a restore is under way or was interrupted.
func Restoring(ctx context.Context, js jetstream.JetStream) (bool, error) {
	_, err := js.Stream(ctx, RestoreStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look up stream %s: %w", RestoreStream, err)
	}
	return true, nil
}

func refuseRestoring(ctx context.Context, js jetstream.JetStream) error {
	restoring, err := Restoring(ctx, js)
	if err == nil && restoring {
		err = fmt.Errorf("%w; Greenlight continues when it is complete: if it does not run any more, run greenlight restore again", ErrRestoring)
	}
	return err
}

// BeginRestore keeps other processes from creating streams until [EndRestore].
func BeginRestore(ctx context.Context, js jetstream.JetStream) error {
	_, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: RestoreStream, Description: "A backup is being restored", Subjects: []string{"greenlight.restore"}, Storage: jetstream.FileStorage,
	})
	if err != nil {
		return fmt.Errorf("create stream %s: %w", RestoreStream, err)
	}
	return nil
}

// EndRestore lets other processes continue.
func EndRestore(ctx context.Context, js jetstream.JetStream) error {
	if err := js.DeleteStream(ctx, RestoreStream); err != nil {
		return fmt.Errorf("delete stream %s: %w", RestoreStream, err)
	}
	return nil
}

// CountEvents counts the stored notifications of Telnyx; 0 without a stream.
func CountEvents(ctx context.Context, js jetstream.JetStream) (count int, err error) {
	stream, err := js.Stream(ctx, StreamEvents)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look up stream %s: %w", StreamEvents, err)
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(subjectEvents+">"))
	if err != nil {
		return 0, fmt.Errorf("count the messages of stream %s: %w", StreamEvents, err)
	}
	for _, n := range info.State.Subjects {
		count += int(n)
	}
	return count, nil
}
