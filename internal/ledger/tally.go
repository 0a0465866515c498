package ledger

import (
	"context"
	"maps"
	"sync"
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
	mu sync.Mutex
	// Both are nil while nothing is known.
	numbers   *census[NumberKind]
	campaigns *census[CampaignKind]
}

// Numbers returns how many numbers there are of each kind, and false while that is
// not known.
func (t *Tally) Numbers() (map[NumberKind]int, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.numbers == nil {
		return nil, false
	}
	return maps.Clone(t.numbers.counts), true
}

// Campaigns is to campaigns what [Tally.Numbers] is to numbers.
func (t *Tally) Campaigns() (map[CampaignKind]int, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.campaigns == nil {
		return nil, false
	}
	return maps.Clone(t.campaigns.counts), true
}

// Follow reads every record once and then each change as it is written, until ctx
// ends; then it returns nil. After an error the counts stay what they were; call it
// again. A record that cannot be read is not counted: whoever reads it for its sake says
// what is wrong with it.
func (t *Tally) Follow(ctx context.Context, l *Ledger) error {
	numbers, campaigns := newCensus[NumberKind](), newCensus[CampaignKind]()
	locked := func(change func()) {
		t.mu.Lock()
		defer t.mu.Unlock()
		change()
	}
	return l.Follow(ctx, Follower{
		Campaign: func(c Campaign) { locked(func() { campaigns.put(c.ID, CampaignKind{c.Phase, c.Planned}) }) },
		Number: func(n Number) {
			locked(func() { numbers.put(numberKey(n.CampaignID, n.Number), NumberKind{n.State, n.Reason, n.NeedsPerson}) })
		},
		CampaignDropped: func(id string) { locked(func() { campaigns.drop(id) }) },
		NumberDropped:   func(id, number string) { locked(func() { numbers.drop(numberKey(id, number)) }) },
		// What was known before is shown until everything is known again.
		Current: func() { locked(func() { t.numbers, t.campaigns = numbers, campaigns }) },
	})
}

// census is the records of one bucket by kind.
type census[K comparable] struct {
	counts map[K]int
	of     map[string]K // by key
}

func newCensus[K comparable]() *census[K] {
	return &census[K]{counts: make(map[K]int), of: make(map[string]K)}
}

func (c *census[K]) put(key string, kind K) {
	c.drop(key)
	c.of[key] = kind
	c.counts[kind]++
}

func (c *census[K]) drop(key string) {
	old, counted := c.of[key]
	if !counted {
		return
	}
	delete(c.of, key)
	if c.counts[old]--; c.counts[old] == 0 {
		delete(c.counts, old)
	}
}
