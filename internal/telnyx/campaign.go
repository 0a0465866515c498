package telnyx

import "encoding/json"

// CampaignStatus is the field campaignStatus of a campaign, spelled as on the
// wire. Telnyx may send words that are not listed here; they are kept as told.
type CampaignStatus string

// The published values of campaignStatus.
const (
	CampaignTCRPending            CampaignStatus = "TCR_PENDING"
	CampaignTCRSuspended          CampaignStatus = "TCR_SUSPENDED"
	CampaignTCRExpired            CampaignStatus = "TCR_EXPIRED"
	CampaignTCRAccepted           CampaignStatus = "TCR_ACCEPTED"
	CampaignTCRFailed             CampaignStatus = "TCR_FAILED"
	CampaignTelnyxAccepted        CampaignStatus = "TELNYX_ACCEPTED"
	CampaignTelnyxFailed          CampaignStatus = "TELNYX_FAILED"
	CampaignMNOPending            CampaignStatus = "MNO_PENDING"
	CampaignMNOAccepted           CampaignStatus = "MNO_ACCEPTED"
	CampaignMNORejected           CampaignStatus = "MNO_REJECTED"
	CampaignMNOProvisioned        CampaignStatus = "MNO_PROVISIONED"
	CampaignMNOProvisioningFailed CampaignStatus = "MNO_PROVISIONING_FAILED"
)

// StatusExpired is the one value of a campaign's field status that means
// something. The other published one, ACTIVE, is there from birth and says
// nothing about the carriers.
const StatusExpired = "EXPIRED"

// Campaign is what Greenlight reads of a campaign; the texts that the carriers
// review are left out. The zero value is no campaign.
type Campaign struct {
	CampaignID    CampaignID    `json:"campaignId"`
	TCRCampaignID TCRCampaignID `json:"tcrCampaignId"`
	BrandID       string        `json:"brandId"`
	TCRBrandID    string        `json:"tcrBrandId"`
	// ReferenceID is the caller's own id, given when the campaign was filed.
	ReferenceID string `json:"referenceId"`
	Usecase     string `json:"usecase"`
	// Status is ACTIVE from birth, so it must never be taken for approval.
	Status           string         `json:"status"`
	CampaignStatus   CampaignStatus `json:"campaignStatus"`
	SubmissionStatus string         `json:"submissionStatus"`
	// Mock campaigns are for trying out; they cannot carry numbers.
	Mock                bool `json:"mock"`
	IsTMobileRegistered bool `json:"isTMobileRegistered"`
	IsTMobileSuspended  bool `json:"isTMobileSuspended"`
	NumberPool          bool `json:"numberPool"`
	// FailureReasons is a string in the OpenAPI description and an array or
	// null in the field; it stays behind after a resubmission. Show it, never
	// decide on it.
	FailureReasons     json.RawMessage `json:"failureReasons,omitempty"`
	WebhookURL         string          `json:"webhookURL"`
	WebhookFailoverURL string          `json:"webhookFailoverURL"`
	// AssignedPhoneNumbersCount is in lists and in shared campaigns only.
	AssignedPhoneNumbersCount float64 `json:"assignedPhoneNumbersCount"`

	// Shared says that the campaign belongs to another account and was read
	// under partner_campaigns. It has a TCR id and no Telnyx id.
	Shared bool `json:"-"`
}

// AssignmentID is the id by which numbers are attached to the campaign and by
// which their records name it: the TCR id when the campaign is shared with us,
// else Telnyx's id.
func (c Campaign) AssignmentID() string {
	if c.Shared {
		return string(c.TCRCampaignID)
	}
	return string(c.CampaignID)
}
