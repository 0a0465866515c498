package assigner

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telemetry"
)

// put writes one number's record, and schedules its next check.
func (r *reconcile) put(ctx context.Context, n ledger.Number) error {
	if err := r.putRecord(ctx, n); err != nil {
		return err
	}
	r.checkAt(n.NextAt)
	return nil
}

func (r *reconcile) putRecord(ctx context.Context, n ledger.Number) error {
	return r.writeRecord(n, func(entry ledger.NumberEntry, n ledger.Number) (ledger.NumberEntry, error) {
		return r.a.ledger.PutNumber(ctx, entry, n)
	})
}

// writeRecord replaces one number's record, as this reconcile has it.
func (r *reconcile) writeRecord(n ledger.Number, write func(ledger.NumberEntry, ledger.Number) (ledger.NumberEntry, error)) error {
	r.mu.Lock()
	entry := r.numbers[n.Number]
	r.mu.Unlock()

	n.CampaignID, n.Cause = r.req.key, r.req.cause
	n.Manual = r.manual && (entry.Revision == 0 || entry.Number.Manual)
	if r.manual {
		was := entry.Number // a planned number stays planned
		n.Plan, n.PlanHash, n.EntryHash, n.PlanPlace = was.Plan, was.PlanHash, was.EntryHash, was.PlanPlace
	} else {
		n.Plan, n.PlanHash, n.EntryHash, n.PlanPlace = r.want.Name, r.set.Hash, r.entryHash, r.placeOf(plan.E164(n.Number))
	}
	written, err := write(entry, n)
	if err != nil {
		return err
	}
	r.mu.Lock()
	news := n.NeedsPerson && !r.needed[n.Number]
	r.needed[n.Number] = r.needed[n.Number] || n.NeedsPerson
	r.numbers[n.Number], r.recorded[n.Number] = written, true
	r.mu.Unlock()
	if n.State != entry.Number.State || n.Reason != entry.Number.Reason {
		r.logNumber(n, news)
	}
	return nil
}

// logNumber logs a number's new state. News says that it did not need a person before, and
// does now.
func (r *reconcile) logNumber(n ledger.Number, news bool) {
	line := r.a.log.Info()
	switch {
	case news:
		line = r.a.log.Warn().Str(telemetry.KeyDetail, n.Detail)
	case n.State == ledger.Planned && (n.Reason == ledger.Queued || n.Reason.OfCampaign()):
		line = r.a.log.Debug() // the campaign's line says it
	}
	line.Str(telemetry.KeyNumber, n.Number).Str(telemetry.KeyCampaign, r.req.key).Str(telemetry.KeyPlan, n.Plan).
		Str(telemetry.KeyState, string(n.State)).Str(telemetry.KeyReason, string(n.Reason)).
		Str(telemetry.KeyCause, r.req.cause).Msg("number is " + string(n.State))
}

// known returns the record of a number as this reconcile has it.
func (r *reconcile) known(number plan.E164) ledger.Number {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.numbers[string(number)].Number
}

// needs reports whether the number already needed a person.
func (r *reconcile) needs(number string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.needed[number]
}

func (r *reconcile) isRecorded(number string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.recorded[number]
}

// placeOf returns the file and line where the plan names a number, or its pool.
func (r *reconcile) placeOf(number plan.E164) string {
	at, named := r.want.Where(number)
	if !named || at.File == "" {
		at = r.want.Position
	}
	return placeText(at)
}

func placeText(at plan.Position) string {
	if at.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", at.File, at.Line)
}

// checkAt sets when the campaign must be reconciled again. The earliest time counts, and the
// zero time means never.
func (r *reconcile) checkAt(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !at.IsZero() && (r.nextAt.IsZero() || at.Before(r.nextAt)) {
		r.nextAt = at
	}
}

// record returns the campaign's record: what every reconcile decides is cleared, and what was
// read is updated.
func (r *reconcile) record() ledger.Campaign {
	c := r.entry.Campaign
	c.ID, c.Cause = r.req.key, r.req.cause
	c.Planned, c.Plan, c.PlanHash, c.EntryHash = r.planned, r.want.Name, "", r.entryHash
	if r.planned {
		c.PlanHash = r.set.Hash
	}
	c.PlanPlace, c.ReadAgoSeconds = placeText(r.want.Position), max(r.a.now().Sub(r.now), 0).Seconds()
	c.Reason, c.Detail, c.Attempts = "", "", 0
	c.Extras, c.ExtraNumbers = len(r.extras), r.extras[:min(len(r.extras), ledger.MaxExtraNumbers)]
	c.PruneBase, c.Pruned, c.MaxNumbers, c.NumberPool = r.pruneBase, r.pruned, r.want.MaxNumbers, r.want.NumberPool
	c.BrandID = cmp.Or(r.want.BrandID, c.BrandID)
	if read := r.campaign; r.wasRead() {
		c.TelnyxID, c.TCRID, c.BrandID = string(read.CampaignID), string(read.TCRCampaignID), read.BrandID
		c.ReferenceKey = cmp.Or(plan.Campaign{ReferenceID: read.ReferenceID}.ID(), c.ReferenceKey)
		c.Shared, c.WebhookURL, c.Status = read.Shared, read.WebhookURL, string(read.CampaignStatus)
		c.Phase, c.Detail = PhaseOf(read)
		c.EndsAt = EndOf(read)
	}
	return c
}

// finish writes the campaign's record, stores a notice if there is news, and schedules
// the next reconcile.
func (r *reconcile) finish(ctx context.Context, c ledger.Campaign) error {
	r.noteApproval(&c)
	if !c.NoticedAt.IsZero() && c.AttachedAt.IsZero() && r.allAttached() {
		c.AttachedAt = r.a.now().UTC().Round(0)
	}
	r.notify(ctx, &c)
	r.notifyEnd(ctx, &c)
	if err := r.putCampaign(ctx, c); err != nil {
		return err
	}
	// If all numbers were already attached when the approval was first read, there is nothing
	// to measure.
	if !r.before.NoticedAt.IsZero() && r.before.AttachedAt.IsZero() && !c.AttachedAt.IsZero() {
		r.a.metrics.approval.Observe(c.AttachedAt.Sub(c.NoticedAt).Seconds())
	}
	if !r.isCurrent() {
		r.checkAt(r.a.now())
	}
	if !r.nextAt.IsZero() {
		if err := r.a.publisher.ScheduleRecheck(ctx, r.req.key, r.nextAt.Sub(r.a.now())); err != nil {
			return err
		}
	}
	return r.readCarriers(ctx)
}

// isCurrent reports whether the campaign's plan entry is the same as when the reconcile began.
func (r *reconcile) isCurrent() bool {
	set := r.a.config.Plans()
	if set == r.set {
		return true
	}
	now, planned := set.Find(r.req.key)
	return planned == r.planned && (!planned || now.Hash() == r.entryHash)
}

// noteApproval records when a campaign was approved.
func (r *reconcile) noteApproval(c *ledger.Campaign) {
	if c.Phase != ledger.PhaseApproved || !r.planned {
		c.ApprovedAt, c.NoticedAt, c.AttachedAt = time.Time{}, time.Time{}, time.Time{}
		return
	}
	if c.ApprovedAt.IsZero() && !r.req.approved.IsZero() && r.isOfThisApproval(r.req.approved) {
		c.ApprovedAt = r.req.approved.UTC()
	}
	if !c.NoticedAt.IsZero() {
		return
	}
	c.NoticedAt = r.a.now().UTC().Round(0) // without the monotonic clock, which no record keeps
	if !r.req.noticed.IsZero() && r.req.noticed.Before(c.NoticedAt) {
		c.NoticedAt = r.req.noticed.UTC().Round(0)
	}
}

// isOfThisApproval reports whether an event's time can be that of the current approval. A
// replayed event may be of an earlier one.
func (r *reconcile) isOfThisApproval(at time.Time) bool {
	if r.before.Phase == ledger.PhaseApproved {
		return at.After(r.before.NoticedAt.Add(-24 * time.Hour))
	}
	return at.After(r.before.Since.Add(-time.Minute)) // clocks differ
}

// allAttached reports whether every planned number is attached.
func (r *reconcile) allAttached() bool {
	numbers := r.plannedNumbers()
	for _, number := range numbers {
		if !r.known(number).IsOn() {
			return false
		}
	}
	return len(numbers) > 0
}

// putCampaign replaces the campaign's record, as this reconcile has it.
func (r *reconcile) putCampaign(ctx context.Context, c ledger.Campaign) error {
	before := r.entry.Campaign
	c.NextAt = r.nextAt
	if c.Phase != before.Phase {
		c.Since = r.a.now().UTC()
	}
	written, err := r.a.ledger.PutCampaign(ctx, r.entry, c)
	if err != nil {
		return err
	}
	r.entry = written
	r.a.observer.campaigns.learn(c)
	if c.Phase != before.Phase || c.Planned != before.Planned {
		r.logCampaign(c)
	}
	return nil
}

func (r *reconcile) logCampaign(c ledger.Campaign) {
	line := r.a.log.Info()
	message := "campaign is " + string(c.Phase)
	if !c.Planned && c.Phase == ledger.PhaseApproved {
		line = r.a.log.Warn()
		message = "a campaign that no plan names was approved; numbers are attached once a plan names it"
	}
	line.Str(telemetry.KeyCampaign, r.req.key).Str(telemetry.KeyPlan, c.Plan).Str(telemetry.KeyPhase, string(c.Phase)).
		Str(telemetry.KeyCause, r.req.cause).Msg(message)
}
