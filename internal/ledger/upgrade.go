package ledger

// Records of version 1 had a state "held", other words for phases, one reason for
// every campaign that was not approved, and no field that says whether a person is
// needed. They are read as if they had been written today; the next reconcile of
// their campaign writes them anew.

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
	if n.State == firstEditionHeld {
		n.State = Planned
	}
	if n.Reason == firstEditionNotReady {
		n.Reason = CampaignInReview
	}
	switch n.Reason {
	case CampaignFull, Stuck:
		n.NeedsPerson = true
	default:
		n.NeedsPerson = n.State == Conflict || n.State == Failed || n.Reason == CarrierFailed && n.IsOn()
	}
}

// upgrade brings a record of an older version to the words of today.
func (c *Campaign) upgrade() {
	if phase, old := firstEditionPhases[c.Phase]; old && c.Version < recordVersion {
		c.Phase = phase
	}
}
