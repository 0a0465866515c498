package assigner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/logging"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

const (
	// The waits after an attach that did not work out.
	retryBase = 15 * time.Second
	retryMost = time.Hour
	// turnWait is how soon a number is looked at again whose turn did not come, or
	// whose answer was lost.
	turnWait = 5 * time.Second
	// stuckAfter is how many tries in a row make a number stuck: with the waits
	// above that is several hours.
	stuckAfter = 12
	// triesWhenUnclear is how often a refusal that nobody documents is tried.
	triesWhenUnclear = 4
	// triesAtCarriers is how often a request is repeated that Telnyx took and
	// the carriers failed. The first failure is usual on a dormant campaign.
	triesAtCarriers = 5
	// dueSoon is how much earlier than its time a number is tried with others, so
	// that waits that jitter has spread do not cause a pass each.
	dueSoon = 3 * time.Second
	// batch is how many numbers are attached on one reading of the campaign.
	batch = 100
	// pendingDeadline is how long Telnyx may take to finish a request. It speaks
	// of up to 72 hours.
	pendingDeadline = 72 * time.Hour
	// The waits before a pending number is looked at again: half the time that it
	// has been pending, within these bounds.
	recheckLeast = 30 * time.Second
	recheckMost  = time.Hour
)

// attachAll brings the numbers of a ready campaign closer to the plan, and
// returns how many are on it that no plan names.
func (p *pass) attachAll(ctx context.Context, c telnyx.Campaign) (extras int, err error) {
	if err := p.dropUnplanned(ctx); err != nil {
		return 0, err
	}
	s, err := p.survey(ctx, c)
	if err != nil {
		return 0, err
	}
	changes := plan.Diff(p.want, c, s.records)
	var due []plan.E164
	for _, change := range changes {
		if change.Action == plan.Attach {
			ready, err := p.prepare(ctx, c, change, s)
			if err != nil {
				return 0, err
			}
			if ready {
				due = append(due, change.Number)
			}
			continue
		}
		if change.Action == plan.Extra {
			extras++
			continue
		}
		if err := p.observe(ctx, change); err != nil {
			return 0, err
		}
	}
	return extras, p.attach(ctx, c, due)
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
			p.enter(n, ledger.Planned)
			n.Reason, n.Detail = ledger.BeingProcessed, "it is being taken off campaign "+record.CampaignID
			n.NextAt = p.recheckAt(n.Since)
		case plan.Conflict:
			p.enter(n, ledger.Conflict)
			n.Reason, n.OtherCampaignID = ledger.OtherCampaign, record.CampaignID
			n.Detail = fmt.Sprintf("Telnyx has it on campaign %s (%s)", record.CampaignID, record.AssignmentStatus)
		}
	})
}

func (p *pass) observeDone(n *ledger.Number, record telnyx.Assignment) {
	n.Attempts, n.ClaimedAt = 0, time.Time{}
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
			n.Detail = fmt.Sprintf("carriers: T-Mobile %s, others %s", told(record.TMobile), told(record.NonTMobile))
		}
	}
	n.NextAt = p.recheckAt(n.Since)
}

func told(m telnyx.MappingStatus) string {
	if m == "" {
		return "not told"
	}
	return string(m)
}

func (p *pass) observePending(n *ledger.Number) {
	p.enter(n, ledger.Pending)
	n.NextAt = p.recheckAt(n.Since)
	if p.now.Sub(n.Since) > pendingDeadline {
		n.Reason = ledger.Stuck
	}
}

// recheckAt spaces rechecks by how long a state lasts already.
func (p *pass) recheckAt(since time.Time) time.Time {
	elapsed := p.now.Sub(since)
	return p.now.Add(min(max(elapsed/2, recheckLeast), recheckMost))
}

// prepare decides whether a number that plan.Diff would attach is to be attached
// in this pass, and writes down why not if it is not.
func (p *pass) prepare(ctx context.Context, c telnyx.Campaign, change plan.Change, s survey) (ready bool, err error) {
	known := p.numbers[string(change.Number)].Number
	if until := p.a.settledAt(known); p.now.Before(until) {
		// An earlier request may still take effect, or show in Telnyx's answers.
		p.lookAgain(until)
		return false, nil
	}
	if reason, ok := obstacle(s.settings, string(change.Number)); !ok {
		return false, p.put(ctx, change.Number, func(n *ledger.Number) {
			p.enter(n, ledger.Failed)
			n.Reason = reason
		})
	}
	if failedSince(known, c, change.Record) {
		return false, p.put(ctx, change.Number, func(n *ledger.Number) { p.failedAtCarriers(n, *change.Record) })
	}
	if wait, until := p.mustRest(known); wait {
		p.lookAgain(until)
		return false, nil // its record says already what it waits for
	}
	return true, nil
}

// obstacle returns what keeps a number from being attached at all.
func obstacle(settings map[string]telnyx.NumberSettings, number string) (reason ledger.Reason, ok bool) {
	have, owned := settings[number]
	switch {
	case !owned:
		return ledger.NotOwned, false
	case !have.Type.IsLongCode():
		return ledger.NotLongCode, false
	case have.MessagingProfileID == "":
		return ledger.NoMessagingProfile, false
	default:
		return "", true
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

func (p *pass) failedAtCarriers(n *ledger.Number, record telnyx.Assignment) {
	n.Status = string(record.AssignmentStatus)
	n.Reason, n.Detail = ledger.CarrierFailed, telnyx.ReasonText(record.FailureReasons)
	n.ClaimedAt = time.Time{}
	if n.Attempts >= triesAtCarriers {
		p.enter(n, ledger.Failed)
		return
	}
	p.enter(n, ledger.Planned)
	n.NextAt = p.now.Add(backoff(retryBase, retryMost, n.Attempts, p.a.jitter()))
}

// settledAt is when the latest request for a number, if its outcome is not known,
// is given up: after Config.Settle, and twice as late with each further request.
// Zero when there is none.
func (a *Assigner) settledAt(n ledger.Number) time.Time {
	if n.ClaimedAt.IsZero() {
		return time.Time{}
	}
	return n.ClaimedAt.Add(backoff(a.config.Settle, max(a.config.Settle, retryMost), n.Attempts, 0))
}

// mustRest reports whether the number's record forbids a request now: a wait is
// not over, or it failed for good under this plan. A person's nudge overrules
// both.
func (p *pass) mustRest(known ledger.Number) (wait bool, until time.Time) {
	if p.urgent {
		return false, time.Time{}
	}
	if known.State == ledger.Failed && isFinal(known) && known.PlanHash == p.set.Hash {
		return true, time.Time{}
	}
	return p.now.Add(dueSoon).Before(known.NextAt), known.NextAt
}

// isFinal reports whether a failure lasts until the plan changes or a person
// asks. The others are looked at afresh in every pass.
func isFinal(n ledger.Number) bool {
	switch n.Reason {
	case ledger.Rejected, ledger.UnknownError, ledger.CarrierFailed:
		return true
	default:
		return false
	}
}

// attach sends one request for each number. A long list is worked off in batches,
// and the campaign read again between them: it may have been suspended meanwhile.
func (p *pass) attach(ctx context.Context, c telnyx.Campaign, numbers []plan.E164) error {
	numbers, err := p.unclaimedElsewhere(ctx, numbers)
	if err != nil {
		return err
	}
	for i := 0; i < len(numbers); i += batch {
		if i > 0 {
			if c, err = p.a.readCampaign(ctx, p.key); err != nil {
				return &readFailure{err}
			}
			if phase, _ := PhaseOf(c); phase != ledger.Ready {
				p.lookAgain(p.a.now())
				return nil
			}
		}
		if err := p.attachBatch(ctx, c, numbers[i:min(i+batch, len(numbers))]); err != nil {
			return err
		}
	}
	return nil
}

// unclaimedElsewhere takes out the numbers that a request for another campaign may
// be under way for, as when the plan has just moved them here.
func (p *pass) unclaimedElsewhere(ctx context.Context, numbers []plan.E164) ([]plan.E164, error) {
	texts := make([]string, len(numbers))
	for i, number := range numbers {
		texts[i] = string(number)
	}
	entries, err := p.a.ledger.RecordsOf(ctx, texts)
	if err != nil {
		return nil, err
	}
	claimed := map[string]ledger.Number{}
	for _, entry := range entries {
		n := entry.Number
		if n.CampaignID != p.key && p.a.now().Before(p.a.settledAt(n)) {
			claimed[n.Number] = n
		}
	}
	var free []plan.E164
	for _, number := range numbers {
		other, busy := claimed[string(number)]
		if !busy {
			free = append(free, number)
			continue
		}
		err := p.put(ctx, number, func(n *ledger.Number) {
			p.enter(n, ledger.Planned)
			n.Reason, n.Detail = ledger.BeingProcessed, "a request for campaign "+other.CampaignID+" may still be under way"
			n.NextAt = p.a.settledAt(other)
		})
		if err != nil {
			return nil, err
		}
	}
	return free, nil
}

// attachBatch sends one request for each number, several at a time.
func (p *pass) attachBatch(ctx context.Context, c telnyx.Campaign, numbers []plan.E164) error {
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(cap(p.a.slots))
	for _, number := range numbers {
		group.Go(func() error {
			release := p.a.slot(working)
			defer release()
			if working.Err() != nil {
				return working.Err() // another request says that all work stops
			}
			return p.attachOne(ctx, c, number)
		})
	}
	return group.Wait()
}

// attachOne claims the number and sends one request. Once claimed it is carried
// through even if the process is being stopped, so that its outcome is known.
func (p *pass) attachOne(ctx context.Context, c telnyx.Campaign, number plan.E164) error {
	if known := p.known(number); p.exhausted(known) {
		return p.put(ctx, number, func(n *ledger.Number) { p.stuck(n, known.Detail) })
	}
	if err := p.claim(ctx, number); err != nil {
		return err
	}
	// A request must end before its claim may be taken for abandoned.
	ctx = context.WithoutCancel(ctx)
	request, cancel := context.WithTimeout(ctx, p.a.config.Settle*2/3)
	defer cancel()
	answer, err := p.a.telnyx.Assign(request, string(number), c.AssignmentID())
	if err == nil {
		p.a.worked(writing)
		p.a.metrics.attached("accepted")
		return p.accepted(ctx, c, number, answer)
	}
	return p.refused(ctx, c, number, err)
}

// claim writes down that a request for the number is about to be sent. It is
// written over the revision that this pass has read, so that of two assigners
// that both want the number one gets an error and sends nothing.
func (p *pass) claim(ctx context.Context, number plan.E164) error {
	return p.put(ctx, number, func(n *ledger.Number) {
		p.enter(n, ledger.Attaching)
		n.ClaimedAt = p.a.now().UTC()
		n.Attempts++
		n.Status, n.TMobile, n.NonTMobile = "", "", ""
	})
}

// accepted writes down that Telnyx took the request. Accepted is not attached:
// ASSIGNED is. A record with words of failure in it counts as a try that did not
// work out; the next pass reads how it really stands.
func (p *pass) accepted(ctx context.Context, c telnyx.Campaign, number plan.E164, answer telnyx.Assignment) error {
	failure := telnyx.ReasonText(answer.Errors)
	return p.put(ctx, number, func(n *ledger.Number) {
		n.Status = string(answer.AssignmentStatus)
		if failure == "" && answer.On(c) && answer.AssignmentStatus != telnyx.FailedAssignment {
			p.enter(n, ledger.Pending)
			n.NextAt = p.a.now().Add(recheckLeast)
			return
		}
		p.enter(n, ledger.Planned)
		n.Reason, n.Detail = ledger.BeingProcessed, failure
		if !answer.On(c) {
			n.Detail = "Telnyx answered with the record of campaign " + answer.CampaignID + ". " + failure
		}
		p.retry(n, 0)
	})
}

// refused writes down what came of a request that did not end in 200:
//
//	for good; or unclear for the last time     a dead letter, then failed
//	never sent, since its turn did not come    planned, soon, no try counted
//	the account is refused                     planned, no try counted, all work stops
//	it may have taken effect                   still claimed, the next pass reads
//	later; or unclear, the first times         planned, ever later
func (p *pass) refused(ctx context.Context, c telnyx.Campaign, number plan.E164, cause error) error {
	t := troubleOf(cause)
	p.a.metrics.attached(string(t.reason))
	attempts := p.known(number).Attempts
	final := t.verdict == telnyx.ForGood || t.verdict == telnyx.Unclear && attempts >= triesWhenUnclear
	if final {
		// The letter first: a number that is failed is not tried again, so nobody
		// would come back to write it.
		if err := p.bury(ctx, c, number, t, cause); err != nil {
			return err
		}
	}
	err := p.put(ctx, number, func(n *ledger.Number) {
		n.Reason, n.Detail = t.reason, t.detail
		switch {
		case final:
			p.release(n, ledger.Failed)
		case !telnyx.WasSent(cause):
			p.release(n, ledger.Planned)
			n.Attempts--
			n.NextAt = p.a.now().Add(turnWait)
		case t.verdict == telnyx.StopEverything:
			p.release(n, ledger.Planned)
			n.Attempts--
		case telnyx.EffectUnknown(cause):
			n.NextAt = p.a.now().Add(turnWait)
		default:
			p.release(n, ledger.Planned)
			p.retry(n, t.atLeast)
		}
	})
	if err == nil && t.verdict == telnyx.StopEverything {
		return p.a.stop(writing, t.reason, cause)
	}
	return err
}

// release takes the claim off a number whose request certainly had no effect.
func (p *pass) release(n *ledger.Number, state ledger.State) {
	p.enter(n, state)
	n.ClaimedAt = time.Time{}
}

// retry orders another try, ever later.
func (p *pass) retry(n *ledger.Number, atLeast time.Duration) {
	n.NextAt = p.a.now().Add(max(atLeast, backoff(retryBase, retryMost, n.Attempts, p.a.jitter())))
}

// exhausted reports whether the number was tried so often that a person must be
// told before it is tried again. Being told once is enough: stuck numbers go on
// being tried.
func (p *pass) exhausted(known ledger.Number) bool {
	return known.Attempts >= stuckAfter && known.Reason != ledger.Stuck && !p.urgent
}

// stuck tells that a number takes far longer than it should, and what Telnyx said
// last.
func (p *pass) stuck(n *ledger.Number, said string) {
	p.enter(n, ledger.Failed)
	n.Reason, n.ClaimedAt = ledger.Stuck, time.Time{}
	n.Detail = fmt.Sprintf("%d requests came to nothing. %s", n.Attempts, said)
	n.NextAt = p.a.now().Add(retryMost)
}

// tried is the body of the dead letter of a number that failed for good.
type tried struct {
	Number     string               `json:"number"`
	CampaignID string               `json:"campaign_id"`
	Plan       string               `json:"plan"`
	PlanHash   string               `json:"plan_hash"`
	Reason     ledger.Reason        `json:"reason"`
	Attempts   int                  `json:"attempts"`
	Error      string               `json:"error"`
	Details    []telnyx.ErrorDetail `json:"details,omitempty"`
}

// bury keeps what Telnyx said about a number that failed for good.
func (p *pass) bury(ctx context.Context, c telnyx.Campaign, number plan.E164, t trouble, cause error) error {
	attempts := p.known(number).Attempts
	letter := tried{
		Number: string(number), CampaignID: c.AssignmentID(), Plan: p.want.Name, PlanHash: p.set.Hash,
		Reason: t.reason, Attempts: attempts, Error: t.detail,
	}
	if answer, ok := errors.AsType[*telnyx.APIError](cause); ok {
		letter.Details = answer.Errors
	}
	body, err := json.Marshal(letter)
	if err != nil {
		return err
	}
	p.a.log.Warn().Str(logging.KeyNumber, string(number)).Str(logging.KeyCampaign, p.key).
		Str(logging.KeyReason, string(t.reason)).Err(cause).Msg("Telnyx refuses a number for good; a person must look at it")
	return p.a.publisher.DeadLetter(ctx, events.DeadLetter{
		Origin:   "assigner",
		Reason:   string(t.reason),
		Detail:   t.detail,
		Attempts: attempts,
		Key:      fmt.Sprintf("%s-%s-%s-%d", p.key, number.Digits(), p.set.Hash, attempts),
		Body:     body,
	})
}

// known returns the record of a number as this pass has it.
func (p *pass) known(number plan.E164) ledger.Number {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.numbers[string(number)].Number
}
