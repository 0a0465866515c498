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
var ErrRestoring = errors.New("a restore is in progress or was interrupted")

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

// WhyMissing returns an error that matches [ErrRestoring] if err says that a bucket or stream
// is missing while a backup is restored. Otherwise it returns err.
func WhyMissing(ctx context.Context, js jetstream.JetStream, err error) error {
	if !errors.Is(err, jetstream.ErrBucketNotFound) && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return err
	}
	if refused := RefuseRestoring(ctx, js); errors.Is(refused, ErrRestoring) {
		return refused
	}
	return err
}

// RefuseRestoring returns an error that matches [ErrRestoring] and says what to do while a
// backup is restored. After a failed lookup it returns that error, so that nothing is written.
func RefuseRestoring(ctx context.Context, js jetstream.JetStream) error {
	restoring, err := Restoring(ctx, js)
	if err == nil && restoring {
		err = fmt.Errorf("%w; Greenlight resumes when the restore completes; if none is running, run greenlight restore again", ErrRestoring)
	}
	return err
}

// Later visits the messages that the stream got after it was in a state, or in a stream that
// replaced it, as they were published and as they were stored. Of EVENTS it leaves out triggers, which are requested
// again. The time alone does not say what is later: clocks may be set back. The stream must not
// allow direct reads: those may be answered by a copy that lags behind.
func Later(ctx context.Context, stream jetstream.Stream, was jetstream.StreamState, visit func(_ *nats.Msg, stored *jetstream.RawStreamMsg) error) error {
	name, subjects := stream.CachedInfo().Config.Name, ">"
	if name == StreamEvents {
		subjects = subjectEvents + ">"
	}
	for sequence := uint64(1); ; sequence++ {
		stored, err := stream.GetMsg(ctx, sequence, jetstream.WithGetMsgSubject(subjects))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read stream %s: %w", name, err)
		}
		sequence = stored.Sequence
		if stored.Sequence <= was.LastSeq && !stored.Time.After(was.LastTime) {
			continue
		}
		maps.DeleteFunc(stored.Header, func(key string, _ []string) bool {
			return isNATSHeader(key) && key != jetstream.MsgIDHeader
		})
		if err := visit(&nats.Msg{Subject: stored.Subject, Header: stored.Header, Data: stored.Data}, stored); err != nil {
			return err
		}
	}
}
