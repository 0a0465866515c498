package ledger

// State is how far a number is.
//
//	planned ──► attaching ──► pending ──► attached ──► sendable
//	   ▲            │            │
//	   └────────────┴────────────┘   a try that did not succeed
//
//	conflict, failed: not attached, and a person should do something; Greenlight
//	keeps trying at its own pace, and both lead back to planned
//
//	leaving: no longer planned, and being removed from the campaign; the record ends
//	when the number has left
type State string

// The states of a number.
const (
	// Planned: to be attached when the campaign is approved, or at NextAt.
	Planned State = "planned"
	// Attaching: the request to Telnyx is under way, or its outcome is unknown.
	Attaching State = "attaching"
	// Pending: Telnyx took the request and has not finished it.
	Pending State = "pending"
	// Attached: Telnyx says ASSIGNED, on this campaign.
	Attached State = "attached"
	// Sendable: attached, and every carrier has the number.
	Sendable State = "sendable"
	// Conflict: the number is in use on another campaign, and stays there.
	Conflict State = "conflict"
	// Failed: it cannot be attached as things are.
	Failed State = "failed"
	// Leaving: to be removed from the campaign, because its plan entry no longer names
	// it and has prune: true, or because a person asked.
	Leaving State = "leaving"
)

// States lists all states in the order in which a number passes through them,
// the two that need a person and those that leave last.
func States() []State {
	return []State{Planned, Attaching, Pending, Attached, Sendable, Conflict, Failed, Leaving}
}

// TriesAgain reports whether what comes next for a number in this state is another try
// to attach it; in the other states it is only checked.
func (s State) TriesAgain() bool { return s == Planned || s == Conflict || s == Failed }

// NumberKind is what numbers are counted by.
type NumberKind struct {
	State       State
	Reason      Reason
	NeedsPerson bool
}

// Kind returns what the number is counted by.
func (n Number) Kind() NumberKind { return NumberKind{n.State, n.Reason, n.NeedsPerson} }

// Phase is what a campaign's state at Telnyx means for attaching numbers.
type Phase string

// The phases of a campaign.
const (
	// PhaseUnread: Telnyx has not been read yet.
	PhaseUnread Phase = "unread"
	// PhaseInReview: it is on its way through registration and review.
	PhaseInReview Phase = "in_review"
	// PhaseApproved: the carriers have provisioned it; numbers are attached.
	PhaseApproved Phase = "approved"
	// PhaseSuspended: suspended; attaching continues by itself when that ends.
	PhaseSuspended Phase = "suspended"
	// PhaseRejected: rejected; an appeal can bring it back.
	PhaseRejected Phase = "rejected"
	// PhaseExpired: expired; the plan is stale.
	PhaseExpired Phase = "expired"
	// PhaseMissing: Telnyx does not have the campaign on this account.
	PhaseMissing Phase = "missing"
	// PhaseUnknown: in a state in which Greenlight does not attach numbers and for
	// which it has no other word.
	PhaseUnknown Phase = "unknown"
)

// Phases lists all phases as a campaign passes through them, those that need a
// person last.
func Phases() []Phase {
	return []Phase{PhaseUnread, PhaseInReview, PhaseApproved, PhaseSuspended, PhaseRejected, PhaseExpired, PhaseMissing, PhaseUnknown}
}

// NeedsPerson reports whether nothing is attached until a person does something.
func (p Phase) NeedsPerson() bool {
	switch p {
	case PhaseRejected, PhaseExpired, PhaseMissing, PhaseUnknown:
		return true
	default:
		return false
	}
}

// Reason is the reason of the numbers that wait for a campaign in this phase. It is
// empty for an approved campaign and for one that was not read.
func (p Phase) Reason() Reason { return phaseReasons[p] }

var phaseReasons = map[Phase]Reason{
	PhaseInReview:  CampaignInReview,
	PhaseSuspended: CampaignSuspended,
	PhaseRejected:  CampaignRejected,
	PhaseExpired:   CampaignExpired,
	PhaseMissing:   CampaignMissing,
	PhaseUnknown:   CampaignUnknown,
}

// Sentence says what the phase means and what to do, if anything.
func (p Phase) Sentence() string {
	switch p {
	case PhaseUnread:
		return "Not read from Telnyx yet."
	case PhaseInReview:
		return CampaignInReview.Advice().Why + " Its numbers are attached as soon as they approve."
	case PhaseApproved:
		return "Approved by the carriers. Its numbers are being attached, or are attached already."
	}
	a := p.Reason().Advice()
	if a.Why == "" {
		return "Unknown phase."
	}
	return sentences(a.Why, a.Next, a.Action)
}
