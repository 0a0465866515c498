package ledger

import (
	"cmp"
	"time"
)

// Records of version 1 had a state "held", other names of phases, one reason for every
// campaign that was not approved, and no needs_person. They are converted when they are
// read, and stored in the current form when something else changes.

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

// upgrade converts a record of an older version to the current form.
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
		n.Reason = CampaignUnknown // only the campaign's record has the phase
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

// upgrade converts a record of an older version to the current form.
func (c *Campaign) upgrade() {
	c.Reported, c.Told = cmp.Or(c.Reported, c.Told), ""
	if c.NoticedAt.IsZero() { // approved_at was then the time that is noticed_at now
		c.NoticedAt, c.ApprovedAt = c.ApprovedAt, time.Time{}
	}
	if phase, old := firstEditionPhases[c.Phase]; old && c.Version < recordVersion {
		c.Phase = phase
	}
}
