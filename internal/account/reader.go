package account

import (
	"context"
	"fmt"
	"regexp"
	"sync"
	"time"

	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

// missFor is how long a search that found nothing is not made again: it reads
// every campaign of every brand.
const missFor = 10 * time.Minute

// Reader reads from one account. It remembers which Telnyx id a campaign has that
// is planned by another. Safe for concurrent use.
type Reader struct {
	telnyx      *telnyx.Client
	concurrency int
	now         func() time.Time

	mu     sync.Mutex
	ids    map[string]telnyx.CampaignID // by plan.Campaign.ID
	misses map[string]time.Time         // by searchedFor: when a search found nothing
}

// NewReader returns a reader that has at most concurrency calls under way at once
// when it reads numbers one by one.
func NewReader(client *telnyx.Client, concurrency int) *Reader {
	return &Reader{
		telnyx:      client,
		concurrency: max(concurrency, 1),
		now:         time.Now,
		ids:         make(map[string]telnyx.CampaignID),
		misses:      make(map[string]time.Time),
	}
}

// Learn tells the Telnyx id of a campaign, as an earlier read found it.
func (r *Reader) Learn(key string, id telnyx.CampaignID) {
	if id == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids[key] = id
}

// Concurrency is how many numbers may be read one by one at once.
func (r *Reader) Concurrency() int { return r.concurrency }

// tcrID is the form of a TCR campaign id
// (https://github.com/team-telnyx/openapi, partner campaigns).
var tcrID = regexp.MustCompile(`^C[A-Z0-9]{5,8}$`)

// Meant returns the entry that names the campaign with the given id, for a
// campaign that no plan names.
func Meant(id string) plan.Campaign {
	if tcrID.MatchString(id) {
		return plan.Campaign{TCRCampaignID: telnyx.TCRCampaignID(id)}
	}
	return plan.Campaign{CampaignID: telnyx.CampaignID(id)}
}

// Campaign reads the campaign that the entry selects. [telnyx.IsNotFound]
// recognises the error for one that is not there.
//
// A TCR id may be that of a campaign shared with the account, or of one of its
// own. Telnyx reads its own campaigns by its own ids only, so one that is planned
// otherwise is searched for in the lists once. A campaign that was filed anew has a
// new id and the same reference, so an expired one is searched for again.
func (r *Reader) Campaign(ctx context.Context, want plan.Campaign) (telnyx.Campaign, error) {
	if want.CampaignID != "" {
		return r.telnyx.Campaign(ctx, want.CampaignID)
	}
	if id, known := r.known(want.ID()); known {
		c, err := r.telnyx.Campaign(ctx, id)
		if err != nil || Selects(want, c) && (want.ReferenceID == "" || !isOver(c)) {
			return c, err
		}
	}
	if want.ReferenceID != "" {
		return r.search(ctx, want)
	}
	shared, err := r.telnyx.PartnerCampaign(ctx, want.TCRCampaignID)
	if !telnyx.IsNotFound(err) {
		return shared, err
	}
	return r.search(ctx, want)
}

// isOver reports a campaign that will not come back.
func isOver(c telnyx.Campaign) bool {
	return c.Status == telnyx.StatusExpired || c.CampaignStatus == telnyx.CampaignTCRExpired
}

// search finds one of the account's own campaigns in the lists, and reads it.
func (r *Reader) search(ctx context.Context, want plan.Campaign) (telnyx.Campaign, error) {
	if r.missedLately(want) {
		return telnyx.Campaign{}, notThere(want)
	}
	brands := []string{want.BrandID}
	if want.BrandID == "" {
		all, err := r.telnyx.Brands(ctx)
		if err != nil {
			return telnyx.Campaign{}, err
		}
		brands = brands[:0]
		for _, brand := range all {
			brands = append(brands, brand.BrandID)
		}
	}
	var found telnyx.Campaign
	for _, brand := range brands {
		campaigns, err := r.telnyx.Campaigns(ctx, brand)
		if err != nil {
			return telnyx.Campaign{}, err
		}
		for _, c := range campaigns {
			// The oldest come first. The youngest that is not over is the one.
			if Selects(want, c) && (found.CampaignID == "" || !isOver(c)) {
				found = c
			}
		}
	}
	if found.CampaignID == "" {
		r.missed(want)
		return telnyx.Campaign{}, notThere(want)
	}
	r.Learn(want.ID(), found.CampaignID)
	return r.telnyx.Campaign(ctx, found.CampaignID)
}

// Selects reports whether the campaign is the one that the entry selects.
func Selects(want plan.Campaign, c telnyx.Campaign) bool {
	switch {
	case want.ReferenceID != "":
		return c.ReferenceID == want.ReferenceID && c.BrandID == want.BrandID
	case want.TCRCampaignID != "":
		return c.TCRCampaignID == want.TCRCampaignID
	default:
		return c.CampaignID == want.CampaignID
	}
}

// notThere is what Telnyx itself would answer if it could be asked by such ids.
func notThere(want plan.Campaign) error {
	return fmt.Errorf("search for campaign %s: %w", want.ID(), &telnyx.APIError{
		Method: "GET", Route: "/10dlc/campaign", Status: 404,
		Errors: []telnyx.ErrorDetail{{Code: telnyx.CodeNotFound, Title: "no campaign of the account has this id"}},
	})
}

func (r *Reader) known(key string) (telnyx.CampaignID, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id, ok := r.ids[key]
	return id, ok
}

// ForgetMiss makes the next read search again for a campaign that was not found.
func (r *Reader) ForgetMiss(want plan.Campaign) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.misses, searchedFor(want))
}

// searchedFor is what a search goes by: the same reference under another brand is
// another search.
func searchedFor(want plan.Campaign) string { return want.ID() + " " + want.BrandID }

func (r *Reader) missed(want plan.Campaign) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.misses[searchedFor(want)] = r.now()
}

func (r *Reader) missedLately(want plan.Campaign) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, missed := r.misses[searchedFor(want)]
	return missed && r.now().Sub(at) < missFor
}
