package assigner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telemetry"
	"greenlight/internal/telnyx"
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
			select {
			case a.began <- struct{}{}:
			default: // one waits already
			}
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
		a.addAll(ctx, d, a.plannedOf(d.About), request{changed: true})
	default:
		a.queue.add(a.requestFor(ctx, d))
	}
}

// requestFor is the request that a delivery about one campaign makes.
func (a *Assigner) requestFor(ctx context.Context, d *events.Delivery) request {
	key := a.observer.campaigns.key(d.About)
	req := request{
		key: key, cause: causeOf(d), made: time.Now(), trace: a.traceReceived(ctx, d, 1), settle: a.done(d),
		urgent:  d.Kind == events.KindCampaign,
		changed: d.Kind == events.KindCampaign || isCampaignEvent(d),
	}
	if d.Kind == events.KindEvent {
		req.noticed, req.approved = d.StoredAt, approvedAt(d)
	}
	want, planned := a.config.Plans().Find(key)
	if isNumberEvent(d) {
		req.wait = numberEventWait(want)
	}
	if !planned && !req.urgent {
		// It may be the campaign of a reference that was never found, so it is read, but
		// after everything that is planned; nothing is lost if it is not.
		req.class = stranger
		req.settled()
		req.settle = nil
	}
	return req
}

// approvedAt is when Telnyx says that a campaign was approved: the time of the event for
// that. It is zero for other events, and if Telnyx gives no time.
func approvedAt(d *events.Delivery) time.Time {
	event, err := telnyx.ParseEvent(d.Body)
	if err != nil || event.Payload.Type != telnyx.TypeVerified {
		return time.Time{}
	}
	return event.OccurredAt.Time
}

// numberEventWait is how long an event about a single number of the campaign waits for
// others. Each asks for a reconcile of the whole campaign, so that the thousands of events
// of 5,000 numbers cost two calls a second at most; for a campaign of usual size it is zero.
func numberEventWait(want plan.Campaign) time.Duration {
	return min(time.Duration(want.MaxNumbers/rowsPerPage)*time.Second/2, recheckLeast)
}

// addAll asks for a reconcile of several campaigns, each as the request says, and
// acknowledges the message.
func (a *Assigner) addAll(ctx context.Context, d *events.Delivery, keys []string, req request) {
	req.cause, req.made, req.trace = causeOf(d), time.Now(), a.traceReceived(ctx, d, len(keys))
	for _, key := range keys {
		req.key = key
		a.queue.add(req)
	}
	a.done(d)()
}

// done returns what acknowledges a delivery.
func (a *Assigner) done(d *events.Delivery) func() {
	return func() { a.logUnsettled(d, d.Done()) }
}

// logUnsettled logs that a delivery could not be settled, if it could not.
func (a *Assigner) logUnsettled(d *events.Delivery, err error) {
	if err != nil {
		a.log.Warn().Uint64(telemetry.KeySequence, d.Sequence).Err(err).Msg("a message could not be settled and will come again")
	}
}

// bury makes a dead letter of a message that is not an event and names no campaign.
func (a *Assigner) bury(ctx context.Context, d *events.Delivery, why string) {
	a.log.Warn().Uint64(telemetry.KeySequence, d.Sequence).Str(telemetry.KeyReason, why).Msg("a message that names no campaign becomes a dead letter")
	a.logUnsettled(d, d.DeadLetter(context.WithoutCancel(ctx), why, fmt.Sprintf("subject %s: %s", d.Subject, why)))
}

// receiveMany takes a resync or a changed plan: the campaigns are put into the queue,
// and the message is acknowledged. Should the process end before they are reconciled,
// the one that takes over, or the next start, begins with all of them.
func (a *Assigner) receiveMany(ctx context.Context, d *events.Delivery) {
	set := a.config.Plans()
	if d.Kind == events.KindPlan && d.About != set.Hash {
		if age, err := d.Age(ctx); err == nil && age < planPatience {
			a.logUnsettled(d, d.Retry(planWait))
			return
		}
		a.log.Warn().Str(telemetry.KeyPlanHash, set.Hash).Str(telemetry.KeyReported, d.About).
			Msg("another process has another plan set in force; do all of them read the same files?")
	}
	// Before the first reconcile, so that nobody takes what was true under the last set
	// for all that is planned.
	a.markPlans(ctx, worksForSure)
	known := a.knownCampaigns(ctx)
	var every, changed []string
	waiting := 0
	for _, want := range set.Campaigns {
		c := known[want.ID()]
		every = append(every, want.ID())
		if c.EntryHash != want.Hash() {
			changed = append(changed, want.ID())
		}
		if c.Phase != ledger.PhaseApproved && c.Phase != ledger.PhaseExpired && !c.Shared {
			waiting++
		}
	}
	for id, c := range known {
		if _, planned := set.Find(id); !planned && c.Planned {
			every, changed = append(every, id), append(changed, id)
		}
	}
	if d.Kind == events.KindPlan {
		a.addAll(ctx, d, changed, request{changed: true})
		return
	}
	a.addAll(ctx, d, every, request{class: routine, waiting: waiting})
	a.resynced.Store(a.now().UnixNano())
}

// knownCampaigns returns the ledger's records by their ids.
func (a *Assigner) knownCampaigns(ctx context.Context) map[string]ledger.Campaign {
	bounded, cancel := context.WithTimeout(ctx, ledgerTimeout)
	defer cancel()
	entries, err := a.ledger.Campaigns(bounded)
	if err != nil {
		a.log.Warn().Err(err).Msg("the ledger's campaigns could not be read; those that left the plan wait for the next resync")
	}
	known := make(map[string]ledger.Campaign, len(entries))
	for _, entry := range entries {
		known[entry.Campaign.ID] = entry.Campaign
	}
	return known
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

// plannedOf returns the planned campaigns of a brand, as far as they were read.
func (a *Assigner) plannedOf(brandID string) (keys []string) {
	for _, want := range a.config.Plans().Campaigns {
		if a.observer.campaigns.known(want.ID()).BrandID == brandID {
			keys = append(keys, want.ID())
		}
	}
	return keys
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

// followHold remembers the hold, logs its changes and reconciles what a person resumes,
// until ctx ends.
func (a *Assigner) followHold(ctx context.Context) {
	for ctx.Err() == nil {
		err := a.ledger.WatchHold(ctx, func(now ledger.Hold) {
			a.holdChanged(*a.hold.Swap(&now), now, a.works(ctx))
		})
		if ctx.Err() == nil {
			a.log.Warn().Err(err).Msg("the hold cannot be followed; trying again")
			wait(ctx, retryLeast)
		}
	}
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
		ids := append(a.observer.campaigns.known(c.ID()).IDs(), c.ID())
		by, is := now.Of(ids...)
		_, was := before.Of(ids...)
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
