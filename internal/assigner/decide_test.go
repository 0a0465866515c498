package assigner

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

const decideNumber = "+12125550000"

var decideNow = time.Date(2026, 8, 7, 12, 0, 0, 0, time.UTC)

// caseWith returns the case of a free number and an approved campaign, with the changes.
func caseWith(changes ...func(*Case)) Case {
	c := Case{
		Entry:     plan.Campaign{Name: "spring", CampaignID: testCampaign, MaxNumbers: 49},
		EntryHash: "entry", Phase: ledger.PhaseApproved, PendingDeadline: DefaultPendingDeadline,
		Campaign:  telnyx.Campaign{CampaignID: testCampaign, TCRCampaignID: "CSIM001"},
		Change:    plan.Change{Number: decideNumber, Action: plan.Attach},
		Ownership: Owned,
		Account:   telnyx.Number{PhoneNumber: decideNumber, MessagingProfileID: testProfile, Status: "active", Type: "longcode", CountryCode: "US"},
		Now:       decideNow,
	}
	for _, change := range changes {
		change(&c)
	}
	return c
}

// before gives the number a ledger record that is an hour old.
func before(state ledger.State, reason ledger.Reason, changes ...func(*ledger.Number)) func(*Case) {
	return func(c *Case) {
		c.Record = ledger.Number{
			Number: decideNumber, CampaignID: testCampaign, EntryHash: "entry",
			State: state, Reason: reason, Since: decideNow.Add(-time.Hour),
		}
		for _, change := range changes {
			change(&c.Record)
		}
	}
}

func tries(t ledger.Tries) func(*ledger.Number) { return func(n *ledger.Number) { n.Tries = t } }

func nextIn(wait time.Duration) func(*ledger.Number) {
	return func(n *ledger.Number) { n.NextAt = decideNow.Add(wait) }
}

func claimedAgo(ago time.Duration) func(*ledger.Number) {
	return func(n *ledger.Number) {
		n.ClaimedAt = decideNow.Add(-ago)
		n.Request = ledger.Request{Sent: sentPost, At: n.ClaimedAt}
	}
}

func sinceAgo(ago time.Duration) func(*ledger.Number) {
	return func(n *ledger.Number) { n.Since = decideNow.Add(-ago) }
}

// inPhase puts the campaign in a phase.
func inPhase(phase ledger.Phase) func(*Case) {
	return func(c *Case) { c.Phase, c.Why = phase, "the campaign's words" }
}

// diff sets the result of plan.Diff for a record with the given status.
func diff(action plan.Action, status telnyx.AssignmentStatus, changes ...func(*telnyx.Assignment)) func(*Case) {
	return func(c *Case) {
		record := telnyx.Assignment{PhoneNumber: decideNumber, CampaignID: testCampaign, AssignmentStatus: status}
		if action == plan.Conflict || action == plan.Move || action == plan.WaitToMove {
			record.CampaignID = otherCampaign
		}
		for _, change := range changes {
			change(&record)
		}
		c.Change.Action, c.Change.Record = action, &record
	}
}

func mapped(tmobile, others telnyx.MappingStatus) func(*telnyx.Assignment) {
	return func(a *telnyx.Assignment) { a.TMobile, a.NonTMobile = tmobile, others }
}

func owned(o Ownership) func(*Case) {
	return func(c *Case) { c.Ownership, c.AbsentAt = o, decideNow }
}

// absentAgo proves absence by a read that began the given time ago.
func absentAgo(ago time.Duration) func(*Case) {
	return func(c *Case) { c.Ownership, c.AbsentAt = NotOnAccount, decideNow.Add(-ago) }
}

// number changes the number's own settings.
func settings(change func(*telnyx.Number)) func(*Case) {
	return func(c *Case) { change(&c.Account) }
}

// refusal sets an error answer with a status, a code and a text.
func refusal(status int, code, words string) func(*Case) {
	return answer(&telnyx.APIError{
		Method: "POST", Route: "/10dlc/phone_number_campaigns", Status: status,
		Errors: []telnyx.ErrorDetail{{Code: code, Title: "Refused", Detail: words}},
	})
}

func answer(err error) func(*Case) {
	return func(c *Case) { c.Answer = &Answer{Err: err, Class: telnyx.Classify(err)} }
}

func accept(campaign string, changes ...func(*telnyx.Assignment)) func(*Case) {
	return func(c *Case) {
		record := telnyx.Assignment{PhoneNumber: decideNumber, CampaignID: campaign, AssignmentStatus: telnyx.PendingAssignment}
		for _, change := range changes {
			change(&record)
		}
		c.Answer = &Answer{Record: record}
	}
}

func failing(words string) func(*telnyx.Assignment) {
	return func(a *telnyx.Assignment) { a.Errors = json.RawMessage(strconv.Quote(words)) }
}

// requested sets the record as it is while its request is under way.
func requested(t ledger.Tries) func(*Case) {
	t.Unanswered++
	return before(ledger.Attaching, "", claimedAgo(time.Second), tries(t))
}

const noNext = time.Duration(-1)

func TestDecide_FollowsItsTable(t *testing.T) {
	const (
		planned   = ledger.Planned
		attaching = ledger.Attaching
		pending   = ledger.Pending
		attached  = ledger.Attached
		sendable  = ledger.Sendable
		conflict  = ledger.Conflict
		failed    = ledger.Failed
	)
	type want struct {
		state  ledger.State
		reason ledger.Reason
		person bool
		next   time.Duration // noNext: none
		write  Write
		claim  bool
	}
	days := claimedAgo(80 * time.Hour)
	for _, tt := range []struct {
		name  string
		given []func(*Case)
		want  want
	}{
		// A campaign that is not approved.
		{"in review, new", with(inPhase(ledger.PhaseInReview)), want{planned, ledger.CampaignInReview, false, noNext, "", false}},
		{"in review, queued", with(inPhase(ledger.PhaseInReview), before(planned, ledger.Queued)), want{planned, ledger.CampaignInReview, false, noNext, "", false}},
		{"suspended, attaching", with(inPhase(ledger.PhaseSuspended), before(attaching, "", claimedAgo(time.Second))), want{attaching, ledger.CampaignSuspended, false, noNext, "", true}},
		{"suspended, pending", with(inPhase(ledger.PhaseSuspended), before(pending, "")), want{pending, ledger.CampaignSuspended, false, noNext, "", false}},
		{"rejected, planned", with(inPhase(ledger.PhaseRejected), before(planned, ledger.CampaignInReview)), want{planned, ledger.CampaignRejected, true, noNext, "", false}},
		{"rejected, attached", with(inPhase(ledger.PhaseRejected), before(attached, "")), want{attached, ledger.CampaignRejected, true, noNext, "", false}},
		{"expired, sendable", with(inPhase(ledger.PhaseExpired), before(sendable, "")), want{sendable, ledger.CampaignExpired, true, noNext, "", false}},
		{"missing, planned", with(inPhase(ledger.PhaseMissing), before(planned, "")), want{planned, ledger.CampaignMissing, true, noNext, "", false}},
		{"unknown, planned", with(inPhase(ledger.PhaseUnknown), before(planned, "")), want{planned, ledger.CampaignUnknown, true, noNext, "", false}},
		{"in review, conflict", with(inPhase(ledger.PhaseInReview), before(conflict, ledger.OtherCampaign, person)), want{conflict, ledger.OtherCampaign, true, noNext, "", false}},
		{"in review, failed", with(inPhase(ledger.PhaseInReview), before(failed, ledger.Rejected, person, nextIn(time.Hour))), want{failed, ledger.Rejected, true, noNext, "", false}},

		// The records are not conclusive.
		{"unreadable record, new", with(unreadable), want{planned, ledger.Unverified, false, soon, "", false}},
		{"unreadable record, attached", with(unreadable, before(attached, "")), want{attached, ledger.Unverified, false, soon, "", false}},
		{"unreadable record, sendable", with(unreadable, before(sendable, "")), want{sendable, ledger.Unverified, false, soon, "", false}},
		{"unreadable record, pending", with(unreadable, before(pending, "", claimedAgo(time.Minute))), want{pending, ledger.Unverified, false, soon, "", true}},
		{"unreadable record, attaching", with(unreadable, before(attaching, "", claimedAgo(time.Minute))), want{attaching, ledger.Unverified, false, soon, "", true}},
		{"unreadable record, conflict", with(unreadable, before(conflict, ledger.OtherCampaign, person)), want{planned, ledger.Unverified, false, soon, "", false}},
		{"unreadable record, failed", with(unreadable, before(failed, ledger.NotOwned, person)), want{planned, ledger.Unverified, false, soon, "", false}},
		{"unreadable record, for an hour", with(unreadable, before(planned, ledger.Unverified)), want{planned, ledger.Unverified, false, 30 * time.Minute, "", false}},
		{"unreadable record, for a day", with(unreadable, before(planned, ledger.Unverified, sinceAgo(24*time.Hour))), want{planned, ledger.Unverified, false, transientMax, "", false}},

		// It is on the campaign.
		{"every carrier added", with(diff(plan.Done, telnyx.Assigned, mapped("ADDED", "ADDED")), before(attached, "", tries(ledger.Tries{Refused: 2}))), want{sendable, "", false, noNext, "", false}},
		{"a carrier failed", with(diff(plan.Done, telnyx.Assigned, mapped("FAILED", "ADDED")), before(attached, "")), want{attached, ledger.CarrierFailed, true, 30 * time.Minute, "", false}},
		{"a carrier is not done", with(diff(plan.Done, telnyx.Assigned, mapped("PENDING_ADDITION", "ADDED")), before(attaching, "", claimedAgo(time.Second))), want{attached, "", false, recheckMin, "", false}},
		{"its removal failed", with(diff(plan.Done, telnyx.FailedUnassignment), before(attached, "")), want{attached, "", false, 30 * time.Minute, "", false}},

		// It is being assigned or removed.
		{"pending", with(diff(plan.Wait, telnyx.PendingAssignment), before(attaching, "", claimedAgo(time.Second))), want{pending, "", false, recheckMin, "", false}},
		{"pending for an hour", with(diff(plan.Wait, telnyx.PendingAssignment), before(pending, "")), want{pending, "", false, 30 * time.Minute, "", false}},
		{"pending for too long", with(diff(plan.Wait, telnyx.PendingAssignment), before(pending, "", sinceAgo(73*time.Hour))), want{pending, ledger.Stuck, true, recheckMax, "", false}},
		{"being removed", with(diff(plan.WaitToAttach, telnyx.PendingUnassignment), before(planned, ledger.CampaignInReview, sinceAgo(99*time.Hour))), want{planned, ledger.BeingProcessed, false, recheckMin, "", false}},
		{"being removed for too long", with(diff(plan.WaitToAttach, telnyx.PendingUnassignment), before(planned, ledger.BeingProcessed, sinceAgo(73*time.Hour))), want{planned, ledger.Stuck, true, recheckMax, "", false}},
		{"being removed for too long still", with(diff(plan.WaitToAttach, telnyx.PendingUnassignment), before(planned, ledger.Stuck, person, sinceAgo(74*time.Hour))), want{planned, ledger.Stuck, true, recheckMax, "", false}},
		{"on its way to move_from", with(diff(plan.WaitToMove, telnyx.PendingAssignment)), want{planned, ledger.BeingProcessed, false, recheckMin, "", false}},
		{"on its way to move_from for too long", with(diff(plan.WaitToMove, telnyx.PendingAssignment), before(planned, ledger.BeingProcessed, sinceAgo(73*time.Hour))), want{planned, ledger.Stuck, true, recheckMax, "", false}},
		{"on another campaign", with(diff(plan.Conflict, telnyx.Assigned), before(planned, ledger.Queued)), want{conflict, ledger.OtherCampaign, true, noNext, "", false}},

		// A request may be under way.
		{"claim under way", with(claimEnds(20*time.Second), before(attaching, "", claimedAgo(10*time.Second))), want{attaching, "", false, 20 * time.Second, "", true}},
		{"claim under way, accepted", with(claimEnds(20*time.Second), before(pending, "", claimedAgo(10*time.Second))), want{pending, "", false, 20 * time.Second, "", true}},
		{"claim is over", with(claimEnds(-time.Second), before(attaching, ledger.TelnyxUnavailable, claimedAgo(time.Minute))), want{planned, ledger.Queued, false, noNext, WriteAttach, false}},
		{"moved, and still shown on the old campaign", with(diff(plan.Move, telnyx.Assigned), before(pending, "", claimedAgo(10*time.Minute), sinceAgo(10*time.Minute))), want{pending, "", false, 5 * time.Minute, "", true}},
		{"moved, claim under way", with(diff(plan.Move, telnyx.Assigned), claimEnds(20*time.Second), before(pending, "", claimedAgo(10*time.Second), sinceAgo(10*time.Second))), want{pending, "", false, recheckMin, "", true}},
		{"moved hours ago, still on the old campaign", with(diff(plan.Move, telnyx.Assigned), before(pending, "", claimedAgo(2*time.Hour))), want{planned, ledger.Queued, false, noNext, WriteMove, false}},
		{"claimed for another campaign", with(otherClaim), want{planned, ledger.BeingProcessed, false, 7 * time.Second, "", false}},

		// The number itself.
		{"ownership not proven", with(owned(OwnershipUnknown)), want{planned, ledger.Unverified, false, soon, "", false}},
		{"ownership not proven, for an hour", with(owned(OwnershipUnknown), before(planned, ledger.Unverified)), want{planned, ledger.Unverified, false, 30 * time.Minute, "", false}},
		{"ownership not proven, sendable", with(owned(OwnershipUnknown), before(sendable, "")), want{sendable, ledger.Unverified, false, soon, "", false}},
		{"absent", with(owned(NotOnAccount)), want{planned, ledger.Unverified, false, soon, "", false}},
		{"absent again by the same reading", with(absentAgo(soon), before(planned, ledger.Unverified, tries(ledger.Tries{Absent: 1}), sinceAgo(soon))), want{planned, ledger.Unverified, false, soon, "", false}},
		{"absent again by an old list", with(absentAgo(10*time.Minute), before(planned, ledger.Unverified, tries(ledger.Tries{Absent: 1}), sinceAgo(time.Minute))), want{planned, ledger.Unverified, false, 30 * time.Second, "", false}},
		{"absent again a moment later", with(absentAgo(0), before(planned, ledger.Unverified, tries(ledger.Tries{Absent: 1}), sinceAgo(time.Second))), want{planned, ledger.Unverified, false, soon, "", false}},
		{"absent again", with(owned(NotOnAccount), before(planned, ledger.Unverified, tries(ledger.Tries{Absent: 1}), sinceAgo(soon))), want{failed, ledger.NotOwned, true, time.Minute, "", false}},
		{"absent for hours", with(owned(NotOnAccount), before(failed, ledger.NotOwned, tries(ledger.Tries{Absent: 2}), sinceAgo(10*time.Hour))), want{failed, ledger.NotOwned, true, 5 * time.Hour, "", false}},
		{"absent for days", with(owned(NotOnAccount), before(failed, ledger.NotOwned, tries(ledger.Tries{Absent: 2}), sinceAgo(100*time.Hour))), want{failed, ledger.NotOwned, true, refusedMax, "", false}},
		{"absent under a new entry", with(owned(NotOnAccount), before(failed, ledger.NotOwned, tries(ledger.Tries{Absent: 2}), otherEntryHash)), want{planned, ledger.Unverified, false, soon, "", false}},
		{"there again after it was absent", with(before(failed, ledger.NotOwned, person, tries(ledger.Tries{Absent: 2}))), want{planned, ledger.Queued, false, noNext, WriteAttach, false}},
		{"port pending", with(settings(func(n *telnyx.Number) { n.Status = "port-pending" })), want{planned, ledger.NotActive, false, recheckMin, "", false}},
		{"purchase pending for an hour", with(settings(func(n *telnyx.Number) { n.Status = "purchase_pending" }), before(planned, ledger.NotActive)), want{planned, ledger.NotActive, false, 30 * time.Minute, "", false}},
		{"ported out", with(settings(func(n *telnyx.Number) { n.Status = "ported-out" })), want{planned, ledger.NotActive, true, recheckMin, "", false}},
		{"no status", with(settings(func(n *telnyx.Number) { n.Status = "" })), want{planned, ledger.Queued, false, noNext, WriteAttach, false}},
		{"toll-free", with(settings(func(n *telnyx.Number) { n.Type = "tollfree" })), want{failed, ledger.NotLongCode, true, noNext, "", false}},
		{"of another country", with(settings(func(n *telnyx.Number) { n.CountryCode = "CA" })), want{failed, ledger.NotLongCode, true, noNext, "", false}},
		{"of a territory", with(settings(func(n *telnyx.Number) { n.CountryCode = "pr" })), want{planned, ledger.Queued, false, noNext, WriteAttach, false}},
		{"of an unknown type", with(settings(func(n *telnyx.Number) { n.Type = "" })), want{planned, ledger.Queued, false, noNext, WriteAttach, false}},
		{"no profile", with(settings(noProfile)), want{failed, ledger.NoMessagingProfile, true, noNext, "", false}},
		{"another profile", with(planProfile("another")), want{failed, ledger.OtherProfile, true, noNext, "", false}},
		{"the profile, otherwise spelled", with(planProfile(strings.ToUpper(testProfile))), want{planned, ledger.Queued, false, noNext, WriteAttach, false}},
		{"no profile, and one in the plan", with(settings(noProfile), planProfile(testProfile)), want{planned, ledger.Queued, false, noNext, WriteAttach, false}},

		// The carriers failed it.
		{"failed since the request", with(diff(plan.Attach, telnyx.FailedAssignment, failing("bad things")), before(pending, "", claimedAgo(time.Hour))), want{planned, ledger.CarrierFailed, false, refusedBase, "", false}},
		{"failed the third time", with(diff(plan.Attach, telnyx.FailedAssignment, failing("bad things")), before(pending, "", tries(ledger.Tries{Failed: 2}))), want{failed, ledger.CarrierFailed, true, 9 * refusedBase, "", false}},
		{"failed, dormant", with(diff(plan.Attach, telnyx.FailedAssignment, failing("Campaign is dormant")), before(attached, "")), want{planned, ledger.DormantRetry, false, transientBase, "", false}},
		{"failed, full", with(diff(plan.Attach, telnyx.FailedAssignment, failing("Limit exceeded")), before(pending, "")), want{planned, ledger.CampaignFull, true, transientBase, "", false}},
		{"failed before our request", with(diff(plan.Attach, telnyx.FailedAssignment, failing("bad things")), before(planned, ledger.Queued)), want{planned, ledger.Queued, false, noNext, WriteAttach, false}},
		{"failed, never requested", with(diff(plan.Attach, telnyx.FailedAssignment, failing("bad things"))), want{planned, ledger.Queued, false, noNext, WriteAttach, false}},
		{"failed on another campaign", with(diff(plan.Attach, telnyx.FailedAssignment, elsewhere), before(pending, "", days)), want{planned, ledger.Queued, false, noNext, WriteAttach, false}},

		// It waits.
		{"refused, not due", with(before(planned, ledger.Rejected, nextIn(time.Minute))), want{planned, ledger.Rejected, false, time.Minute, "", false}},
		{"failed, not due", with(before(failed, ledger.Rejected, person, nextIn(time.Hour))), want{failed, ledger.Rejected, true, time.Hour, "", false}},
		{"refused, almost due", with(before(planned, ledger.Rejected, nextIn(dueSoon))), want{planned, ledger.Queued, false, noNext, WriteAttach, false}},
		{"refused, due", with(before(failed, ledger.Rejected, person, nextIn(-time.Second), tries(ledger.Tries{Refused: 3}))), want{planned, ledger.Queued, false, noNext, WriteAttach, false}},
		{"refused, and a person asks", with(urgent, before(failed, ledger.Rejected, person, nextIn(time.Hour))), want{planned, ledger.Queued, false, noNext, WriteAttach, false}},
		{"refused under another entry", with(before(failed, ledger.Rejected, person, nextIn(time.Hour), otherEntryHash)), want{planned, ledger.Queued, false, noNext, WriteAttach, false}},
		{"due in years, by a clock that was wrong", with(before(planned, ledger.Rejected, nextIn(9999*time.Hour))), want{planned, ledger.Queued, false, noNext, WriteAttach, false}},
		{"queued, with an estimate of its turn", with(before(planned, ledger.Queued, nextIn(time.Hour))), want{planned, ledger.Queued, false, noNext, WriteAttach, false}},
		{"two requests without a trace", with(before(attaching, "", claimedAgo(31*time.Second), tries(ledger.Tries{Unanswered: 2}))), want{planned, ledger.Queued, false, noNext, WriteAttach, false}},
		{"three requests without a trace", with(before(attaching, "", claimedAgo(31*time.Second), tries(ledger.Tries{Unanswered: 3}))), want{attaching, "", false, 29 * time.Second, "", true}},
		{"five requests without a trace", with(before(attaching, "", claimedAgo(31*time.Second), tries(ledger.Tries{Unanswered: 5}))), want{attaching, "", false, 209 * time.Second, "", true}},
		{"many requests without a trace", with(before(attaching, ledger.Stuck, person, claimedAgo(2*time.Hour), tries(ledger.Tries{Unanswered: 20}))), want{planned, ledger.Queued, false, noNext, WriteAttach, false}},
		{"many without a trace, a person asks", with(urgent, before(attaching, ledger.Stuck, claimedAgo(31*time.Second), tries(ledger.Tries{Unanswered: 20}))), want{planned, ledger.Queued, false, noNext, WriteAttach, false}},
		{"no room", with(func(c *Case) { c.NoRoom = "full" }), want{planned, ledger.CampaignFull, true, noNext, "", false}},

		// A write.
		{"free", with(), want{planned, ledger.Queued, false, noNext, WriteAttach, false}},
		{"to be moved", with(diff(plan.Move, telnyx.Assigned)), want{planned, ledger.Queued, false, noNext, WriteMove, false}},

		// After a request.
		{"accepted", with(requested(ledger.Tries{}), accept(testCampaign)), want{pending, "", false, recheckMin, "", true}},
		{"accepted by its TCR id", with(requested(ledger.Tries{}), accept("CSIM001")), want{pending, "", false, recheckMin, "", true}},
		{"accepted for another campaign", with(requested(ledger.Tries{}), accept(otherCampaign)), want{planned, ledger.BeingProcessed, false, transientBase, "", false}},
		{"moved, answered with the old campaign", with(requested(ledger.Tries{}), accept(otherCampaign), moved), want{pending, "", false, recheckMin, "", true}},
		{"accepted, with words of failure", with(requested(ledger.Tries{}), accept(testCampaign, failing("number is associated with another campaign"))), want{planned, ledger.OtherCampaign, false, refusedBase, "", false}},
		{"accepted, with words of failure, third time", with(requested(ledger.Tries{Refused: 2}), accept(testCampaign, failing("number is associated with another campaign"))), want{conflict, ledger.OtherCampaign, true, 9 * refusedBase, "", false}},
		{"accepted for the twelfth time without a trace", with(requested(ledger.Tries{Unanswered: 11}), accept(testCampaign)), want{pending, ledger.Stuck, true, recheckMin, "", true}},
		{"never sent", with(requested(ledger.Tries{}), answer(errUnsent)), want{planned, ledger.RateLimited, false, soon, "", false}},
		{"no answer", with(requested(ledger.Tries{}), answer(&telnyx.ConnectionError{Method: "POST", Err: errors.New("reset")})), want{attaching, ledger.TelnyxUnavailable, false, soon, "", true}},
		{"an answer 500", with(requested(ledger.Tries{}), refusal(500, "10007", "Unexpected error")), want{attaching, ledger.TelnyxUnavailable, false, soon, "", true}},
		{"no answer, twelfth time", with(requested(ledger.Tries{Unanswered: 11}), answer(&telnyx.ConnectionError{Method: "POST", Err: errors.New("reset")})), want{attaching, ledger.Stuck, true, soon, "", true}},
		{"the key is refused", with(requested(ledger.Tries{}), refusal(401, "10009", "")), want{planned, ledger.Unauthorized, false, noNext, "", false}},
		{"the account is refused", with(requested(ledger.Tries{}), refusal(403, "20100", "")), want{planned, ledger.AccountBlocked, false, refusedBase, "", false}},
		{"the account is refused, third time", with(requested(ledger.Tries{Refused: 2}), refusal(403, "20100", "")), want{planned, ledger.AccountBlocked, true, 9 * refusedBase, "", false}},
		{"429", with(requested(ledger.Tries{}), refusal(429, "10011", "")), want{planned, ledger.RateLimited, false, transientBase, "", false}},
		{"429 that asks to wait", with(requested(ledger.Tries{}), answer(&telnyx.APIError{Method: "POST", Status: 429, RetryAfter: time.Minute})), want{planned, ledger.RateLimited, false, time.Minute, "", false}},
		{"busy", with(requested(ledger.Tries{}), refusal(409, "10036", "")), want{planned, ledger.BeingProcessed, false, transientBase, "", false}},
		{"busy, fifth time", with(requested(ledger.Tries{Busy: 4}), refusal(409, "10036", "")), want{planned, ledger.BeingProcessed, false, 16 * transientBase, "", false}},
		{"busy, twelfth time", with(requested(ledger.Tries{Busy: 11}), refusal(409, "10036", "")), want{planned, ledger.Stuck, true, transientMax, "", false}},
		{"dormant", with(requested(ledger.Tries{}), refusal(400, "10015", "Campaign is dormant")), want{planned, ledger.DormantRetry, false, transientBase, "", false}},
		{"the day's quota", with(requested(ledger.Tries{}), refusal(400, "10015", "daily quota exceeded")), want{planned, ledger.RateLimited, false, transientMax / 4, "", false}},
		{"full", with(requested(ledger.Tries{}), refusal(400, "10015", "Limit exceeded")), want{planned, ledger.CampaignFull, true, transientBase, "", false}},
		{"on another campaign", with(requested(ledger.Tries{}), refusal(400, "10015", "already associated with another campaign")), want{planned, ledger.OtherCampaign, false, refusedBase, "", false}},
		{"on another campaign, third time", with(requested(ledger.Tries{Refused: 2}), refusal(400, "10015", "already associated with another campaign")), want{conflict, ledger.OtherCampaign, true, 9 * refusedBase, "", false}},
		{"refused", with(requested(ledger.Tries{}), refusal(422, "10027", "not active")), want{planned, ledger.Rejected, false, refusedBase, "", false}},
		{"refused, third time", with(requested(ledger.Tries{Refused: 2}), refusal(422, "10027", "not active")), want{failed, ledger.Rejected, true, 9 * refusedBase, "", false}},
		{"refused, tenth time", with(requested(ledger.Tries{Refused: 9}), refusal(422, "10027", "not active")), want{failed, ledger.Rejected, true, refusedMax, "", false}},
		{"campaign not found, on an attach", with(requested(ledger.Tries{}), refusal(404, "10005", "")), want{planned, ledger.Rejected, false, refusedBase, "", false}},
		{"forbidden, for this number", with(requested(ledger.Tries{}), refusal(403, "10010", "")), want{planned, ledger.Rejected, false, refusedBase, "", false}},
		{"an unknown code", with(requested(ledger.Tries{}), refusal(400, "98765", "what")), want{planned, ledger.UnknownError, false, refusedBase, "", false}},
		{"an unknown code, third time", with(requested(ledger.Tries{Refused: 2}), refusal(400, "98765", "what")), want{failed, ledger.UnknownError, true, 9 * refusedBase, "", false}},
		{"a refused retry that asks to wait longer", with(requested(ledger.Tries{}), answer(&telnyx.APIError{Method: "POST", Status: 400, RetryAfter: 2 * time.Minute})), want{planned, ledger.UnknownError, false, 2 * time.Minute, "", false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := Decide(caseWith(tt.given...))
			n := d.Record
			got := want{n.State, n.Reason, n.NeedsPerson, noNext, d.Write, !n.ClaimedAt.IsZero()}
			if !n.NextAt.IsZero() {
				got.next = n.NextAt.Sub(decideNow)
			}
			if got != tt.want {
				t.Errorf("got %+v, want %+v (%s)", got, tt.want, n.Detail)
			}
			if n.Number != decideNumber || n.Since.IsZero() {
				t.Errorf("got number %q since %s", n.Number, n.Since)
			}
		})
	}
}

// with returns its arguments as a slice.
func with(changes ...func(*Case)) []func(*Case) { return changes }

var errUnsent = fmt.Errorf("wait for the rate limit: %w", telnyx.ErrInvalidArgument)

func person(n *ledger.Number)         { n.NeedsPerson = true }
func otherEntryHash(n *ledger.Number) { n.EntryHash = "another" }
func unreadable(c *Case)              { c.RecordUnknown = "it cannot be read" }
func urgent(c *Case)                  { c.Urgent = true }
func moved(c *Case)                   { c.Answer.Moved = true }
func noProfile(n *telnyx.Number)      { n.MessagingProfileID = "" }
func elsewhere(a *telnyx.Assignment)  { a.CampaignID = otherCampaign }
func claimEnds(in time.Duration) func(*Case) {
	return func(c *Case) { c.ClaimEnds = decideNow.Add(in) }
}
func otherClaim(c *Case) {
	c.OtherClaim, c.OtherClaimEnds = otherCampaign, decideNow.Add(7*time.Second)
}
func planProfile(id string) func(*Case) {
	return func(c *Case) { c.Entry.MessagingProfileID = id }
}

// A number without a profile gets the plan's first. Other numbers keep theirs.
func TestDecide_SetsAProfileOnlyWhereThereIsNone(t *testing.T) {
	if d := Decide(caseWith(settings(noProfile), planProfile(testProfile))); d.SetProfile != testProfile {
		t.Errorf("got %q, want the plan's profile", d.SetProfile)
	}
	if d := Decide(caseWith(planProfile(testProfile))); d.SetProfile != "" {
		t.Errorf("got %q for a number that is on it", d.SetProfile)
	}
}

// history decides once for each answer. Nothing else changes in between.
func history(t *testing.T, record ledger.Number, answers ...func(*Case)) ledger.Number {
	t.Helper()
	for _, answer := range answers {
		record.Number, record.EntryHash, record.State = decideNumber, "entry", ledger.Attaching
		record.ClaimedAt, record.Tries.Unanswered = decideNow, record.Tries.Unanswered+1
		c := caseWith(answer)
		c.Record = record
		record = Decide(c).Record
	}
	return record
}

func TestDecide_CountsPerKindOfFailure(t *testing.T) {
	limited, busy := refusal(429, "10011", ""), refusal(409, "10036", "")
	lost := answer(&telnyx.ConnectionError{Method: http.MethodPost, Err: errors.New("reset")})
	refused := refusal(422, "10027", "not active")
	for name, tt := range map[string]struct {
		answers []func(*Case)
		state   ledger.State
		tries   ledger.Tries
	}{
		"three 429s and a refusal":       {with(limited, limited, limited, refused), ledger.Planned, ledger.Tries{Refused: 1}},
		"eleven busy and a refusal":      {with(busy, busy, busy, busy, busy, busy, busy, busy, busy, busy, busy, refused), ledger.Planned, ledger.Tries{Busy: 11, Refused: 1}},
		"lost answers and a refusal":     {with(lost, lost, lost, refused), ledger.Planned, ledger.Tries{Refused: 1}},
		"never sent and a refusal":       {with(answer(errUnsent), answer(errUnsent), answer(errUnsent), refused), ledger.Planned, ledger.Tries{Refused: 1}},
		"a refusal between lost answers": {with(lost, refused, lost), ledger.Attaching, ledger.Tries{Refused: 1, Unanswered: 1}},
		"refusals between 429s":          {with(refused, limited, refused, limited), ledger.Planned, ledger.Tries{Refused: 2}},
		"the third refusal":              {with(refused, limited, refused, busy, refused), ledger.Failed, ledger.Tries{Refused: 3, Busy: 1}},
		"an account and two refusals":    {with(refused, refused, limited), ledger.Planned, ledger.Tries{Refused: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			n := history(t, ledger.Number{}, tt.answers...)
			if n.State != tt.state || n.Tries != tt.tries {
				t.Errorf("got %s with %s, want %s with %s", n.State, n.Tries, tt.state, tt.tries)
			}
			if n.NeedsPerson != (tt.state == ledger.Failed) {
				t.Errorf("needs a person: %t", n.NeedsPerson)
			}
		})
	}
}

// Every refused request is repeated, at first soon and finally every six hours. After a
// change of the entry, the waits start anew.
func TestDecide_NothingIsFinal(t *testing.T) {
	for name, refuse := range map[string]func(*Case){
		"10027": refusal(422, "10027", "not active"), "10005": refusal(404, "10005", ""), "10001": refusal(400, "10001", ""),
		"10015": refusal(400, "10015", ""), "10012": refusal(409, "10012", ""), "403": refusal(403, "10010", ""),
		"no code": refusal(400, "", ""), "another campaign": refusal(400, "10015", "on another campaign"),
	} {
		t.Run(name, func(t *testing.T) {
			var n ledger.Number
			last := time.Duration(0)
			for i := range 12 {
				n = history(t, n, refuse)
				wait := n.NextAt.Sub(decideNow)
				if i == 0 && wait > 30*time.Second || wait < last || wait > 6*time.Hour {
					t.Errorf("refusal %d: the next try is in %s, after %s", i+1, wait, last)
				}
				if n.NeedsPerson != (i >= 2) {
					t.Errorf("refusal %d: needs a person: %t", i+1, n.NeedsPerson)
				}
				last = wait
			}
			if last != 6*time.Hour {
				t.Errorf("the wait grows to %s, want six hours", last)
			}
			c := caseWith()
			c.Record, c.EntryHash = n, "changed"
			if d := Decide(c); d.Write != WriteAttach || d.Record.Tries != (ledger.Tries{}) {
				t.Errorf("got %q with %s under a changed entry, want it tried again", d.Write, d.Record.Tries)
			}
			c = caseWith()
			c.Record, c.Now = n, n.NextAt
			if d := Decide(c); d.Write != WriteAttach || d.Record.Tries != n.Tries {
				t.Errorf("got %q with %s when it is time, want it tried again", d.Write, d.Record.Tries)
			}
		})
	}
}

// Only proofs of absence in a row count.
func TestDecide_BelievesAbsenceOnlyTwiceInARow(t *testing.T) {
	record := func(c Case, r ledger.Number) ledger.Number {
		r.EntryHash = "entry"
		c.Record = r
		return Decide(c).Record
	}
	n := record(caseWith(owned(NotOnAccount)), ledger.Number{})
	n = record(caseWith(settings(func(n *telnyx.Number) { n.Status = "port-pending" })), n)
	later := func(c *Case) { c.Now = decideNow.Add(time.Hour); c.AbsentAt = c.Now }
	if n = record(caseWith(owned(NotOnAccount), later), n); n.Reason != ledger.Unverified {
		t.Errorf("got %s (%s) after absent, present, absent; want it asked again", n.State, n.Reason)
	}
}

func TestDecide_NamesTheCampaignOfAnUnexpectedRecord(t *testing.T) {
	got := Decide(caseWith(requested(ledger.Tries{}), accept(otherCampaign))).Record
	if got.State != ledger.Planned || !strings.Contains(got.Detail, otherCampaign) {
		t.Errorf("got %s: %q, want it planned, with campaign %s in the detail", got.StateAndReason(), got.Detail, otherCampaign)
	}
}

// The first numbers in the plan get the remaining room.
func TestDecideInOrder_GivesRoomInTheOrderOfThePlan(t *testing.T) {
	numbers := []plan.E164{"+12125550001", "+12125550002", "+12125550003"}
	entry := plan.Campaign{CampaignID: testCampaign, MaxNumbers: 49, Numbers: numbers}
	for _, line := range []int{30, 10, 20} {
		entry.Places = append(entry.Places, plan.Position{File: "plan.yaml", Line: line})
	}
	sole := telnyx.Campaign{CampaignID: testCampaign, Usecase: "sole_proprietor"}
	if got := CapacityOf(entry, sole); got != 1 {
		t.Fatalf("a sole proprietor's campaign carries %d numbers, want 1", got)
	}
	if got := CapacityOf(entry, telnyx.Campaign{Usecase: "MARKETING"}); got != 49 {
		t.Fatalf("a campaign carries %d numbers, want what the plan says", got)
	}
	cases := func() (cases []Case) {
		for _, n := range numbers {
			c := caseWith()
			c.Entry, c.Campaign, c.Change.Number = entry, sole, n
			cases = append(cases, c)
		}
		return cases
	}
	writes := func(decisions []Decision) (writes []string) {
		for _, d := range decisions {
			if d.Write != WriteNone {
				writes = append(writes, d.Record.Number)
			} else if d.Record.Reason != ledger.CampaignFull {
				t.Errorf("%s: %s (%s), want it full", d.Record.Number, d.Record.State, d.Record.Reason)
			}
		}
		return writes
	}
	if got := writes(decideInOrder(cases(), 1)); len(got) != 1 || got[0] != string(numbers[1]) {
		t.Errorf("got writes for %v, want the first line's alone", got)
	}
	// A failed record does not count as attached; the request after it may still work.
	afterFailure := cases()
	afterFailure[0].Change.Record = &telnyx.Assignment{PhoneNumber: string(numbers[0]), CampaignID: testCampaign, AssignmentStatus: telnyx.FailedAssignment}
	afterFailure[0].ClaimEnds, afterFailure[0].Record = decideNow.Add(time.Second), ledger.Number{State: ledger.Attaching, Reason: ledger.CampaignFull, EntryHash: "entry"}
	if got := writes(decideInOrder(afterFailure, 1)); len(got) != 0 {
		t.Errorf("got writes for %v while a repeated request takes the room", got)
	}
	underWay := cases()
	underWay[0].ClaimEnds, underWay[0].Record = decideNow.Add(time.Second), ledger.Number{State: ledger.Attaching, Reason: ledger.CampaignFull, EntryHash: "entry"}
	if got := writes(decideInOrder(underWay, 1)); len(got) != 0 {
		t.Errorf("got writes for %v while a request takes the room", got)
	}
}
