package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// HistoryOfNumber is how many changes of a number's record are kept. [Firsts] are kept
// longer.
const HistoryOfNumber = 32

// Change is one change of a record.
type Change[R Number | Campaign] struct {
	// Record is the record as it was written. If Dropped is set, the record was removed
	// because no plan names it any more, and Record has only its ids.
	Record  R
	Dropped bool
	// At is when the NATS server stored it.
	At time.Time
}

// NumberHistory returns the kept changes of a number's records on all campaigns, oldest
// first. The number is in E.164 form.
func (l *Ledger) NumberHistory(ctx context.Context, number string) ([]Change[Number], error) {
	return history(ctx, l.numbers, numberKey("*", number), func(kve jetstream.KeyValueEntry) (n Number, err error) {
		n = Number{Number: number, CampaignID: campaignOfKey(kve.Key())}
		if isRecord(kve) {
			err = decode(kve, &n)
		}
		return n, err
	})
}

// CampaignHistory returns the kept changes of a campaign's record, oldest first.
func (l *Ledger) CampaignHistory(ctx context.Context, id string) ([]Change[Campaign], error) {
	return history(ctx, l.campaigns, id, func(kve jetstream.KeyValueEntry) (c Campaign, err error) {
		c.ID = id
		if isRecord(kve) {
			err = decode(kve, &c)
		}
		return c, err
	})
}

// history returns all entries that are kept of the matching keys, oldest first.
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
		changes = append(changes, Change[R]{Record: r, Dropped: !isRecord(kve), At: kve.Created()})
		return err
	})
	return changes, err
}
