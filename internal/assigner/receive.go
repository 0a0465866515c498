package assigner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/telemetry"
)

const (
	// planWait and planPatience are how often and how long a plan set that another
	// process announced is waited for; plans are polled every half a minute at least.
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

// takeOver makes up for what another process knew: what it had learnt of campaigns,
// and what it had not finished. A start does the same.
func (a *Assigner) takeOver(ctx context.Context) {
	a.log.Info().Msg("this assigner works from now on; it reconciles everything once")
	if err := errors.Join(a.recall(ctx), a.publisher.Trigger(ctx, events.KindResync, "")); err != nil {
		a.log.Warn().Err(err).Msg("reconciling everything waits for the next resync")
	}
}

// receive takes a delivery and asks for a reconcile of each campaign that it may be
// about. Nothing else is taken from it: what to do is decided by what the campaign
// says when it is read.
func (a *Assigner) receive(ctx context.Context, d *events.Delivery) {
	switch d.Kind {
	case events.KindResync, events.KindPlan:
		a.receiveMany(ctx, d)
		return
	case events.KindUnknown:
		a.bury(ctx, d, "unknown_subject")
		return
	case events.KindCampaign:
		a.log.Info().Str(telemetry.KeyCampaign, d.About).Uint64(telemetry.KeySequence, d.Sequence).
			Msg("a person asks for a reconcile; waits are cut short, and what failed is tried again")
	}
	switch {
	case d.About == "":
		a.bury(ctx, d, "no_campaign")
	case isBrandEvent(d):
		keys := a.plannedOf(d.About)
		trace := a.traceReceived(ctx, d, len(keys))
		for _, key := range keys {
			a.queue.add(request{key: key, cause: causeOf(d), made: time.Now(), changed: true, trace: trace})
		}
		a.settle(d)(nil)
	default:
		a.queue.add(a.requestFor(ctx, d))
	}
}

// requestFor is the request that a delivery about one campaign makes.
func (a *Assigner) requestFor(ctx context.Context, d *events.Delivery) request {
	key := a.observer.campaigns.key(d.About)
	req := request{
		key: key, cause: causeOf(d), made: time.Now(), trace: a.traceReceived(ctx, d, 1), settle: a.settle(d),
		urgent:  d.Kind == events.KindCampaign,
		changed: d.Kind == events.KindCampaign || isCampaignEvent(d),
	}
	if d.Kind == events.KindEvent {
		req.noticed = d.StoredAt
	}
	if isNumberEvent(d) {
		req.wait = a.restOf(key)
	}
	if _, planned := a.config.Plans().Find(key); !planned && !req.urgent {
		// It may be the campaign of a reference that was never found, so it is read, but
		// after everything that is planned; nothing is lost if it is not.
		req.class = stranger
		req.settled(nil)
		req.settle = nil
	}
	return req
}

// settle returns what ends a delivery.
func (a *Assigner) settle(d *events.Delivery) func(error) {
	return func(cause error) {
		var err error
		again := &retryError{}
		if errors.As(cause, &again) {
			err = d.Retry(again.wait)
		} else {
			err = d.Done()
		}
		if err != nil {
			a.log.Warn().Uint64(telemetry.KeySequence, d.Sequence).Err(err).Msg("a message could not be settled and will come again")
		}
	}
}

// bury makes a dead letter of a message that is not an event and names no campaign.
func (a *Assigner) bury(ctx context.Context, d *events.Delivery, why string) {
	a.log.Warn().Uint64(telemetry.KeySequence, d.Sequence).Str(telemetry.KeyReason, why).Msg("a message that names no campaign becomes a dead letter")
	if err := d.DeadLetter(context.WithoutCancel(ctx), why, fmt.Sprintf("subject %s: %s", d.Subject, why)); err != nil {
		a.log.Warn().Uint64(telemetry.KeySequence, d.Sequence).Err(err).Msg("a message could not be settled and will come again")
	}
}

// receiveMany takes a resync or a changed plan: the campaigns are put into the queue,
// and the message is acknowledged. Should the process end before they are reconciled,
// the one that takes over, or the next start, begins with all of them.
func (a *Assigner) receiveMany(ctx context.Context, d *events.Delivery) {
	set := a.config.Plans()
	if d.Kind == events.KindPlan && d.About != set.Hash {
		if age, err := d.Age(ctx); err == nil && age < planPatience {
			a.settle(d)(&retryError{wait: planWait})
			return
		}
		a.log.Warn().Str(telemetry.KeyPlanHash, set.Hash).Str(telemetry.KeyReported, d.About).
			Msg("another process has another plan set in force; do all of them read the same files?")
	}
	// Before the first reconcile, so that nobody takes what was true under the last set
	// for all that is planned.
	a.markPlans(ctx, worksForSure)
	keys, wanted := a.everyCampaign(ctx)
	req := request{cause: causeOf(d), made: time.Now(), class: routine}
	if d.Kind == events.KindPlan {
		keys = slices.DeleteFunc(keys, func(key string) bool { return !a.entryChanged(key) })
		req.class, req.changed = prompt, true
	} else {
		req.listing = a.observer.campaigns.newListing(wanted)
		defer a.resyncs.finished(a.now())
	}
	req.trace = a.traceReceived(ctx, d, len(keys))
	for _, key := range keys {
		req.key = key
		a.queue.add(req)
	}
	a.settle(d)(nil)
}

func isBrandEvent(d *events.Delivery) bool {
	return strings.HasPrefix(d.Type, "10dlc.brand.") || strings.HasPrefix(d.Type, "brand.")
}

func isCampaignEvent(d *events.Delivery) bool {
	return strings.HasPrefix(d.Type, "10dlc.campaign.") || strings.HasPrefix(d.Type, "campaign.")
}

// isNumberEvent reports an event about one number. A campaign of thousands gets
// thousands of them, and every reconcile reads all of its numbers.
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
	wanted = map[string]int{}
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
			if c.Phase != ledger.PhaseApproved && c.Phase != ledger.PhaseExpired && !c.Shared {
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

// entryChanged reports whether the campaign's entry is not the one under which it was
// reconciled last. It does not depend on how many processes announced the change, nor
// on which was first.
func (a *Assigner) entryChanged(key string) bool {
	want, planned := a.config.Plans().Find(key)
	return !planned || want.Hash() != a.entryOf(key)
}

// plannedOf returns the planned campaigns of a brand, as far as they were read.
func (a *Assigner) plannedOf(brandID string) []string {
	return slices.DeleteFunc(a.observer.campaigns.ofBrand(brandID), func(key string) bool {
		_, planned := a.config.Plans().Find(key)
		return !planned
	})
}

// causeOf says in a few words what caused a reconcile; it is written into the ledger's
// records.
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

// followHold reconciles what a person resumes, and logs both, until ctx ends.
func (a *Assigner) followHold(ctx context.Context) {
	var before ledger.Hold
	for ctx.Err() == nil {
		err := a.ledger.WatchHold(ctx, func(now ledger.Hold) {
			a.hold.Store(&now)
			a.holdChanged(before, now, a.works(ctx))
			before = now
		})
		if ctx.Err() == nil {
			a.log.Warn().Err(err).Msg("the hold cannot be followed; trying again")
			wait(ctx, retryLeast)
		}
	}
}

// lastHold is the hold as far as this process has heard. A bucket that was lost and made
// again is empty for a moment, until it has the hold again.
func (a *Assigner) lastHold() ledger.Hold {
	if hold := a.hold.Load(); hold != nil {
		return *hold
	}
	return ledger.Hold{}
}

// holdChanged logs a hold or its end, and asks for a reconcile of every planned
// campaign that may continue, if this assigner works.
func (a *Assigner) holdChanged(before, now ledger.Hold, works bool) {
	if now.All != nil && before.All == nil {
		a.log.Warn().Str(telemetry.KeyBy, now.All.By).Str(telemetry.KeyReason, now.All.Reason).Msg("on hold: no number is attached until a person resumes; events are kept")
	}
	if now.All == nil && before.All != nil {
		a.log.Info().Msg("resumed: work continues")
	}
	for _, c := range a.config.Plans().Campaigns {
		by, is := now.Of(c.ID())
		_, was := before.Of(c.ID())
		switch {
		case was && !is && works:
			a.queue.add(request{key: c.ID(), cause: "resumed by a person", made: time.Now(), changed: true})
		case is && !was && now.All == nil:
			a.log.Warn().Str(telemetry.KeyCampaign, c.ID()).Str(telemetry.KeyPlan, c.Name).Str(telemetry.KeyBy, by.By).Str(telemetry.KeyReason, by.Reason).
				Msg("a campaign is on hold: none of its numbers is attached until a person resumes it; events are kept")
		}
	}
}

// wait waits for d or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
