package telnyx

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
)

// campaignsPerPage is the most that Telnyx gives for brands and campaigns.
const campaignsPerPage = 500

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

// Campaign reads one of the account's own campaigns. [IsNotFound] recognises the
// error for one that Telnyx does not know. A campaign that was filed anew has a
// new id; the old id goes on answering, as expired.
//
// OpenAPI: GET /10dlc/campaign/{campaignId}
func (c *Client) Campaign(ctx context.Context, id CampaignID) (Campaign, error) {
	campaign, err := call(ctx, c, get("/10dlc/campaign/{id}", string(id)), func(answer Campaign) error {
		return isAbout(string(id), string(answer.CampaignID))
	})
	return campaign, annotate(err, "read campaign %s", string(id))
}

// PartnerCampaign reads a campaign that another account shares with this one,
// and sets its field Shared.
//
// OpenAPI: GET /10dlc/partner_campaigns/{campaignId}
func (c *Client) PartnerCampaign(ctx context.Context, id TCRCampaignID) (Campaign, error) {
	campaign, err := call(ctx, c, get("/10dlc/partner_campaigns/{id}", string(id)), func(answer Campaign) error {
		return isAbout(string(id), string(answer.TCRCampaignID))
	})
	campaign.Shared = err == nil
	return campaign, annotate(err, "read shared campaign %s", string(id))
}

// Campaigns lists all campaigns of a brand, the oldest first. brandID is
// Telnyx's id of the brand; the API lists no campaigns without one.
//
// OpenAPI: GET /10dlc/campaign
func (c *Client) Campaigns(ctx context.Context, brandID string) ([]Campaign, error) {
	if brandID == "" {
		return nil, annotate(ErrInvalidArgument, "list campaigns without a brand id")
	}
	r := get("/10dlc/campaign")
	r.query = oldestFirst()
	r.query.Set("brandId", brandID)
	campaigns, err := list(ctx, c, r, pageParam, Campaign.key)
	return campaigns, annotate(err, "list campaigns of brand %s", brandID)
}

// CampaignsPage reads one page, from 1, of at most 500 of a brand's campaigns, the
// oldest first, and tells how many there are on all pages by Telnyx's count. Its
// first page tells what reading all of them would cost.
func (c *Client) CampaignsPage(ctx context.Context, brandID string, number int) (rows []Campaign, total int, err error) {
	if brandID == "" || number < 1 {
		return nil, 0, annotate(ErrInvalidArgument, "list campaigns of brand %s, page %s", brandID, strconv.Itoa(number))
	}
	r := get("/10dlc/campaign")
	r.query = oldestFirst()
	r.query.Set("brandId", brandID)
	p, err := readPage[Campaign](ctx, c, r, pageParam, number)
	return p.rows, p.total, annotate(err, "list campaigns of brand %s, page %s", brandID, strconv.Itoa(number))
}

// isAbout refuses an answer that is about another campaign than the one that was
// asked for, or about none, such as {}: numbers are attached by what it says.
func isAbout(asked, told string) error {
	if asked != told {
		return fmt.Errorf("it is about campaign %q", oneLine(told, maxIDText))
	}
	return nil
}

func (c Campaign) key() string { return string(c.CampaignID) + " " + string(c.TCRCampaignID) }

// oldestFirst asks for big pages in an order in which new rows come last, so
// that they move no others from page to page.
func oldestFirst() url.Values {
	return url.Values{"recordsPerPage": {strconv.Itoa(campaignsPerPage)}, "sort": {"createdAt"}}
}
