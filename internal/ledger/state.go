package ledger

// State is where a number stands.
//
//	planned ──► attaching ──► pending ──► attached ──► sendable
//	   ▲            │            │
//	   └────────────┴────────────┘   a try that did not work out
//
//	conflict, failed, held: see below
type State string

// The states of a number.
const (
	// Planned: to be attached when the campaign is ready, or at NextAt.
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
	// Failed: it cannot be attached until a person does something.
	Failed State = "failed"
	// Held: the campaign is suspended, rejected or over.
	Held State = "held"
)

// States lists all states in the order in which a number passes through them,
// the three that need a look last.
func States() []State {
	return []State{Planned, Attaching, Pending, Attached, Sendable, Conflict, Failed, Held}
}

// NeedsPerson reports whether nothing moves until a person does something.
func (s State) NeedsPerson() bool { return s == Conflict || s == Failed || s == Held }

// Phase is what a campaign's state at Telnyx means for attaching numbers.
type Phase string

// The phases of a campaign.
const (
	// Waiting: it is on its way through registration and review.
	Waiting Phase = "waiting"
	// Ready: carriers have provisioned it; numbers are attached.
	Ready Phase = "ready"
	// OnHold: suspended, or in a state that Greenlight does not know.
	OnHold Phase = "held"
	// Blocked: rejected; an appeal can bring it back.
	Blocked Phase = "blocked"
	// Ended: expired; the plan is stale.
	Ended Phase = "ended"
	// Missing: Telnyx does not know the id.
	Missing Phase = "missing"
	// Unread: Telnyx could not be asked yet.
	Unread Phase = "unread"
)

// Phases lists all phases as a campaign goes through them, those that need a person last.
func Phases() []Phase {
	return []Phase{Unread, Waiting, Ready, OnHold, Blocked, Ended, Missing}
}

// NeedsPerson reports whether nothing is attached until a person does something.
func (p Phase) NeedsPerson() bool {
	return p == OnHold || p == Blocked || p == Ended || p == Missing
}

// Sentence tells a person what the phase means and what to do, if anything.
func (p Phase) Sentence() string {
	switch p {
	case Waiting:
		return "Waiting for review by Telnyx and the carriers; numbers are attached as soon as they approve."
	case Ready:
		return "Approved by the carriers; numbers are being attached or already are."
	case OnHold:
		return "Suspended, or in a state that Greenlight does not know: attaching stops until it clears. Look at the campaign in Telnyx's portal. One that was suspended because it lay idle wakes when a number is assigned to it by hand."
	case Blocked:
		return "Rejected. Read the reason in Telnyx's portal and appeal or resubmit; Greenlight goes on when it is approved."
	case Ended:
		return "Expired. If it was filed anew it has a new id: put that into the plan."
	case Missing:
		return "Telnyx does not know this campaign on this account. Check the id in the plan and the API key's account."
	case Unread:
		return "Not read from Telnyx yet."
	default:
		return "Unknown phase."
	}
}
