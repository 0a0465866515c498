package assigner

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
)

const (
	// carriersLast is how long the carriers' status of an unchanged campaign is kept. Changes
	// come with an event.
	carriersLast = 6 * time.Hour
	// carriersRetry is the wait after it could not be read.
	carriersRetry = 10 * time.Minute
	// carriersTimeout bounds one read, since an event about the campaign waits for it.
	carriersTimeout = time.Second
	// Without an event, the carriers of at most carriersBurst campaigns are read at once, and
	// then of one campaign every carriersEvery: 20 in 15 minutes.
	carriersBurst = 20
	carriersEvery = 45 * time.Second
	// maxCarriers bounds the carriers of a campaign, maxCarrierText each of their texts in
	// bytes.
	maxCarriers, maxCarrierText = 20, 40
)

// Carriers reads the carriers' status of campaigns. It is safe for concurrent use.
type Carriers struct {
	client *telnyx.Client
	budget *rate.Limiter // for reads without an event

	naming sync.Mutex // held while names are read, so that they are read once

	mu    sync.Mutex
	names map[string]string    // by network id
	due   map[string]time.Time // of the next read, by the campaign's key
}

// NewCarriers returns a Carriers that has read nothing yet.
func NewCarriers(client *telnyx.Client) *Carriers {
	budget := rate.NewLimiter(rate.Every(carriersEvery), carriersBurst)
	return &Carriers{client: client, budget: budget, names: map[string]string{}, due: map[string]time.Time{}}
}

// Read returns each carrier's status of a campaign, by network id. There are none if the
// campaign is shared, since only its owner may read them, or is not at the carriers yet.
func (c *Carriers) Read(ctx context.Context, campaign telnyx.Campaign) ([]ledger.Carrier, error) {
	if campaign.Shared {
		return nil, nil
	}
	states, err := c.client.OperationStatus(ctx, campaign.CampaignID)
	if telnyx.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	networks := slices.Sorted(maps.Keys(states))
	networks = networks[:min(len(networks), maxCarriers)]
	names := c.namesOf(ctx, campaign.CampaignID, networks)
	var carriers []ledger.Carrier
	for _, network := range networks {
		carriers = append(carriers, ledger.Carrier{Network: clip(network), Name: clip(names[network]), Status: clip(states[network])})
	}
	return carriers, nil
}

func clip(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxCarrierText)], "")
}

// namesOf returns the carriers' names, or their ids. They are read when a network is new.
func (c *Carriers) namesOf(ctx context.Context, id telnyx.CampaignID, networks []string) map[string]string {
	c.naming.Lock()
	defer c.naming.Unlock()
	c.mu.Lock()
	names := maps.Clone(c.names)
	c.mu.Unlock()
	if !slices.ContainsFunc(networks, func(network string) bool { return names[network] == "" }) {
		return names
	}
	read, err := c.client.CarrierNames(ctx, id)
	known := telnyx.KnownCarriers()
	for _, network := range networks {
		names[network] = cmp.Or(names[network], read[network], known[network], network)
	}
	if err == nil {
		c.mu.Lock()
		maps.Copy(c.names, names)
		c.mu.Unlock()
	}
	return names
}

// isDue reports whether the carriers' status of an unchanged campaign must be read. Recorded
// says that the ledger has it.
func (c *Carriers) isDue(key string, recorded bool, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, planned := c.due[key]; !planned && recorded {
		c.due[key] = now.Add(carriersLast)
	}
	return !now.Before(c.due[key])
}

func (c *Carriers) readAgainAt(key string, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.due[key] = at
}

// readCarriers records the carriers' status if it may have changed: after the first read of
// the campaign, after a change or an event, and every few hours. It runs last, and not while
// another request for the campaign waits. If it cannot be read, the old status stays, since no
// decision depends on it.
func (r *reconcile) readCarriers(ctx context.Context) error {
	c := r.entry.Campaign
	if !r.planned || !r.wasRead() || c.Reason != "" || r.a.queue.waits(r.req.key) {
		return nil
	}
	changed := r.req.changed || c.Status != r.before.Status || c.Phase != r.before.Phase
	if !changed && !r.a.carriers.isDue(r.req.key, len(r.before.Carriers) > 0, r.a.now()) {
		return nil
	}
	if !r.req.changed && !r.a.carriers.budget.AllowN(r.a.now(), 1) {
		r.a.carriers.readAgainAt(r.req.key, r.a.now())
		return nil
	}
	reading, cancel := context.WithTimeout(telnyx.Routine(ctx), carriersTimeout)
	defer cancel()
	carriers, err := r.a.carriers.Read(reading, r.campaign)
	if err != nil {
		r.a.carriers.readAgainAt(r.req.key, r.a.now().Add(carriersRetry))
		return nil
	}
	r.a.carriers.readAgainAt(r.req.key, r.a.now().Add(carriersLast))
	if slices.Equal(carriers, c.Carriers) {
		return nil
	}
	c.Carriers = carriers
	return r.putCampaign(ctx, c)
}
