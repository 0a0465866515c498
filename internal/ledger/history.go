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

// NumberChange is one change of a number's record.
type NumberChange struct {
	// Number is the record as it was written. When Dropped is set there is none,
	// because no plan named the number any more; its key is there all the same.
	Number  Number
	Dropped bool
	// At is when the server took it.
	At       time.Time
	Revision uint64
}

// CampaignChange is one change of a campaign's record.
type CampaignChange struct {
	Campaign Campaign
	Dropped  bool
	At       time.Time
	Revision uint64
}

// NumberHistory returns the changes that are kept of a number's records, in E.164
// form, on whichever campaigns, the oldest first.
func (l *Ledger) NumberHistory(ctx context.Context, number string) ([]NumberChange, error) {
	var changes []NumberChange
	err := past(ctx, l.numbers, numberKey("*", number), func(kve jetstream.KeyValueEntry) error {
		change := NumberChange{At: kve.Created(), Revision: kve.Revision()}
		if kve.Operation() != jetstream.KeyValuePut {
			change.Dropped = true
			change.Number = Number{Number: number, CampaignID: campaignOfKey(kve.Key())}
		} else if err := decode(kve, &change.Number); err != nil {
			return err
		}
		changes = append(changes, change)
		return nil
	})
	return changes, err
}

// CampaignHistory returns the changes that are kept of a campaign's record, the
// oldest first.
func (l *Ledger) CampaignHistory(ctx context.Context, id string) ([]CampaignChange, error) {
	var changes []CampaignChange
	err := past(ctx, l.campaigns, id, func(kve jetstream.KeyValueEntry) error {
		change := CampaignChange{At: kve.Created(), Revision: kve.Revision()}
		if kve.Operation() != jetstream.KeyValuePut {
			change.Dropped, change.Campaign.ID = true, id
		} else if err := decode(kve, &change.Campaign); err != nil {
			return err
		}
		changes = append(changes, change)
		return nil
	})
	return changes, err
}

// past visits everything that is kept under the keys that match, the oldest first.
func past(ctx context.Context, bucket jetstream.KeyValue, keys string, visit func(jetstream.KeyValueEntry) error) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	watcher, err := bucket.Watch(ctx, keys, jetstream.IncludeHistory())
	if err != nil {
		return fmt.Errorf("read bucket %s: %w", bucket.Bucket(), err)
	}
	defer stop(watcher)
	return drain(ctx, bucket, watcher, visit)
}
