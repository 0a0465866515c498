package telnyxsim

import "greenlight/internal/telnyx"

// networks are the carrier ids in the OpenAPI description's example. It does not say
// which carriers they are, or how many there are.
var networks = []string{"10017", "10035"}

// getOperationStatus is GET /10dlc/campaign/{campaignId}/operationStatus: each
// carrier's status of the campaign, by network id. The words are those of the
// description's example and of TCR's events. That they follow campaignStatus is a guess:
// Telnyx's pages do not connect the two.
func getOperationStatus(s *Simulator, c *call) answer {
	found := s.findCampaign(c.params["campaignId"])
	if found == nil || found.Shared {
		return notFound("Campaign not found")
	}
	reply := map[string]string{}
	for _, network := range networks {
		reply[network] = operationStatus(found.CampaignStatus)
	}
	return ok(reply)
}

func operationStatus(status telnyx.CampaignStatus) string {
	switch status {
	case telnyx.CampaignMNOProvisioned, telnyx.CampaignMNOAccepted:
		return "APPROVED"
	case telnyx.CampaignMNORejected, telnyx.CampaignMNOProvisioningFailed:
		return "REJECTED"
	case telnyx.CampaignTCRSuspended:
		return "SUSPENDED"
	default:
		return "REVIEW"
	}
}
