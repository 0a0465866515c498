package assigner

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

// The waits that [Decide] chooses.
const (
	// soon is the wait after something that resolves itself within seconds: a lost answer, a
	// request that was never sent, an absence that must be confirmed.
	soon = 5 * time.Second
	// A refused request is repeated after refusedBase, tripled each time up to refusedMax.
	refusedBase = 20 * time.Second
	refusedMax  = 6 * time.Hour
	// accountMax bounds that wait if the account is refused: the circuit breaker lets one
	// request a minute through, and some number must be due for it.
	accountMax = 5 * time.Minute
	// A request that failed for a transient reason is repeated after transientBase, doubled
	// each time up to transientMax.
	transientBase = 15 * time.Second
	transientMax  = time.Hour
	// What Telnyx is processing is checked after half of the time that it has taken so far,
	// within these bounds.
	recheckMin = 30 * time.Second
	recheckMax = time.Hour
	// dueSoon is how early a number may be tried, so that one reconcile tries several.
	dueSoon = 3 * time.Second
	// moveSettle is how long Telnyx may show a moved number on its old campaign before the
	// move is sent again. Telnyx publishes no figure.
	moveSettle = time.Hour
)

// How often a kind of failure must repeat before a person is asked.
const (
	// personAfterRefusals spaced refusals, with fresh reads in between, prove that Telnyx
	// refuses a number.
	personAfterRefusals = 3
	personAfterBusy     = 12
	personAfterSilence  = 12
	// absentReads is how many reads must agree that the account does not have a number.
	absentReads = 2
)

// Ownership is what was proven about a number and the account.
type Ownership int

// The kinds of proof. The zero value is no proof.
const (
	OwnershipUnknown Ownership = iota
	Owned
	NotOnAccount
)

// Case is the input of [Decide]. It is plain data.
type Case struct {
	// Entry is the plan's entry for the campaign, EntryHash its hash as loaded.
	Entry     plan.Campaign
	EntryHash string
	// Campaign is the campaign as read. Phase and Why are its [PhaseOf], or say that it is
	// missing.
	Campaign telnyx.Campaign
	Phase    ledger.Phase
	Why      string
	// PendingDeadline is how long Telnyx may process a number.
	PendingDeadline time.Duration
	// Urgent says that a person asked, which ends waits. CampaignChanged says that there was
	// an event about the campaign, which ends waits for the campaign.
	Urgent, CampaignChanged bool

	// Change is the result of [plan.Diff]. RecordUnknown says why the number's records are
	// not conclusive; it is empty if they are.
	Change        plan.Change
	RecordUnknown string
	// Account has the number's settings if Ownership is Owned. AbsentAt is when the read began
	// that proves NotOnAccount.
	Ownership Ownership
	Account   telnyx.Number
	AbsentAt  time.Time
	// Leaving says that the number is to be removed from the campaign, once the plan has not
	// named it for LeaveAfter. PlanFault, if not empty, says why the current plan is unknown,
	// and TooMany why a person is needed first.
	Leaving            bool
	LeaveAfter         time.Duration
	PlanFault, TooMany string
	// NoRoom, if not empty, says why the campaign has no room for the number.
	NoRoom string
	// ClaimEnds is when the claimed request is certainly over; zero if there is none.
	ClaimEnds time.Time
	// OtherClaim is another campaign that may have an unfinished request for this number
	// until OtherClaimEnds; empty if there is none.
	OtherClaim     string
	OtherClaimEnds time.Time
	// Answer is the result of the request that was just sent; nil before that.
	Answer *Answer

	// Record is the ledger's record of the number; the zero value if there is none.
	Record ledger.Number
	Now    time.Time
}

// Answer is the result of a request to attach, move or remove a number.
type Answer struct {
	// Record is Telnyx's answer if Err is nil.
	Record telnyx.Assignment
	// Err is why there is none, and Class its class. A 403 has the class forbidden only if
	// another call shows that the key is accepted; otherwise it is unauthorized.
	Err   error
	Class telnyx.ErrorClass
	// Moved says that the request was a PUT.
	Moved bool
}

// Write is a request that changes something at Telnyx.
type Write string

// The writes. The empty one means that nothing is to be sent.
const (
	WriteNone   Write = ""
	WriteAttach Write = "attach" // POST
	WriteMove   Write = "move"   // PUT
	WriteRemove Write = "remove" // DELETE
)

// Decision is the result of [Decide].
type Decision struct {
	// Record is the number's new record. Its NextAt is the next check; zero leaves that to
	// resyncs and events.
	Record ledger.Number
	// Write is the request to send now.
	Write Write
	// SetProfile is the messaging profile to put the number on first, empty for none.
	SetProfile string
	// Left says that a leaving number is no longer on the campaign, so its record ends.
	Left bool
	// Account has the number's settings, if they were read.
	Account telnyx.Number
}

// Decide decides on one number. It is pure, and the only place that knows what a number
// needs: the assigner applies its decisions, and plan diff and plan preflight print them. The
// first row that matches counts.
//
// Before a request, in a campaign that is not approved:
//
//	ledger                          new state (reason)              person    next
//	attaching, pending              as it was (campaign_…)          by phase  resync
//	attached, sendable              as it was (campaign_…)          by phase  resync
//	conflict, failed                as it was                       as it was resync
//	anything else                   planned (campaign_…)            by phase  resync
//
// Before a request, in an approved campaign. «Diff» is the action of [plan.Diff]:
//
//	facts                                         new state (reason)           write  person      next
//	the records are not conclusive                as it was, or planned        –      –           soon, then growing
//	                                              (unverified)
//	Diff done, every carrier ADDED                sendable                     –      –           –
//	Diff done, a carrier FAILED                   attached (carrier_failed)    –      yes         growing
//	Diff done                                     attached                     –      –           growing
//	Diff wait                                     pending                      –      –           growing
//	Diff wait_to_attach, wait_to_move             planned (being_processed)    –      –           growing
//	  … any of these two rows for too long        … (stuck)                    –      yes         growing
//	Diff conflict                                 conflict (other_campaign)    –      yes         resync
//	a request may be unfinished                   as it was                    –      –           when it is over
//	moved, and still shown on the old campaign    pending                      –      –           growing
//	another campaign has an unfinished request    planned (being_processed)    –      –           when it is over
//	ownership not proven                          planned (unverified)         –      –           soon, then growing
//	proven absent, for the first time             planned (unverified)         –      –           soon
//	proven absent again by a later read           failed (not_owned)           –      yes         growing
//	status not active                             planned (not_active)         –      if final    growing
//	known not to be a US long code                failed (not_long_code)       –      yes         resync
//	no profile, and none in the plan              failed (no_messaging_profile) –     yes         resync
//	another profile than the plan's               failed (other_profile)       –      yes         resync
//	FAILED_ASSIGNMENT since our request           planned (carrier_failed)     –      third time  growing
//	waiting after an earlier failure, or after    as it was                    –      as it was   as it was,
//	  a third request without a trace                                                              or growing
//	no room                                       planned (campaign_full)      –      yes         resync
//	Diff attach                                   planned (queued)             POST   –           –
//	Diff move                                     planned (queued)             PUT    –           –
//
// After a request:
//
//	answer                                        new state (reason)           claim  person      next
//	accepted on this campaign                     pending                      kept   –           30 s
//	accepted, and reported as failed              planned (their reason)       gone   third time  growing
//	never sent                                    planned (rate_limited)       gone   –           soon
//	never sent, because its checks were old       planned (unverified)         gone   –           soon
//	it may have taken effect                      attaching (unavailable)      kept   twelfth     soon
//	the key is refused                            planned (unauthorized)       gone   –           –
//	the account is refused                        planned (account_blocked)    gone   third time  growing
//	429, unavailable                              planned (their reason)       gone   –           15 s, or as Telnyx asks
//	busy, dormant                                 planned (their reason)       gone   twelfth     growing
//	full                                          planned (campaign_full)      gone   yes         growing
//	on another campaign                           planned (other_campaign)     gone   third time  growing
//	any other refusal                             planned (rejected)           gone   third time  growing
//
// A number that is leaving, in an approved campaign or at a person's request:
//
//	facts                                         new state (reason)           write  person      next
//	the records are not conclusive                as it was (unverified)       –      –           soon, then growing
//	not on this campaign                          its record ends, once no     –      –           –
//	                                              request is unanswered
//	being assigned or removed                     leaving (being_processed)    –      –           growing
//	a request may be unfinished                   leaving                      –      –           when it is over
//	DELETE accepted, and still there after that   leaving (carrier_failed)     –      third time  growing
//	the campaign is not approved                  leaving (campaign_…)         –      by phase    resync
//	its time has not come                         leaving                      –      –           then
//	the plan files cannot be read                 leaving (unverified)         –      –           resync
//	too many would go                             leaving (prune_limit)        –      yes         resync
//	waiting after an earlier failure, or after    as it was                    –      as it was   as it was,
//	  a third request without a trace                                                             or growing
//	on this campaign                              leaving (queued)             DELETE –           –
//
// After the DELETE: accepted or 404 is leaving, with the claim kept, for 30 s. The other
// answers are as above, with leaving instead of planned and attaching.
//
// From the third time on, a row that then needs a person is failed instead of planned, or
// conflict for other_campaign. If the account is refused, it stays planned. Each kind of
// failure has its own count, and a changed plan entry resets them. Nothing is final: every
// row has a next try.
func Decide(c Case) Decision {
	if c.Ownership == Owned {
		c.Record.Tries.Absent = 0 // only reads in a row count
	}
	n := c.Record
	n.Number = string(c.Change.Number)
	n.Reason, n.Detail, n.OtherCampaignID, n.NextAt, n.NeedsPerson = "", "", "", time.Time{}, false
	if n.EntryHash != c.EntryHash {
		n.Tries = ledger.Tries{}
	}
	switch {
	case !c.Leaving:
		n.UnnamedAt = time.Time{}
	case n.UnnamedAt.IsZero(), n.UnnamedAt.After(c.Now): // the clock was set back
		n.UnnamedAt = c.Now.UTC().Round(0)
	}
	d := decider{Case: c, n: n}
	switch {
	case c.Answer != nil:
		d.answered()
	case c.Leaving && c.Phase != ledger.PhaseApproved:
		d.enter(ledger.Leaving, d.Phase.Reason(), d.Why)
		d.n.NeedsPerson = d.Phase.NeedsPerson()
	case c.Leaving:
		d.leave()
	case c.Phase != ledger.PhaseApproved:
		d.waitForCampaign()
	default:
		d.decide()
	}
	return Decision{Record: d.n, Write: d.write, SetProfile: d.profile, Left: d.left, Account: c.Account}
}

// decider builds a decision.
type decider struct {
	Case
	n       ledger.Number
	write   Write
	profile string
	left    bool
}

// enter puts the number into a state, and records when it entered it.
func (d *decider) enter(state ledger.State, reason ledger.Reason, detail string) {
	if d.n.State != state {
		d.n.State, d.n.Since = state, d.Now.UTC()
	}
	d.n.Reason, d.n.Detail = reason, detail
}

// keep keeps the ledger's record.
func (d *decider) keep() {
	d.n = d.Record
	d.n.Number = string(d.Change.Number)
	if d.n.State == "" {
		d.enter(ledger.Planned, ledger.Queued, "")
	}
}

// after sets the time of the next check.
func (d *decider) after(wait time.Duration) { d.n.NextAt = d.Now.Add(wait) }

// release removes the claim: no request is unfinished.
func (d *decider) release() { d.n.ClaimedAt = time.Time{} }

func (d *decider) waitForCampaign() {
	switch d.Record.State {
	case ledger.Conflict, ledger.Failed:
		d.keep()
		d.n.NextAt = time.Time{}
		return
	case ledger.Attaching, ledger.Pending, ledger.Attached, ledger.Sendable:
		d.n.Reason, d.n.Detail = d.Phase.Reason(), d.Why
	default:
		d.enter(ledger.Planned, d.Phase.Reason(), d.Why)
	}
	d.n.NeedsPerson = d.Phase.NeedsPerson()
}

func (d *decider) decide() {
	if record := d.Change.Record; record != nil {
		d.n.Status, d.n.TMobile, d.n.NonTMobile = string(record.AssignmentStatus), string(record.TMobile), string(record.NonTMobile)
	}
	switch {
	case d.RecordUnknown != "":
		d.unverified(d.RecordUnknown)
	case d.Change.Action == plan.Done && d.Record.State == ledger.Leaving && d.Now.Before(d.ClaimEnds):
		d.keep() // a request to remove it may still take effect
		d.n.UnnamedAt, d.n.NextAt = time.Time{}, d.ClaimEnds
	case d.Change.Action == plan.Done:
		d.done(*d.Change.Record)
	case d.Change.Action == plan.Wait:
		d.release()
		d.n.Tries.Unanswered = 0
		d.pending("Telnyx accepted the request and has not finished it")
	case d.Change.Action == plan.WaitToAttach:
		d.busy("it is being removed from campaign " + d.Change.Record.CampaignID)
	case d.Change.Action == plan.WaitToMove:
		d.busy("it is being attached to campaign " + d.Change.Record.CampaignID + ", and will be moved after that")
	case d.Change.Action == plan.Conflict:
		record := d.Change.Record
		d.release()
		d.n.AttachedBy = ""
		d.enter(ledger.Conflict, ledger.OtherCampaign, fmt.Sprintf("Telnyx has it on campaign %s (%s)", record.CampaignID, cmp.Or(record.AssignmentStatus, "no status")))
		d.n.OtherCampaignID, d.n.NeedsPerson = record.CampaignID, true
	default:
		d.attachOrMove()
	}
}

func (d *decider) attachOrMove() {
	move := d.Change.Action == plan.Move
	switch {
	case d.Now.Before(d.ClaimEnds):
		d.keep()
		d.n.NextAt = d.ClaimEnds
		if move && d.n.State == ledger.Pending {
			d.pending("")
		}
	case move && d.Record.State == ledger.Pending && d.Now.Before(d.Record.ClaimedAt.Add(moveSettle)):
		d.pending("")
	case d.OtherClaim != "":
		d.busy("a request for campaign " + d.OtherClaim + " may still be unfinished")
		d.n.NextAt = d.OtherClaimEnds
	case d.Ownership == OwnershipUnknown:
		d.unverified("Telnyx's answers do not show whether the number is on the account")
	case d.Ownership == NotOnAccount:
		d.absent()
	case d.obstructed():
	case d.failedSinceRequest():
		d.failedAtCarriers()
	case d.mustWait():
		d.keep()
	case d.Now.Before(d.unansweredUntil()):
		d.keep()
		d.n.NextAt = d.unansweredUntil()
	case d.NoRoom != "":
		d.release()
		d.enter(ledger.Planned, ledger.CampaignFull, d.NoRoom)
		d.n.NeedsPerson = true
	default:
		d.n.Tries.Absent = 0
		detail := ""
		if kind := d.Account.Type; kind != "" && !kind.IsKnown() {
			detail = fmt.Sprintf("Telnyx lists it as %q, which Greenlight does not know; Telnyx decides", string(kind))
		}
		d.enter(ledger.Planned, ledger.Queued, detail)
		d.release()
		d.write = WriteAttach
		if move {
			d.write = WriteMove
		}
		if d.Account.MessagingProfileID == "" {
			d.profile = d.Entry.MessagingProfileID
		}
	}
}

// unverified waits for conclusive answers. It never leaves a proven state.
func (d *decider) unverified(why string) {
	state := d.n.State
	if state == "" || state == ledger.Conflict || state == ledger.Failed {
		state = ledger.Planned
	}
	d.enter(state, ledger.Unverified, why)
	wait := soon
	if lasted := d.lasted(ledger.Unverified); d.Record.Reason == ledger.Unverified {
		wait = growing(lasted, soon, transientMax)
	}
	d.after(wait)
}

// lasted is how long the number has been in its state. A planned number may have been planned
// for days, so for it, only the time with one of these reasons counts.
func (d *decider) lasted(reasons ...ledger.Reason) time.Duration {
	if d.n.State == ledger.Planned && !slices.Contains(reasons, d.Record.Reason) {
		d.n.Since = d.Now.UTC()
	}
	return d.Now.Sub(d.n.Since)
}

func (d *decider) absent() {
	d.release()
	first := d.n.Tries.Absent == 0
	if first {
		d.n.Tries.Absent, d.n.Since = 1, d.Now.UTC()
	}
	since := d.n.Since
	sameRead := d.n.Tries.Absent < absentReads && d.AbsentAt.Before(since.Add(soon/2)) // or nearly the same
	if first || sameRead {
		d.enter(ledger.Planned, ledger.Unverified, "Telnyx does not list the number on this account; Greenlight checks again")
		d.n.Since = since
		d.after(growing(d.Now.Sub(since), soon, transientMax))
		return
	}
	d.n.Tries.Absent = absentReads
	d.enter(ledger.Failed, ledger.NotOwned, "")
	d.n.NeedsPerson = true
	d.after(growing(d.Now.Sub(d.n.Since), time.Minute, refusedMax))
}

// done handles a number that is on this campaign.
func (d *decider) done(record telnyx.Assignment) {
	if d.Record.State == ledger.Attaching && !d.Record.Manual {
		d.n.AttachedBy = d.Entry.Name // by a request whose answer was lost
	}
	d.n.Tries = ledger.Tries{}
	d.release()
	if record.Sendable() {
		d.enter(ledger.Sendable, "", "")
		return
	}
	d.enter(ledger.Attached, "", "")
	d.after(growing(d.Now.Sub(d.n.Since), recheckMin, recheckMax))
	switch {
	case record.AssignmentStatus == telnyx.FailedUnassignment:
		d.n.Detail = "Telnyx failed to remove it from the campaign; it is still attached"
	case slices.Contains(record.Mappings(), telnyx.MappingFailed):
		d.n.Reason, d.n.Detail, d.n.NeedsPerson = ledger.CarrierFailed, mappingWords(record), true
	}
}

// mappingWords describes each carrier's mapping.
func mappingWords(record telnyx.Assignment) string {
	words := fmt.Sprintf("carriers: T-Mobile %s, others %s", cmp.Or(record.TMobile, "not reported"), cmp.Or(record.NonTMobile, "not reported"))
	if record.ATT != "" {
		words += fmt.Sprintf(", AT&T %s", record.ATT)
	}
	return words
}

// pending handles a request that Telnyx has accepted and not finished.
func (d *decider) pending(stuck string) {
	d.enter(ledger.Pending, "", "")
	d.after(growing(d.Now.Sub(d.n.Since), recheckMin, recheckMax))
	if stuck != "" && d.Now.Sub(d.n.Since) > d.PendingDeadline {
		d.n.Reason, d.n.NeedsPerson = ledger.Stuck, true
		d.n.Detail = fmt.Sprintf("%s since %s", stuck, d.n.Since.UTC().Format(time.RFC3339))
	}
}

// busy waits for something that Telnyx is still doing with the number.
func (d *decider) busy(what string) {
	d.enter(ledger.Planned, ledger.BeingProcessed, what)
	lasted := d.lasted(ledger.BeingProcessed, ledger.Stuck)
	d.after(growing(lasted, recheckMin, recheckMax))
	if lasted > d.PendingDeadline {
		d.n.Reason, d.n.NeedsPerson = ledger.Stuck, true
	}
}

// usCountries are the countries whose long codes count as US ones: the United States and its
// territories, as in [plan.ParseE164].
var usCountries = []string{"US", "AS", "GU", "MP", "PR", "VI"}

// isForeign reports a country code outside the US. Telnyx decides about anything else.
func isForeign(country string) bool {
	return len(country) == 2 && !slices.Contains(usCountries, strings.ToUpper(country))
}

// obstructed decides on a number whose settings prevent attaching it, and reports that.
func (d *decider) obstructed() bool {
	if a := d.Account; a.Status != "" && !strings.EqualFold(a.Status, "active") {
		d.notActive(a.Status)
		return true
	}
	reason, detail := obstacleIn(d.Account, d.Entry.MessagingProfileID)
	if reason == "" {
		return false
	}
	d.obstacle(reason, detail)
	return true
}

// obstacleIn returns why a number with these settings cannot be attached. The reason is empty
// if it can. wants is the entry's messaging profile, if it has one.
func obstacleIn(a telnyx.Number, wants string) (reason ledger.Reason, detail string) {
	switch {
	case a.Type.IsOther():
		return ledger.NotLongCode, fmt.Sprintf("Telnyx lists it as %q", string(a.Type))
	case isForeign(a.CountryCode):
		return ledger.NotLongCode, fmt.Sprintf("Telnyx lists it as a number of country %q", a.CountryCode)
	case a.MessagingProfileID == "" && wants == "":
		return ledger.NoMessagingProfile, ""
	case a.MessagingProfileID != "" && wants != "" && !strings.EqualFold(a.MessagingProfileID, wants):
		return ledger.OtherProfile, "it is on messaging profile " + a.MessagingProfileID
	}
	return "", ""
}

func (d *decider) obstacle(reason ledger.Reason, detail string) {
	d.release()
	d.enter(ledger.Failed, reason, detail)
	d.n.NeedsPerson = true
}

// notActive waits for a number that Telnyx does not list as active. A pending port or order
// completes without a person; other statuses need one.
func (d *decider) notActive(status string) {
	d.release()
	d.enter(ledger.Planned, ledger.NotActive, "Telnyx lists it as "+status)
	d.n.NeedsPerson = !strings.HasSuffix(strings.ToLower(status), "pending")
	d.after(growing(d.lasted(ledger.NotActive), recheckMin, recheckMax))
}

// failedSinceRequest reports whether a FAILED_ASSIGNMENT on this campaign is new: in the
// ledger, the number is still being attached or attached. Telnyx's lists keep old failures.
func (d *decider) failedSinceRequest() bool {
	record, before := d.Change.Record, d.Record.State
	if record == nil || record.AssignmentStatus != telnyx.FailedAssignment || !record.On(d.Campaign) {
		return false
	}
	return before == ledger.Attaching || before == ledger.Pending || before == ledger.Attached || before == ledger.Sendable
}

func (d *decider) failedAtCarriers() {
	words := d.Change.Record.FailureText()
	d.release()
	d.n.Tries.Unanswered = 0
	if complaint := telnyx.ComplaintIn(words); complaint != "" {
		d.complaint(complaint, words)
		return
	}
	d.retryRefused(ledger.CarrierFailed, &d.n.Tries.Failed, words, 0)
}

// mustWait reports whether the number must wait after an earlier failure. A person or a
// changed plan entry ends the wait. The NextAt of a queued number is only an estimate.
func (d *decider) mustWait() bool {
	next := d.Record.NextAt
	if d.Urgent || d.Record.State == "" || d.Record.Reason == ledger.Queued || d.Record.EntryHash != d.EntryHash || next.Sub(d.Now) > refusedMax {
		return false // no wait is that long, so the clock was set back
	}
	if d.CampaignChanged && slices.Contains(ofTheCampaign, d.Record.Reason) {
		return false
	}
	return d.Now.Add(dueSoon).Before(next)
}

// ofTheCampaign are reasons whose wait an event about the campaign ends: it may have a number
// pool now, be deployed, or no longer be dormant. For a refused account, the circuit breaker
// limits requests.
var ofTheCampaign = []ledger.Reason{ledger.CampaignFull, ledger.BeingProcessed, ledger.DormantRetry, ledger.AccountBlocked}

// unansweredUntil is until when a number waits whose requests keep ending without an answer or
// a record. The first few requests do not wait.
func (d *decider) unansweredUntil() time.Time {
	silent := d.n.Tries.Unanswered - personAfterRefusals
	if d.Urgent || silent < 0 {
		return time.Time{}
	}
	return d.Record.Request.At.Add(waitAfter(recheckMin, transientMax, 2, silent+2))
}

// answered decides after a request.
func (d *decider) answered() {
	switch {
	case d.Leaving && (d.Answer.Err == nil || telnyx.IsNotFound(d.Answer.Err)): // only a read shows that it has left
		d.n.Tries.Unanswered = 0
		d.enter(ledger.Leaving, "", "")
		d.after(recheckMin)
		return
	case d.Answer.Err == nil:
		d.accepted()
		return
	}
	err, said := d.Answer.Err, errorWords(d.Answer.Err)
	atLeast := retryAfter(err)
	switch {
	case !telnyx.WasSent(err):
		reason := ledger.RateLimited
		if errors.Is(err, errLate) {
			reason = ledger.Unverified
		}
		d.release()
		d.n.Tries.Unanswered--
		d.enter(d.idle(), reason, said)
		d.after(soon)
	case telnyx.EffectUnknown(err):
		state := ledger.Attaching
		if d.Leaving {
			state = ledger.Leaving
		}
		d.enter(state, ledger.TelnyxUnavailable, said)
		d.after(soon)
		d.silent()
	default:
		d.release()
		d.n.Tries.Unanswered = 0
		d.refused(said, atLeast)
	}
}

// idle is the state of a number without an unfinished request.
func (d *decider) idle() ledger.State {
	if d.Leaving {
		return ledger.Leaving
	}
	return ledger.Planned
}

// silent asks for a person if requests keep ending without an answer or a record.
func (d *decider) silent() {
	if d.n.Tries.Unanswered < personAfterSilence {
		return
	}
	d.n.Reason, d.n.NeedsPerson = ledger.Stuck, true
	d.n.Detail = fmt.Sprintf("%d requests ended without an answer or a record. %s", d.n.Tries.Unanswered, d.n.Detail)
}

func (d *decider) accepted() {
	record := d.Answer.Record
	words := record.FailureText()
	d.n.Status = string(record.AssignmentStatus)
	// After a move, the answer may still name the old campaign.
	if words == "" && (record.On(d.Campaign) || d.Answer.Moved) && record.AssignmentStatus != telnyx.FailedAssignment {
		d.n.AttachedBy = d.Entry.Name
		d.enter(ledger.Pending, "", "")
		d.after(recheckMin)
		d.silent()
		return
	}
	if !record.On(d.Campaign) {
		words = strings.TrimSpace("Telnyx answered with the record of campaign " + record.CampaignID + ". " + words)
	}
	d.release()
	d.n.Tries.Unanswered = 0
	d.complaint(telnyx.ComplaintIn(words), words)
}

// refused handles a refusal, which certainly had no effect.
func (d *decider) refused(said string, atLeast time.Duration) {
	if complaint := telnyx.ComplaintOf(d.Answer.Err); complaint != "" {
		d.complaint(complaint, said)
		return
	}
	switch d.Answer.Class {
	case telnyx.ClassUnauthorized:
		d.enter(d.idle(), ledger.Unauthorized, said)
	case telnyx.ClassAccount:
		d.repeat(accountPace, &d.n.Tries.Refused, ledger.AccountBlocked, said, 0)
	case telnyx.ClassTransient:
		reason := ledger.TelnyxUnavailable
		if telnyx.IsRateLimited(d.Answer.Err) {
			reason = ledger.RateLimited
		}
		d.enter(d.idle(), reason, said)
		d.after(max(atLeast, transientBase))
	case telnyx.ClassBusy:
		d.retryTransient(ledger.BeingProcessed, said, atLeast)
	default:
		reason := ledger.Rejected
		if !telnyx.HasKnownCode(d.Answer.Err) {
			reason = ledger.UnknownError
		}
		d.retryRefused(reason, &d.n.Tries.Refused, said, atLeast)
	}
}

// complaint decides by Telnyx's words, for refusals without a code of their own.
func (d *decider) complaint(c telnyx.Complaint, said string) {
	switch c {
	case telnyx.ComplaintFull:
		d.retryTransient(ledger.CampaignFull, said, 0)
		d.n.NeedsPerson = true
	case telnyx.ComplaintOtherCampaign:
		d.retryRefused(ledger.OtherCampaign, &d.n.Tries.Refused, said, 0)
	case telnyx.ComplaintDormant:
		d.retryTransient(ledger.DormantRetry, said, 0)
	case telnyx.ComplaintQuota:
		d.enter(d.idle(), ledger.RateLimited, said)
		d.after(transientMax / 4)
	default:
		d.retryTransient(ledger.BeingProcessed, said, 0)
	}
}

// pace is how a failed request is repeated: after base, multiplied by factor each time up to
// limit. From the given try on, a person is needed.
type pace struct {
	base, limit    time.Duration
	factor, person int
}

var (
	transientPace = pace{transientBase, transientMax, 2, personAfterBusy}
	refusedPace   = pace{refusedBase, refusedMax, 3, personAfterRefusals}
	accountPace   = pace{refusedBase, accountMax, 3, personAfterRefusals}
)

// repeat counts a failure, and sets when the request is repeated.
func (d *decider) repeat(p pace, tries *int, reason ledger.Reason, said string, atLeast time.Duration) {
	*tries++
	d.enter(d.idle(), reason, said)
	d.after(max(atLeast, waitAfter(p.base, p.limit, p.factor, *tries)))
	d.n.NeedsPerson = *tries >= p.person
}

// retryTransient repeats what failed for a reason that should pass.
func (d *decider) retryTransient(reason ledger.Reason, said string, atLeast time.Duration) {
	tries := &d.n.Tries.Busy
	d.repeat(transientPace, tries, reason, said, atLeast)
	if d.n.NeedsPerson {
		d.n.Reason, d.n.Detail = ledger.Stuck, fmt.Sprintf("%d requests failed. %s", *tries, said)
	}
}

// refusedFor repeats what was refused.
func (d *decider) retryRefused(reason ledger.Reason, tries *int, said string, atLeast time.Duration) {
	d.repeat(refusedPace, tries, reason, said, atLeast)
	switch {
	case !d.n.NeedsPerson, d.Leaving:
	case reason == ledger.OtherCampaign:
		d.enter(ledger.Conflict, reason, said)
	default:
		d.enter(ledger.Failed, reason, said)
	}
}

// waitAfter is base after the first try, multiplied by factor after each further one, up to
// limit.
func waitAfter(base, limit time.Duration, factor, tries int) time.Duration {
	wait := base
	for range tries - 1 {
		if wait *= time.Duration(factor); wait >= limit {
			return limit
		}
	}
	return min(wait, limit)
}

// growing is half of the time that something has lasted, within bounds.
func growing(elapsed, shortest, longest time.Duration) time.Duration {
	return min(max(elapsed/2, shortest), longest)
}

// retryAfter is how long Telnyx asks to wait, at most an hour.
func retryAfter(err error) time.Duration {
	if answer, ok := errors.AsType[*telnyx.APIError](err); ok {
		return min(answer.RetryAfter, transientMax)
	}
	return 0
}

// errorWords returns an error's text, bounded for the ledger.
func errorWords(err error) string {
	const limit = 500
	text := err.Error()
	return strings.ToValidUTF8(text[:min(len(text), limit)], "")
}
