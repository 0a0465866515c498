package assigner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"greenlight/internal/account"
	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/logging"
)

const (
	// planWait and planPatience are how often and how long a plan set that another
	// process told of is waited for; plans are polled every half a minute at least.
	planWait     = time.Second
	planPatience = time.Minute
)

// receiveAll takes deliveries until there are no more. It has a goroutine of its
// own, since finding out what a delivery is about may have to ask the ledger.
func (a *Assigner) receiveAll(ctx context.Context, deliveries <-chan *events.Delivery) {
	pin, started := "", a.now()
	for d := range deliveries {
		if d.Pin != pin && a.now().Sub(started) > takeoverAfter {
			a.takeOver(ctx)
		}
		if d.Pin != pin {
			a.plans.forget()
		}
		pin = d.Pin
		a.receive(ctx, d)
	}
}

// takeOver makes up for what another process knew: what it had learnt of
// campaigns, and what it had merged and not finished. A start does the same.
func (a *Assigner) takeOver(ctx context.Context) {
	a.log.Info().Msg("this assigner works from now on; it looks at everything once")
	if err := errors.Join(a.recall(ctx), a.publisher.Trigger(ctx, events.KindResync, "")); err != nil {
		a.log.Warn().Err(err).Msg("the look at everything waits for the next resync")
	}
}

// receive takes a delivery and asks for a look at each campaign that it may be
// about. Nothing else is taken from it: what to do is decided by what the
// campaign says when it is read.
func (a *Assigner) receive(ctx context.Context, d *events.Delivery) {
	if a.isAhead(d) {
		if err := d.Retry(planWait); err != nil {
			a.log.Warn().Uint64(logging.KeySequence, d.Sequence).Err(err).Msg("a message could not be given back and will come again")
		}
		return
	}
	if d.Kind == events.KindPlan && d.About != a.config.Plans().Hash {
		a.log.Warn().Str(logging.KeyPlanHash, a.config.Plans().Hash).Str(logging.KeyTold, d.About).
			Msg("another process has another plan set in force; do all of them read the same files?")
	}
	// Before the first look, so that nobody takes what was true under the last set for
	// all that is planned.
	a.markPlans(ctx, worksForSure)
	if d.Kind == events.KindCampaign {
		a.log.Info().Str(logging.KeyCampaign, d.About).Uint64(logging.KeySequence, d.Sequence).
			Msg("a person asks for a look at a campaign; waits are cut short, and what failed is tried again")
	}
	keys, listing, why := a.campaignsOf(ctx, d)
	trace := a.traceReceived(ctx, d, len(keys))
	t := newTicket(d, causeOf(d), max(len(keys), 1), func(err error) {
		if err != nil {
			a.log.Warn().Uint64(logging.KeySequence, d.Sequence).Err(err).Msg("a message could not be settled and will come again")
		}
	})
	if d.Kind == events.KindResync {
		t.done = func() { a.resyncs.finished(a.now()) }
	}
	t.trace = trace
	switch {
	case why != "":
		a.log.Warn().Uint64(logging.KeySequence, d.Sequence).Str(logging.KeyReason, why).Msg("a message that names no campaign becomes a dead letter")
		t.looked(ctx, fmt.Errorf("subject %s: %s", d.Subject, why), 0, why)
	case len(keys) == 0:
		t.looked(ctx, nil, 0, "") // it concerns nothing that is planned
	default:
		for _, key := range keys {
			e := errand{
				key: key, ticket: t,
				routine:    d.Kind == events.KindResync,
				listing:    listing,
				urgent:     d.Kind == events.KindCampaign,
				interrupts: d.Kind == events.KindCampaign || isCampaignEvent(d),
			}
			if isNumberEvent(d) {
				e.wait = max(a.directory.restedAt(key).Sub(a.now()), 0)
			}
			a.ask(ctx, e)
		}
	}
}

// isAhead reports whether a delivery tells of a plan set that is not in force here
// yet: another process was quicker to read the files. It is waited for a while.
func (a *Assigner) isAhead(d *events.Delivery) bool {
	return d.Kind == events.KindPlan && d.About != a.config.Plans().Hash && a.now().Sub(d.StoredAt) < planPatience
}

// campaignsOf returns the keys of the campaigns that a delivery is about, and for a
// resync the lists by which to read them. A delivery that cannot be about any is
// told why, in a word.
func (a *Assigner) campaignsOf(ctx context.Context, d *events.Delivery) (keys []string, listing *account.Listing, why string) {
	switch {
	case d.Kind == events.KindResync:
		keys, wanted := a.everyCampaign(ctx)
		return keys, a.reader.NewListing(wanted), ""
	case d.Kind == events.KindPlan:
		return a.changedCampaigns(ctx), nil, ""
	case d.Kind == events.KindUnknown:
		return nil, nil, "unknown_subject"
	case d.About == "":
		return nil, nil, "no_campaign"
	case isBrandEvent(d):
		return a.plannedOf(d.About), nil, ""
	default:
		return []string{a.directory.key(d.About)}, nil, ""
	}
}

func isBrandEvent(d *events.Delivery) bool {
	return strings.HasPrefix(d.Type, "10dlc.brand.") || strings.HasPrefix(d.Type, "brand.")
}

func isCampaignEvent(d *events.Delivery) bool {
	return strings.HasPrefix(d.Type, "10dlc.campaign.") || strings.HasPrefix(d.Type, "campaign.")
}

// isNumberEvent reports an event about one number. A campaign of thousands gets
// thousands of them, and every look reads all of its numbers.
func isNumberEvent(d *events.Delivery) bool {
	return strings.HasPrefix(d.Type, "10dlc.phone_number.")
}

// everyCampaign returns every planned campaign, and those that the ledger still
// holds as planned and are not. Wanted counts, by brand, those that its list is
// enough for unless they have changed.
func (a *Assigner) everyCampaign(ctx context.Context) (keys []string, wanted map[string]int) {
	set := a.config.Plans()
	noBrand := make(map[string]bool, len(set.Campaigns))
	for _, c := range set.Campaigns {
		keys = append(keys, c.ID())
		noBrand[c.ID()] = c.CampaignID != ""
	}
	wanted = make(map[string]int)
	bounded, cancel := context.WithTimeout(ctx, ledgerTimeout)
	defer cancel()
	entries, err := a.ledger.Campaigns(bounded)
	if err != nil {
		a.log.Warn().Err(err).Msg("the ledger's campaigns could not be read; those that left the plan wait for the next resync")
		return keys, wanted
	}
	for _, entry := range entries {
		c := entry.Campaign
		_, planned := set.Find(c.ID)
		switch {
		case !planned && c.Planned:
			keys = append(keys, c.ID)
		case planned && c.BrandID != "":
			delete(noBrand, c.ID)
			if c.Phase != ledger.Ready && c.Phase != ledger.Ended && !c.Shared {
				wanted[c.BrandID]++
			}
		}
	}
	for _, byItself := range noBrand {
		if byItself {
			wanted[""]++
		}
	}
	return keys, wanted
}

// changedCampaigns returns the campaigns whose entry is not the one under which
// they were looked at last, those that left the plan among them. It does not
// depend on how many processes told of the change, nor on which was first.
func (a *Assigner) changedCampaigns(ctx context.Context) []string {
	set := a.config.Plans()
	keys, _ := a.everyCampaign(ctx)
	return slices.DeleteFunc(keys, func(key string) bool {
		want, planned := set.Find(key)
		return planned && want.Hash() == a.directory.looked(key)
	})
}

// plannedOf returns the planned campaigns of a brand, as far as they were read.
func (a *Assigner) plannedOf(brandID string) []string {
	var keys []string
	for _, key := range a.directory.ofBrand(brandID) {
		if _, planned := a.config.Plans().Find(key); planned {
			keys = append(keys, key)
		}
	}
	return keys
}

// causeOf says in a few words what made the assigner look; it stands in the
// ledger's records.
func causeOf(d *events.Delivery) string {
	switch d.Kind {
	case events.KindEvent:
		return fmt.Sprintf("event %s (message %d)", d.Type, d.Sequence)
	case events.KindCampaign:
		return fmt.Sprintf("asked for by a person (message %d)", d.Sequence)
	case events.KindPlan:
		return fmt.Sprintf("plan %s (message %d)", d.About, d.Sequence)
	default:
		return fmt.Sprintf("%s (message %d)", d.Kind, d.Sequence)
	}
}
