package assigner

import (
	"fmt"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
)

// PhaseOf tells what a campaign's state at Telnyx means for attaching numbers,
// and why in a few words. It is the only gate before a write: nothing but Ready
// lets one through.
//
//	campaignStatus                                       phase
//	TCR_PENDING, TCR_ACCEPTED, TELNYX_ACCEPTED,
//	MNO_PENDING, MNO_ACCEPTED                            waiting
//	MNO_PROVISIONED                                      ready
//	TCR_SUSPENDED                                        held
//	TCR_FAILED, TELNYX_FAILED, MNO_REJECTED,
//	MNO_PROVISIONING_FAILED                              blocked
//	TCR_EXPIRED                                          ended
//	anything else                                        held
//
// Three fields overrule it: status EXPIRED means ended, isTMobileSuspended
// turns ready into held, and so does mock. That status is ACTIVE means nothing:
// a campaign is ACTIVE from the day it is filed
// (https://github.com/team-telnyx/openapi, TelnyxCampaignCSP).
func PhaseOf(c telnyx.Campaign) (phase ledger.Phase, why string) {
	if c.Status == telnyx.StatusExpired {
		return ledger.Ended, "status is EXPIRED"
	}
	switch c.CampaignStatus {
	case telnyx.CampaignTCRPending, telnyx.CampaignTCRAccepted, telnyx.CampaignTelnyxAccepted,
		telnyx.CampaignMNOPending, telnyx.CampaignMNOAccepted:
		return ledger.Waiting, ""
	case telnyx.CampaignMNOProvisioned:
		return provisioned(c)
	case telnyx.CampaignTCRSuspended:
		return ledger.OnHold, "The Campaign Registry has suspended it"
	case telnyx.CampaignTCRFailed, telnyx.CampaignTelnyxFailed, telnyx.CampaignMNORejected,
		telnyx.CampaignMNOProvisioningFailed:
		return ledger.Blocked, telnyx.ReasonText(c.FailureReasons)
	case telnyx.CampaignTCRExpired:
		return ledger.Ended, ""
	default:
		return ledger.OnHold, fmt.Sprintf("campaignStatus is %.60q, a word that Greenlight does not know", c.CampaignStatus)
	}
}

func provisioned(c telnyx.Campaign) (ledger.Phase, string) {
	switch {
	case c.IsTMobileSuspended:
		return ledger.OnHold, "T-Mobile has suspended it"
	case c.Mock:
		return ledger.OnHold, "it is a mock campaign, which carries no numbers"
	default:
		return ledger.Ready, ""
	}
}
