package ledger

import "time"

// Advise says what a number's record means for people: why it is where it is,
// what Greenlight does by itself, and what a person should do. Why and Next are
// never empty. The number's own reason comes first, then its state; a problem with the
// campaign or account is added. The zero Campaign means that nothing is known of it.
func Advise(n Number, c Campaign) Advice {
	a := adviseAlone(n)
	if c.Reason == "" || c.Reason == n.Reason || n.State == Sendable {
		return a
	}
	// Nothing moves until that has passed.
	trouble := c.Reason.Advice()
	what := "its campaign cannot be read"
	if c.Reason.OfAccount() {
		what = "nothing is sent for the account"
	}
	a.Why += " At the moment " + what + ": " + trouble.Why
	a.Next = trouble.Next
	if a.Action == "" {
		a.Action = trouble.Action
	}
	return a
}

func adviseAlone(n Number) Advice {
	switch {
	case n.Reason == "":
		return stateAdvice[n.State]
	case n.Reason.OfCampaign() && n.IsOn():
		a := n.Reason.Advice()
		a.Why = "The number is on the campaign, but carriers may stop its messages: " + a.Why
		return a
	case n.Reason == CarrierFailed && n.IsOn():
		return Advice{
			Why:    "Telnyx has the number on the campaign, but a carrier did not take it, so messages to that carrier do not arrive.",
			Next:   "Greenlight checks again, with growing waits, and reports when the carrier has it.",
			Action: "Ask Telnyx's support about this number and carrier.",
		}
	default:
		return n.Reason.Advice()
	}
}

// stateAdvice is for numbers with which all is as it should be.
var stateAdvice = map[State]Advice{
	Planned:   {Why: "The number is planned and its turn has not come yet.", Next: "Greenlight attaches it in its next reconcile of the campaign."},
	Attaching: {Why: "The request to Telnyx is under way, or its answer was lost.", Next: "Greenlight reads Telnyx's record of the number before it sends anything again."},
	Pending:   {Why: "Telnyx took the request and is processing it.", Next: "Greenlight checks again, and whenever Telnyx posts an event."},
	Attached:  {Why: "Telnyx has the number on the campaign; the carriers are taking it up.", Next: "Greenlight checks again until every carrier has it."},
	Sendable:  {Why: "The number is on the campaign and every carrier has it: it can send.", Next: "Greenlight checks it at every resync, and attaches it again if it was detached."},
	Conflict:  {Why: "The number is in use on another campaign.", Next: nextResync, Action: OtherCampaign.Advice().Action},
	Leaving:   {Why: "The plan no longer names the number, so it is removed from the campaign.", Next: "Greenlight removes it once a whole resync interval has passed, if the plan still does not name it."},
	Failed:    {Why: "The number cannot be attached.", Next: nextResync, Action: "Check the number in Telnyx's portal."},
}

// NeedsPerson reports whether the campaign itself waits for a person, whatever its
// numbers do.
func (c Campaign) NeedsPerson() bool {
	return c.Planned && c.Phase.NeedsPerson() || c.Reason.OfAccount()
}

// IsOn reports whether Telnyx has the number on its campaign.
func (n Number) IsOn() bool { return n.State == Attached || n.State == Sendable }

// NextCheck is when Greenlight checks the number again, zero where only the resync
// or an event is waited for. A number's own time is not written again when that alone
// changes, and one that waits for its campaign has none.
func NextCheck(n Number, c Campaign) time.Time {
	waits := !n.NextAt.IsZero() || n.State == Planned
	if waits && c.NextAt.After(n.NextAt) {
		return c.NextAt
	}
	return n.NextAt
}
