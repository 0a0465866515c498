package assigner

import (
	"sync"
	"time"

	"greenlight/internal/ledger"
)

// directory knows under which key the ledger keeps a campaign that is spoken of
// by another of its ids. It is learnt from every campaign read and from the
// ledger at the start. Safe for concurrent use.
type directory struct {
	mu      sync.RWMutex
	keys    map[string]string          // any id of a campaign -> its key
	telnyx  map[string]string          // key -> Telnyx id
	byBrand map[string]map[string]bool // brand id -> keys
	entries map[string]string          // key -> Hash of the entry of the latest look
	rested  map[string]time.Time       // key -> until when events about numbers wait
	failed  map[string]int             // key -> looks in a row that failed
}

func newDirectory() *directory {
	return &directory{
		keys:    make(map[string]string),
		telnyx:  make(map[string]string),
		byBrand: make(map[string]map[string]bool),
		entries: make(map[string]string),
		rested:  make(map[string]time.Time),
		failed:  make(map[string]int),
	}
}

// learn takes in the ids of a campaign. One that was never read has none.
func (d *directory) learn(c ledger.Campaign) {
	if c.TelnyxID == "" && c.TCRID == "" {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range []string{c.ID, c.TelnyxID, c.TCRID} {
		if id != "" {
			d.keys[id] = c.ID
		}
	}
	if c.TelnyxID != "" {
		d.telnyx[c.ID] = c.TelnyxID
	}
	if c.BrandID != "" {
		if d.byBrand[c.BrandID] == nil {
			d.byBrand[c.BrandID] = make(map[string]bool)
		}
		d.byBrand[c.BrandID][c.ID] = true
	}
}

// lookedUnder notes under which entry a campaign is looked at.
func (d *directory) lookedUnder(key, entryHash string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries[key] = entryHash
}

// looked returns the Hash of the entry under which a campaign was looked at last,
// empty if it never was.
func (d *directory) looked(key string) string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.entries[key]
}

// countFailure counts looks at a campaign that failed in a row.
func (d *directory) countFailure(key string, failed bool) (inARow int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !failed {
		delete(d.failed, key)
		return 0
	}
	d.failed[key]++
	return d.failed[key]
}

// restUntil makes events about single numbers of a campaign wait, since the look
// that they ask for has just been made and was dear.
func (d *directory) restUntil(key string, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rested[key] = at
}

// restedAt returns until when events about single numbers of a campaign wait.
func (d *directory) restedAt(key string) time.Time {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.rested[key]
}

// key returns the key of the campaign with the given id; the id itself when the
// campaign was never read.
func (d *directory) key(id string) string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if key, ok := d.keys[id]; ok {
		return key
	}
	return id
}

// telnyxID returns Telnyx's own id of the campaign with the given key, empty
// when it is not known.
func (d *directory) telnyxID(key string) string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.telnyx[key]
}

// ofBrand returns the keys of the brand's campaigns.
func (d *directory) ofBrand(brandID string) []string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	keys := make([]string, 0, len(d.byBrand[brandID]))
	for key := range d.byBrand[brandID] {
		keys = append(keys, key)
	}
	return keys
}
