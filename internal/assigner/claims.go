package assigner

import (
	"slices"
	"sync"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
)

// claims remembers when this process first saw each claim. A claim's own time is by the clock
// of the process that made it, which may be wrong by hours. Safe for concurrent use.
type claims struct {
	// settle is how long a request may take to end and to take effect.
	settle time.Duration

	mu   sync.Mutex
	seen map[claimKey]seenClaim
}

type claimKey struct{ campaignID, number string }

type seenClaim struct{ claimedAt, at time.Time }

func newClaims(settle time.Duration) *claims {
	return &claims{settle: settle, seen: map[claimKey]seenClaim{}}
}

// see returns when the record's claim was first seen: now if this is the first time, or if the
// clock was set back since.
func (c *claims) see(n ledger.Number, now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := claimKey{n.CampaignID, n.Number}
	known, ok := c.seen[key]
	if !ok || !known.claimedAt.Equal(n.ClaimedAt) || known.at.After(now) {
		known = seenClaim{n.ClaimedAt, now}
		c.seen[key] = known
	}
	return known.at
}

// endOf is when the request that a record claims is certainly over, so that a number without a
// record may be tried again; zero without a claim. The request itself ends within two thirds
// of settle.
func (c *claims) endOf(n ledger.Number, now time.Time) time.Time {
	if n.ClaimedAt.IsZero() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.seen, claimKey{n.CampaignID, n.Number})
		return time.Time{}
	}
	return c.see(n, now).Add(c.settle)
}

// pools remembers the numbers of pools, and those that a campaign's pool seems to have lost.
// Safe for concurrent use.
type pools struct {
	mu      sync.Mutex
	lost    map[string]loss               // by campaign key
	members map[string]map[plan.E164]bool // by profile, from the last complete read
}

type loss struct {
	numbers []plan.E164
	at      time.Time
}

func newPools() *pools {
	return &pools{lost: map[string]loss{}, members: map[string]map[plan.E164]bool{}}
}

// learn remembers the numbers of a pool.
func (p *pools) learn(profile string, numbers []plan.E164) {
	members := make(map[plan.E164]bool, len(numbers))
	for _, n := range numbers {
		members[n] = true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.members[profile] = members
}

// isRead reports whether the numbers of a pool are known.
func (p *pools) isRead(profile string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.members[profile] != nil
}

// mayHave reports whether a pool has the number or was not read. An empty profile means no
// pool.
func (p *pools) mayHave(profile string, n plan.E164) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	members, read := p.members[profile]
	return profile != "" && (!read || members[n])
}

// confirm reports whether a read of a pool without these sorted numbers confirms that the pool
// has lost them: an earlier complete read lacked them too. An incomplete read proves nothing.
func (p *pools) confirm(key string, numbers []plan.E164, complete bool, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !complete || len(numbers) == 0 {
		delete(p.lost, key)
		return complete
	}
	before, known := p.lost[key]
	if !known || slices.ContainsFunc(numbers, func(n plan.E164) bool {
		_, was := slices.BinarySearch(before.numbers, n)
		return !was
	}) {
		p.lost[key] = loss{numbers, now}
		return false
	}
	if now.Sub(before.at) < poolConfirm/2 {
		return false // too soon for a second read
	}
	delete(p.lost, key)
	return true
}
