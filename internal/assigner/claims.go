package assigner

import (
	"slices"
	"sync"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
)

// claims remembers when this process first saw each claim: made it, or read it in
// the ledger. A claim is dated by the clock of the process that made it, which may be
// wrong by hours, and clocks may step. How long ago a claim was first seen is certain,
// since nothing but this process's own time passes between. Safe for concurrent use.
type claims struct {
	// settle is how long a request may take to end and to take effect.
	settle time.Duration

	mu   sync.Mutex
	seen map[claimKey]sighting
}

type claimKey struct{ campaignID, number string }

type sighting struct{ claimedAt, at time.Time }

func newClaims(settle time.Duration) *claims {
	return &claims{settle: settle, seen: map[claimKey]sighting{}}
}

// see returns when the record's claim was first seen, which is now if never. A time
// later than now, by a clock that was set back since, does not count.
func (c *claims) see(n ledger.Number, now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := claimKey{n.CampaignID, n.Number}
	known, ok := c.seen[key]
	if !ok || !known.claimedAt.Equal(n.ClaimedAt) || known.at.After(now) {
		known = sighting{n.ClaimedAt, now}
		c.seen[key] = known
	}
	return known.at
}

// endOf is when the request that a record claims is certainly over, so that a number
// that still has no record may be tried again; zero without a claim. The request
// itself ends within two thirds of settle.
func (c *claims) endOf(n ledger.Number, now time.Time) time.Time {
	if n.ClaimedAt.IsZero() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.seen, claimKey{n.CampaignID, n.Number})
		return time.Time{}
	}
	return c.see(n, now).Add(c.settle)
}

// pools remembers which numbers pools have, and which a campaign's pool seems to have lost.
// Safe for concurrent use.
type pools struct {
	mu      sync.Mutex
	lost    map[string]loss               // by campaign key
	members map[string]map[plan.E164]bool // by profile, as read completely last
}

type loss struct {
	numbers []plan.E164
	at      time.Time
}

func newPools() *pools {
	return &pools{lost: map[string]loss{}, members: map[string]map[plan.E164]bool{}}
}

// learn takes in the numbers of a pool.
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

// mayHave reports whether a pool has the number or was not read. The empty profile is none.
func (p *pools) mayHave(profile string, n plan.E164) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	members, read := p.members[profile]
	return profile != "" && (!read || members[n])
}

// confirm takes in a reading of a pool without these numbers, which are sorted, and
// reports whether the pool has lost them: the complete reading before, some time ago,
// showed the same or more to be gone. An incomplete reading proves nothing.
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
		return false // too soon to be another reading
	}
	delete(p.lost, key)
	return true
}
