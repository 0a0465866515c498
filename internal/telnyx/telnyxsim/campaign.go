package telnyxsim

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"greenlight/internal/telnyx"
)

// ErrUnknown is wrapped by the errors of methods that name a campaign or a number that
// was not added.
var ErrUnknown = errors.New("not in the simulated account")

// Campaign is a 10DLC campaign. [Simulator.AddCampaign] sets empty fields to the default
// in their comment.
type Campaign struct {
	// ID is Telnyx's id. Empty: a new UUID. A shared campaign has none.
	ID string
	// TCRID is The Campaign Registry's id. Empty: a new one like "CSIM002".
	TCRID string
	// BrandID is the brand's Telnyx id; an unknown brand is added.
	// Empty: the first brand. A shared campaign has none.
	BrandID string
	// TCRBrandID is the brand's TCR id. Empty: the brand's.
	TCRBrandID string

	// Status is ACTIVE by default and says nothing about carriers.
	Status string
	// CampaignStatus is the state of the campaign. Empty: TCR_PENDING.
	CampaignStatus telnyx.CampaignStatus
	// FailureReasons is sent unchanged: the OpenAPI description has a string here,
	// customers report an array of objects or null. Nil: the field is left out.
	FailureReasons json.RawMessage
	// TMobileRegistered and TMobileSuspended are the fields
	// isTMobileRegistered and isTMobileSuspended. A campaign that is added as
	// MNO_PROVISIONED is registered.
	TMobileRegistered, TMobileSuspended bool
	// Dormant campaigns fail the first assignment, which reactivates them.
	Dormant bool

	// Usecase is MARKETING by default. A campaign of SOLE_PROPRIETOR takes one number.
	Usecase string
	// ReferenceID is the account's name for the campaign.
	ReferenceID string
	// Mock campaigns take no numbers.
	Mock bool
	// Shared campaigns belong to another account: they are read under
	// partner_campaigns, and have only a TCR id.
	Shared bool
	// NumberPool says that the carriers have a number pool for the campaign, also in
	// the field isTMobileNumberPoolingEnabled.
	NumberPool bool
	// NoRenewal makes autoRenewal false.
	NoRenewal bool
	// RenewalAt is nextRenewalOrExpirationDate. Zero: three months after CreatedAt.
	RenewalAt time.Time
	// MaxNumbers is how many numbers the campaign takes. 0: 1 for a sole proprietor,
	// else the value in [Options].
	MaxNumbers int

	// WebhookURL is where the campaign's events and those of its numbers are
	// posted. Empty: nowhere.
	WebhookURL string
	// WebhookFailoverURL gets every attempt of a delivery after the first.
	// Empty: WebhookURL gets them all.
	WebhookFailoverURL string
	// CreatedAt is now by default.
	CreatedAt time.Time
}

// campaign is a campaign in the account.
type campaign struct {
	Campaign
	seq int
	// reactivating is set while a dormant campaign is being reactivated.
	reactivating bool
}

// AddCampaign adds a campaign, or replaces the one with the same ID (TCRID when
// shared), and returns it with its defaults filled in. No event is sent.
func (s *Simulator) AddCampaign(c Campaign) Campaign {
	s.mu.Lock()
	defer s.mu.Unlock()
	seq := s.next()
	c = s.completeCampaign(c, seq)
	if known := s.findCampaign(c.assignmentID()); known != nil {
		known.Campaign = c
		return c
	}
	s.campaigns = append(s.campaigns, &campaign{Campaign: c, seq: seq})
	return c
}

func (s *Simulator) completeCampaign(c Campaign, seq int) Campaign {
	c.TCRID = orDefault(c.TCRID, fmt.Sprintf("CSIM%03d", seq))
	if c.Shared {
		c.ID, c.BrandID = "", ""
		c.TCRBrandID = orDefault(c.TCRBrandID, "BSHARED")
	} else {
		c.ID = orDefault(c.ID, newID())
		owner := s.ownerOf(c)
		c.BrandID, c.TCRBrandID = owner.ID, orDefault(c.TCRBrandID, owner.TCRID)
	}
	c.Status = orDefault(c.Status, "ACTIVE")
	c.CampaignStatus = orDefault(c.CampaignStatus, telnyx.CampaignTCRPending)
	c.TMobileRegistered = c.TMobileRegistered || c.CampaignStatus == telnyx.CampaignMNOProvisioned
	c.Usecase = orDefault(c.Usecase, "MARKETING")
	c.CreatedAt = orDefault(c.CreatedAt, time.Now())
	c.RenewalAt = orDefault(c.RenewalAt, c.CreatedAt.AddDate(0, 3, 0))
	return c
}

// ownerOf returns the brand of a campaign to add.
func (s *Simulator) ownerOf(c Campaign) *brand {
	if c.BrandID == "" && len(s.brands) > 0 {
		return s.brands[0]
	}
	if known := s.brand(c.BrandID); known != nil {
		return known
	}
	return s.addBrand(Brand{ID: c.BrandID})
}

// Campaign returns the current state of the campaign with the given Telnyx or TCR id, and
// whether there is one.
func (s *Simulator) Campaign(id string) (Campaign, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.anyCampaign(id)
	if c == nil {
		return Campaign{}, false
	}
	return c.Campaign, true
}

// assignmentID is the id that numbers are attached by: the TCR id if the campaign is
// shared, else Telnyx's.
func (c Campaign) assignmentID() string {
	if c.Shared {
		return c.TCRID
	}
	return c.ID
}

// findCampaign finds a campaign by the id that the API uses.
func (s *Simulator) findCampaign(id string) *campaign {
	return find(s.campaigns, func(c *campaign) bool { return c.assignmentID() == id })
}

// anyCampaign finds a campaign by its Telnyx or TCR id. Methods of the simulator accept
// both, the API does not.
func (s *Simulator) anyCampaign(id string) *campaign {
	if c := s.findCampaign(id); c != nil {
		return c
	}
	return find(s.campaigns, func(c *campaign) bool { return c.TCRID == id })
}

func (c Campaign) isSoleProprietor() bool { return c.Usecase == "SOLE_PROPRIETOR" }

// capacity is how many numbers the campaign takes.
func (s *Simulator) capacity(c *campaign) int {
	if c.MaxNumbers > 0 {
		return c.MaxNumbers
	}
	if c.isSoleProprietor() {
		return 1
	}
	return s.options.MaxNumbersPerCampaign
}

const sampleText = "Example: our spring sale starts today. Reply STOP to opt out."

// campaignOperation answers a call about one campaign.
type campaignOperation func(*Simulator, *call, *campaign) answer

// ofOwn is the operation for a path with a campaign of the account.
func ofOwn(op campaignOperation) operation { return ofCampaign(false, op) }

// ofShared is the operation for a path with a campaign shared with the account.
func ofShared(op campaignOperation) operation { return ofCampaign(true, op) }

func ofCampaign(shared bool, op campaignOperation) operation {
	return func(s *Simulator, c *call) answer {
		found := s.findCampaign(c.r.PathValue("campaignId"))
		if found == nil || found.Shared != shared {
			return notFound("Campaign not found")
		}
		return op(s, c, found)
	}
}

// getCampaign is GET /10dlc/campaign/{campaignId}: a bare object.
func getCampaign(s *Simulator, _ *call, found *campaign) answer {
	return s.campaignAnswer(s.campaignRecord(found))
}

// listCampaigns is GET /10dlc/campaign, which requires a brand.
func listCampaigns(s *Simulator, c *call) answer {
	query := c.r.URL.Query()
	brandID := query.Get("brandId")
	if brandID == "" {
		return missingQuery("brandId")
	}
	found := filter(s.campaigns, func(c *campaign) bool { return !c.Shared && c.BrandID == brandID })
	sortBy(found, query.Get("sort"), s.campaignSortKey, (*campaign).order)
	return tendlcList(s, query, 10, found, func(c *campaign) any {
		row := s.campaignRecord(c)
		row["assignedPhoneNumbersCount"] = s.countLive(c)
		return s.campaignRow(row)
	})
}

// getPartnerCampaign is GET /10dlc/partner_campaigns/{campaignId}, keyed by the
// TCR id.
func getPartnerCampaign(s *Simulator, _ *call, found *campaign) answer {
	return s.campaignAnswer(s.partnerRecord(found))
}

// listPartnerCampaigns is GET /10dlc/partner_campaigns.
func listPartnerCampaigns(s *Simulator, c *call) answer {
	query := c.r.URL.Query()
	found := filter(s.campaigns, func(c *campaign) bool { return c.Shared })
	sortBy(found, query.Get("sort"), s.campaignSortKey, (*campaign).order)
	return tendlcList(s, query, 10, found, func(c *campaign) any { return s.campaignRow(s.partnerRecord(c)) })
}

func (c *campaign) order() int { return c.seq }

func (s *Simulator) campaignSortKey(c *campaign, field string) string {
	switch field {
	case "campaignId":
		return c.ID
	case "tcrCampaignId":
		return c.TCRID
	case "tcrBrandId":
		return c.TCRBrandID
	case "status":
		return c.Status
	case "campaignStatus":
		return string(c.CampaignStatus)
	case "assignedPhoneNumbersCount":
		return fmt.Sprintf("%09d", s.countLive(c))
	default:
		return c.CreatedAt.UTC().Format(zoneless)
	}
}

// campaignRecord renders a campaign for GET /10dlc/campaign, with only one of the texts
// that carriers review.
func (s *Simulator) campaignRecord(c *campaign) object {
	fields := object{
		"campaignId": c.ID, "brandId": c.BrandID, "tcrBrandId": c.TCRBrandID, "tcrCampaignId": c.TCRID,
		"cspId": cspID, "brandDisplayName": s.brandName(c), "referenceId": c.ReferenceID,
		"usecase": c.Usecase, "subUsecases": []string{}, "description": "Simulated campaign", "sample1": sampleText,
		"status": c.Status, "campaignStatus": string(c.CampaignStatus), "submissionStatus": submissionStatus(c.CampaignStatus),
		"createDate": c.CreatedAt.UTC().Format(zoneless), "nextRenewalOrExpirationDate": c.RenewalAt.UTC().Format(zoneless),
		"autoRenewal": !c.NoRenewal, "mock": c.Mock, "termsAndConditions": true,
		"subscriberOptin": true, "subscriberOptout": true, "subscriberHelp": true,
		"numberPool": c.NumberPool, "isTMobileNumberPoolingEnabled": c.NumberPool,
		"isTMobileRegistered": c.TMobileRegistered, "isTMobileSuspended": c.TMobileSuspended,
		"webhookURL": c.WebhookURL, "webhookFailoverURL": c.WebhookFailoverURL,
	}
	if c.FailureReasons != nil {
		fields["failureReasons"] = c.FailureReasons
	}
	return fields
}

// partnerRecord renders a campaign for GET /10dlc/partner_campaigns, which has neither
// a status nor a Telnyx id.
func (s *Simulator) partnerRecord(c *campaign) object {
	created := c.CreatedAt.UTC().Format(zoneless)
	fields := object{
		"tcrCampaignId": c.TCRID, "tcrBrandId": c.TCRBrandID, "brandDisplayName": s.brandName(c),
		"campaignStatus": string(c.CampaignStatus), "usecase": c.Usecase, "subUsecases": []string{}, "sample1": sampleText,
		"numberPool": c.NumberPool, "isNumberPoolingEnabled": c.NumberPool, "termsAndConditions": true,
		"webhookURL": c.WebhookURL, "webhookFailoverURL": c.WebhookFailoverURL,
		"assignedPhoneNumbersCount": s.countLive(c), "createdAt": created, "updatedAt": created,
	}
	if c.FailureReasons != nil {
		fields["failureReasons"] = c.FailureReasons
	}
	return fields
}

func (s *Simulator) brandName(c *campaign) string {
	if b := s.brand(c.BrandID); b != nil {
		return b.DisplayName
	}
	return "Example"
}

// submissionStatus says whether The Campaign Registry has the campaign.
func submissionStatus(status telnyx.CampaignStatus) string {
	switch status {
	case telnyx.CampaignTCRPending:
		return "PENDING"
	case telnyx.CampaignTCRFailed:
		return "FAILED"
	default:
		return "CREATED"
	}
}

// cspID is the account's id as a campaign service provider.
const cspID = "CSIMCSP"

// campaignNamed finds a campaign for a method of the simulator.
func (s *Simulator) campaignNamed(id string) (*campaign, error) {
	c := s.anyCampaign(id)
	if c == nil {
		return nil, fmt.Errorf("campaign %s: %w", cmp.Or(id, `""`), ErrUnknown)
	}
	return c, nil
}

// changes are the fields that PUT and PATCH of a campaign change here. A missing field is
// not changed, except autoRenewal.
type changes struct {
	AutoRenewal        *bool   `json:"autoRenewal"`
	WebhookURL         *string `json:"webhookURL"`
	WebhookFailoverURL *string `json:"webhookFailoverURL"`
}

// putCampaign is PUT /10dlc/campaign/{campaignId}. Without autoRenewal it switches renewal
// on, by the default in the OpenAPI description; whether Telnyx does so is not known. A
// rejected campaign goes back to review, as the page on event notifications says.
func putCampaign(s *Simulator, c *call, found *campaign) answer {
	wanted, err := c.changesOf(found)
	if err != nil {
		return unreadableBody()
	}
	found.NoRenewal = wanted.AutoRenewal != nil && !*wanted.AutoRenewal
	switch found.CampaignStatus {
	case telnyx.CampaignTCRFailed, telnyx.CampaignTelnyxFailed, telnyx.CampaignMNORejected, telnyx.CampaignMNOProvisioningFailed:
		s.resubmit(found)
	}
	return s.campaignAnswer(s.campaignRecord(found))
}

// patchPartnerCampaign is PATCH /10dlc/partner_campaigns/{campaignId}, which changes
// nothing but the webhook's addresses.
func patchPartnerCampaign(s *Simulator, c *call, found *campaign) answer {
	if _, err := c.changesOf(found); err != nil {
		return unreadableBody()
	}
	return s.campaignAnswer(s.partnerRecord(found))
}

// changesOf reads the changes to a campaign and makes those of the webhook's addresses.
func (c *call) changesOf(found *campaign) (wanted changes, err error) {
	c.write.CampaignID, c.write.CampaignStatus = found.assignmentID(), found.CampaignStatus
	if err := json.Unmarshal(c.body, &wanted); err != nil {
		return changes{}, err
	}
	c.write.Effective = true
	if wanted.WebhookURL != nil {
		found.WebhookURL = *wanted.WebhookURL
	}
	if wanted.WebhookFailoverURL != nil {
		found.WebhookFailoverURL = *wanted.WebhookFailoverURL
	}
	return wanted, nil
}

// networks are the carrier ids in the OpenAPI description's example. It does not say
// which carriers they are, or how many there are.
var networks = []string{"10017", "10035"}

// getOperationStatus is GET /10dlc/campaign/{campaignId}/operationStatus: each
// carrier's status of the campaign, by network id. The words are those of the
// description's example and of TCR's events. That they follow campaignStatus is a guess:
// Telnyx's pages do not connect the two.
func getOperationStatus(_ *Simulator, _ *call, found *campaign) answer {
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

// getMnoMetadata is GET /10dlc/campaign/{campaignId}/mnoMetadata: each carrier's terms,
// which do not depend on the campaign's state. The names of the carriers are from notes of
// Telnyx customers.
func getMnoMetadata(*Simulator, *call, *campaign) answer {
	reply := object{}
	for i, network := range networks {
		reply[network] = object{
			"mno": []string{"AT&T", "T-Mobile"}[i], "qualify": true, "mnoReview": true, "mnoSupport": true, "minMsgSamples": 1,
			"reqSubscriberHelp": true, "reqSubscriberOptin": true, "reqSubscriberOptout": true,
			"noEmbeddedLink": false, "noEmbeddedPhone": false,
		}
	}
	return ok(reply)
}
