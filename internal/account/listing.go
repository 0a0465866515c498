package account

import (
	"context"
	"maps"
	"sync"

	"greenlight/internal/telnyx"
)

// Listing reads many campaigns by the lists of their brands, where that takes
// fewer calls than reading them one by one. Each list is read at most once, when
// the first of its campaigns is asked for, so that what it says is as old as that:
// make a new one for each occasion, and decide nothing by it that a change since
// would make wrong. Safe for concurrent use.
type Listing struct {
	reader *Reader
	// wanted is how many campaigns of each brand will be asked for, by brand id;
	// under the empty id, those whose brand is not known.
	wanted map[string]int

	mu    sync.Mutex
	lists map[string]*list // by brand id
}

// list is what one read of a brand's list found; that of the empty brand id is of
// all brands.
type list struct {
	once sync.Once
	rows map[telnyx.CampaignID]telnyx.Campaign
}

// NewListing returns a listing for so many campaigns of each brand.
func (r *Reader) NewListing(wanted map[string]int) *Listing {
	return &Listing{reader: r, wanted: wanted, lists: make(map[string]*list)}
}

// Campaign returns what the lists say of a campaign. It is not listed when its
// brand's list would take more calls, could not be read, or does not have it; then
// read it by itself. An empty brandID means that the brand is not known.
func (l *Listing) Campaign(ctx context.Context, brandID string, id telnyx.CampaignID) (c telnyx.Campaign, listed bool) {
	found := l.list(brandID)
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

func (l *Listing) list(brandID string) *list {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lists[brandID] == nil {
		l.lists[brandID] = &list{}
	}
	return l.lists[brandID]
}

// readBrand reads a brand's list if that takes at most budget calls, which it
// also returns. Rows that move from page to page meanwhile may be missed; they are
// read by themselves then.
func (l *Listing) readBrand(ctx context.Context, brandID string, budget int) (rows map[telnyx.CampaignID]telnyx.Campaign, calls int) {
	if budget < 2 {
		return nil, 0
	}
	rows = make(map[telnyx.CampaignID]telnyx.Campaign)
	for page, pages := 1, 1; page <= pages; page++ {
		found, total, err := l.reader.telnyx.CampaignsPage(ctx, brandID, page)
		calls++
		if err != nil {
			break
		}
		for _, c := range found {
			rows[c.CampaignID] = c
		}
		if len(found) == 0 {
			break
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

// readAll reads the lists of all brands, for campaigns of which nothing is known
// yet, as long as that takes fewer calls than reading those one by one.
func (l *Listing) readAll(ctx context.Context) map[telnyx.CampaignID]telnyx.Campaign {
	budget := l.wanted[""]
	if budget < 2 {
		return nil
	}
	brands, total, err := l.reader.telnyx.BrandsPage(ctx, 1)
	if err == nil && len(brands) < total && total < budget {
		brands, err = l.reader.telnyx.Brands(ctx)
	}
	if err != nil || max(len(brands), total) >= budget {
		return nil
	}
	all := make(map[telnyx.CampaignID]telnyx.Campaign)
	for _, brand := range brands {
		rows, calls := l.readBrand(ctx, brand.BrandID, budget)
		maps.Copy(all, rows)
		budget -= calls
	}
	return all
}
