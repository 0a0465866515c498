package status

import (
	"strings"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
)

// Stage says in words how far a campaign is by its campaignStatus, empty for an unknown one
// (https://developers.telnyx.com/docs/messaging/10dlc/event-notifications).
func Stage(campaignStatus string) string {
	return map[telnyx.CampaignStatus]string{
		telnyx.CampaignTCRPending:            "registration at The Campaign Registry",
		telnyx.CampaignTCRAccepted:           "review by Telnyx",
		telnyx.CampaignTelnyxAccepted:        "review by the carriers",
		telnyx.CampaignMNOPending:            "review by the carriers",
		telnyx.CampaignMNOAccepted:           "provisioning at the carriers",
		telnyx.CampaignMNOProvisioned:        "provisioned at the carriers",
		telnyx.CampaignTCRSuspended:          "suspended by The Campaign Registry",
		telnyx.CampaignTCRFailed:             "rejected by The Campaign Registry",
		telnyx.CampaignTelnyxFailed:          "rejected by Telnyx",
		telnyx.CampaignMNORejected:           "rejected by the carriers",
		telnyx.CampaignMNOProvisioningFailed: "not provisioned by the carriers",
		telnyx.CampaignTCRExpired:            "expired",
	}[telnyx.CampaignStatus(campaignStatus)]
}

// CarriersText lists the carriers with their status, for example "AT&T APPROVED, T-Mobile
// REVIEW".
func CarriersText(carriers []ledger.Carrier) string {
	var parts []string
	for _, c := range carriers {
		parts = append(parts, Plain(c.Name, 40)+" "+Plain(c.Status, 40))
	}
	return strings.Join(parts, ", ")
}
