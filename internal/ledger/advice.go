package ledger

import "time"

// Advise explains a number's record: why it is in its state, what Greenlight does by
// itself, and what a person should do. Why and Next are never empty. The explanation is
// that of the number's reason, or of its state if it has none. A problem with the campaign
// or account is added. The zero Campaign means that nothing is known about it.
func Advise(n Number, c Campaign) Advice {
	a := adviseAlone(n)
	if c.Reason == "" || c.Reason == n.Reason || n.State == Sendable {
		return a
	}
	problem := c.Reason.Advice()
	what := "its campaign cannot be read"
	if c.Reason.OfAccount() {
		what = "nothing is sent for the account"
	}
	a.Why += " At the moment " + what + ": " + problem.Why
	a.Next = problem.Next // nothing else happens before that
	if a.Action == "" {
		a.Action = problem.Action
	}
	return a
}

func adviseAlone(n Number) Advice {
	switch {
	case n.State == Leaving:
		return adviseLeaving(n)
	case n.Reason == "":
		return stateAdvice[n.State]
	case n.Reason.OfCampaign() && n.IsOn():
		a := n.Reason.Advice()
		a.Why = "The number is on the campaign, but carriers may block its messages: " + a.Why
		return a
	case n.Reason == CarrierFailed && n.IsOn():
		return Advice{
			Why:    "The number is on the campaign, but a carrier did not accept it. Messages to that carrier are not delivered.",
			Next:   "Greenlight checks again, with growing waits, until the carrier has it.",
			Action: "Contact Telnyx support about this number and carrier.",
		}
	default:
		return n.Reason.Advice()
	}
}

// adviseLeaving is the advice for a number that is being removed: most reasons speak of
// attaching it.
func adviseLeaving(n Number) Advice {
	a := stateAdvice[Leaving]
	switch {
	case n.Reason == PruneLimit || n.Reason.OfAccount():
		return n.Reason.Advice()
	case n.Reason == Queued:
		a.Next = "Greenlight removes it as soon as the rate limit allows."
	case n.Reason == BeingProcessed:
		a.Next = "Telnyx is still processing the number. Greenlight checks again."
	case n.Reason.OfCampaign():
		a.Next = "Greenlight removes it when the campaign is approved again."
	case n.Reason == Unverified:
		a.Next = "Greenlight cannot read everything that it needs to know first. It checks again."
	case n.Reason == Rejected || n.Reason == CarrierFailed || n.Reason == UnknownError:
		a.Why += " Telnyx does not remove it."
		a.Next, a.Action = nextSlower, "Remove the number in Telnyx's portal, or ask Telnyx support."
	case n.Reason != "":
		a.Next = nextSlower
	}
	return a
}

// stateAdvice is the advice for numbers without a reason.
var stateAdvice = map[State]Advice{
	Planned:   {Why: "The number is planned, and Greenlight has not requested it yet.", Next: "Greenlight attaches it in its next reconcile of the campaign."},
	Attaching: {Why: "The request to Telnyx is under way, or its answer was lost.", Next: "Greenlight reads Telnyx's record of the number before it sends anything again."},
	Pending:   {Why: "Telnyx accepted the request and is processing it.", Next: "Greenlight checks again at the time shown, and when Telnyx posts an event."},
	Attached:  {Why: "The number is on the campaign. Not every carrier has it yet.", Next: "Greenlight checks again until every carrier has it."},
	Sendable:  {Why: "The number is on the campaign and every carrier has it: it can send.", Next: "Greenlight checks it at every resync, and attaches it again if it was detached."},
	Conflict:  {Why: "The number is in use on another campaign.", Next: nextResync, Action: OtherCampaign.Advice().Action},
	Leaving:   {Why: "The number is being removed from the campaign: the plan no longer names it.", Next: "Greenlight removes it once a whole resync interval has passed, if the plan still does not name it."},
	Failed:    {Why: "The number cannot be attached.", Next: nextResync, Action: "Check the number in Telnyx's portal."},
}

// NeedsPerson reports whether the campaign itself needs a person, regardless of its
// numbers.
func (c Campaign) NeedsPerson() bool {
	return c.Planned && c.Phase.NeedsPerson() || c.Reason.OfAccount()
}

// IsOn reports whether Telnyx has the number on its campaign.
func (n Number) IsOn() bool { return n.State == Attached || n.State == Sendable }

// NextCheck returns when Greenlight checks the number again. It is zero if only a resync
// or an event leads to a check. The campaign's time counts if it is later: a number's
// record is not rewritten for a new NextAt alone, and a number that waits for its campaign
// has none.
func NextCheck(n Number, c Campaign) time.Time {
	waits := !n.NextAt.IsZero() || n.State == Planned
	if waits && c.NextAt.After(n.NextAt) {
		return c.NextAt
	}
	return n.NextAt
}
