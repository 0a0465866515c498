package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Carried is what a restored ledger takes over from the ledger that it replaces, so that no
// hold ends and no request is repeated.
type Carried struct {
	Hold Hold `json:"hold"`
	// Numbers are those for which a request was sent or claimed.
	Numbers []Number `json:"numbers"`
}

// IsZero reports whether there is nothing to take over.
func (c Carried) IsZero() bool { return c.Hold.IsZero() && len(c.Numbers) == 0 }

// ReadCarried reads what has to be taken over. Buckets may be missing, and records that
// cannot be read are left out.
func ReadCarried(ctx context.Context, js jetstream.JetStream) (c Carried, err error) {
	c.Hold, err = ReadHold(ctx, js)
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return Carried{}, err
	}
	numbers, err := js.KeyValue(ctx, bucketNumbers)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return c, nil
	}
	if err != nil {
		return Carried{}, fmt.Errorf("open bucket %s: %w", bucketNumbers, err)
	}
	err = each(ctx, numbers, []string{">"}, func(kve jetstream.KeyValueEntry) error {
		var n Number
		if decode(kve, &n) == nil && !n.lastRequest().IsZero() {
			c.Numbers = append(c.Numbers, n)
		}
		return nil
	})
	return c, err
}

// Carry adds the holds, and the numbers whose request is newer than that of their record.
func (l *Ledger) Carry(ctx context.Context, c Carried) error {
	if err := l.mergeHold(ctx, c.Hold, false); err != nil {
		return err
	}
	entries := make(map[string]NumberEntry)
	err := l.eachNumber(ctx, []string{">"}, func(entry NumberEntry) {
		entries[numberKey(entry.Number.CampaignID, entry.Number.Number)] = entry
	})
	if err != nil {
		return err
	}
	for _, n := range c.Numbers {
		key := numberKey(n.CampaignID, n.Number)
		if !n.lastRequest().After(entries[key].Number.lastRequest()) {
			continue
		}
		if entries[key], err = l.PutNumber(ctx, entries[key], n); err != nil {
			return err
		}
	}
	return nil
}

// lastRequest is when the latest request was claimed, sent or answered; zero if none was.
func (n Number) lastRequest() (last time.Time) {
	for _, at := range []time.Time{n.ClaimedAt, n.Request.At, n.Request.AnsweredAt} {
		if at.After(last) {
			last = at
		}
	}
	return last
}
