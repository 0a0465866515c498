package telnyxsim

import "greenlight/internal/telnyx"

// networks are the ids of carriers in the OpenAPI description's example. Which of
// them is whose, and how many there are, it does not say.
var networks = []string{"10017", "10035"}

// getOperationStatus is GET /10dlc/campaign/{campaignId}/operationStatus: what each
// carrier says of the campaign, by its network id. The words are those of the
// description's example and of TCR's events; that they follow campaignStatus is a
// guess, since Telnyx's pages do not connect the two.
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
