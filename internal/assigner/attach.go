package assigner

import (
	"cmp"
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
	// moveSettle is how long a number that was moved may go on being shown on its
	// old campaign before the move is ordered again. Nobody publishes a figure.
	moveSettle = time.Hour
	// batch and readingLasts are how many numbers are attached, and for how long,
	// on one reading of the campaign.
	batch        = 100
	readingLasts = time.Minute
	// The waits before a pending number is looked at again: half the time that it
	// has been pending, within these bounds.
	recheckLeast = 30 * time.Second
	recheckMost  = time.Hour
)

// settledAt is when the latest request for a number, if its outcome is not known,
// is given up: after Config.Settle, and twice as late with each further request.
// Zero when there is none.
func (a *Assigner) settledAt(n ledger.Number) time.Time {
	if n.ClaimedAt.IsZero() {
		return time.Time{}
	}
	return n.ClaimedAt.Add(backoff(a.config.Settle, max(a.config.Settle, retryMost), n.Attempts, 0))
}

// attach sends one request for each number. A long list is worked off in batches,
// and the campaign read again between them when the last reading is old: it may
// have been suspended meanwhile, and the event that said so lost.
func (p *pass) attach(ctx context.Context, c telnyx.Campaign, orders []order) error {
	orders, err := p.unclaimedElsewhere(ctx, orders)
	if err != nil {
		return err
	}
	read := p.now
	for i := 0; i < len(orders); i += batch {
		if i > 0 && p.a.now().Sub(read) > readingLasts {
			read = p.a.now()
			if c, err = p.a.reader.Campaign(ctx, p.want); err != nil {
				return &readFailure{err}
			}
			if phase, _ := PhaseOf(c); phase != ledger.Ready {
				p.lookAgain(p.a.now())
				return nil
			}
		}
		if err := p.attachBatch(ctx, c, orders[i:min(i+batch, len(orders))]); err != nil {
			return err
		}
	}
	return nil
}

// unclaimedElsewhere takes out the numbers that a request for another campaign may
// be under way for, as when the plan has just moved them here.
func (p *pass) unclaimedElsewhere(ctx context.Context, orders []order) ([]order, error) {
	texts := make([]string, len(orders))
	for i, o := range orders {
		texts[i] = string(o.number)
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
	var free []order
	for _, o := range orders {
		other, busy := claimed[string(o.number)]
		if !busy {
			free = append(free, o)
			continue
		}
		err := p.put(ctx, o.number, func(n *ledger.Number) {
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
func (p *pass) attachBatch(ctx context.Context, c telnyx.Campaign, orders []order) error {
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(p.a.reader.Concurrency())
	for _, o := range orders {
		group.Go(func() error {
			release := p.a.reader.Slot(working)
			defer release()
			if working.Err() != nil {
				return working.Err() // another request says that all work stops
			}
			return p.attachOne(ctx, c, o)
		})
	}
	return group.Wait()
}

// attachOne claims the number and sends one request. Once claimed it is carried
// through even if the process is being stopped, so that its outcome is known.
func (p *pass) attachOne(ctx context.Context, c telnyx.Campaign, o order) error {
	if known := p.known(o.number); p.exhausted(known) {
		return p.put(ctx, o.number, func(n *ledger.Number) { p.stuck(n, known.Detail) })
	}
	if !p.stillPlanned() || p.a.queue.interrupted(p.key) {
		// The plan has changed under this pass, or the campaign; the next pass goes by
		// what is now.
		p.lookAgain(p.a.now())
		return nil
	}
	if ready, err := p.readAgain(ctx, c, &o); err != nil || !ready {
		return err
	}
	if err := p.claim(ctx, o.number); err != nil {
		return err
	}
	// A request must end before its claim may be taken for abandoned.
	ctx = context.WithoutCancel(ctx)
	request, cancel := context.WithTimeout(ctx, p.a.config.Settle*2/3)
	defer cancel()
	answer, err := p.send(request, c, o)
	if err == nil {
		p.a.worked(writing)
		p.a.metrics.attached("accepted")
		return p.accepted(ctx, c, o, answer)
	}
	return p.refused(ctx, c, o.number, err)
}

// send sends the request: a POST, or a PUT for a number that is to be moved. A
// number without a messaging profile is put on the plan's first, since Telnyx
// attaches no other.
func (p *pass) send(ctx context.Context, c telnyx.Campaign, o order) (telnyx.Assignment, error) {
	if o.settings.MessagingProfileID == "" {
		if _, err := p.a.telnyx.SetMessagingProfile(ctx, o.settings.ID, p.want.MessagingProfileID); err != nil {
			return telnyx.Assignment{}, err
		}
	}
	if o.move {
		return p.a.telnyx.Reassign(ctx, string(o.number), c.AssignmentID())
	}
	return p.a.telnyx.Assign(ctx, string(o.number), c.AssignmentID())
}

// stillPlanned reports whether the entry of this pass is the one in force. A pass
// over many numbers takes minutes, and a number that was taken out of the plan
// meanwhile must not be attached.
func (p *pass) stillPlanned() bool {
	set := p.a.config.Plans()
	if set == p.set {
		return true
	}
	want, planned := set.Find(p.key)
	return planned && want.Hash() == p.entryHash && want.NumberPool == ""
}

// readAgain reads what an order rests on once more, by itself, where doing it
// wrongly would take something away: a PUT takes a number from whatever campaign
// it is on without a word, a PATCH from whatever profile. What was read at the
// beginning of the pass may be minutes old by now.
func (p *pass) readAgain(ctx context.Context, c telnyx.Campaign, o *order) (ready bool, err error) {
	if o.move {
		if ready, err = p.stillToMove(ctx, c, o.number); err != nil || !ready {
			return false, err
		}
	}
	if o.settings.MessagingProfileID != "" {
		return true, nil
	}
	settings, err := p.a.reader.Settings(ctx, []string{string(o.number)})
	if err != nil {
		return false, &readFailure{err}
	}
	o.settings = settings[string(o.number)]
	reason := obstacle(p.want, settings, string(o.number))
	if reason == "" {
		return true, nil
	}
	return false, p.put(ctx, o.number, func(n *ledger.Number) {
		p.enter(n, ledger.Failed)
		n.Reason = reason
	})
}

// stillToMove reports whether plan.Diff says that the number is to be moved, by
// its record as it is now. If not, another look is ordered.
func (p *pass) stillToMove(ctx context.Context, c telnyx.Campaign, number plan.E164) (bool, error) {
	var records []telnyx.Assignment
	record, err := p.a.telnyx.Assignment(ctx, string(number))
	switch {
	case err == nil:
		records = append(records, record)
	case !telnyx.IsNotFound(err):
		return false, &readFailure{err}
	}
	alone := p.want
	alone.Numbers, alone.Places = []plan.E164{number}, nil
	for _, change := range plan.Diff(alone, c, records) {
		if change.Number == number && change.Action == plan.Move {
			return true, nil
		}
	}
	return false, p.put(ctx, number, func(n *ledger.Number) {
		p.observeBusy(n, "Telnyx's answers differ about which campaign it is on")
	})
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
func (p *pass) accepted(ctx context.Context, c telnyx.Campaign, o order, answer telnyx.Assignment) error {
	failure := telnyx.ReasonText(answer.Errors)
	return p.put(ctx, o.number, func(n *ledger.Number) {
		n.Status = string(answer.AssignmentStatus)
		// After a move, answers may go on naming the old campaign for a while.
		if failure == "" && (answer.On(c) || o.move) && answer.AssignmentStatus != telnyx.FailedAssignment {
			p.enter(n, ledger.Pending)
			n.NextAt = p.a.now().Add(recheckLeast)
			return
		}
		n.Detail = failure
		if !answer.On(c) {
			n.Detail = "Telnyx answered with the record of campaign " + answer.CampaignID + ". " + failure
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
			if n.Attempts > stuckAfter {
				n.Reason = ledger.Stuck // as it was before this try
			}
		default:
			n.ClaimedAt = time.Time{}
			p.putOff(n, t.reason, t.atLeast)
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

// putOff orders another try, ever later.
func (p *pass) putOff(n *ledger.Number, reason ledger.Reason, atLeast time.Duration) {
	if n.Attempts > stuckAfter {
		p.stuck(n, n.Detail)
		n.NextAt = p.a.now().Add(max(atLeast, retryMost))
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
