package events

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// RestoreStream exists while a backup is restored, or if that was interrupted. Meanwhile
// nothing is created or updated; see [Layout]. Package backup keeps its own state in it.
const RestoreStream = "GREENLIGHT_RESTORE"

// closedSubject is the subject of the stream of events while it is closed. Nothing publishes
// there.
const closedSubject = "greenlight.closed"

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

// CloseEvents makes the stream of events refuse all messages: a publisher gets no answer
// from a stream, so the webhook answers 503. [OpenEvents] undoes it.
func CloseEvents(ctx context.Context, js jetstream.JetStream, config jetstream.StreamConfig) error {
	config.Subjects, config.Sources = []string{closedSubject}, nil
	if _, err := js.UpdateStream(ctx, config); err != nil {
		return fmt.Errorf("close stream %s: %w", StreamEvents, err)
	}
	return nil
}

// OpenEvents undoes [CloseEvents]. It does nothing if the stream does not exist or is open.
func OpenEvents(ctx context.Context, js jetstream.JetStream) error {
	stream, err := js.Stream(ctx, StreamEvents)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", StreamEvents, err)
	}
	config := stream.CachedInfo().Config
	if !IsClosed(config) {
		return nil
	}
	config.Subjects, config.Sources = eventsConfig().Subjects, eventsConfig().Sources
	if _, err := js.UpdateStream(ctx, config); err != nil {
		return fmt.Errorf("open stream %s: %w", StreamEvents, err)
	}
	return nil
}

// IsClosed reports whether the stream of events with these settings is closed.
func IsClosed(config jetstream.StreamConfig) bool {
	return slices.Contains(config.Subjects, closedSubject)
}

// Opened returns the settings of a closed or sealed stream of events as this program creates
// them, with its copies and version.
func Opened(config jetstream.StreamConfig) jetstream.StreamConfig {
	opened := eventsConfig()
	opened.Replicas, opened.Metadata = config.Replicas, config.Metadata
	return opened
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
