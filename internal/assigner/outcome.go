package assigner

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/logging"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

// accepted writes down that Telnyx took the request. Accepted is not attached:
// ASSIGNED is. A record with words of failure in it counts as a try that did not
// work out; the next pass reads how it really stands.
func (p *pass) accepted(ctx context.Context, c telnyx.Campaign, o order, answer telnyx.Assignment) error {
	failure := telnyx.ReasonText(answer.Errors)
	return p.put(ctx, o.number, func(n *ledger.Number) {
		n.Status = string(answer.AssignmentStatus)
		p.answered(n, ledger.Accepted)
		// After a move, answers may go on naming the old campaign for a while.
		if failure == "" && (answer.On(c) || o.move) && answer.AssignmentStatus != telnyx.FailedAssignment {
			p.enter(n, ledger.Pending)
			n.NextAt = p.a.now().Add(recheckLeast)
			if n.Attempts >= stuckAfter {
				p.stuck(n, "Telnyx takes the request and then shows no record of it.")
			}
			return
		}
		n.Detail = cmp.Or(failure, telnyx.ReasonText(answer.FailureReasons))
		if !answer.On(c) {
			n.Detail = sentences("Telnyx answered with the record of campaign "+answer.CampaignID+".", n.Detail)
		}
		p.putOff(n, cmp.Or(complainedOf(telnyx.ComplaintIn(failure)), ledger.BeingProcessed), 0)
	})
}

// refused writes down what came of a request that did not end in 200:
//
//	for good; or unclear for the last time     a dead letter, then failed
//	never sent, since its turn did not come    planned, soon, no try counted
//	the account is refused                     planned, no try counted, all work stops
//	it may have taken effect                   still claimed, the next pass reads
//	later; or unclear, the first times         planned, ever later
//	one of these two for the twelfth time      stuck
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
		p.answered(n, answerTo(cause))
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
			if n.Attempts >= stuckAfter {
				p.stuck(n, t.detail)
			}
		default:
			n.ClaimedAt = time.Time{}
			p.putOff(n, t.reason, t.atLeast)
			p.noteRefusalOfAll(t, cause)
		}
	})
	if err == nil && t.verdict == telnyx.StopEverything {
		return p.a.stop(t.reason, cause)
	}
	return err
}

// answerTo tells what came of a request that ended in an error.
func answerTo(cause error) ledger.Outcome {
	switch {
	case !telnyx.WasSent(cause):
		return ledger.Unsent
	case telnyx.EffectUnknown(cause):
		return ledger.Unanswered
	default:
		return ledger.Refused
	}
}

// answered notes what came of the latest request, once.
func (p *pass) answered(n *ledger.Number, outcome ledger.Outcome) {
	if n.Request.Outcome == "" && !n.Request.At.IsZero() {
		n.Request.Outcome, n.Request.AnsweredAt = outcome, p.a.now().UTC().Round(0)
	}
}

// noteRefusalOfAll remembers a refusal that is as good as one for every other
// number: the campaign is full, or no more are taken today.
func (p *pass) noteRefusalOfAll(t trouble, cause error) {
	switch telnyx.ComplaintOf(cause) {
	case telnyx.ComplaintFull, telnyx.ComplaintQuota:
		p.mu.Lock()
		defer p.mu.Unlock()
		p.refusal = &t
	}
}

// refusedAll returns what to write down of a number instead of asking for it after
// such a refusal, nil if there was none.
func (p *pass) refusedAll() func(*ledger.Number) {
	p.mu.Lock()
	defer p.mu.Unlock()
	refusal := p.refusal
	if refusal == nil {
		return nil
	}
	return func(n *ledger.Number) {
		said := "Telnyx refused another number of the campaign: " + refusal.detail
		if n.Attempts >= stuckAfter {
			p.stuck(n, said) // this one has waited for so long that a person should know
			return
		}
		p.enter(n, ledger.Planned)
		n.Reason, n.Detail = refusal.reason, said
		n.NextAt = p.a.now().Add(retryMost / 4)
	}
}

// release takes the claim off a number whose request certainly had no effect.
func (p *pass) release(n *ledger.Number, state ledger.State) {
	p.enter(n, state)
	n.ClaimedAt, n.BusyUntil = time.Time{}, time.Time{}
}

// putOff orders another try, ever later. A number that was tried too often is
// stuck, and tried on.
func (p *pass) putOff(n *ledger.Number, reason ledger.Reason, atLeast time.Duration) {
	if n.Attempts >= stuckAfter {
		p.stuck(n, n.Detail)
		return
	}
	state := ledger.Planned
	if reason == ledger.OtherCampaign {
		state = ledger.Conflict
	}
	p.enter(n, state)
	n.Reason = reason
	n.NextAt = p.a.now().Add(max(atLeast, backoff(retryBase, retryMost, n.Attempts, p.a.jitter())))
}

// stuck tells that a number takes far longer than it should, and what Telnyx said
// last.
func (p *pass) stuck(n *ledger.Number, said string) {
	p.enter(n, ledger.Failed)
	n.Reason = ledger.Stuck
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
