package events

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/nats-io/nats.go"
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
		err = fmt.Errorf("%w; Greenlight continues when it is complete: if no restore is running, run greenlight restore again", ErrRestoring)
	}
	return err
}

// LaterEvents visits the events that the stream got after it was in a state, or in a stream
// that replaced it, as they were published. The time alone does not say so: clocks may be set
// back. The stream must not allow direct reads: those may be answered by a copy that lags
// behind.
func LaterEvents(ctx context.Context, stream jetstream.Stream, was jetstream.StreamState, visit func(*nats.Msg) error) error {
	for sequence := uint64(1); ; sequence++ {
		stored, err := stream.GetMsg(ctx, sequence, jetstream.WithGetMsgSubject(subjectEvents+">"))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read stream %s: %w", StreamEvents, err)
		}
		sequence = stored.Sequence
		if stored.Sequence <= was.LastSeq && !stored.Time.After(was.LastTime) {
			continue
		}
		maps.DeleteFunc(stored.Header, func(key string, _ []string) bool {
			return isNATSHeader(key) && key != jetstream.MsgIDHeader
		})
		if err := visit(&nats.Msg{Subject: stored.Subject, Header: stored.Header, Data: stored.Data}); err != nil {
			return err
		}
	}
}
