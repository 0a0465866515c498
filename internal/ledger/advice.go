package ledger

import (
	"slices"
	"time"
)

// Advise tells what a number's record means for people: why it is where it is,
// what Greenlight does by itself, and what a person should do. Why and Next are
// never empty. The number's own reason counts, then its state; its campaign says
// more where the number only waits for that. The zero Campaign means that nothing
// is known of it.
func Advise(n Number, c Campaign) Advice {
	a := adviseAlone(n, c)
	if c.Reason == "" || c.Reason == n.Reason || n.State == Sendable {
		return a
	}
	// Nothing moves until that has passed.
	trouble := c.Reason.Advice()
	what := "its campaign cannot be read"
	if c.Reason.StopsAll() {
		what = "all work rests"
	}
	a.Why += " Just now " + what + ": " + trouble.Why
	a.Next = trouble.Next
	if a.Action == "" {
		a.Action = trouble.Action
	}
	return a
}

func adviseAlone(n Number, c Campaign) Advice {
	isOn := n.State == Attached || n.State == Sendable
	switch {
	case n.Reason == "":
		return stateAdvice[n.State]
	case n.Reason == CampaignNotReady && isOn:
		a := c.Phase.Advice()
		a.Why = "The number is on the campaign, but carriers may stop its messages: " + a.Why
		return a
	case n.Reason == CampaignNotReady:
		return c.Phase.Advice()
	case n.Reason == CarrierFailed && isOn:
		return Advice{
			Why:    "Telnyx has the number on the campaign, but a carrier did not take it, so messages to that carrier do not arrive.",
			Next:   "Greenlight looks again, ever more slowly, and says so when the carrier has it.",
			Action: "Ask Telnyx's support about this number and carrier.",
		}
	case n.State == Failed && n.Reason != Stuck && finalReasons[n.Reason]:
		a := n.Reason.Advice()
		a.Next = "Greenlight has stopped trying. It begins again when the plan's entry changes, or with greenlight trigger."
		if n.Reason == CarrierFailed {
			a.Action = "Ask Telnyx's support with the words told here, then run greenlight trigger."
		}
		return a
	default:
		return n.Reason.Advice()
	}
}

// finalReasons are those with which a failed number is not tried again by itself.
var finalReasons = map[Reason]bool{Rejected: true, UnknownError: true, CarrierFailed: true}

// stateAdvice is for numbers with which all is as it should be.
var stateAdvice = map[State]Advice{
	Planned:   {Why: "The number is planned and its turn has not come yet.", Next: "Greenlight attaches it in its next look at the campaign."},
	Attaching: {Why: "The request to Telnyx is under way, or its answer was lost.", Next: "Greenlight reads Telnyx's record of the number before it sends anything again."},
	Pending:   {Why: "Telnyx took the request and is at work on it.", Next: "Greenlight looks again, and whenever Telnyx posts an event."},
	Attached:  {Why: "Telnyx has the number on the campaign; the carriers take it up.", Next: "Greenlight looks again until every carrier has it."},
	Sendable:  {Why: "The number is on the campaign and every carrier has it: it can send.", Next: "Nothing more to do; Greenlight goes on looking at every resync."},
	Conflict:  {Why: "The number is in use on another campaign.", Next: nextResync, Action: OtherCampaign.Advice().Action},
	Failed:    {Why: "The number cannot be attached.", Next: nextResync, Action: "Look at the number in Telnyx's portal."},
	Held:      {Why: "The campaign is not in a state in which it takes numbers.", Next: nextResync, Action: "Look at the campaign in Telnyx's portal."},
}

// Advice tells a person what the phase means for a number that waits for it.
func (p Phase) Advice() Advice {
	switch p {
	case OnHold:
		return Advice{
			Why:    "The campaign is suspended, or in a state that Greenlight does not know.",
			Next:   "Greenlight looks at every resync and goes on when it clears.",
			Action: "Look at the campaign in Telnyx's portal. One that was suspended because it lay idle wakes when a number is assigned to it by hand.",
		}
	case Blocked:
		return Advice{
			Why:    "The campaign is not approved by the carriers. It was rejected.",
			Next:   "Greenlight looks at every resync and goes on when it is approved.",
			Action: "Read the reason in Telnyx's portal and appeal or resubmit.",
		}
	case Ended:
		return Advice{
			Why:    "The campaign has expired.",
			Next:   nextResync,
			Action: "If it was filed anew it has a new id: put that into the plan.",
		}
	case Missing:
		return Advice{
			Why:    "Telnyx does not know this campaign on this account.",
			Next:   nextResync,
			Action: "Check the id in the plan and the API key's account.",
		}
	case Waiting:
		return Advice{
			Why:  "The campaign is in review by Telnyx and the carriers.",
			Next: "Greenlight attaches the number as soon as they approve.",
		}
	default:
		return CampaignNotReady.Advice()
	}
}

// NeedsPerson reports whether a person must do something before the number can get
// further, or, for one that is stuck, should ask.
func (n Number) NeedsPerson() bool {
	switch n.Reason {
	case Unauthorized, AccountBlocked, CampaignFull, Stuck:
		return true
	case CarrierFailed:
		return n.State != Planned // as long as it is tried again it may yet work
	default:
		return n.State.NeedsPerson()
	}
}

// NeedsPerson reports whether the campaign itself waits for a person, whatever its
// numbers do.
func (c Campaign) NeedsPerson() bool {
	return c.Planned && slices.Contains([]Phase{OnHold, Blocked, Ended, Missing}, c.Phase) ||
		c.Reason.StopsAll()
}

// StopsAll reports whether the reason is one of the account's, for which no request is
// made for any number.
func (r Reason) StopsAll() bool { return r == Unauthorized || r == AccountBlocked }

// IsOn reports whether Telnyx has the number on its campaign.
func (n Number) IsOn() bool { return n.State == Attached || n.State == Sendable }

// NextLook is when Greenlight looks at the number again, zero where only the resync
// or an event is waited for. A number's own time is not written anew when that alone
// changes, and one that waits for its campaign has none.
func NextLook(n Number, c Campaign) time.Time {
	waits := !n.NextAt.IsZero() || n.State == Planned
	if waits && c.NextAt.After(n.NextAt) {
		return c.NextAt
	}
	return n.NextAt
}
