package assigner

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telemetry"
	"greenlight/internal/telnyx"
)

// leave decides about a number that is to be removed from the campaign.
func (d *decider) leave() {
	record := d.Change.Record
	hasLeft := record == nil || !record.On(d.Campaign) || d.Change.Action == plan.Attach
	switch {
	case d.NamedBy != "":
		d.n.UnnamedAt = time.Time{}
	case d.n.UnnamedAt.IsZero(), d.n.UnnamedAt.After(d.Now): // the clock was set back since
		d.n.UnnamedAt = d.Now.UTC().Round(0)
	}
	if record != nil {
		d.n.Status, d.n.TMobile, d.n.NonTMobile = string(record.AssignmentStatus), string(record.TMobile), string(record.NonTMobile)
	}
	switch {
	case d.RecordUnknown != "":
		d.unverified(d.RecordUnknown)
	case hasLeft && d.Now.Before(d.ClaimEnds) && d.Record.Request.Outcome != ledger.Accepted:
		d.enter(ledger.Leaving, "", "") // a request without an answer may still take effect
		d.n.NextAt = d.ClaimEnds
	case hasLeft:
		d.left = true
	case d.Change.Action != plan.Done:
		d.enter(ledger.Leaving, ledger.BeingProcessed, fmt.Sprintf("Telnyx has it as %s", cmp.Or(string(record.AssignmentStatus), "no status")))
		d.after(growing(d.Now.Sub(d.n.Since), recheckLeast, recheckMost))
	case d.Now.Before(d.ClaimEnds):
		d.enter(ledger.Leaving, "", "")
		d.n.NextAt = d.ClaimEnds
	case d.OtherClaim != "":
		d.enter(ledger.Leaving, ledger.BeingProcessed, "a request for campaign "+d.OtherClaim+" may still be under way")
		d.n.NextAt = d.OtherClaimEnds
	case d.NamedBy != "":
		d.release()
		d.enter(ledger.Leaving, "", "plan entry "+d.NamedBy+" names it, so it is not removed")
	case d.Now.Before(d.n.UnnamedAt.Add(d.LeaveAfter)):
		d.release()
		d.enter(ledger.Leaving, "", "")
		d.n.NextAt = d.n.UnnamedAt.Add(d.LeaveAfter)
	case d.StaysFor != "":
		d.release()
		d.enter(ledger.Leaving, ledger.PruneLimit, d.StaysFor)
		d.n.NeedsPerson = true
	case d.Record.Tries.Refused > 0 && d.mustWait():
		d.keep()
	default:
		d.release()
		d.enter(ledger.Leaving, ledger.Queued, "")
		d.write = WriteRemove
	}
}

// removed decides after a request to remove the number.
func (d *decider) removed() {
	err := d.Answer.Err
	if err == nil || !telnyx.EffectUnknown(err) {
		d.n.Tries.Unanswered = 0
	}
	switch {
	case err == nil, telnyx.IsNotFound(err): // only the next reading shows that it has left
		d.enter(ledger.Leaving, "", "")
		d.after(recheckLeast)
	case !telnyx.WasSent(err):
		d.release()
		d.enter(ledger.Leaving, ledger.RateLimited, errorWords(err))
		d.after(soon)
	case telnyx.EffectUnknown(err):
		d.enter(ledger.Leaving, ledger.TelnyxUnavailable, errorWords(err))
		d.after(soon)
	default:
		d.release()
		d.n.Tries.Refused++
		d.enter(ledger.Leaving, ledger.Rejected, errorWords(err))
		d.n.NeedsPerson = d.n.Tries.Refused >= personAfterRefusals
		d.after(max(retryAfter(err), waitAfter(refusedBase, refusedMost, 3, d.n.Tries.Refused)))
	}
}

// AttachedBy reports whether the record shows that this entry attached the number: Telnyx
// accepted its request. A number that was on the campaign before has no such request in its
// record, or one of a person or of another entry.
func AttachedBy(entry plan.Campaign, n ledger.Number) bool {
	if n.Plan != entry.Name || n.Plan == "" {
		return false
	}
	return n.State == ledger.Leaving || n.Request.Plan == entry.Name && n.Request.Outcome == ledger.Accepted && (n.IsOn() || n.State == ledger.Pending)
}

// leaving lists the numbers to remove, sorted: those of the ledger that the entry
// attached and no longer names, if it says so.
func (r *reconcile) leaving() []plan.E164 {
	if r.removes != nil {
		return r.removes
	}
	if !r.want.Prune || r.want.NumberPool != "" && !r.expanded {
		return nil
	}
	var numbers []plan.E164
	r.mu.Lock()
	defer r.mu.Unlock()
	for number, entry := range r.numbers {
		n := plan.E164(number)
		if _, planned := slices.BinarySearch(r.want.Numbers, n); !planned && !slices.Contains(r.spared, n) && AttachedBy(r.want, entry.Number) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// decideLeaving decides about the numbers that leave. At most a third of those that the
// entry named when it last removed none go without a person, or as many as the limit says.
func (r *reconcile) decideLeaving(leaving []plan.E164, seen *Observation, claimed map[plan.E164]ledger.Number) []Decision {
	if len(leaving) == 0 {
		r.pruneBase, r.pruned = 0, 0
		if r.want.Prune {
			r.pruneBase = len(r.want.Numbers)
		}
		return nil
	}
	alone := r.want
	alone.Numbers, alone.Places, alone.MoveFrom = leaving, nil, nil
	room, going := r.pruneRoom(leaving), 0
	for _, n := range leaving {
		if r.namedElsewhere(n) == "" {
			going++
		}
	}
	var decisions []Decision
	for _, change := range plan.Diff(alone, r.reading(), seen.Records) {
		if change.Action == plan.Extra {
			continue
		}
		c := r.leavingCase(change, seen, claimed)
		if r.removes == nil && c.Record.Request.Sent != sentDelete {
			c.LeaveAfter, c.NamedBy = r.a.config.Resync, r.namedElsewhere(change.Number)
			if room <= 0 {
				c.StaysFor = fmt.Sprintf("%d numbers left the plan, and %d may be removed without a person", going+r.pruned, r.pruneLimit())
			}
			if c.NamedBy == "" {
				room--
			}
		}
		decisions = append(decisions, Decide(c))
	}
	return decisions
}

// namedElsewhere returns the name of another entry of the plan in force that names a number
// of this entry, empty if there is none.
func (r *reconcile) namedElsewhere(number plan.E164) string {
	for _, c := range r.a.config.Plans().Campaigns {
		if _, named := slices.BinarySearch(c.Numbers, number); named && c.ID() != r.want.ID() {
			return c.Name
		}
	}
	return ""
}

// leavingCase is the case of a number that leaves.
func (r *reconcile) leavingCase(change plan.Change, seen *Observation, claimed map[plan.E164]ledger.Number) Case {
	c := r.caseOf(change.Number)
	c.takes(change, seen)
	c.Leaving = true
	if other, ok := claimed[change.Number]; ok {
		c.OtherClaim, c.OtherClaimEnds = other.CampaignID, r.claimEnds(other)
	}
	return c
}

// pruneLimit is how many numbers may be removed in all before a person is asked.
func (r *reconcile) pruneLimit() int { return max(r.pruneBase/3, r.a.config.PruneLimit) }

// pruneRoom is how many more may be removed. The first reconcile with numbers that leave
// fixes what their share is of.
func (r *reconcile) pruneRoom(leaving []plan.E164) int {
	if r.pruneBase == 0 {
		r.pruneBase = len(r.want.Numbers) + len(leaving)
	}
	room := r.pruneLimit() - r.pruned
	for _, n := range leaving {
		if r.known(n).Request.Sent == sentDelete {
			room--
		}
	}
	return room
}

// drop ends the records of the numbers that have left. That they were removed is recorded
// first: a crash in between counts them twice, so that fewer are removed.
func (r *reconcile) drop(ctx context.Context, left []Decision) error {
	if len(left) == 0 {
		return nil
	}
	for _, d := range left {
		if r.known(plan.E164(d.Record.Number)).Request.Sent == sentDelete {
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
