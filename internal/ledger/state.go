package ledger

// State is the progress of a number.
//
//	planned ──► attaching ──► pending ──► attached ──► sendable
//	   ▲            │            │
//	   └────────────┴────────────┘   a failed try
//
//	conflict, failed: not attached, and a person should act. Greenlight keeps
//	retrying at a slow pace, so both lead back to planned.
//
//	leaving: no longer planned, and being removed from the campaign; the record ends
//	when the number has left
type State string

// The states of a number.
const (
	// Planned: to be attached when the campaign is approved, or at NextAt.
	Planned State = "planned"
	// Attaching: a request to Telnyx is under way, or its outcome is unknown.
	Attaching State = "attaching"
	// Pending: Telnyx accepted the request and has not finished it.
	Pending State = "pending"
	// Attached: Telnyx's record is ASSIGNED, on this campaign.
	Attached State = "attached"
	// Sendable: attached, and every carrier has the number.
	Sendable State = "sendable"
	// Conflict: the number is on another campaign and stays there.
	Conflict State = "conflict"
	// Failed: the number cannot be attached at present.
	Failed State = "failed"
	// Leaving: to be removed from the campaign, because its plan entry no longer names
	// it and has prune: true, or because a person asked.
	Leaving State = "leaving"
)

// States lists all states in the order of progress; the two that need a person come
// last but one.
func States() []State {
	return []State{Planned, Attaching, Pending, Attached, Sendable, Conflict, Failed, Leaving}
}

// TriesAgain reports whether the next step in this state is a try to attach the number. In
// the other states Greenlight only checks it.
func (s State) TriesAgain() bool { return s == Planned || s == Conflict || s == Failed }

// NumberKind is a category for counting numbers.
type NumberKind struct {
	State       State
	Reason      Reason
	NeedsPerson bool
}

// Kind returns the category of the number.
func (n Number) Kind() NumberKind { return NumberKind{n.State, n.Reason, n.NeedsPerson} }

// Phase says what a campaign's state at Telnyx means for attaching numbers.
type Phase string

// The phases of a campaign.
const (
	// PhaseUnread: the campaign has not been read from Telnyx yet.
	PhaseUnread Phase = "unread"
	// PhaseInReview: registration or review is in progress.
	PhaseInReview Phase = "in_review"
	// PhaseApproved: the carriers have provisioned it. Numbers can be attached.
	PhaseApproved Phase = "approved"
	// PhaseSuspended: suspended. Attaching continues when the suspension ends.
	PhaseSuspended Phase = "suspended"
	// PhaseRejected: rejected; an appeal can bring it back.
	PhaseRejected Phase = "rejected"
	// PhaseExpired: expired. The plan is out of date.
	PhaseExpired Phase = "expired"
	// PhaseMissing: Telnyx does not have the campaign on this account.
	PhaseMissing Phase = "missing"
	// PhaseUnknown: any other state. Greenlight does not attach numbers in it.
	PhaseUnknown Phase = "unknown"
)

// Phases lists all phases in the order of progress; those that need a person come last.
func Phases() []Phase {
	return []Phase{PhaseUnread, PhaseInReview, PhaseApproved, PhaseSuspended, PhaseRejected, PhaseExpired, PhaseMissing, PhaseUnknown}
}

// NeedsPerson reports whether a person must act before numbers can be attached.
func (p Phase) NeedsPerson() bool {
	switch p {
	case PhaseRejected, PhaseExpired, PhaseMissing, PhaseUnknown:
		return true
	default:
		return false
	}
}

// Reason returns the reason of numbers that wait for a campaign in this phase. It is empty
// for approved and unread campaigns.
func (p Phase) Reason() Reason { return phaseReasons[p] }

var phaseReasons = map[Phase]Reason{
	PhaseInReview:  CampaignInReview,
	PhaseSuspended: CampaignSuspended,
	PhaseRejected:  CampaignRejected,
	PhaseExpired:   CampaignExpired,
	PhaseMissing:   CampaignMissing,
	PhaseUnknown:   CampaignUnknown,
}

// Sentence explains the phase, and says what to do, if anything.
func (p Phase) Sentence() string {
	switch p {
	case PhaseUnread:
		return "Not read from Telnyx yet."
	case PhaseInReview:
		return CampaignInReview.Advice().Why + " Greenlight attaches its numbers as soon as the carriers approve it."
	case PhaseApproved:
		return "Approved by the carriers. Greenlight attaches its numbers."
	}
	a := p.Reason().Advice()
	if a.Why == "" {
		return "Unknown phase."
	}
	return sentences(a.Why, a.Next, a.Action)
}
