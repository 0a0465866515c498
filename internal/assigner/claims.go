package assigner

import (
	"sync"
	"time"

	"greenlight/internal/ledger"
)

// claims remembers when this process first saw each claim: made it, or read it in
// the ledger. A claim is dated by the clock of whoever made it, which may be wrong
// by hours, and both clocks may step. How long ago a claim was first seen is
// certain, since nothing but this process's own time passes between. Safe for
// concurrent use.
type claims struct {
	mu   sync.Mutex
	seen map[claimKey]sighting
}

type claimKey struct{ campaignID, number string }

type sighting struct{ claimedAt, at time.Time }

func newClaims() *claims { return &claims{seen: make(map[claimKey]sighting)} }

// see returns when the record's claim was first seen, which is now if never. A
// later time than now, by a clock that was set back since, is no such time.
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

// forget drops what is remembered of a number without a claim, or without a record.
func (c *claims) forget(n ledger.Number) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.seen, claimKey{n.CampaignID, n.Number})
}

// settledAt is when the latest request for a number, if its outcome is not known,
// is given up: after Config.Settle, and twice as late with each further request.
// Zero when there is none.
//
// A number that a bulk task may work on is not settled before that has ended.
//
// The request ended within two thirds of Settle after its claim. So Settle after
// the claim was first seen here nothing is under way any more, whatever the date
// in the claim says; the date only makes it later, and not if it lies ahead.
func (a *Assigner) settledAt(n ledger.Number) time.Time {
	if n.ClaimedAt.IsZero() {
		a.claims.forget(n)
		return time.Time{}
	}
	now := a.now()
	seen := a.claims.see(n, now)
	wait := backoff(a.config.Settle, max(a.config.Settle, retryMost), n.Attempts, 0)
	if n.ClaimedAt.After(now) {
		return latest(seen.Add(wait), seen.Add(n.BusyUntil.Sub(n.ClaimedAt)))
	}
	return latest(n.BusyUntil, latest(seen.Add(a.config.Settle), n.ClaimedAt.Add(wait)))
}

// settledAt is that of a number on the pass's own campaign, of which the pass
// knows whether a task is still at work.
func (p *pass) settledAt(n ledger.Number) time.Time {
	if p.bulk.Since.IsZero() {
		n.BusyUntil = time.Time{}
	}
	return p.a.settledAt(n)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
