package assigner

import (
	"fmt"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
)

// PhaseOf returns what a campaign's state at Telnyx means for attaching numbers, and a short
// reason. Only approved campaigns get numbers.
//
//	campaignStatus                                       phase
//	TCR_PENDING, TCR_ACCEPTED, TELNYX_ACCEPTED,
//	MNO_PENDING, MNO_ACCEPTED                            in_review
//	MNO_PROVISIONED                                      approved
//	TCR_SUSPENDED                                        suspended
//	TCR_FAILED, TELNYX_FAILED, MNO_REJECTED,
//	MNO_PROVISIONING_FAILED                              rejected
//	TCR_EXPIRED                                          expired
//	anything else                                        unknown
//
// Three fields override it: status EXPIRED means expired, isTMobileSuspended turns approved
// into suspended, and mock turns it into unknown. The status ACTIVE means nothing, because a
// campaign has it from the day it is filed
// (https://github.com/team-telnyx/openapi, TelnyxCampaignCSP).
func PhaseOf(c telnyx.Campaign) (phase ledger.Phase, why string) {
	if c.Status == telnyx.StatusExpired {
		return ledger.PhaseExpired, "status is EXPIRED"
	}
	switch c.CampaignStatus {
	case telnyx.CampaignTCRPending, telnyx.CampaignTCRAccepted, telnyx.CampaignTelnyxAccepted,
		telnyx.CampaignMNOPending, telnyx.CampaignMNOAccepted:
		return ledger.PhaseInReview, ""
	case telnyx.CampaignMNOProvisioned:
		return provisioned(c)
	case telnyx.CampaignTCRSuspended:
		return ledger.PhaseSuspended, "The Campaign Registry has suspended it"
	case telnyx.CampaignTCRFailed, telnyx.CampaignTelnyxFailed, telnyx.CampaignMNORejected,
		telnyx.CampaignMNOProvisioningFailed:
		return ledger.PhaseRejected, telnyx.ReasonText(c.FailureReasons)
	case telnyx.CampaignTCRExpired:
		return ledger.PhaseExpired, ""
	default:
		return ledger.PhaseUnknown, fmt.Sprintf("campaignStatus is %.60q, which Greenlight does not know", c.CampaignStatus)
	}
}

func provisioned(c telnyx.Campaign) (ledger.Phase, string) {
	switch {
	case c.IsTMobileSuspended:
		return ledger.PhaseSuspended, "T-Mobile has suspended it"
	case c.Mock:
		return ledger.PhaseUnknown, "it is a mock campaign, which cannot have numbers"
	default:
		return ledger.PhaseApproved, ""
	}
}

// EndOf returns when a campaign ends. It is zero if the campaign is renewed, or if Telnyx does
// not report that.
func EndOf(c telnyx.Campaign) time.Time {
	if c.AutoRenewal == nil || *c.AutoRenewal {
		return time.Time{}
	}
	return c.RenewsOrEnds.Time
}
