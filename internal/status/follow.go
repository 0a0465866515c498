package status

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
)

const (
	// followLeast is the least time between two snapshots while things change fast.
	followLeast = 250 * time.Millisecond
	// ledgerWait is how often it is looked whether there is a ledger by now, where no
	// assigner ever ran.
	ledgerWait = time.Second
)

// Follow calls changed with a snapshot, and with another one whenever a record has
// changed or the assigner is held or resumed, until changed returns an error, which
// Follow returns, or ctx ends; then it returns the cause. The server tells of each
// change; it is not asked in between.
func Follow(ctx context.Context, js jetstream.JetStream, now func() time.Time, changed func(Snapshot) error) error {
	book, err := waitForLedger(ctx, js, now, changed)
	if err != nil {
		return err
	}
	pauses := make(chan *nats.Msg, 16)
	subscription, err := js.Conn().ChanSubscribe(events.SubjectPause, pauses)
	if err != nil {
		return err
	}
	defer func() { _ = subscription.Unsubscribe() }() // it fails only when the connection is closed
	ctx, cancel := context.WithCancel(ctx)
	told, why := followRecords(ctx, book)
	defer func() {
		cancel()
		for range told { // until it has ended
		}
	}()
	var latest records
	known := false
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case next, open := <-told:
			if !open {
				return errors.Join(why(), context.Cause(ctx))
			}
			latest, known = next, true
		case <-pauses:
			if !known {
				continue
			}
		}
		s := newSnapshot(now())
		err := s.askStreams(ctx, js)
		if err == nil {
			err = s.take(ctx, book, latest.campaigns, latest.numbers)
		}
		if err != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		if err := changed(s); err != nil {
			return err
		}
	}
}

// records are those of the ledger at one moment.
type records struct {
	campaigns []ledger.CampaignEntry
	numbers   []ledger.Number
}

// followRecords tells of the records as they are and whenever one has changed. When ctx
// ends, or it cannot go on, it closes the channel; from then on why returns what was wrong.
func followRecords(ctx context.Context, book *ledger.Ledger) (told <-chan records, why func() error) {
	found := make(chan records)
	var failed error
	go func() {
		defer close(found)
		failed = book.Follow(ctx, followLeast, func(campaigns []ledger.CampaignEntry, numbers []ledger.Number) error {
			select {
			case found <- records{campaigns, numbers}:
			case <-ctx.Done():
			}
			return nil
		})
	}()
	return found, func() error { return failed }
}

// waitForLedger opens the ledger as soon as there is one. Without one it tells of an
// empty snapshot, once.
func waitForLedger(ctx context.Context, js jetstream.JetStream, now func() time.Time, changed func(Snapshot) error) (*ledger.Ledger, error) {
	for told := false; ; {
		book, err := ledger.Open(ctx, js)
		if !errors.Is(err, jetstream.ErrBucketNotFound) {
			return book, err
		}
		if !told {
			told = true
			if err := changed(newSnapshot(now())); err != nil {
				return nil, err
			}
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(ledgerWait):
		}
	}
}
