package assigner

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

const (
	// maxReadAge is the age of the last read of the campaign up to which numbers are attached:
	// it may have been suspended since, and the event lost.
	maxReadAge = time.Minute
	// maxCheckAge is the age up to which the last checks before a write count. If the network,
	// NATS or the process is slow, somebody may hold everything or move the number meanwhile.
	maxCheckAge = time.Second
)

// errLate is the error of a write that was not sent because its last checks were too old.
var errLate = errors.New("not sent: its last checks were too old")

// errInterrupted ends the writes of a reconcile that another one is about to follow.
var errInterrupted = errors.New("interrupted by a newer request")

// apply sends the writes, several at a time. It ends early if the plan or the campaign
// changes, the campaign is put on hold, or the circuit breaker opens.
func (r *reconcile) apply(ctx context.Context, due []Decision) error {
	if len(due) == 0 {
		return nil
	}
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	workers := min(r.a.perCampaign(), len(due))
	ready := make(chan Decision, len(due)) // buffered, since the workers may stop early
	var group errgroup.Group
	group.Go(func() error {
		defer close(ready)
		for i, d := range due {
			if working.Err() != nil || i >= workers && r.a.breaker.err() != nil {
				break // the first ones may be the breaker's trial
			}
			if i >= workers {
				r.recordQueued(ctx, d, i)
			}
			ready <- d
		}
		return nil
	})
	for range workers {
		group.Go(func() error {
			for d := range ready {
				if working.Err() != nil {
					return nil
				}
				if err := r.a.guard(r.req.key, func() error { return r.write(working, d) }); err != nil {
					if !isWriteError(err) {
						stop(err) // not for a write error, since another write may be the trial
					}
					return err
				}
			}
			return nil
		})
	}
	err := group.Wait()
	if cause := context.Cause(working); cause != nil {
		err = cause // the others only report that they were stopped
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	// The records of those that were not sent are out of date.
	left := slices.DeleteFunc(due, func(d Decision) bool { return r.isRecorded(d.Record.Number) })
	leftErr := r.recordAll(ctx, left)
	trialClosedIt := isWriteError(err) && r.a.breaker.err() == nil
	if errors.Is(err, errInterrupted) || trialClosedIt {
		r.checkAt(r.a.now())
	}
	if trialClosedIt || errors.Is(err, errInterrupted) || errors.Is(err, errHeld) { // the end of a hold asks for a reconcile
		err = nil
	}
	return cmp.Or(err, leftErr)
}

// recordQueued records that a number is queued, with an estimate of its turn, which is not a
// time to reconcile. If it fails, the write reports what is wrong.
func (r *reconcile) recordQueued(ctx context.Context, d Decision, place int) {
	if known := r.known(plan.E164(d.Record.Number)); known.State == ledger.Planned && known.Reason == ledger.Queued {
		return
	}
	d.Record.NextAt = r.a.now().Add(time.Duration(float64(place) / r.a.rate() * float64(time.Second)))
	_ = r.putRecord(ctx, d.Record)
}

// isWriteError reports that the circuit breaker is open for writes alone.
func isWriteError(err error) bool {
	open, ok := errors.AsType[*openError](err)
	return ok && open.reason == ledger.AccountBlocked
}

// write sends one request, or records why not.
//
// First it waits for a slot and the rate limiter. Then it checks that the decision is still
// right: it reads the number's own record if the request could take something away, and last
// it checks pin, hold and plan. Then it claims the number in the ledger and sends the request
// without waiting. After the claim, it completes even if the process is stopping, so that the
// outcome is recorded.
func (r *reconcile) write(ctx context.Context, d Decision) error {
	if open := r.a.breaker.allowWrite(r.req.key); open != nil {
		return open // its campaign's record says so
	}
	if refusal := r.refusedAll(); refusal != nil && d.Write != WriteRemove {
		n := d.Record
		n.State, n.Reason, n.Detail, n.NeedsPerson, n.NextAt = refusal.State, refusal.Reason, refusal.Detail, refusal.NeedsPerson, refusal.NextAt
		return r.put(ctx, n)
	}
	reserved, release, err := r.reserve(ctx, callsFor(d))
	if err != nil {
		return err
	}
	defer release()
	if d, err = r.proven(reserved, d); err != nil || d.Write == WriteNone {
		return cmp.Or(err, r.put(ctx, d.Record))
	}
	if d.Write == WriteRemove && r.removes == nil && r.isNamedElsewhere(plan.E164(d.Record.Number), r.reading()) {
		return errInterrupted
	}
	checked := time.Now()
	if err := r.mayWrite(reserved, d.Write); err != nil {
		return err
	}
	unreserved := context.WithoutCancel(ctx)
	ctx = context.WithoutCancel(reserved)
	// The request must end before its claim counts as abandoned.
	sending, cancel := context.WithTimeout(ctx, r.a.config.Settle*2/3)
	defer cancel()
	if err := r.claim(ctx, d); err != nil {
		return err
	}
	answer := r.send(sending, d, checked)
	release() // finding out what a refusal means may take a call that waits for a slot
	if answer.Err != nil {
		answer.Class, _ = r.a.classify(unreserved, answer.Err)
	}
	return r.conclude(ctx, d, answer)
}

// callsFor is how many calls a write makes after its wait.
func callsFor(d Decision) int {
	calls := 1
	if d.Write != WriteAttach {
		calls++ // its record
	}
	if d.SetProfile != "" {
		calls += 3 // its settings, by either of two ids, and the profile
	}
	return calls
}

// reserve waits for a slot and for the calls of a write. Afterwards, the last read of the
// campaign is recent. Events during the wait are left to the next write, so that many events
// do not delay all writes. If the read became old during the wait, the campaign is read with
// a reserved call: at a low rate, it would be old again after another wait.
func (r *reconcile) reserve(ctx context.Context, calls int) (reserved context.Context, release func(), err error) {
	if err := r.refresh(ctx); err != nil {
		return nil, nil, err
	}
	reserved, release, err = r.reserveCalls(ctx, calls)
	if err != nil || r.removes != nil || r.readingAge() <= maxReadAge {
		return reserved, release, err
	}
	release()
	reserved, release, err = r.reserveCalls(ctx, calls+1)
	if err != nil {
		return nil, nil, err
	}
	if err := r.readAgain(reserved); err != nil {
		release()
		return nil, nil, err
	}
	return reserved, release, nil
}

// reserveCalls waits for a slot and for calls, unless another reconcile must follow.
func (r *reconcile) reserveCalls(ctx context.Context, calls int) (reserved context.Context, release func(), err error) {
	if r.isOutdated() {
		return nil, nil, errInterrupted
	}
	reserved, release, err = r.a.client.Limiter.Reserve(ctx, calls)
	if err != nil {
		return nil, nil, cmp.Or(ctx.Err(), errInterrupted)
	}
	return reserved, release, nil
}

// isOutdated reports whether another reconcile must follow, because the plan or the campaign
// has changed or a person asks.
func (r *reconcile) isOutdated() bool {
	if r.removes != nil {
		return false // a person may remove numbers from a campaign in any phase
	}
	phase, _ := PhaseOf(r.reading())
	return phase != ledger.PhaseApproved || !r.isPlanned() || r.a.queue.isUrgent(r.req.key)
}

// mayWrite checks that nothing has changed that forbids the write: the pin, the hold, the plan
// and the campaign.
func (r *reconcile) mayWrite(ctx context.Context, write Write) error {
	if !r.a.isPinned(ctx) || write == WriteRemove && r.a.config.PlanFault() != nil {
		return errInterrupted
	}
	hold, err := r.a.ledger.ReadHold(ctx)
	if err != nil {
		return err
	}
	// A recreated bucket has no hold until it is restored, so the last known hold counts too.
	for _, known := range []ledger.Hold{hold, *r.a.hold.Load()} {
		if _, held := r.heldBy(known); held {
			return errHeld
		}
	}
	if r.isOutdated() {
		return errInterrupted
	}
	return nil
}

// heldBy returns the hold of the campaign, under any of its ids.
func (r *reconcile) heldBy(hold ledger.Hold) (ledger.HeldBy, bool) {
	c := r.reading()
	return hold.Of(r.req.key, string(c.CampaignID), string(c.TCRCampaignID), plan.Campaign{ReferenceID: c.ReferenceID}.ID())
}

// errHeld ends the writes of a campaign on hold.
var errHeld = errors.New("on hold")

// isFresh reports whether the last read of the campaign still counts. It does not if there
// was an event about the campaign since.
func (r *reconcile) isFresh() bool {
	r.mu.Lock()
	began := r.readBegan
	r.mu.Unlock()
	return r.readingAge() <= maxReadAge && !r.a.queue.changedSince(r.req.key, began)
}

// readingAge is how long ago the campaign was read.
func (r *reconcile) readingAge() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.a.now().Sub(r.readAt)
}

// reading returns the campaign as last read.
func (r *reconcile) reading() telnyx.Campaign {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.campaign
}

// refresh reads the campaign again if the last read is old.
func (r *reconcile) refresh(ctx context.Context) error {
	if r.removes != nil || r.isFresh() { // a person may remove numbers from a campaign in any phase
		return nil
	}
	r.refreshing.Lock()
	defer r.refreshing.Unlock()
	if r.isFresh() {
		return nil // another worker has just read it
	}
	return r.readAgain(ctx)
}

// readAgain reads the campaign. Its age counts from the answer, since the call may have waited
// for the limiter.
func (r *reconcile) readAgain(ctx context.Context) error {
	began := time.Now() // an event during the read requires another read
	campaign, err := r.a.observer.campaigns.read(ctx, r.want)
	if err != nil {
		return &readError{err}
	}
	r.mu.Lock()
	r.campaign, r.readAt, r.readBegan = campaign, r.a.now(), began
	r.mu.Unlock()
	return nil
}

// isPlanned reports whether this reconcile's entry is still in force. A number that has left
// the plan must not be attached.
func (r *reconcile) isPlanned() bool {
	set := r.a.config.Plans()
	if set == r.set {
		return true
	}
	want, planned := set.Find(r.req.key)
	return planned && want.Hash() == r.entryHash && want.NumberPool == ""
}

// proven reads the number again if a wrong write could take something away: a PUT takes a
// number from any campaign, and a PATCH from any profile. Without a proof, it returns a
// decision without a write.
func (r *reconcile) proven(ctx context.Context, d Decision) (Decision, error) {
	number := plan.E164(d.Record.Number)
	if d.SetProfile != "" {
		found, err := r.a.client.NumberNow(ctx, d.Account)
		if err != nil {
			return r.unproven(d, err)
		}
		c := r.caseOf(number)
		c.Change.Action, c.Ownership, c.Account = plan.Attach, Owned, found
		if again := Decide(c); again.Write == WriteNone || again.SetProfile == "" {
			return r.withoutWrite(again, "its messaging profile has just changed"), nil
		}
	}
	if d.Write == WriteAttach {
		return d, nil
	}
	record, err := r.a.client.Assignment(ctx, d.Record.Number)
	switch {
	case telnyx.IsNotFound(err):
		if d.Write == WriteRemove {
			r.noteLeft(d.Record.Number)
		}
		return r.withoutWrite(d, "it has just left the campaign that it was on"), nil
	case err != nil:
		return r.unproven(d, err)
	}
	alone, needed := r.want, plan.Move
	alone.Numbers, alone.Places = []plan.E164{number}, nil
	if d.Write == WriteRemove {
		alone.MoveFrom, needed = nil, plan.Done
	}
	for _, change := range plan.Diff(alone, r.reading(), []telnyx.Assignment{record}) {
		if change.Number == number && change.Action == needed {
			return d, nil
		}
	}
	return r.withoutWrite(d, "Telnyx's answers differ about which campaign it is on"), nil
}

// unproven is the decision when the last read before a write failed.
func (r *reconcile) unproven(d Decision, cause error) (Decision, error) {
	if telnyx.Classify(cause) == telnyx.ClassUnauthorized || !telnyx.WasSent(cause) {
		return d, &readError{cause}
	}
	return r.withoutWrite(d, "the last read before the request failed: "+errorWords(cause)), nil
}

// withoutWrite turns a decision into one that waits for another read.
func (r *reconcile) withoutWrite(d Decision, why string) Decision {
	d.Write, d.SetProfile = WriteNone, ""
	if d.Record.Reason == ledger.Queued || d.Record.Reason == "" {
		d.Record.Reason, d.Record.Detail = ledger.Unverified, why
		d.Record.NextAt = r.a.now().Add(soon)
	}
	return d
}

// claim records that a request for the number is about to be sent. It fails if any record of
// the number has changed since the decision, so only one of two processes, or of two
// campaigns, can send a request for it.
func (r *reconcile) claim(ctx context.Context, d Decision) error {
	n, now := d.Record, r.a.now().UTC()
	n.State, n.Since, n.Reason, n.Detail, n.NextAt = ledger.Attaching, now, "", "", time.Time{}
	if d.Write == WriteRemove {
		n.State = ledger.Leaving
	}
	n.ClaimedAt = now
	if d.Write != WriteRemove {
		n.AttachedBy = "" // until Telnyx accepts it
	}
	n.Tries.Unanswered++
	n.Request = ledger.Request{Sent: sentPost, Campaign: r.reading().AssignmentID(), Profile: d.SetProfile, At: now.Round(0)}
	switch d.Write {
	case WriteMove:
		n.Request.Sent = sentPut
	case WriteRemove:
		n.Request.Sent = sentDelete
	}
	n.Firsts.Requests++
	n.Status, n.TMobile, n.NonTMobile = "", "", ""
	err := r.writeRecord(n, func(entry ledger.NumberEntry, n ledger.Number) (ledger.NumberEntry, error) {
		return r.a.ledger.Claim(ctx, entry, n, r.others[n.Number])
	})
	if err != nil {
		return err
	}
	r.a.claims.see(n, r.a.now())
	return nil
}

// The requests, as the ledger records them.
const (
	sentPost   = http.MethodPost + " /10dlc/phone_number_campaigns"
	sentPut    = http.MethodPut + " /10dlc/phone_number_campaigns/{phoneNumber}"
	sentDelete = http.MethodDelete + " /10dlc/phone_number_campaigns/{phoneNumber}"
)

// send sends the POST, PUT or DELETE, unless the last checks are too old. Telnyx attaches only
// numbers with a messaging profile, so it first sets the plan's if the number has none.
func (r *reconcile) send(ctx context.Context, d Decision, checked time.Time) Answer {
	answer := Answer{Moved: d.Write == WriteMove}
	if time.Since(checked) > maxCheckAge {
		answer.Err = errLate
		return answer
	}
	if d.SetProfile != "" {
		if _, answer.Err = r.a.client.SetMessagingProfile(ctx, d.Account, d.SetProfile); answer.Err != nil {
			return answer
		}
	}
	if time.Since(checked) > maxCheckAge {
		answer.Err = errLate
		return answer
	}
	campaign := r.reading().AssignmentID()
	switch d.Write {
	case WriteMove:
		answer.Record, answer.Err = r.a.client.Reassign(ctx, d.Record.Number, campaign)
	case WriteRemove:
		answer.Record, answer.Err = r.a.client.Unassign(ctx, d.Record.Number)
	default:
		answer.Record, answer.Err = r.a.client.Assign(ctx, d.Record.Number, campaign)
	}
	return answer
}

// conclude interprets the answer and records the outcome.
func (r *reconcile) conclude(ctx context.Context, d Decision, answer Answer) error {
	c := r.caseOf(plan.E164(d.Record.Number))
	c.Answer, c.Leaving = &answer, d.Write == WriteRemove
	after := Decide(c)
	after.Record.Request.Outcome, after.Record.Request.AnsweredAt = outcomeOf(answer.Err), r.a.now().UTC().Round(0)
	if after.Record.Tries.Unanswered < 0 {
		after.Record.Tries.Unanswered = 0
	}
	r.noteRefusalOfAll(after.Record, answer)
	news := after.Record.NeedsPerson && !r.needs(after.Record.Number)
	counter := r.a.metrics.attaches
	if c.Leaving {
		counter = r.a.metrics.removals
	}
	counter.WithLabelValues(cmp.Or(string(after.Record.Reason), accepted)).Inc()
	if err := r.put(ctx, after.Record); err != nil {
		return err
	}
	if r.concluded != nil {
		r.concluded(d.Record.Number)
	}
	switch {
	case answer.Err == nil:
		r.a.writesWork(r.req.key)
	case answer.Class == telnyx.ClassAccount:
		if r.a.breaker.refuseWrite(d.Record.Number, news, answer.Err) {
			r.a.alarm(ledger.AccountBlocked, answer.Err)
		}
	case answer.Class == telnyx.ClassUnauthorized:
		if open := r.a.breaker.keyOutage(); open != nil {
			return open
		}
	}
	return nil
}

// writesWork notes that Telnyx accepted a write for a campaign. If that closes the circuit
// breaker, the campaigns that waited are reconciled at once.
func (a *Assigner) writesWork(key string) {
	waiting, recovered := a.breaker.wrote()
	if !recovered {
		return
	}
	a.log.Info().Msg("Telnyx accepts the account's requests again")
	for _, key := range append(waiting, key) {
		a.queue.add(request{key: key, cause: "the account is no longer refused", made: time.Now(), changed: true})
	}
}

// outcomeOf returns the outcome of a request.
func outcomeOf(err error) ledger.Outcome {
	switch {
	case err == nil:
		return ledger.Accepted
	case !telnyx.WasSent(err):
		return ledger.Unsent
	case telnyx.EffectUnknown(err):
		return ledger.Unanswered
	default:
		return ledger.Refused
	}
}

// noteRefusalOfAll remembers a refusal that applies to all other numbers too: the campaign is
// full, or a daily quota is used up.
func (r *reconcile) noteRefusalOfAll(n ledger.Number, answer Answer) {
	complaint := telnyx.ComplaintIn(answer.Record.FailureText())
	if answer.Err != nil {
		complaint = telnyx.ComplaintOf(answer.Err)
	}
	if complaint != telnyx.ComplaintFull && complaint != telnyx.ComplaintQuota {
		return
	}
	n.Reason, n.Detail = ledger.CampaignFull, "Telnyx refused another number of the campaign: "+n.Detail
	if complaint == telnyx.ComplaintQuota {
		n.Reason = ledger.RateLimited
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refusal = &n
}

func (r *reconcile) refusedAll() *ledger.Number {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refusal
}

// classify returns the class of an error. After a 403, a call that names no number or campaign
// shows whether the key is refused; without an answer to that call, the 403 is transient. If
// the key is refused, the circuit breaker opens. The caller must not hold a reservation of the
// limiter.
func (a *Assigner) classify(ctx context.Context, err error) (telnyx.ErrorClass, *openError) {
	class := telnyx.Classify(err)
	switch {
	case class == telnyx.ClassForbidden:
		switch a.breaker.check(ctx) {
		case telnyx.ClassUnauthorized, telnyx.ClassForbidden:
		case telnyx.ClassTransient:
			return telnyx.ClassTransient, nil
		default:
			return class, nil
		}
	case class != telnyx.ClassUnauthorized:
		return class, nil
	}
	open, alarm := a.breaker.refuseKey(err)
	if alarm {
		a.alarm(ledger.Unauthorized, err)
	}
	return telnyx.ClassUnauthorized, open
}
