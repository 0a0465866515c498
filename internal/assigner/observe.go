package assigner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

// notTold stands for a mapping that Telnyx says nothing of.
const notTold = "not told"

// order is one number for which a request is to be sent.
type order struct {
	number plan.E164
	// move says that the number is taken from a campaign that move_from names.
	move bool
	// settings are the number's messaging settings. Without a profile it is put on
	// the plan's first.
	settings telnyx.NumberSettings
}

// attachAll brings the numbers of a ready campaign closer to the plan, and
// returns how many are on it that no plan names.
func (p *pass) attachAll(ctx context.Context, c telnyx.Campaign) (extras int, err error) {
	if p.want, err = expand(ctx, p.a.reader, p.set, p.want); err != nil {
		return 0, err
	}
	p.expanded = true
	// The task first: it may end while the numbers are read, and one that has ended
	// lets go of the numbers that the plan names no more.
	if err := p.followTask(ctx); err != nil {
		return 0, err
	}
	if err := p.dropUnplanned(ctx); err != nil {
		return 0, err
	}
	s, err := surveyNumbers(ctx, p.a.reader, p.want, c, p.wasRequested)
	if err != nil {
		return 0, err
	}
	defer func() { p.a.directory.restUntil(p.key, p.a.now().Add(restAfter(len(s.records)))) }()
	changes := plan.Diff(p.want, c, s.records)
	var due []order
	for _, change := range changes {
		if change.Action == plan.Extra {
			extras++
			continue
		}
		ready, err := p.judge(ctx, c, change, s)
		if err != nil {
			return 0, err
		}
		if ready {
			due = append(due, order{change.Number, change.Action == plan.Move, s.settings[string(change.Number)]})
		}
	}
	if due, err = p.withinRoom(ctx, due, s.live+p.unsettled); err != nil {
		return 0, err
	}
	whole, err := p.isWholePool(ctx, due, changes)
	switch {
	case err != nil:
		return extras, err
	case whole:
		return extras, p.attachPool(ctx, due)
	default:
		return extras, p.attach(ctx, c, due)
	}
}

// judge decides whether a planned number gets its request in this pass, and writes
// down where it stands if it does not.
func (p *pass) judge(ctx context.Context, c telnyx.Campaign, change plan.Change, s survey) (ready bool, err error) {
	switch {
	case change.Action != plan.Attach && change.Action != plan.Move:
		return false, p.observe(ctx, change)
	case p.isWithTask(change.Number):
		return false, p.leaveToTask(ctx, change.Number)
	default:
		return p.prepare(ctx, c, change, s)
	}
}

// restAfter is how long events about single numbers wait after a look that read so
// many records: nothing for a campaign of usual size, ten seconds for 5,000
// numbers, so that its thousands of events cost two calls a second at most.
func restAfter(records int) time.Duration {
	const page = 250
	return min(time.Duration(records/page)*time.Second/2, recheckLeast)
}

// wasRequested reports whether Telnyx has taken a request for the number, or may
// have: it is under way, or the number was seen on the campaign since. A list that
// does not show such a number is not believed.
func (p *pass) wasRequested(number string) bool {
	known := p.numbers[number].Number
	if p.isWithTask(plan.E164(number)) {
		return false // it is read by itself once the task has ended
	}
	return !known.ClaimedAt.IsZero() || known.State == ledger.Attached || known.State == ledger.Sendable
}

// withinRoom keeps as many orders as the campaign has room for, by the plan's
// max_numbers and what is on it already, planned or not.
func (p *pass) withinRoom(ctx context.Context, due []order, live int) ([]order, error) {
	room := max(p.want.MaxNumbers-live, 0)
	if len(due) <= room {
		return due, nil
	}
	for _, o := range due[room:] {
		err := p.put(ctx, o.number, func(n *ledger.Number) {
			p.enter(n, ledger.Planned)
			n.Reason = ledger.CampaignFull
			n.Detail = fmt.Sprintf("%d numbers are on it or come before this one, and the plan allows %d", live+room, p.want.MaxNumbers)
		})
		if err != nil {
			return nil, err
		}
	}
	return slices.Clip(due[:room]), nil
}

// observe writes down where a number stands that needs no request.
func (p *pass) observe(ctx context.Context, change plan.Change) error {
	record := change.Record
	return p.put(ctx, change.Number, func(n *ledger.Number) {
		n.Status, n.TMobile, n.NonTMobile = string(record.AssignmentStatus), string(record.TMobile), string(record.NonTMobile)
		switch change.Action {
		case plan.Done:
			p.observeDone(n, *record)
		case plan.Wait:
			p.observePending(n)
		case plan.WaitToAttach:
			p.observeBusy(n, "it is being taken off campaign "+record.CampaignID)
		case plan.WaitToMove:
			p.observeBusy(n, "it is on its way to campaign "+record.CampaignID+", and is moved once it is there")
		case plan.Conflict:
			p.enter(n, ledger.Conflict)
			n.Reason, n.OtherCampaignID = ledger.OtherCampaign, record.CampaignID
			n.Detail = fmt.Sprintf("Telnyx has it on campaign %s (%s)", record.CampaignID, record.AssignmentStatus)
		}
	})
}

// observeBusy waits for something that Telnyx is still doing with the number.
func (p *pass) observeBusy(n *ledger.Number, what string) {
	if before := p.known(plan.E164(n.Number)).Reason; before != ledger.BeingProcessed && before != ledger.Stuck {
		n.Since = p.now.UTC() // it may have been planned for days
	}
	n.State = ledger.Planned
	n.Reason, n.Detail = ledger.BeingProcessed, what
	n.NextAt = p.recheckAt(n.Since)
	if p.now.Sub(n.Since) > p.a.config.PendingDeadline {
		n.Reason = ledger.Stuck
	}
}

func (p *pass) observeDone(n *ledger.Number, record telnyx.Assignment) {
	n.Attempts, n.ClaimedAt, n.BusyUntil = 0, time.Time{}, time.Time{}
	if record.Sendable() {
		p.enter(n, ledger.Sendable)
		return
	}
	p.enter(n, ledger.Attached)
	if record.AssignmentStatus == telnyx.FailedUnassignment {
		n.Detail = "Telnyx failed to take it off; it is still attached"
		return
	}
	for _, mapping := range record.Mappings() {
		if mapping == telnyx.MappingFailed {
			n.Reason = ledger.CarrierFailed
			n.Detail = fmt.Sprintf("carriers: T-Mobile %s, others %s", cmp.Or(record.TMobile, notTold), cmp.Or(record.NonTMobile, notTold))
			if record.ATT != "" {
				n.Detail += fmt.Sprintf(", AT&T %s", record.ATT)
			}
		}
	}
	n.NextAt = p.recheckAt(n.Since)
}

func (p *pass) observePending(n *ledger.Number) {
	p.enter(n, ledger.Pending)
	n.NextAt = p.recheckAt(n.Since)
	if pending := p.now.Sub(n.Since); pending > p.a.config.PendingDeadline {
		n.Reason = ledger.Stuck
		n.Detail = fmt.Sprintf("Telnyx took the request and has not finished it since %s", n.Since.UTC().Format(time.RFC3339))
	}
}

// recheckAt spaces rechecks by how long a state lasts already.
func (p *pass) recheckAt(since time.Time) time.Time {
	elapsed := p.now.Sub(since)
	return p.now.Add(min(max(elapsed/2, recheckLeast), recheckMost))
}

// prepare decides whether a number that plan.Diff would attach or move gets its
// request in this pass, and writes down why not if it does not.
func (p *pass) prepare(ctx context.Context, c telnyx.Campaign, change plan.Change, s survey) (ready bool, err error) {
	known := p.numbers[string(change.Number)].Number
	if until := p.settledAt(known); p.now.Before(until) {
		// An earlier request may still take effect, or show in Telnyx's answers.
		p.unsettled++
		p.lookAgain(until)
		return false, nil
	}
	if change.Action == plan.Move && known.State == ledger.Pending && p.now.Before(known.ClaimedAt.Add(moveSettle)) {
		p.unsettled++
		return false, p.put(ctx, change.Number, p.observePending)
	}
	if reason := obstacle(p.want, s.settings, string(change.Number)); reason != "" {
		return false, p.hinder(ctx, change.Number, reason, s.settings)
	}
	if failedSince(known, c, change.Record) {
		return false, p.failedAtCarriers(ctx, c, change)
	}
	if wait, until := p.mustRest(known); wait {
		p.lookAgain(until)
		return false, nil // its record says already what it waits for
	}
	return true, nil
}

// obstacle returns what keeps a number from being attached at all, empty if
// nothing does.
func obstacle(want plan.Campaign, settings map[string]telnyx.NumberSettings, number string) ledger.Reason {
	have, owned := settings[number]
	switch profile := want.MessagingProfileID; {
	case !owned:
		return ledger.NotOwned
	case !have.Type.IsLongCode(), have.CountryCode != "" && have.CountryCode != "US":
		return ledger.NotLongCode
	case have.MessagingProfileID == "" && profile == "":
		return ledger.NoMessagingProfile
	case have.MessagingProfileID != "" && profile != "" && have.MessagingProfileID != profile:
		return ledger.OtherProfile
	default:
		return ""
	}
}

// failedSince reports whether a FAILED_ASSIGNMENT is news about this campaign: the
// ledger still has the number on its way or attached. Failed records stay in
// Telnyx's lists, also those of other campaigns.
func failedSince(known ledger.Number, c telnyx.Campaign, record *telnyx.Assignment) bool {
	if record == nil || record.AssignmentStatus != telnyx.FailedAssignment || !record.On(c) {
		return false
	}
	return known.State == ledger.Pending || known.State == ledger.Attached || known.State == ledger.Sendable
}

// failedAtCarriers writes down that Telnyx took a request and the carriers failed
// it: to be tried again, or for the last time, with a dead letter first.
func (p *pass) failedAtCarriers(ctx context.Context, c telnyx.Campaign, change plan.Change) error {
	said := telnyx.ReasonText(change.Record.FailureReasons)
	passing := complainedOf(telnyx.ComplaintIn(said))
	final := passing == "" && p.known(change.Number).Attempts >= triesAtCarriers
	if final {
		failure := trouble{verdict: telnyx.ForGood, reason: ledger.CarrierFailed, detail: said}
		if err := p.bury(ctx, c, change.Number, failure, errors.New(said)); err != nil {
			return err
		}
	}
	return p.put(ctx, change.Number, func(n *ledger.Number) {
		n.Status, n.Detail = string(change.Record.AssignmentStatus), said
		n.ClaimedAt = time.Time{}
		if final {
			p.enter(n, ledger.Failed)
			n.Reason = ledger.CarrierFailed
			return
		}
		p.putOff(n, cmp.Or(passing, ledger.CarrierFailed), 0)
	})
}

// mustRest reports whether the number's record forbids a request now: a wait is
// not over, or it failed for good under this entry of the plan. A person's nudge
// overrules both.
func (p *pass) mustRest(known ledger.Number) (wait bool, until time.Time) {
	if p.urgent {
		return false, time.Time{}
	}
	if known.State == ledger.Failed && isFinal(known) && known.EntryHash == p.entryHash {
		return true, time.Time{}
	}
	if known.NextAt.Sub(p.now) > retryMost {
		return false, time.Time{} // no wait is that long: the clock was set back since
	}
	return p.now.Add(dueSoon).Before(known.NextAt), known.NextAt
}

// isFinal reports whether a failure lasts until the plan's entry changes or a
// person asks. The others are looked at afresh in every pass.
func isFinal(n ledger.Number) bool {
	switch n.Reason {
	case ledger.Rejected, ledger.UnknownError, ledger.CarrierFailed:
		return true
	default:
		return false
	}
}

// hinder writes down what keeps a number from being attached at all.
func (p *pass) hinder(ctx context.Context, number plan.E164, reason ledger.Reason, settings map[string]telnyx.NumberSettings) error {
	return p.put(ctx, number, func(n *ledger.Number) {
		p.enter(n, ledger.Failed)
		n.Reason = reason
		if reason == ledger.OtherProfile {
			n.Detail = "it is on messaging profile " + settings[string(number)].MessagingProfileID
		}
	})
}
