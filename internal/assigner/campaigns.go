package assigner

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"sync"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

// missFor is how long a search without a result is not repeated: it reads every campaign of
// every brand.
const missFor = 10 * time.Minute

// campaigns finds campaigns at Telnyx by any of their ids. It remembers the Telnyx id of
// campaigns that the plan names by another id, and the ledger's key for each id in an event.
// Safe for concurrent use.
type campaigns struct {
	telnyx *telnyx.Client
	now    func() time.Time

	mu     sync.Mutex
	keys   map[string]string          // by any id of the campaign
	byKey  map[string]ledger.Campaign // only the ids
	misses map[string]time.Time       // by searchedFor: when a search found nothing
}

func newCampaigns(client *telnyx.Client, now func() time.Time) *campaigns {
	return &campaigns{telnyx: client, now: now, keys: map[string]string{}, byKey: map[string]ledger.Campaign{}, misses: map[string]time.Time{}}
}

// learn remembers the ids of a campaign. One that was never read has none.
func (c *campaigns) learn(known ledger.Campaign) {
	if known.TelnyxID == "" && known.TCRID == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := ledger.Campaign{ID: known.ID, TelnyxID: known.TelnyxID, TCRID: known.TCRID, BrandID: known.BrandID}
	for _, id := range ids.IDs() { // no reference: a campaign that was filed again has the same one
		c.keys[id] = known.ID
	}
	ids.ReferenceKey = known.ReferenceKey
	c.byKey[known.ID] = ids
}

// key returns the key of the campaign with the given id, or the id itself if the campaign was
// never read.
func (c *campaigns) key(id string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return cmp.Or(c.keys[id], id)
}

// known returns the ids of the campaign with the given key, the zero value if it was
// never read.
func (c *campaigns) known(key string) ledger.Campaign {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byKey[key]
}

// id returns Telnyx's own id of the campaign with the given key, empty if unknown.
func (c *campaigns) id(key string) telnyx.CampaignID {
	return telnyx.CampaignID(c.known(key).TelnyxID)
}

// tcrID is the form of a TCR campaign id
// (https://github.com/team-telnyx/openapi, partner campaigns).
var tcrID = regexp.MustCompile(`^C[A-Z0-9]{5,8}$`)

// entryFor returns an entry for a campaign that no plan names.
func entryFor(id string) plan.Campaign {
	if tcrID.MatchString(id) {
		return plan.Campaign{TCRCampaignID: telnyx.TCRCampaignID(id)}
	}
	return plan.Campaign{CampaignID: telnyx.CampaignID(id)}
}

// read reads the campaign that the entry selects. The error for one that does not exist
// matches [telnyx.IsNotFound].
//
// A TCR id may belong to a campaign that is shared with the account, or to one of its own.
// Telnyx finds the account's campaigns only by Telnyx's ids, so others are searched for in the
// lists. A campaign that is filed again has a new id and the same reference, so the search is
// repeated if the campaign that it found has expired or no longer exists.
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
		c.forgetMiss(want) // what was found before may be found again
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
		return shared, err // it says more than that the search found nothing
	}
	return own, searchErr
}

// isOver reports a campaign that has ended for good.
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
			// The oldest come first. The newest that is not over counts.
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
	c.learn(ledger.Campaign{ID: want.ID(), TelnyxID: string(found.CampaignID), TCRID: string(found.TCRCampaignID), BrandID: found.BrandID})
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

// notFound is the error for a campaign that a search did not find, as from Telnyx.
func notFound(want plan.Campaign) error {
	return fmt.Errorf("search for campaign %s: %w", want.ID(), &telnyx.APIError{
		Method: "GET", Route: "/10dlc/campaign", Status: 404,
		Errors: []telnyx.ErrorDetail{{Code: telnyx.CodeNotFound, Title: "no campaign of the account has this id"}},
	})
}

// searchedFor identifies a search. Another brand may have the same reference.
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

// maxFiled bounds the campaigns that [campaigns.filed] keeps.
const maxFiled = 20_000

// filed lists the account's campaigns, brand by brand, for a resync of many that are not
// approved. It makes at most the given number of calls: as many as reading each campaign
// separately. Campaigns that are not in the list are read separately.
func (c *campaigns) filed(ctx context.Context, calls int) (telnyx.Rows[telnyx.Campaign], error) {
	var filed telnyx.Rows[telnyx.Campaign]
	brands, total, err := c.telnyx.BrandsPage(ctx, 1)
	if err != nil || max(total, len(brands)) >= calls {
		return filed, nil
	}
	for _, brand := range brands {
		for page, pages := 1, 1; page <= pages && pages-page < calls && len(filed.All) < maxFiled; page++ {
			found, total, err := c.telnyx.CampaignsPage(ctx, brand.BrandID, page)
			calls--
			if err != nil || len(found) == 0 {
				break
			}
			if page == 1 {
				pages = (total + len(found) - 1) / len(found)
			}
			filed.All = append(filed.All, found...)
		}
	}
	return filed, nil
}

func indexCampaigns(all []telnyx.Campaign) map[telnyx.CampaignID]telnyx.Campaign {
	index := make(map[telnyx.CampaignID]telnyx.Campaign, len(all))
	for _, c := range all {
		index[c.CampaignID] = c
	}
	return index
}

// OtherEntry returns the set's entry, other than the one with the given key, that names the
// campaign by one of its ids. Of several, it returns the one that counts. An empty key leaves
// out none.
func OtherEntry(set *plan.Set, key string, c telnyx.Campaign) (plan.Campaign, bool) {
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

// namedTwice says that another entry for the same campaign counts.
func namedTwice(duplicate plan.Campaign) string {
	return fmt.Sprintf("the plan names this campaign twice, here and as %s (%s): put the numbers in one place", duplicate.ID(), duplicate.Position)
}

// isMissing reports that Telnyx does not have the campaign, or, with a 403, not for this
// account. A second read must agree, see [missingReads].
func isMissing(err error, class telnyx.ErrorClass) bool {
	return telnyx.IsNotFound(err) || class == telnyx.ClassForbidden
}
