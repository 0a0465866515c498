package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/status"
)

// ErrHistory is matched by the error for a server whose history a restore would replace.
var ErrHistory = errors.New("this server has history that is not in the backup")

// noticeable is how long replaced streams are missing, so that running processes notice it
// and read everything again. They check for streams and buckets every one or two seconds,
// and wait for a lost consumer for ten.
const noticeable = 4 * time.Second

// Options choose how to restore.
type Options struct {
	// Replace replaces streams that have history of their own.
	Replace bool
	// Alone says that no other process uses the server.
	Alone bool
	// Keep is where to write a backup of the streams that are replaced.
	Keep string
	// Program is the version of this program.
	Program string
}

// Restore replaces all streams and buckets by those of the file, and reports whether there
// were streams, which are then in the backup at [Options.Keep]. Unless it is told to replace
// them, it changes nothing if they have history: events, dead letters, requests, or a hold.
// What a new start has read from Telnyx is not history. The error matches [ErrHistory].
//
// Greenlight may run meanwhile; see the package comment. If Restore fails after it has begun
// to replace, Greenlight waits until it is repeated.
func (f *File) Restore(ctx context.Context, js jetstream.JetStream, o Options) (kept bool, err error) {
	interrupted, err := events.Restoring(ctx, js)
	if err != nil {
		return false, err
	}
	there, err := existing(ctx, js)
	if err != nil {
		return false, err
	}
	if len(there) > 0 && !interrupted {
		if err := mayReplace(ctx, js, o.Replace); err != nil {
			return false, err
		}
		if _, err := Write(ctx, js, o.Keep, o.Program); err != nil {
			return false, fmt.Errorf("nothing was changed, because the present state cannot be kept: %w", err)
		}
		kept = true
	}
	if err := events.BeginRestore(ctx, js); err != nil {
		return kept, err
	}
	if err := f.replace(ctx, js, there, o.Alone); err != nil {
		return kept, fmt.Errorf("the restore is not complete, and Greenlight waits until it is repeated: %w", err)
	}
	return kept, events.EndRestore(ctx, js)
}

// replace deletes the streams, EVENTS first, and restores those of the file, EVENTS last.
func (f *File) replace(ctx context.Context, js jetstream.JetStream, there []string, alone bool) error {
	for _, name := range there {
		if err := js.DeleteStream(ctx, name); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return fmt.Errorf("delete stream %s: %w", name, err)
		}
	}
	if len(there) > 0 && !alone {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(noticeable):
		}
	}
	for _, name := range slices.Backward(order) {
		for _, stream := range f.Streams {
			if stream.Name != name {
				continue
			}
			if err := restoreStream(ctx, js.Conn(), stream, io.NewSectionReader(f.file, f.begins[name], stream.Size)); err != nil {
				return fmt.Errorf("restore stream %s: %w", name, err)
			}
		}
	}
	return nil
}

// mayReplace returns an error if the streams have history.
func mayReplace(ctx context.Context, js jetstream.JetStream, replace bool) error {
	if replace {
		return nil
	}
	history, err := historyOf(ctx, js)
	if err != nil {
		return fmt.Errorf("whether this server has history is unknown, so nothing was changed; to replace it, add --replace: %w", err)
	}
	if history == "" {
		return nil
	}
	return fmt.Errorf("%w: %s; nothing was changed; to replace it, add --replace", ErrHistory, history)
}

// historyOf names what Telnyx could not give back, empty if there is nothing.
func historyOf(ctx context.Context, js jetstream.JetStream) (string, error) {
	received, err := events.CountEvents(ctx, js)
	if err != nil {
		return "", err
	}
	if received > 0 {
		return status.Count(received, "event"), nil
	}
	backlog, err := events.ReadBacklog(ctx, js)
	if err != nil {
		return "", err
	}
	if backlog.DeadLetters > 0 {
		return status.Count(int(backlog.DeadLetters), "dead letter"), nil
	}
	book, err := ledger.Open(ctx, js)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	hold, err := book.ReadHold(ctx)
	if err != nil {
		return "", err
	}
	if !hold.IsZero() {
		return "a hold", nil
	}
	numbers, err := book.AllNumbers(ctx)
	if err != nil {
		return "", err
	}
	requested := 0
	for _, n := range numbers {
		if n.Request.Sent != "" || !n.ClaimedAt.IsZero() {
			requested++
		}
	}
	if requested > 0 {
		return "requests for " + status.Count(requested, "number"), nil
	}
	return "", nil
}
