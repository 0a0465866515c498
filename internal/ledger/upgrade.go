package ledger

import "cmp"

// Records of version 1 had a state "held", other words for phases, one reason for
// every campaign that was not approved, and no field that says whether a person is
// needed. They are read as if they had been written today, and written in the new
// words when something about them changes.

const (
	firstEditionHeld     State  = "held"
	firstEditionNotReady Reason = "campaign_not_ready"
)

var firstEditionPhases = map[Phase]Phase{
	"waiting": PhaseInReview,
	"ready":   PhaseApproved,
	"held":    PhaseSuspended,
	"blocked": PhaseRejected,
	"ended":   PhaseExpired,
}

// upgrade brings a record of an older version to the words of today.
func (n *Number) upgrade() {
	if n.Version >= recordVersion {
		return
	}
	held := n.State == firstEditionHeld
	if held {
		n.State = Planned
	}
	switch {
	case n.Reason != firstEditionNotReady:
	case held:
		n.Reason = CampaignUnknown // only the campaign's record says in which phase it is
	default:
		n.Reason = CampaignInReview
	}
	switch n.Reason {
	case Unauthorized, AccountBlocked, CampaignFull, Stuck:
		n.NeedsPerson = true
	case CarrierFailed:
		n.NeedsPerson = n.State != Planned
	default:
		n.NeedsPerson = held || n.State == Conflict || n.State == Failed
	}
}

// upgrade brings a record of an older version to the words of today.
func (c *Campaign) upgrade() {
	c.Reported, c.Told = cmp.Or(c.Reported, c.Told), ""
	if phase, old := firstEditionPhases[c.Phase]; old && c.Version < recordVersion {
		c.Phase = phase
	}
}
