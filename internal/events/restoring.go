package events

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// RestoreStream exists while a backup is restored, or if that was interrupted. Meanwhile
// nothing is created or updated; see [Layout]. Package backup keeps its own state in it.
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
