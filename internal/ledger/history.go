package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// HistoryOfNumber is how many changes of a number's record are kept; its
// [Firsts] outlive them.
const HistoryOfNumber = historyNumbers

// Change is one change of a record.
type Change[R Number | Campaign] struct {
	// Record is the record as it was written. When Dropped is set there is none, because
	// no plan named it any more; its ids are there all the same.
	Record  R
	Dropped bool
	// At is when the server took it.
	At       time.Time
	Revision uint64
}

// NumberHistory returns the changes that are kept of a number's records, in E.164
// form, on whichever campaigns, the oldest first.
func (l *Ledger) NumberHistory(ctx context.Context, number string) ([]Change[Number], error) {
	return history(ctx, l.numbers, numberKey("*", number), func(kve jetstream.KeyValueEntry) (n Number, err error) {
		if !isRecord(kve) {
			return Number{Number: number, CampaignID: campaignOfKey(kve.Key())}, nil
		}
		err = decode(kve, &n)
		return n, err
	})
}

// CampaignHistory returns the changes that are kept of a campaign's record, the
// oldest first.
func (l *Ledger) CampaignHistory(ctx context.Context, id string) ([]Change[Campaign], error) {
	return history(ctx, l.campaigns, id, func(kve jetstream.KeyValueEntry) (c Campaign, err error) {
		if !isRecord(kve) {
			return Campaign{ID: id}, nil
		}
		err = decode(kve, &c)
		return c, err
	})
}

// history returns everything that is kept under the keys that match, the oldest first.
func history[R Number | Campaign](ctx context.Context, bucket jetstream.KeyValue, keys string, record func(jetstream.KeyValueEntry) (R, error)) ([]Change[R], error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	watcher, err := bucket.Watch(ctx, keys, jetstream.IncludeHistory())
	if err != nil {
		return nil, fmt.Errorf("read bucket %s: %w", bucket.Bucket(), err)
	}
	defer stop(watcher)
	var changes []Change[R]
	err = drain(ctx, bucket, watcher, func(kve jetstream.KeyValueEntry) error {
		r, err := record(kve)
		changes = append(changes, Change[R]{Record: r, Dropped: !isRecord(kve), At: kve.Created(), Revision: kve.Revision()})
		return err
	})
	return changes, err
}
