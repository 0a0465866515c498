package telnyx

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// campaignPagings list brands and campaigns so that new rows come last, and move no others
// from page to page. 500 is the most that Telnyx gives.
func campaignPagings(route string) []paging {
	return pagingsOf([]string{route}, []pageNames{names10DLC, namesV2, namesPlain}, "sort=createdAt", 500, 250, 100, 50, 20)
}

// CampaignStatus is the field campaignStatus of a campaign, in upper case with
// underscores however Telnyx spells it. Words that are not listed here are kept.
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

// StatusExpired is the only useful value of a campaign's field status. The other published
// one, ACTIVE, is set from the start and says nothing about the carriers.
const StatusExpired = "EXPIRED"

// Campaign is what Greenlight reads of a campaign; the texts that the carriers
// review are left out. The zero value names none.
type Campaign struct {
	CampaignID    CampaignID    `json:"campaignId"`
	TCRCampaignID TCRCampaignID `json:"tcrCampaignId"`
	BrandID       string        `json:"brandId"`
	// ReferenceID is the caller's own id, given when the campaign was filed.
	ReferenceID string `json:"referenceId"`
	Usecase     string `json:"usecase"`
	// Status is ACTIVE from the start and must not be read as approval.
	Status         string         `json:"status" as:"word"`
	CampaignStatus CampaignStatus `json:"campaignStatus" as:"word"`
	// Mock campaigns are for tests; they cannot carry numbers.
	Mock               bool `json:"mock"`
	IsTMobileSuspended bool `json:"isTMobileSuspended"`
	// IsTMobileNumberPoolingEnabled is about more than 49 numbers on one campaign. It is
	// nil if the record does not say.
	IsTMobileNumberPoolingEnabled *bool `json:"isTMobileNumberPoolingEnabled,omitempty"`
	// FailureReasons is a string in the OpenAPI description and an array or
	// null in the field; it stays behind after a resubmission. Show it, never
	// decide on it.
	FailureReasons json.RawMessage `json:"failureReasons,omitempty"`
	// WebhookURL and WebhookFailoverURL are where Telnyx posts the campaign's events.
	WebhookURL         string `json:"webhookURL"`
	WebhookFailoverURL string `json:"webhookFailoverURL,omitempty"`
	// AutoRenewal is nil if the record does not say.
	AutoRenewal *bool `json:"autoRenewal,omitempty"`
	// RenewsOrEnds is when the campaign is renewed, or when it ends without AutoRenewal.
	RenewsOrEnds Time `json:"nextRenewalOrExpirationDate"`

	// Shared says that the campaign belongs to another account and was read
	// under partner_campaigns. It has a TCR id and no Telnyx id.
	Shared bool `json:"-"`
}

// UnmarshalJSON decodes a record with keys in camel case or snake case.
func (c *Campaign) UnmarshalJSON(data []byte) error {
	*c = Campaign{}
	return decodeRecord(data, c)
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

// Campaign reads one of the account's own campaigns. [IsNotFound] recognizes the
// error for one that Telnyx does not know. A campaign that was filed anew has a
// new id; the old id still answers, as expired.
//
// OpenAPI: GET /10dlc/campaign/{campaignId}
func (c *Client) Campaign(ctx context.Context, id CampaignID) (Campaign, error) {
	campaign, err := callOne(ctx, c, get("/10dlc/campaign/{id}", string(id)), func(answer Campaign) error {
		return isAbout(string(id), string(answer.CampaignID))
	})
	return campaign, annotate(err, "read campaign %s", string(id))
}

// PartnerCampaign reads a campaign that another account shares with this one,
// and sets its field Shared.
//
// OpenAPI: GET /10dlc/partner_campaigns/{campaignId}
func (c *Client) PartnerCampaign(ctx context.Context, id TCRCampaignID) (Campaign, error) {
	campaign, err := callOne(ctx, c, get("/10dlc/partner_campaigns/{id}", string(id)), func(answer Campaign) error {
		return isAbout(string(id), string(answer.TCRCampaignID))
	})
	campaign.Shared = err == nil
	return campaign, annotate(err, "read shared campaign %s", string(id))
}

// CampaignUpdate is what [Client.UpdateCampaign] sets.
type CampaignUpdate struct {
	// AutoRenewal is always sent, since a call without it may switch renewal on: that is
	// its default in the OpenAPI description. Set it to what was read.
	AutoRenewal bool `json:"autoRenewal"`
	WebhookURLs
}

// WebhookURLs are the addresses to which Telnyx posts a campaign's events. Empty ones are
// not changed.
type WebhookURLs struct {
	WebhookURL         string `json:"webhookURL,omitempty"`
	WebhookFailoverURL string `json:"webhookFailoverURL,omitempty"`
}

// UpdateCampaign changes one of the account's own campaigns, and returns it. A rejected
// campaign goes back to review with it: read the campaign before.
//
// OpenAPI: PUT /10dlc/campaign/{campaignId}
func (c *Client) UpdateCampaign(ctx context.Context, id CampaignID, update CampaignUpdate) (Campaign, error) {
	r := request{method: http.MethodPut, route: "/10dlc/campaign/{id}", arg: string(id), body: update}
	campaign, err := callOne(ctx, c, r, func(answer Campaign) error { return isAbout(string(id), string(answer.CampaignID)) })
	return campaign, annotate(err, "update campaign %s", string(id))
}

// UpdatePartnerCampaign changes the addresses of a campaign that another account shares
// with this one, and returns it.
//
// OpenAPI: PATCH /10dlc/partner_campaigns/{campaignId}
func (c *Client) UpdatePartnerCampaign(ctx context.Context, id TCRCampaignID, urls WebhookURLs) (Campaign, error) {
	r := request{method: http.MethodPatch, route: "/10dlc/partner_campaigns/{id}", arg: string(id), body: urls}
	campaign, err := callOne(ctx, c, r, func(answer Campaign) error { return isAbout(string(id), string(answer.TCRCampaignID)) })
	campaign.Shared = err == nil
	return campaign, annotate(err, "update shared campaign %s", string(id))
}

// OperationStatus reads each carrier's status of one of the account's own campaigns, by
// network id: "APPROVED", "REVIEW", "REJECTED" or "SUSPENDED", or another word.
//
// OpenAPI: GET /10dlc/campaign/{campaignId}/operationStatus
func (c *Client) OperationStatus(ctx context.Context, id CampaignID) (map[string]string, error) {
	r := get("/10dlc/campaign/{id}/operationStatus", string(id))
	states, err := callOne(ctx, c, r, func(map[string]string) error { return nil })
	return states, annotate(err, "read the carriers' status of campaign %s", string(id))
}

// Campaigns lists all campaigns of a brand, the oldest first. brandID is
// Telnyx's id of the brand; the API lists no campaigns without one. Only a complete list
// shows that a campaign is not there.
//
// OpenAPI: GET /10dlc/campaign
func (c *Client) Campaigns(ctx context.Context, brandID string) (Rows[Campaign], error) {
	if brandID == "" {
		return Rows[Campaign]{}, annotate(ErrInvalidArgument, "list campaigns without a brand id")
	}
	campaigns, err := list(ctx, c, campaignList(brandID))
	return campaigns, annotate(err, "list campaigns of brand %s", brandID)
}

// CampaignsPage reads one page, from 1, of at most 500 of a brand's campaigns, the
// oldest first, and returns how many there are on all pages by Telnyx's count, zero
// if it gives none. Its first page shows what reading all of them would cost.
func (c *Client) CampaignsPage(ctx context.Context, brandID string, number int) (rows []Campaign, total int, err error) {
	if brandID == "" || number < 1 {
		return nil, 0, annotate(ErrInvalidArgument, "list campaigns of brand %s, page %s", brandID, strconv.Itoa(number))
	}
	rows, total, err = onePage(ctx, c, campaignList(brandID), number)
	return rows, total, annotate(err, "list campaigns of brand %s, page %s", brandID, strconv.Itoa(number))
}

// PartnerCampaigns lists all campaigns that other accounts share with this one, the oldest
// first, and sets their field Shared. Only a complete list shows that a campaign is not
// there.
//
// OpenAPI: GET /10dlc/partner_campaigns
func (c *Client) PartnerCampaigns(ctx context.Context) (Rows[Campaign], error) {
	campaigns, err := list(ctx, c, listing[Campaign]{pagings: campaignPagings("/10dlc/partner_campaigns"), key: campaignKey})
	for i := range campaigns.All {
		campaigns.All[i].Shared = true
	}
	return campaigns, annotate(err, "list shared campaigns")
}

func campaignList(brandID string) listing[Campaign] {
	return listing[Campaign]{
		pagings: campaignPagings("/10dlc/campaign"), query: url.Values{"brandId": {brandID}}, key: campaignKey,
	}
}

func campaignKey(c *Campaign) string {
	if c.CampaignID == "" {
		return string(c.TCRCampaignID)
	}
	return string(c.CampaignID)
}

// isAbout refuses an answer about another campaign than the requested one, or about none,
// for example {}: numbers are attached by what it says.
func isAbout(asked, named string) error {
	if !strings.EqualFold(asked, named) {
		return fmt.Errorf("it is about campaign %q", oneLine(named, maxIDText))
	}
	return nil
}
