package ledger

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
)

// ClearAttachedBy removes from all records which entry attached the number. After a restore
// that proves nothing: since the backup, a person may have removed the number and attached it
// again. It leaves out records that cannot be read, since nothing acts on them.
func (l *Ledger) ClearAttachedBy(ctx context.Context) error {
	var attached []NumberEntry
	err := each(ctx, l.numbers, []string{">"}, func(kve jetstream.KeyValueEntry) error {
		entry := NumberEntry{Revision: kve.Revision()}
		if decode(kve, &entry.Number) == nil && entry.Number.AttachedBy != "" {
			attached = append(attached, entry)
		}
		return nil
	})
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(32)
	for _, entry := range attached {
		group.Go(func() error {
			n := entry.Number
			n.AttachedBy = ""
			_, err := l.PutNumber(ctx, entry, n)
			return err
		})
	}
	return group.Wait()
}

// HasOpenRequests reports whether a request may still be under way, or was accepted and no
// reading has shown its effect. It says so of records that it cannot read.
func (l *Ledger) HasOpenRequests(ctx context.Context) bool {
	open := false
	err := l.eachNumber(ctx, []string{">"}, func(entry NumberEntry) { open = open || !entry.Number.ClaimedAt.IsZero() })
	return open || err != nil
}
