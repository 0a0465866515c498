package page

import (
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
	"unique"

	"greenlight/internal/ledger"
)

const (
	// maxNumbers bounds the index. A hundred thousand numbers take about 25 MB; what
	// is over this is counted as left out, and the page says so.
	maxNumbers = 500_000
	// maxDetail bounds what the index keeps of Telnyx's words about a number. The
	// number's timeline has all of them.
	maxDetail = 400
)

// index is the ledger in memory, small enough to have all of it. Safe for
// concurrent use.
type index struct {
	mu        sync.Mutex
	campaigns map[string]*campaign
	// order is the campaigns by plan and id, those that no plan names last; nil when it
	// must be sorted again.
	order   []*campaign
	totals  map[ledger.NumberKind]int
	numbers int
	most    int
	leftOut map[string]struct{}
	// loaded says that all of the ledger was read once.
	loaded bool
	// conditions are what the ledger does not know.
	conditions conditions

	// version grows with every change; changed is closed at the next one.
	version uint64
	changed chan struct{}
}

type campaign struct {
	ledger.Campaign
	// recorded says that the campaign has a record of its own. A number's record may
	// come first.
	recorded bool
	counts   map[ledger.NumberKind]int
	numbers  map[string]*number
	// order is the numbers sorted; nil when it must be sorted again.
	order []*number
}

// number is what the page shows of a number's record. Most of its texts are those
// of many numbers and are kept once.
type number struct {
	e164          string
	state, reason unique.Handle[string]
	detail, other unique.Handle[string]
	// since and nextAt are seconds since 1970, 0 for none.
	since, nextAt int64
	needsPerson   bool
	// version is the index's when the record came.
	version uint64
}

func (n *number) kind() ledger.NumberKind {
	return ledger.NumberKind{State: ledger.State(n.state.Value()), Reason: ledger.Reason(n.reason.Value()), NeedsPerson: n.needsPerson}
}

func newIndex() *index {
	x := &index{most: maxNumbers, changed: make(chan struct{})}
	x.clear()
	return x
}

// clear empties the index, before the ledger is read again.
func (x *index) clear() {
	x.campaigns, x.totals, x.leftOut = make(map[string]*campaign), make(map[ledger.NumberKind]int), make(map[string]struct{})
	x.order, x.numbers = nil, 0
}

// bump tells whoever waits that something changed. Call it with the lock held.
func (x *index) bump() {
	x.version++
	close(x.changed)
	x.changed = make(chan struct{})
}

// wait returns the version of the index and a channel that is closed when it has
// another one.
func (x *index) wait() (version uint64, changed <-chan struct{}) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.version, x.changed
}

// at returns the campaign with the id, and makes one when there is none.
func (x *index) at(id string) *campaign {
	c := x.campaigns[id]
	if c == nil {
		c = &campaign{Campaign: ledger.Campaign{ID: strings.Clone(id)}, counts: make(map[ledger.NumberKind]int), numbers: make(map[string]*number)}
		x.campaigns[c.ID], x.order = c, nil
	}
	return c
}

func (x *index) putCampaign(record ledger.Campaign) {
	x.mu.Lock()
	defer x.mu.Unlock()
	c := x.at(record.ID)
	if c.Plan != record.Plan || c.Planned != record.Planned || !c.recorded {
		x.order = nil
	}
	c.Campaign, c.recorded = record, true
	x.bump()
}

func (x *index) dropCampaign(id string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	c := x.campaigns[id]
	if c == nil {
		return
	}
	c.Campaign, c.recorded = ledger.Campaign{ID: c.ID}, false
	x.forgetEmpty(c)
	x.order = nil
	x.bump()
}

func (x *index) putNumber(record ledger.Number) {
	x.mu.Lock()
	defer x.mu.Unlock()
	c := x.at(record.CampaignID)
	n := c.numbers[record.Number]
	if n == nil {
		if x.numbers >= x.most {
			x.leftOut[record.CampaignID+" "+record.Number] = struct{}{}
			x.forgetEmpty(c)
			x.bump()
			return
		}
		n = &number{e164: strings.Clone(record.Number)}
		c.numbers[n.e164], c.order = n, nil
		x.numbers++
	} else {
		x.count(c, n, -1)
	}
	n.state, n.reason = unique.Make(string(record.State)), unique.Make(string(record.Reason))
	n.detail, n.other = unique.Make(clip(record.Detail)), unique.Make(record.OtherCampaignID)
	n.since, n.nextAt, n.needsPerson = seconds(record.Since), seconds(record.NextAt), record.NeedsPerson
	x.count(c, n, 1)
	x.bump()
	n.version = x.version
}

func (x *index) dropNumber(campaignID, e164 string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.leftOut, campaignID+" "+e164)
	c := x.campaigns[campaignID]
	if c == nil || c.numbers[e164] == nil {
		return
	}
	x.count(c, c.numbers[e164], -1)
	delete(c.numbers, e164)
	c.order = nil
	x.numbers--
	x.forgetEmpty(c)
	x.bump()
}

// count adds a number to what is counted, or takes it off.
func (x *index) count(c *campaign, n *number, by int) {
	kind := n.kind()
	for _, counts := range []map[ledger.NumberKind]int{c.counts, x.totals} {
		if counts[kind] += by; counts[kind] == 0 {
			delete(counts, kind)
		}
	}
}

// forgetEmpty takes a campaign out that has neither a record nor numbers.
func (x *index) forgetEmpty(c *campaign) {
	if !c.recorded && len(c.numbers) == 0 {
		delete(x.campaigns, c.ID)
		x.order = nil
	}
}

// sorted returns the campaigns by plan and id, those that no plan names last. Call it with
// the lock held.
func (x *index) sorted() []*campaign {
	if x.order == nil {
		x.order = make([]*campaign, 0, len(x.campaigns))
		for _, c := range x.campaigns {
			x.order = append(x.order, c)
		}
		slices.SortFunc(x.order, func(a, b *campaign) int {
			// Those that no plan names come last.
			if a.Planned != b.Planned {
				if a.Planned {
					return -1
				}
				return 1
			}
			if byPlan := strings.Compare(a.Plan, b.Plan); byPlan != 0 {
				return byPlan
			}
			return strings.Compare(a.ID, b.ID)
		})
	}
	return x.order
}

// sorted returns the campaign's numbers. Call it with the index's lock held.
func (c *campaign) sorted() []*number {
	if c.order == nil {
		c.order = make([]*number, 0, len(c.numbers))
		for _, n := range c.numbers {
			c.order = append(c.order, n)
		}
		slices.SortFunc(c.order, func(a, b *number) int { return strings.Compare(a.e164, b.e164) })
	}
	return c.order
}

// record returns a number as the ledger's record has it, with what the index keeps.
func (n *number) record(campaignID string) ledger.Number {
	kind := n.kind()
	return ledger.Number{
		Number: n.e164, CampaignID: campaignID, State: kind.State, Reason: kind.Reason, NeedsPerson: kind.NeedsPerson, Detail: n.detail.Value(),
		OtherCampaignID: n.other.Value(), Since: moment(n.since), NextAt: moment(n.nextAt),
	}
}

func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func moment(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// clip bounds a text, and cuts no letter in two.
func clip(text string) string {
	if len(text) <= maxDetail {
		return text
	}
	cut := maxDetail
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
