package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// restoredKey is the key, in the state bucket, of the time of the last restore. No campaign
// has this id.
const restoredKey = "_restored"

type restored struct {
	At time.Time `json:"at"`
}

// NoteRestored records when the ledger was restored from a backup. From then on, reads of
// numbers leave out which entry had attached them: since the backup, a person may have
// removed a number and attached it again.
func (l *Ledger) NoteRestored(ctx context.Context, at time.Time) error {
	text, err := json.Marshal(restored{at.UTC()})
	if err != nil {
		return err
	}
	if _, err := l.state.Put(ctx, restoredKey, text); err != nil {
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
	var record restored
	if err := json.Unmarshal(kve.Value(), &record); err != nil {
		return time.Time{}, fmt.Errorf("record %s in bucket %s is damaged: %w", restoredKey, bucketState, err)
	}
	return record.At, nil
}

// HasOpenRequests reports whether a request may still be under way, or was accepted and no
// reading has shown its effect. It says so of records that it cannot read.
func (l *Ledger) HasOpenRequests(ctx context.Context) bool {
	open := false
	err := l.eachNumber(ctx, []string{">"}, func(entry NumberEntry) { open = open || !entry.Number.ClaimedAt.IsZero() })
	return open || err != nil
}
