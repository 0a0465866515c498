package assigner

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telemetry"
	"greenlight/internal/telnyx"
)

// leave decides on a number that is to be removed from the campaign.
func (d *decider) leave() {
	record := d.Change.Record
	hasLeft := record == nil || !record.On(d.Campaign) || d.Change.Action == plan.Attach
	if record != nil {
		d.n.Status, d.n.TMobile, d.n.NonTMobile = string(record.AssignmentStatus), string(record.TMobile), string(record.NonTMobile)
	}
	switch {
	case d.RecordUnknown != "":
		d.unverified(d.RecordUnknown)
	case hasLeft && d.mayStillAct() && d.Record.Request.Outcome != ledger.Accepted:
		d.enter(ledger.Leaving, "", "") // a request without an answer may still take effect
		d.n.NextAt = d.ClaimEnds
	case hasLeft:
		d.left = true
	case d.Change.Action != plan.Done:
		d.enter(ledger.Leaving, ledger.BeingProcessed, fmt.Sprintf("its status at Telnyx is %s", cmp.Or(string(record.AssignmentStatus), "empty")))
		d.after(growing(d.Now.Sub(d.n.Since), recheckMin, recheckMax))
	case d.mayStillAct():
		d.enter(ledger.Leaving, "", "")
		d.n.NextAt = d.ClaimEnds
	case removalSent(d.Record) && d.Record.Request.Outcome == ledger.Accepted && !d.Record.ClaimedAt.IsZero():
		d.release()
		d.retryRefused(ledger.CarrierFailed, &d.n.Tries.Failed, "Telnyx accepted the request and did not remove the number: "+string(record.AssignmentStatus), 0)
	case d.OtherClaim != "":
		d.enter(ledger.Leaving, ledger.BeingProcessed, "a request for campaign "+d.OtherClaim+" may still be unfinished")
		d.n.NextAt = d.OtherClaimEnds
	case d.Now.Before(d.n.UnnamedAt.Add(d.LeaveAfter)):
		d.release()
		d.enter(ledger.Leaving, "", "")
		d.n.NextAt = d.n.UnnamedAt.Add(d.LeaveAfter)
	case d.PlanFault != "":
		d.release()
		d.enter(ledger.Leaving, ledger.Unverified, "the plan files cannot be used, so whether they still omit the number is unknown")
	case d.TooMany != "":
		d.release()
		d.enter(ledger.Leaving, ledger.PruneLimit, d.TooMany)
		d.n.NeedsPerson = true
	case d.Record.State == ledger.Leaving && d.mustWait():
		d.keep()
	case d.Now.Before(d.unansweredUntil()):
		d.keep()
		d.n.NextAt = d.unansweredUntil()
	default:
		d.release()
		d.enter(ledger.Leaving, ledger.Queued, "")
		d.write = WriteRemove
	}
}

// mayStillAct reports whether the latest request may still take effect: it is a removal, or has
// no answer. The effect of an accepted request to attach shows in Telnyx's record.
func (d *decider) mayStillAct() bool {
	request := d.Record.Request
	return d.Now.Before(d.ClaimEnds) && (request.Sent == sentDelete || request.Outcome == ledger.Unanswered || request.Outcome == "")
}

// removalSent reports whether a removal was requested since the plan stopped naming the number.
func removalSent(n ledger.Number) bool {
	return n.State == ledger.Leaving && n.Request.Sent == sentDelete && !n.Request.At.Before(n.UnnamedAt)
}

// AttachedBy reports whether this entry attached the number. It is false for a number that was
// on the campaign before, or that a person attached.
func AttachedBy(entry plan.Campaign, n ledger.Number) bool {
	return entry.Name != "" && n.AttachedBy == entry.Name
}

// leaving lists the numbers to remove, sorted: those in the ledger that an entry with
// prune: true attached and no longer names.
func (r *reconcile) leaving() []plan.E164 {
	if r.removes != nil {
		return r.removes
	}
	if !r.want.Prune || r.want.NumberPool != "" && !r.expanded {
		return nil
	}
	var numbers []plan.E164
	c := r.reading()
	r.mu.Lock()
	defer r.mu.Unlock()
	for number, entry := range r.numbers {
		n := plan.E164(number)
		if _, planned := slices.BinarySearch(r.want.Numbers, n); !planned && !slices.Contains(r.unconfirmed, n) && AttachedBy(r.want, entry.Number) && !r.isNamedElsewhere(n, c) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// isNamedElsewhere reports whether another entry names the number, or may have it in its pool,
// and needs it on this campaign.
func (r *reconcile) isNamedElsewhere(n plan.E164, c telnyx.Campaign) bool {
	c.CampaignID, c.TCRCampaignID = cmp.Or(c.CampaignID, r.want.CampaignID), cmp.Or(c.TCRCampaignID, r.want.TCRCampaignID)
	for _, other := range r.a.config.Plans().Campaigns {
		_, names := slices.BinarySearch(other.Numbers, n)
		if (names || r.a.pools.mayHave(other.NumberPool, n)) && other.ID() != r.req.key && NeedsOn(other, c) {
			return true
		}
	}
	return false
}

// readOthersPools reads the pools, if not read yet, of other entries that need their numbers
// on this campaign. Any number might be in a pool that was not read.
func (r *reconcile) readOthersPools(ctx context.Context) error {
	for _, other := range r.a.config.Plans().Campaigns {
		if !r.want.Prune || other.NumberPool == "" || other.ID() == r.req.key || r.a.pools.isRead(other.NumberPool) || !NeedsOn(other, r.reading()) {
			continue
		}
		rows, err := r.a.observer.client.ProfileNumbers(ctx, other.NumberPool)
		if err != nil {
			return &readError{err}
		}
		if pool, _ := PoolOf(rows.All); rows.Complete {
			r.a.pools.learn(other.NumberPool, pool)
		}
	}
	return nil
}

// NeedsOn reports whether an entry needs its numbers on the campaign, even if another entry of
// that campaign drops them. Either it may move them from there, and removing them first would
// leave them without a campaign, or it names the same campaign by another id.
func NeedsOn(entry plan.Campaign, c telnyx.Campaign) bool {
	return selects(entry, c) || slices.ContainsFunc(entry.MoveFrom, func(id string) bool {
		return id != "" && (strings.EqualFold(id, string(c.CampaignID)) || strings.EqualFold(id, string(c.TCRCampaignID)))
	})
}

// decideLeaving decides on the leaving numbers. Without a person, it removes at most a third of
// the numbers that the entry named when it last removed none, or PruneLimit.
func (r *reconcile) decideLeaving(leaving []plan.E164, seen *Observation, claimed map[plan.E164]ledger.Number) []Decision {
	if len(leaving) == 0 {
		if len(r.unconfirmed) > 0 {
			return nil // the next read shows whether they leave
		}
		r.pruneBase, r.pruned = 0, 0
		if r.want.Prune {
			r.pruneBase = len(r.want.Numbers)
		}
		return nil
	}
	alone := r.want
	alone.Numbers, alone.Places, alone.MoveFrom = leaving, nil, nil
	room := r.pruneRoom(leaving)
	var decisions []Decision
	for _, change := range plan.Diff(alone, r.reading(), seen.Records) {
		if change.Action == plan.Extra {
			continue
		}
		c := r.leavingCase(change, seen, claimed)
		if r.removes == nil && !removalSent(c.Record) {
			c.LeaveAfter = r.a.config.Resync
			if fault := r.a.config.PlanFault(); fault != nil {
				c.PlanFault = fault.Error()
			}
			if room <= 0 {
				c.TooMany = fmt.Sprintf("the plan dropped %d of the entry's numbers; without a person, at most %d are removed", len(leaving)+r.pruned, pruneLimit(r.pruneBase, r.a.config.PruneLimit))
			}
			room--
		}
		decisions = append(decisions, Decide(c))
	}
	return decisions
}

// leavingCase returns the case of a leaving number.
func (r *reconcile) leavingCase(change plan.Change, seen *Observation, claimed map[plan.E164]ledger.Number) Case {
	c := r.caseOf(change.Number)
	c.observed(change, seen)
	c.Leaving = true
	if r.removes != nil {
		c.Phase = ledger.PhaseApproved // a person may remove numbers from a campaign in any phase
	}
	if other, ok := claimed[change.Number]; ok {
		c.OtherClaim, c.OtherClaimEnds = other.CampaignID, r.claimEnds(other)
	}
	return c
}

// pruneLimit is how many numbers may be removed in total without a person: a third of those
// that the entry named when it last removed none, or as many as a person allows.
func pruneLimit(base, allowed int) int { return max(base/3, allowed) }

// pruneRoom is how many more numbers may be removed. The first reconcile with leaving numbers
// fixes the base of their share.
func (r *reconcile) pruneRoom(leaving []plan.E164) int {
	if r.pruneBase == 0 {
		r.pruneBase = len(r.want.Numbers) + len(leaving)
	}
	room := PruneRoom(ledger.Campaign{PruneBase: r.pruneBase, Pruned: r.pruned}, len(r.want.Numbers), len(leaving), r.a.config.PruneLimit)
	for _, n := range leaving {
		if removalSent(r.known(n)) {
			room--
		}
	}
	return room
}

// PruneRoom is how many more numbers of an entry may be removed, by the campaign's record and
// the counts of numbers that the entry names, that are leaving, and that a person allows.
func PruneRoom(c ledger.Campaign, named, leaving, allowed int) int {
	return pruneLimit(cmp.Or(c.PruneBase, named+leaving), allowed) - c.Pruned
}

// noteLeft records that a number left before the request to remove it was sent.
func (r *reconcile) noteLeft(number string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left == nil {
		r.left = map[string]bool{}
	}
	r.left[number] = true
}

// hasLeft reports whether noteLeft was called.
func (r *reconcile) hasLeft(number string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.left[number]
}

// drop ends the records of the numbers that have left. It counts the removals first: a crash in
// between counts some twice, which only makes the limit stricter.
func (r *reconcile) drop(ctx context.Context, left []Decision) error {
	if len(left) == 0 {
		return nil
	}
	for _, d := range left {
		if removalSent(r.known(plan.E164(d.Record.Number))) {
			r.pruned++
		}
	}
	if err := r.putCampaign(ctx, r.unfinished()); err != nil {
		return err
	}
	for _, d := range left {
		r.mu.Lock()
		entry := r.numbers[d.Record.Number]
		r.mu.Unlock()
		if err := r.a.ledger.DropNumber(ctx, entry); err != nil {
			return err
		}
		r.a.log.Info().Str(telemetry.KeyNumber, d.Record.Number).Str(telemetry.KeyCampaign, r.req.key).Str(telemetry.KeyPlan, r.want.Name).
			Msg("number has left the campaign")
		r.mu.Lock()
		delete(r.numbers, d.Record.Number)
		r.mu.Unlock()
	}
	return nil
}
