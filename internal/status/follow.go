package status

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/ledger"
)

const (
	// followLeast is the least time between two snapshots while things change fast.
	followLeast = 250 * time.Millisecond
	// ledgerWait is the time between two checks for a ledger, where no assigner ever ran.
	ledgerWait = time.Second
)

// Follow calls changed with a snapshot, and with another one whenever a record has
// changed or the assigner is held or resumed, until changed returns an error, which
// Follow returns, or ctx ends; then it returns the cause. The server
// pushes each change; Follow does not poll.
func Follow(ctx context.Context, js jetstream.JetStream, now func() time.Time, changed func(Snapshot) error) error {
	for {
		// After a ledger was lost, wait for the new one and follow that.
		if err := followLedger(ctx, js, now, changed); !errors.Is(err, ledger.ErrMadeAgain) || ctx.Err() != nil {
			return err
		}
	}
}

func followLedger(ctx context.Context, js jetstream.JetStream, now func() time.Time, changed func(Snapshot) error) error {
	book, err := waitForLedger(ctx, js, now, changed)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	updates, why := followRecords(ctx, book)
	defer func() {
		cancel()
		for range updates { // until it has ended
		}
	}()
	var latest records
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case next, open := <-updates:
			if !open {
				return errors.Join(why(), context.Cause(ctx))
			}
			latest = next
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

// followRecords sends the records as they are, and whenever one, the hold or the plans in
// force have changed. When ctx ends, or on an error, it closes the channel; from then on
// why returns the error.
func followRecords(ctx context.Context, book *ledger.Ledger) (updates <-chan records, why func() error) {
	ctx, cancel := context.WithCancel(ctx)
	found := make(chan records)
	campaigns, numbers := make(map[string]ledger.CampaignEntry), make(map[[2]string]ledger.Number)
	var failed, unreadable error
	follower := ledger.Follower{
		Campaign:        func(c ledger.Campaign) { campaigns[c.ID] = ledger.CampaignEntry{Campaign: c} },
		Number:          func(n ledger.Number) { numbers[[2]string{n.CampaignID, n.Number}] = n },
		CampaignDropped: func(id string) { delete(campaigns, id) },
		NumberDropped:   func(campaignID, number string) { delete(numbers, [2]string{campaignID, number}) },
		Unreadable:      func(err error) { unreadable = err; cancel() },
		Every:           followLeast,
		Current: func() {
			select {
			case found <- records{slices.Collect(maps.Values(campaigns)), slices.Collect(maps.Values(numbers))}:
			case <-ctx.Done():
			}
		},
	}
	go func() {
		defer close(found)
		defer cancel()
		failed = errors.Join(book.Follow(ctx, follower), unreadable)
	}()
	return found, func() error { return failed }
}

// waitForLedger opens the ledger as soon as there is one. Until then it reports a
// snapshot without campaigns, once.
func waitForLedger(ctx context.Context, js jetstream.JetStream, now func() time.Time, changed func(Snapshot) error) (*ledger.Ledger, error) {
	for sent := false; ; {
		s, book, err := begin(ctx, js, now())
		if err != nil || book != nil {
			return book, err
		}
		if !sent {
			sent = true
			if err := changed(s); err != nil {
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
