package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
)

// NumberKind is what records of numbers are counted by.
type NumberKind struct {
	State       State
	Reason      Reason
	NeedsPerson bool
}

// CampaignKind is what records of campaigns are counted by.
type CampaignKind struct {
	Phase   Phase
	Planned bool
}

// Tally counts the ledger's records and keeps the counts right as records change, so
// that asking costs nothing. It follows the buckets rather than the assigner's own
// work: a process that stands by, or that took over, has the same counts as the one
// that works. The zero value is ready for [Tally.Follow]; safe for concurrent use.
type Tally struct {
	numbers   census[NumberKind]
	campaigns census[CampaignKind]
}

// Numbers returns how many numbers there are of each kind, and false while that is
// not known.
func (t *Tally) Numbers() (map[NumberKind]int, bool) { return t.numbers.read() }

// Campaigns is to campaigns what [Tally.Numbers] is to numbers.
func (t *Tally) Campaigns() (map[CampaignKind]int, bool) { return t.campaigns.read() }

// Follow reads every record once and then each change as it is written, until ctx
// ends; then it returns nil. After an error the counts stay what they were; call it
// again.
func (t *Tally) Follow(ctx context.Context, l *Ledger) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 2)
	go func() {
		ended <- follow(ctx, l.numbers, &t.numbers, func(data []byte) (kind NumberKind, err error) {
			var n Number
			err = json.Unmarshal(data, &n)
			n.upgrade()
			return NumberKind{n.State, n.Reason, n.NeedsPerson}, err
		})
	}()
	go func() {
		ended <- follow(ctx, l.campaigns, &t.campaigns, func(data []byte) (kind CampaignKind, err error) {
			var c Campaign
			err = json.Unmarshal(data, &c)
			c.upgrade()
			return CampaignKind{c.Phase, c.Planned}, err
		})
	}()
	err := <-ended
	cancel()
	if other := <-ended; err == nil {
		err = other
	}
	return err
}

// census is the records of one bucket by kind.
type census[K comparable] struct {
	mu     sync.Mutex
	known  bool
	counts map[K]int
	of     map[string]K // by key
}

func (c *census[K]) read() (map[K]int, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.counts), c.known
}

// begin forgets everything. What was known is shown until everything is known again.
func (c *census[K]) begin() *census[K] {
	return &census[K]{counts: make(map[K]int), of: make(map[string]K)}
}

// see takes in a record as it is now; a nil kind says that it is gone.
func (c *census[K]) see(key string, kind *K) {
	if old, counted := c.of[key]; counted {
		if c.counts[old]--; c.counts[old] == 0 {
			delete(c.counts, old)
		}
		delete(c.of, key)
	}
	if kind != nil {
		c.of[key] = *kind
		c.counts[*kind]++
	}
}

// follow keeps a census of a bucket. A record that cannot be read is not counted:
// whoever reads it for its sake says what is wrong with it.
func follow[K comparable](ctx context.Context, bucket jetstream.KeyValue, c *census[K], kindOf func([]byte) (K, error)) error {
	watcher, err := bucket.WatchAll(ctx)
	if err != nil {
		return ended(ctx, fmt.Errorf("watch bucket %s: %w", bucket.Bucket(), err))
	}
	defer stop(watcher)
	latest := c.begin()
	for {
		select {
		case <-ctx.Done():
			return nil
		case entry, open := <-watcher.Updates():
			switch {
			case !open:
				return ended(ctx, fmt.Errorf("watch bucket %s: the server hung up", bucket.Bucket()))
			case entry == nil: // all present values were seen
				c.mu.Lock()
				c.counts, c.of, c.known = latest.counts, latest.of, true
				c.mu.Unlock()
				latest = c
				continue
			}
			var seen *K
			if entry.Operation() == jetstream.KeyValuePut {
				if kind, err := kindOf(entry.Value()); err == nil {
					seen = &kind
				}
			}
			latest.mu.Lock()
			latest.see(entry.Key(), seen)
			latest.mu.Unlock()
		}
	}
}

// ended returns err, unless it came because ctx ended.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
