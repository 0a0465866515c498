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
	// planPatience is how long a plan set that another process announced may take to arrive
	// here, and planWait the pause between two checks for it.
	planWait     = time.Second
	planPatience = time.Minute
)

// receiveAll takes deliveries until the channel is closed. It runs in its own goroutine, since
// some deliveries require reads of the ledger.
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
			default: // one is already waiting
			}
		}
		pin = d.Pin
		a.receive(ctx, d)
	}
}

// takeOver loads the campaigns and requests a resync, for whatever the other process had not
// finished. A start does the same.
func (a *Assigner) takeOver(ctx context.Context) {
	a.log.Info().Msg("this assigner is active now; it reconciles everything once")
	if err := errors.Join(a.loadCampaigns(ctx), a.publisher.Trigger(ctx, events.KindResync, "")); err != nil {
		a.log.Warn().Err(err).Msg("could not reconcile everything; the next resync does")
	}
}

// receive requests a reconcile of each campaign that a delivery may be about. It uses nothing
// else from the delivery: the campaign is read, and decides.
func (a *Assigner) receive(ctx context.Context, d *events.Delivery) {
	switch d.Kind {
	case events.KindResync, events.KindPlan:
		a.receiveMany(ctx, d)
		return
	case events.KindUnknown:
		a.deadLetter(ctx, d, "unknown_subject")
		return
	case events.KindCampaign:
		a.log.Info().Str(telemetry.KeyCampaign, d.About).Uint64(telemetry.KeySequence, d.Sequence).
			Msg("a person requested a reconcile; waits end, and failed requests are retried")
	}
	switch {
	case d.About == "":
		a.deadLetter(ctx, d, "no_campaign")
	case isBrandEvent(d):
		a.addAll(ctx, d, a.plannedOf(d.About), request{changed: true})
	default:
		a.queue.add(a.requestFor(ctx, d))
	}
}

// requestFor returns the request for a delivery about one campaign.
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
		// It is read, since it may be the campaign of a reference that was never found, but
		// after everything that is planned. Nothing is lost if it is not read.
		req.class = unplanned
		req.settled()
		req.settle = nil
	}
	return req
}

// approvedAt returns the time of a VERIFIED event: zero for other events, or without a time.
func approvedAt(d *events.Delivery) time.Time {
	event, err := telnyx.ParseEvent(d.Body)
	if err != nil || event.Payload.Type != telnyx.TypeVerified {
		return time.Time{}
	}
	return event.OccurredAt.Time
}

// numberEventWait is how long an event about a single number waits for others. Each requests a
// reconcile of the whole campaign, so without it, thousands of events for 5,000 numbers would
// cost too many calls. It is zero for usual campaigns.
func numberEventWait(want plan.Campaign) time.Duration {
	return min(time.Duration(want.MaxNumbers/rowsPerPage)*time.Second/2, recheckMin)
}

// addAll requests a reconcile of several campaigns, and acknowledges the message.
func (a *Assigner) addAll(ctx context.Context, d *events.Delivery, keys []string, req request) {
	req.cause, req.made, req.trace = causeOf(d), time.Now(), a.traceReceived(ctx, d, len(keys))
	for _, key := range keys {
		req.key = key
		a.queue.add(req)
	}
	a.done(d)()
}

// done returns a function that acknowledges a delivery.
func (a *Assigner) done(d *events.Delivery) func() {
	return func() { a.logUnsettled(d, d.Done()) }
}

// logUnsettled logs the error of a delivery that could not be settled.
func (a *Assigner) logUnsettled(d *events.Delivery, err error) {
	if err != nil {
		a.log.Warn().Uint64(telemetry.KeySequence, d.Sequence).Err(err).Msg("a message could not be acknowledged and will be delivered again")
	}
}

// deadLetter stores a message that is not an event and names no campaign as a dead letter.
func (a *Assigner) deadLetter(ctx context.Context, d *events.Delivery, why string) {
	a.log.Warn().Uint64(telemetry.KeySequence, d.Sequence).Str(telemetry.KeyReason, why).Msg("a message without a campaign is stored as a dead letter")
	a.logUnsettled(d, d.DeadLetter(context.WithoutCancel(ctx), why, fmt.Sprintf("subject %s: %s", d.Subject, why)))
}

// receiveMany queues the campaigns of a resync or a changed plan, and acknowledges the
// message. If the process ends before they are reconciled, the next active assigner begins
// with all of them.
func (a *Assigner) receiveMany(ctx context.Context, d *events.Delivery) {
	set := a.config.Plans()
	if d.Kind == events.KindPlan && d.About != set.Hash {
		if age, err := d.Age(ctx); err == nil && age < planPatience {
			a.logUnsettled(d, d.Retry(planWait))
			return
		}
		a.log.Warn().Str(telemetry.KeyPlanHash, set.Hash).Str(telemetry.KeyReported, d.About).
			Msg("another process uses a different plan set; check that all of them read the same files")
	}
	// Before the first reconcile, so that readers know that records are of the old set.
	a.markPlans(ctx, alwaysActive)
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
		a.log.Warn().Err(err).Msg("the ledger's campaigns could not be read; campaigns that left the plan wait for the next resync")
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

// isNumberEvent reports an event about one number.
func isNumberEvent(d *events.Delivery) bool {
	return strings.HasPrefix(d.Type, "10dlc.phone_number.")
}

// plannedOf returns the planned campaigns that are known to be of a brand.
func (a *Assigner) plannedOf(brandID string) (keys []string) {
	for _, want := range a.config.Plans().Campaigns {
		if a.observer.campaigns.known(want.ID()).BrandID == brandID {
			keys = append(keys, want.ID())
		}
	}
	return keys
}

// causeOf returns the cause of a reconcile for the records.
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

// followHold keeps the latest hold, logs its changes, and reconciles resumed campaigns, until
// ctx ends.
func (a *Assigner) followHold(ctx context.Context) {
	for ctx.Err() == nil {
		err := a.ledger.WatchHold(ctx, func(now ledger.Hold) {
			a.holdChanged(*a.hold.Swap(&now), now, a.isActive(ctx))
		})
		if ctx.Err() == nil {
			a.log.Warn().Err(err).Msg("the hold cannot be followed; trying again")
			wait(ctx, retryMin)
		}
	}
}

// holdChanged logs a hold or its end. If this assigner is active, it requests a reconcile of
// every planned campaign whose hold has ended.
func (a *Assigner) holdChanged(before, now ledger.Hold, active bool) {
	if now.All != nil && before.All == nil {
		a.log.Warn().Str(telemetry.KeyBy, now.All.By).Str(telemetry.KeyReason, now.All.Reason).Msg("everything is on hold: nothing is sent until greenlight resume; events are stored")
	}
	if now.All == nil && before.All != nil {
		a.log.Info().Msg("resumed: work continues")
	}
	for _, c := range a.config.Plans().Campaigns {
		ids := append(a.observer.campaigns.known(c.ID()).IDs(), c.ID())
		by, is := now.Of(ids...)
		_, was := before.Of(ids...)
		switch {
		case was && !is && active:
			a.queue.add(request{key: c.ID(), cause: "resumed by a person", made: time.Now(), changed: true})
		case is && !was && now.All == nil:
			a.log.Warn().Str(telemetry.KeyCampaign, c.ID()).Str(telemetry.KeyPlan, c.Name).Str(telemetry.KeyBy, by.By).Str(telemetry.KeyReason, by.Reason).
				Msg("a campaign is on hold: nothing is sent for it until greenlight resume; events are stored")
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
