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
	// soon is the wait after something that settles by itself within seconds: a lost
	// answer, a request that was never sent, an absence that must be confirmed.
	soon = 5 * time.Second
	// A refused request is repeated after refusedBase, then after three times as long
	// each time, up to refusedMost.
	refusedBase = 20 * time.Second
	refusedMost = 6 * time.Hour
	// accountMost bounds that wait if the account is why: the circuit breaker lets one
	// request a minute through, which needs a number that may be tried.
	accountMost = 5 * time.Minute
	// A request that failed for a passing reason is repeated after passingBase, then
	// after twice as long each time, up to passingMost.
	passingBase = 15 * time.Second
	passingMost = time.Hour
	// What Telnyx is processing is checked after half the time that it has taken so
	// far, within these bounds.
	recheckLeast = 30 * time.Second
	recheckMost  = time.Hour
	// dueSoon is how much earlier than its time a number is tried together with
	// others, so that one reconcile serves them all.
	dueSoon = 3 * time.Second
	// moveSettle is how long Telnyx may keep showing a moved number on its old
	// campaign before the move is sent again. Nobody publishes a figure.
	moveSettle = time.Hour
)

// How often a kind of failure must repeat before a person is asked.
const (
	// personAfterRefusals is also the number of spaced refusals, with fresh reads in
	// between, that prove that Telnyx refuses a number.
	personAfterRefusals = 3
	personAfterBusy     = 12
	personAfterSilence  = 12
	// absentTwice: that the account does not have a number is believed when a second,
	// later reading agrees.
	absentTwice = 2
)

// Ownership is what was proven about a number and the account.
type Ownership int

// The kinds of proof. The zero value is no proof.
const (
	OwnershipUnknown Ownership = iota
	Owned
	NotOnAccount
)

// Case is everything that [Decide] goes by. It is plain data.
type Case struct {
	// Entry is the plan's entry for the campaign, EntryHash its hash as loaded.
	Entry     plan.Campaign
	EntryHash string
	// Campaign is the campaign as read. Phase and Why are [PhaseOf] it, or missing.
	Campaign telnyx.Campaign
	Phase    ledger.Phase
	Why      string
	// PendingDeadline is how long Telnyx may process a number.
	PendingDeadline time.Duration
	// Urgent says that a person asked, so that waits are cut short. CampaignChanged says
	// that an event about the campaign came, which cuts the waits that are the campaign's.
	Urgent, CampaignChanged bool

	// Change is what [plan.Diff] makes of the number's records. RecordUnknown says
	// why the records do not settle it, empty if they do.
	Change        plan.Change
	RecordUnknown string
	// Account has the number's own settings if Ownership is Owned. AbsentAt is when the
	// reading began that proves NotOnAccount.
	Ownership Ownership
	Account   telnyx.Number
	AbsentAt  time.Time
	// Leaving says that the number is to be removed from the campaign, once the plan has
	// not named it for LeaveAfter. PlanFault says why that is not known, empty if it is;
	// TooMany why a person is needed first, empty if none is.
	Leaving            bool
	LeaveAfter         time.Duration
	PlanFault, TooMany string
	// NoRoom says why the campaign has no room for the number, empty if it has.
	NoRoom string
	// ClaimEnds is when the request that the ledger knows of is certainly over; zero
	// if it knows of none.
	ClaimEnds time.Time
	// OtherClaim is a campaign for which a request for this number may be under way
	// until OtherClaimEnds; empty if there is none.
	OtherClaim     string
	OtherClaimEnds time.Time
	// Answer is what came of the request that was just sent; nil before.
	Answer *Answer

	// Record is the ledger's record of the number; the zero value if there is none.
	Record ledger.Number
	Now    time.Time
}

// Answer is what came of a request to attach or move a number.
type Answer struct {
	// Record is Telnyx's answer if Err is nil.
	Record telnyx.Assignment
	// Err is why there is none, Class what that means. A 403 has the class forbidden
	// only if the key is accepted elsewhere, and unauthorized if it is not.
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

// Decision is what follows from a [Case].
type Decision struct {
	// Record is the number's new record. When it is checked again is its NextAt;
	// zero leaves that to the resync and to events.
	Record ledger.Number
	// Write is the request to send now.
	Write Write
	// SetProfile is the messaging profile to put the number on first, empty for none.
	SetProfile string
	// Left says that a number that was leaving is not on the campaign any more, so that
	// its record ends.
	Left bool
	// Account has the number's own settings, as far as they were read.
	Account telnyx.Number
}

// Decide says what becomes of one planned number. It is pure, and the only place
// that knows what a number needs: the assigner applies it, plan diff and plan
// preflight print it. The first row that fits counts.
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
//	the records do not settle it                  as it was, or planned        –      –           soon, then growing
//	                                              (unverified)
//	Diff done, every carrier ADDED                sendable                     –      –           –
//	Diff done, a carrier FAILED                   attached (carrier_failed)    –      yes         growing
//	Diff done                                     attached                     –      –           growing
//	Diff wait                                     pending                      –      –           growing
//	Diff wait_to_attach, wait_to_move             planned (being_processed)    –      –           growing
//	  … any of these two rows for too long        … (stuck)                    –      yes         growing
//	Diff conflict                                 conflict (other_campaign)    –      yes         resync
//	a request may be under way                    as it was                    –      –           when it is over
//	moved, and still shown on the old campaign    pending                      –      –           growing
//	a request for another campaign is under way   planned (being_processed)    –      –           when it is over
//	ownership not proven                          planned (unverified)         –      –           soon, then growing
//	proven absent, for the first time             planned (unverified)         –      –           soon
//	proven absent, again by a later reading       failed (not_owned)           –      yes         growing
//	status not active                             planned (not_active)         –      if final    growing
//	known to be no long code, or not US           failed (not_long_code)       –      yes         resync
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
//	accepted with words of failure                planned (their reason)       gone   third time  growing
//	never sent                                    planned (rate_limited)       gone   –           soon
//	never sent, as its checks were old            planned (unverified)         gone   –           soon
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
//	the records do not settle it                  as it was (unverified)       –      –           soon, then growing
//	not on this campaign                          its record ends, once no     –      –           –
//	                                              request is unanswered
//	being assigned or removed                     leaving (being_processed)    –      –           growing
//	a request may be under way                    leaving                      –      –           when it is over
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
// answers are as above, with leaving in the place of planned and attaching.
//
// A row that needs a person from the third time on turns planned into failed, or into
// conflict for other_campaign. What the account is refused for stays planned. Counts are
// kept by kind, and a changed plan entry starts them again. Nothing is final: every row
// has a next try.
func Decide(c Case) Decision {
	if c.Ownership == Owned {
		c.Record.Tries.Absent = 0 // only readings in a row count
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
	case n.UnnamedAt.IsZero(), n.UnnamedAt.After(c.Now): // the clock was set back since
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

// decider is a decision in the making.
type decider struct {
	Case
	n       ledger.Number
	write   Write
	profile string
	left    bool
}

// enter brings the number into a state, and notes when it came there.
func (d *decider) enter(state ledger.State, reason ledger.Reason, detail string) {
	if d.n.State != state {
		d.n.State, d.n.Since = state, d.Now.UTC()
	}
	d.n.Reason, d.n.Detail = reason, detail
}

// keep leaves the number as the ledger has it.
func (d *decider) keep() {
	d.n = d.Record
	d.n.Number = string(d.Change.Number)
	if d.n.State == "" {
		d.enter(ledger.Planned, ledger.Queued, "")
	}
}

// after sets the time of the next check.
func (d *decider) after(wait time.Duration) { d.n.NextAt = d.Now.Add(wait) }

// release takes the claim off: no request is under way.
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
		d.pending("Telnyx took the request and has not finished it")
	case d.Change.Action == plan.WaitToAttach:
		d.busy("it is being removed from campaign " + d.Change.Record.CampaignID)
	case d.Change.Action == plan.WaitToMove:
		d.busy("it is on its way to campaign " + d.Change.Record.CampaignID + ", and is moved when it has arrived")
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
		d.busy("a request for campaign " + d.OtherClaim + " may still be under way")
		d.n.NextAt = d.OtherClaimEnds
	case d.Ownership == OwnershipUnknown:
		d.unverified("Telnyx's answers do not settle whether the account has the number")
	case d.Ownership == NotOnAccount:
		d.absent()
	case d.obstructed():
	case d.failedSinceRequest():
		d.failedAtCarriers()
	case d.mustWait():
		d.keep()
	case d.Now.Before(d.silentUntil()):
		d.keep()
		d.n.NextAt = d.silentUntil()
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

// unverified waits for answers that settle the matter. It never takes a number out
// of a state that was proven.
func (d *decider) unverified(why string) {
	state := d.n.State
	if state == "" || state == ledger.Conflict || state == ledger.Failed {
		state = ledger.Planned
	}
	d.enter(state, ledger.Unverified, why)
	wait := soon
	if lasted := d.lasted(ledger.Unverified); d.Record.Reason == ledger.Unverified {
		wait = growing(lasted, soon, passingMost)
	}
	d.after(wait)
}

// lasted is how long the number has been in its state. A planned number may have been so
// for days: what counts is since when it is for one of these reasons.
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
	sameReading := d.n.Tries.Absent < absentTwice && d.AbsentAt.Before(since.Add(soon/2)) // or nearly
	if first || sameReading {
		d.enter(ledger.Planned, ledger.Unverified, "Telnyx does not list the number on this account; it is asked again")
		d.n.Since = since
		d.after(growing(d.Now.Sub(since), soon, passingMost))
		return
	}
	d.n.Tries.Absent = absentTwice
	d.enter(ledger.Failed, ledger.NotOwned, "")
	d.n.NeedsPerson = true
	d.after(growing(d.Now.Sub(d.n.Since), time.Minute, refusedMost))
}

// done is the row of a number that is on this campaign.
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
	d.after(growing(d.Now.Sub(d.n.Since), recheckLeast, recheckMost))
	switch {
	case record.AssignmentStatus == telnyx.FailedUnassignment:
		d.n.Detail = "Telnyx failed to remove it from the campaign; it is still attached"
	case slices.Contains(record.Mappings(), telnyx.MappingFailed):
		d.n.Reason, d.n.Detail, d.n.NeedsPerson = ledger.CarrierFailed, mappingWords(record), true
	}
}

// mappingWords says what each carrier's mapping is.
func mappingWords(record telnyx.Assignment) string {
	words := fmt.Sprintf("carriers: T-Mobile %s, others %s", cmp.Or(record.TMobile, "not reported"), cmp.Or(record.NonTMobile, "not reported"))
	if record.ATT != "" {
		words += fmt.Sprintf(", AT&T %s", record.ATT)
	}
	return words
}

// pending is the row of a request that Telnyx has accepted and not finished.
func (d *decider) pending(stuck string) {
	d.enter(ledger.Pending, "", "")
	d.after(growing(d.Now.Sub(d.n.Since), recheckLeast, recheckMost))
	if stuck != "" && d.Now.Sub(d.n.Since) > d.PendingDeadline {
		d.n.Reason, d.n.NeedsPerson = ledger.Stuck, true
		d.n.Detail = fmt.Sprintf("%s since %s", stuck, d.n.Since.UTC().Format(time.RFC3339))
	}
}

// busy waits for something that Telnyx is still doing with the number.
func (d *decider) busy(what string) {
	d.enter(ledger.Planned, ledger.BeingProcessed, what)
	lasted := d.lasted(ledger.BeingProcessed, ledger.Stuck)
	d.after(growing(lasted, recheckLeast, recheckMost))
	if lasted > d.PendingDeadline {
		d.n.Reason, d.n.NeedsPerson = ledger.Stuck, true
	}
}

// usLike are the countries whose long codes count as US ones: the United States and
// their territories, as [plan.ParseE164] has it.
var usLike = []string{"US", "AS", "GU", "MP", "PR", "VI"}

// isForeign reports a country that is known to be another one. A word that is not a
// country code is left to Telnyx to judge.
func isForeign(country string) bool {
	return len(country) == 2 && !slices.Contains(usLike, strings.ToUpper(country))
}

// obstructed decides if the number's own settings keep it from being attached.
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

// obstacleIn returns why a number with these settings cannot be attached by an entry that
// wants that messaging profile, if any. The reason is empty if it can.
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

// notActive waits for a number that Telnyx does not list as active. A port or an
// order ends by itself; the rest needs a person.
func (d *decider) notActive(status string) {
	d.release()
	d.enter(ledger.Planned, ledger.NotActive, "Telnyx lists it as "+status)
	d.n.NeedsPerson = !strings.HasSuffix(strings.ToLower(status), "pending")
	d.after(growing(d.lasted(ledger.NotActive), recheckLeast, recheckMost))
}

// failedSinceRequest reports whether a FAILED_ASSIGNMENT is news about this campaign:
// the ledger still has the number on its way or attached. Failed records stay in
// Telnyx's lists, also those of other campaigns.
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
	d.refusedFor(ledger.CarrierFailed, &d.n.Tries.Failed, words, 0)
}

// mustWait reports whether an earlier failure keeps the number from being tried now.
// Its wait counts only under the same plan entry, and not against a person. The time of
// a queued number is an estimate of when its turn comes.
func (d *decider) mustWait() bool {
	next := d.Record.NextAt
	if d.Urgent || d.Record.State == "" || d.Record.Reason == ledger.Queued || d.Record.EntryHash != d.EntryHash || next.Sub(d.Now) > refusedMost {
		return false // no wait is that long: the clock was set back since
	}
	if d.CampaignChanged && slices.Contains(ofTheCampaign, d.Record.Reason) {
		return false
	}
	return d.Now.Add(dueSoon).Before(next)
}

// ofTheCampaign are reasons to wait that an event about the campaign may have ended: a
// number pool was provisioned, the carriers have deployed it, it woke up. The circuit
// breaker bounds what is sent for a refused account.
var ofTheCampaign = []ledger.Reason{ledger.CampaignFull, ledger.BeingProcessed, ledger.DormantRetry, ledger.AccountBlocked}

// silentUntil is how long a number waits whose requests keep ending without an answer
// or a record: not at all at first, then longer and longer.
func (d *decider) silentUntil() time.Time {
	silent := d.n.Tries.Unanswered - personAfterRefusals
	if d.Urgent || silent < 0 {
		return time.Time{}
	}
	return d.Record.Request.At.Add(waitAfter(recheckLeast, passingMost, 2, silent+2))
}

// answered decides after a request.
func (d *decider) answered() {
	switch {
	case d.Leaving && (d.Answer.Err == nil || telnyx.IsNotFound(d.Answer.Err)): // only a reading shows that it has left
		d.n.Tries.Unanswered = 0
		d.enter(ledger.Leaving, "", "")
		d.after(recheckLeast)
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

// idle is the state of a number for which no request is under way.
func (d *decider) idle() ledger.State {
	if d.Leaving {
		return ledger.Leaving
	}
	return ledger.Planned
}

// silent asks for a person when requests keep ending without a trace.
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
	// After a move, answers may name the old campaign for a while.
	if words == "" && (record.On(d.Campaign) || d.Answer.Moved) && record.AssignmentStatus != telnyx.FailedAssignment {
		d.n.AttachedBy = d.Entry.Name
		d.enter(ledger.Pending, "", "")
		d.after(recheckLeast)
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

// refused decides after a refusal that certainly had no effect.
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
		d.after(max(atLeast, passingBase))
	case telnyx.ClassBusy:
		d.passing(ledger.BeingProcessed, said, atLeast)
	default:
		reason := ledger.Rejected
		if !telnyx.HasKnownCode(d.Answer.Err) {
			reason = ledger.UnknownError
		}
		d.refusedFor(reason, &d.n.Tries.Refused, said, atLeast)
	}
}

// complaint decides by Telnyx's words where it has no code.
func (d *decider) complaint(c telnyx.Complaint, said string) {
	switch c {
	case telnyx.ComplaintFull:
		d.passing(ledger.CampaignFull, said, 0)
		d.n.NeedsPerson = true
	case telnyx.ComplaintOtherCampaign:
		d.refusedFor(ledger.OtherCampaign, &d.n.Tries.Refused, said, 0)
	case telnyx.ComplaintDormant:
		d.passing(ledger.DormantRetry, said, 0)
	case telnyx.ComplaintQuota:
		d.enter(d.idle(), ledger.RateLimited, said)
		d.after(passingMost / 4)
	default:
		d.passing(ledger.BeingProcessed, said, 0)
	}
}

// pace is how a failed request is repeated: after base, then after factor times as long
// each time, up to most. A person is asked from the given try on.
type pace struct {
	base, most     time.Duration
	factor, person int
}

var (
	passingPace = pace{passingBase, passingMost, 2, personAfterBusy}
	refusedPace = pace{refusedBase, refusedMost, 3, personAfterRefusals}
	accountPace = pace{refusedBase, accountMost, 3, personAfterRefusals}
)

// repeat counts a failure, and has the request repeated.
func (d *decider) repeat(p pace, tries *int, reason ledger.Reason, said string, atLeast time.Duration) {
	*tries++
	d.enter(d.idle(), reason, said)
	d.after(max(atLeast, waitAfter(p.base, p.most, p.factor, *tries)))
	d.n.NeedsPerson = *tries >= p.person
}

// passing repeats what failed for a reason that should end by itself.
func (d *decider) passing(reason ledger.Reason, said string, atLeast time.Duration) {
	tries := &d.n.Tries.Busy
	d.repeat(passingPace, tries, reason, said, atLeast)
	if d.n.NeedsPerson {
		d.n.Reason, d.n.Detail = ledger.Stuck, fmt.Sprintf("%d requests failed. %s", *tries, said)
	}
}

// refusedFor repeats what was refused.
func (d *decider) refusedFor(reason ledger.Reason, tries *int, said string, atLeast time.Duration) {
	d.repeat(refusedPace, tries, reason, said, atLeast)
	switch {
	case !d.n.NeedsPerson, d.Leaving:
	case reason == ledger.OtherCampaign:
		d.enter(ledger.Conflict, reason, said)
	default:
		d.enter(ledger.Failed, reason, said)
	}
}

// waitAfter is base after the first try, and factor times as long after each further
// one, up to most.
func waitAfter(base, most time.Duration, factor, tries int) time.Duration {
	wait := base
	for range tries - 1 {
		if wait *= time.Duration(factor); wait >= most {
			return most
		}
	}
	return min(wait, most)
}

// growing is half the time that something has lasted, within bounds.
func growing(elapsed, least, most time.Duration) time.Duration {
	return min(max(elapsed/2, least), most)
}

// retryAfter is how long Telnyx itself asks to wait, an hour at most.
func retryAfter(err error) time.Duration {
	if answer, ok := errors.AsType[*telnyx.APIError](err); ok {
		return min(answer.RetryAfter, passingMost)
	}
	return 0
}

// errorWords bounds what the ledger keeps of an error's words.
func errorWords(err error) string {
	const most = 500
	text := err.Error()
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}
