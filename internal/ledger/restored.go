package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// restoredKey is the key, in the state bucket, of the time of the last restore. No campaign
// has this id.
const restoredKey = "_restored"

// NoteRestored records when the ledger was restored from a backup. From then on, reads of
// numbers leave out which entry had attached them: since the backup, a person may have
// removed a number and attached it again.
func (l *Ledger) NoteRestored(ctx context.Context, at time.Time) error {
	if _, err := l.state.Put(ctx, restoredKey, []byte(at.UTC().Format(time.RFC3339Nano))); err != nil {
		return fmt.Errorf("write the time of the restore: %w", err)
	}
	return nil
}

// restoredAt returns the time of the last restore, zero if there was none.
func (l *Ledger) restoredAt(ctx context.Context) (time.Time, error) {
	kve, err := l.state.Get(ctx, restoredKey)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read the time of the restore: %w", err)
	}
	at, err := time.Parse(time.RFC3339Nano, string(kve.Value()))
	if err != nil {
		return time.Time{}, fmt.Errorf("record %s in bucket %s is damaged: %w", restoredKey, bucketState, err)
	}
	return at, nil
}

// HasOpenRequests reports whether a request may still be under way. It says so of records
// that it cannot read.
func (l *Ledger) HasOpenRequests(ctx context.Context) bool {
	open := false
	err := l.eachNumber(ctx, []string{">"}, func(entry NumberEntry) {
		n := entry.Number
		open = open || !n.ClaimedAt.IsZero() && (n.Request.Outcome == "" || n.Request.Outcome == Unanswered)
	})
	return open || err != nil
}
