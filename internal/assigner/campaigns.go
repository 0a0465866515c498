package assigner

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

// missFor is how long a search that found nothing is not repeated: it reads every
// campaign of every brand.
const missFor = 10 * time.Minute

// campaigns finds campaigns at Telnyx by any of their ids. It remembers which Telnyx
// id a campaign has that the plan names otherwise, and under which key the ledger
// keeps a campaign that an event names. Safe for concurrent use.
type campaigns struct {
	telnyx *telnyx.Client
	now    func() time.Time

	mu      sync.Mutex
	keys    map[string]string            // any id of a campaign -> its key
	ids     map[string]telnyx.CampaignID // key -> Telnyx id
	byBrand map[string]map[string]bool   // brand id -> keys
	misses  map[string]time.Time         // by searchedFor: when a search found nothing
}

func newCampaigns(client *telnyx.Client, now func() time.Time) *campaigns {
	return &campaigns{
		telnyx: client, now: now,
		keys: map[string]string{}, ids: map[string]telnyx.CampaignID{}, byBrand: map[string]map[string]bool{}, misses: map[string]time.Time{},
	}
}

// learn takes in the ids of a campaign. One that was never read has none.
func (c *campaigns) learn(known ledger.Campaign) {
	if known.TelnyxID == "" && known.TCRID == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range []string{known.ID, known.TelnyxID, known.TCRID} {
		if id != "" {
			c.keys[id] = known.ID
		}
	}
	if known.TelnyxID != "" {
		c.ids[known.ID] = telnyx.CampaignID(known.TelnyxID)
	}
	if known.BrandID != "" {
		if c.byBrand[known.BrandID] == nil {
			c.byBrand[known.BrandID] = map[string]bool{}
		}
		c.byBrand[known.BrandID][known.ID] = true
	}
}

// key returns the key of the campaign with the given id; the id itself when the
// campaign was never read.
func (c *campaigns) key(id string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if key, ok := c.keys[id]; ok {
		return key
	}
	return id
}

// id returns Telnyx's own id of the campaign with the given key, empty when it is not
// known.
func (c *campaigns) id(key string) telnyx.CampaignID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ids[key]
}

// ofBrand returns the keys of the brand's campaigns.
func (c *campaigns) ofBrand(brandID string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.byBrand[brandID]))
}

// tcrID is the form of a TCR campaign id
// (https://github.com/team-telnyx/openapi, partner campaigns).
var tcrID = regexp.MustCompile(`^C[A-Z0-9]{5,8}$`)

// entryFor returns an entry that names the campaign with the given id, for a campaign
// that no plan names.
func entryFor(id string) plan.Campaign {
	if tcrID.MatchString(id) {
		return plan.Campaign{TCRCampaignID: telnyx.TCRCampaignID(id)}
	}
	return plan.Campaign{CampaignID: telnyx.CampaignID(id)}
}

// read reads the campaign that the entry selects. [telnyx.IsNotFound] recognises the
// error for one that does not exist.
//
// A TCR id may be that of a campaign shared with the account, or of one of its own.
// Telnyx reads its own campaigns by its own ids only, so one that is planned
// otherwise is searched for in the lists. The id that a search found may die: a
// campaign that was filed anew has a new id and the same reference, so the search is
// repeated when the remembered campaign has expired or does not exist any more.
func (c *campaigns) read(ctx context.Context, want plan.Campaign) (telnyx.Campaign, error) {
	if want.CampaignID != "" {
		return c.telnyx.Campaign(ctx, want.CampaignID)
	}
	if id := c.id(want.ID()); id != "" {
		found, err := c.telnyx.Campaign(ctx, id)
		switch {
		case err == nil && selects(want, found) && (want.ReferenceID == "" || !isOver(found)):
			return found, nil
		case err != nil && !telnyx.IsNotFound(err):
			return found, err
		}
		c.forgetMiss(want) // what was found before may be found anew
	}
	if want.ReferenceID != "" {
		return c.search(ctx, want)
	}
	shared, err := c.telnyx.PartnerCampaign(ctx, want.TCRCampaignID)
	if class := telnyx.Classify(err); err == nil || class != telnyx.ClassForbidden && class != telnyx.ClassRefused {
		return shared, err
	}
	own, searchErr := c.search(ctx, want)
	if telnyx.IsNotFound(searchErr) && !telnyx.IsNotFound(err) {
		return shared, err // more than "not there": the search only found nothing
	}
	return own, searchErr
}

// isOver reports a campaign that will not come back.
func isOver(c telnyx.Campaign) bool {
	return c.Status == telnyx.StatusExpired || c.CampaignStatus == telnyx.CampaignTCRExpired
}

// search finds one of the account's own campaigns in the lists, and reads it.
func (c *campaigns) search(ctx context.Context, want plan.Campaign) (telnyx.Campaign, error) {
	if c.missedLately(want) {
		return telnyx.Campaign{}, notFound(want)
	}
	brands := []string{want.BrandID}
	if want.BrandID == "" {
		all, err := c.telnyx.Brands(ctx)
		if err != nil {
			return telnyx.Campaign{}, err
		}
		brands = brands[:0]
		for _, brand := range all {
			brands = append(brands, brand.BrandID)
		}
	}
	var found telnyx.Campaign
	missing := ""
	for _, brand := range brands {
		listed, err := c.telnyx.Campaigns(ctx, brand)
		if err != nil {
			return telnyx.Campaign{}, err
		}
		if !listed.Complete {
			missing = fmt.Sprintf("the campaigns of brand %s are not all known: %s", brand, listed.Why)
		}
		for _, candidate := range listed.All {
			// The oldest come first. The youngest that is not over is the one.
			if selects(want, candidate) && (found.CampaignID == "" || !isOver(candidate)) {
				found = candidate
			}
		}
	}
	if found.CampaignID == "" && missing != "" {
		return telnyx.Campaign{}, fmt.Errorf("search for campaign %s: %s", want.ID(), missing)
	}
	if found.CampaignID == "" {
		c.missed(want)
		return telnyx.Campaign{}, notFound(want)
	}
	c.learn(ledger.Campaign{ID: want.ID(), TelnyxID: string(found.CampaignID)})
	return c.telnyx.Campaign(ctx, found.CampaignID)
}

// selects reports whether the campaign is the one that the entry names.
func selects(want plan.Campaign, c telnyx.Campaign) bool {
	switch {
	case want.ReferenceID != "":
		return c.ReferenceID == want.ReferenceID && c.BrandID == want.BrandID
	case want.TCRCampaignID != "":
		return strings.EqualFold(string(c.TCRCampaignID), string(want.TCRCampaignID))
	default:
		return c.CampaignID == want.CampaignID
	}
}

// notFound is what Telnyx itself would answer if it could be asked by such ids.
func notFound(want plan.Campaign) error {
	return fmt.Errorf("search for campaign %s: %w", want.ID(), &telnyx.APIError{
		Method: "GET", Route: "/10dlc/campaign", Status: 404,
		Errors: []telnyx.ErrorDetail{{Code: telnyx.CodeNotFound, Title: "no campaign of the account has this id"}},
	})
}

// searchedFor is what a search goes by: the same reference under another brand is
// another search.
func searchedFor(want plan.Campaign) string { return want.ID() + " " + want.BrandID }

func (c *campaigns) missed(want plan.Campaign) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	maps.DeleteFunc(c.misses, func(_ string, at time.Time) bool { return now.Sub(at) >= missFor })
	c.misses[searchedFor(want)] = now
}

// forgetMiss makes the next read search again for a campaign that was not found.
func (c *campaigns) forgetMiss(want plan.Campaign) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.misses, searchedFor(want))
}

func (c *campaigns) missedLately(want plan.Campaign) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, missed := c.misses[searchedFor(want)]
	return missed && c.now().Sub(at) < missFor
}

// listing reads campaigns by the lists of their brands, for a resync of many. A list
// may be minutes old, so it only serves to see that nothing has changed.
type listing struct {
	campaigns *campaigns
	// wanted counts the campaigns that the lists may serve, by brand id. Under "" are
	// those whose brand is not known.
	wanted map[string]int

	mu    sync.Mutex
	lists map[string]*brandList
}

// brandList is what one read of a brand's list found; that of the empty brand id is
// of all brands.
type brandList struct {
	once sync.Once
	rows map[telnyx.CampaignID]telnyx.Campaign
}

func (c *campaigns) newListing(wanted map[string]int) *listing {
	return &listing{campaigns: c, wanted: wanted, lists: map[string]*brandList{}}
}

// find returns what the lists have of a campaign. It is not listed when its brand's
// list would take more calls than reading each by itself, could not be read, or does
// not have it.
func (l *listing) find(ctx context.Context, brandID string, id telnyx.CampaignID) (c telnyx.Campaign, listed bool) {
	l.mu.Lock()
	found := l.lists[brandID]
	if found == nil {
		found = &brandList{}
		l.lists[brandID] = found
	}
	l.mu.Unlock()
	found.once.Do(func() {
		if brandID == "" {
			found.rows = l.readAll(ctx)
		} else {
			found.rows, _ = l.readBrand(ctx, brandID, l.wanted[brandID])
		}
	})
	c, listed = found.rows[id]
	return c, listed
}

// readBrand reads a brand's list if that takes at most budget calls, which it also
// returns. Rows that move from page to page meanwhile may be missed; they are read by
// themselves then.
func (l *listing) readBrand(ctx context.Context, brandID string, budget int) (rows map[telnyx.CampaignID]telnyx.Campaign, calls int) {
	if budget < 2 {
		return nil, 0
	}
	rows = map[telnyx.CampaignID]telnyx.Campaign{}
	for page, pages := 1, 1; page <= pages; page++ {
		found, total, err := l.campaigns.telnyx.CampaignsPage(ctx, brandID, page)
		calls++
		if err != nil || len(found) == 0 {
			break
		}
		for _, c := range found {
			rows[c.CampaignID] = c
		}
		if page == 1 {
			pages = (total + len(found) - 1) / len(found)
			if pages > budget {
				break // what the first page has is known all the same
			}
		}
	}
	return rows, calls
}

// readAll reads the lists of all brands, for campaigns of which nothing is known yet,
// as long as that takes fewer calls than reading those one by one.
func (l *listing) readAll(ctx context.Context) map[telnyx.CampaignID]telnyx.Campaign {
	budget := l.wanted[""]
	if budget < 2 {
		return nil
	}
	brands, total, err := l.campaigns.telnyx.BrandsPage(ctx, 1)
	if err == nil && len(brands) < total && total < budget {
		brands, err = l.campaigns.telnyx.Brands(ctx)
	}
	if err != nil || max(len(brands), total) >= budget {
		return nil
	}
	all := map[telnyx.CampaignID]telnyx.Campaign{}
	for _, brand := range brands {
		rows, calls := l.readBrand(ctx, brand.BrandID, budget)
		maps.Copy(all, rows)
		budget -= calls
	}
	return all
}

// otherEntry returns the set's entry, other than the one with the given key, that
// names the campaign by one of its ids. Of several it is the one that counts.
func otherEntry(set *plan.Set, key string, c telnyx.Campaign) (plan.Campaign, bool) {
	ids := []string{string(c.CampaignID), string(c.TCRCampaignID)}
	if c.ReferenceID != "" {
		ids = append(ids, plan.Campaign{ReferenceID: c.ReferenceID}.ID())
	}
	for _, id := range ids {
		want, found := set.Find(id)
		if found && want.ID() != key && (want.ReferenceID == "" || want.BrandID == c.BrandID) {
			return want, true
		}
	}
	return plan.Campaign{}, false
}

// namedTwice says of an entry that another one for the same campaign counts.
func namedTwice(twin plan.Campaign) string {
	return fmt.Sprintf("the plan names this campaign twice, here and as %s (%s): put the numbers in one place", twin.ID(), twin.Position)
}

// isMissing reports a campaign that Telnyx says is not there, or, with 403, not for
// this account. It is believed when a second reading agrees, see [missingTwice].
func isMissing(err error, class telnyx.ErrorClass) bool {
	return telnyx.IsNotFound(err) || class == telnyx.ClassForbidden
}
