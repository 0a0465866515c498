package telnyx

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// assignmentsPerPage is asked for. Telnyx publishes no maximum for this list and
// may give fewer.
const assignmentsPerPage = 250

// The path is spelled in camel case in one of Telnyx's guides and like this in
// its OpenAPI description, its SDKs and its answer to
// https://github.com/team-telnyx/telnyx-php/issues/97.
const (
	assignmentsRoute = "/10dlc/phone_number_campaigns"
	assignmentRoute  = "/10dlc/phone_number_campaigns/{phoneNumber}"
)

// AssignmentStatus is the field assignmentStatus of a number's record, spelled
// as on the wire. It may be absent (empty), and words that are not listed here
// are kept as told.
type AssignmentStatus string

// The published values of assignmentStatus.
const (
	PendingAssignment   AssignmentStatus = "PENDING_ASSIGNMENT"
	Assigned            AssignmentStatus = "ASSIGNED"
	FailedAssignment    AssignmentStatus = "FAILED_ASSIGNMENT"
	PendingUnassignment AssignmentStatus = "PENDING_UNASSIGNMENT"
	FailedUnassignment  AssignmentStatus = "FAILED_UNASSIGNMENT"
)

// MappingStatus says whether a carrier has the number's mapping to its
// campaign. Empty means that Telnyx did not say.
type MappingStatus string

// The values of a carrier's mapping status.
const (
	MappingAdded   MappingStatus = "ADDED"
	MappingPending MappingStatus = "PENDING"
	MappingFailed  MappingStatus = "FAILED"
)

// Assignment is the record of one number on one campaign, which Telnyx calls a
// phone number campaign. Beside failed ones (FAILED_ASSIGNMENT), which stay in Telnyx's
// list and are no attachments, a number has at most one.
type Assignment struct {
	// PhoneNumber is in E.164 form, as Telnyx told it.
	PhoneNumber string `json:"phoneNumber"`
	// CampaignID is the TCR id when the campaign is shared with us, else the
	// Telnyx id. Use [Assignment.On] to compare.
	CampaignID       string           `json:"campaignId"`
	TelnyxCampaignID CampaignID       `json:"telnyxCampaignId"`
	TCRCampaignID    TCRCampaignID    `json:"tcrCampaignId"`
	BrandID          string           `json:"brandId"`
	TCRBrandID       string           `json:"tcrBrandId"`
	AssignmentStatus AssignmentStatus `json:"assignmentStatus"`
	// TMobile, NonTMobile and ATT are the carriers' mappings. The first two are
	// in Telnyx's Go SDK of 2026, the third was seen in field reports only.
	TMobile    MappingStatus `json:"tmobileNumberMappingStatus"`
	NonTMobile MappingStatus `json:"nonTmobileNumberMappingStatus"`
	ATT        MappingStatus `json:"attNumberMappingStatus"`
	// FailureReasons and Errors are kept raw because their types vary: strings,
	// objects and null were all seen. Errors can stand, as a plain string, in an
	// answer with status 200.
	FailureReasons json.RawMessage `json:"failureReasons,omitempty"`
	Errors         json.RawMessage `json:"errors,omitempty"`
	// CreatedAt and UpdatedAt come without a zone; see [Time].
	CreatedAt Time `json:"createdAt"`
	UpdatedAt Time `json:"updatedAt"`
}

// On reports whether the record is on the given campaign, under whichever of
// the campaign's ids the record names it.
func (a Assignment) On(c Campaign) bool {
	if c.CampaignID != "" && (a.CampaignID == string(c.CampaignID) || a.TelnyxCampaignID == c.CampaignID) {
		return true
	}
	return c.TCRCampaignID != "" && (a.CampaignID == string(c.TCRCampaignID) || a.TCRCampaignID == c.TCRCampaignID)
}

// Mappings returns the carrier mappings that Telnyx told, in a fixed order.
func (a Assignment) Mappings() []MappingStatus {
	var told []MappingStatus
	for _, m := range []MappingStatus{a.TMobile, a.NonTMobile, a.ATT} {
		if m != "" {
			told = append(told, m)
		}
	}
	return told
}

// Sendable reports whether carriers let messages from the number through: it
// is ASSIGNED, at least one carrier mapping is known, and every known one is
// ADDED. Telnyx states no rule; this is the strictest of the four seen in use.
func (a Assignment) Sendable() bool {
	if a.AssignmentStatus != Assigned {
		return false
	}
	told := a.Mappings()
	for _, m := range told {
		if m != MappingAdded {
			return false
		}
	}
	return len(told) > 0
}

// AssignmentFilter narrows a list of assignments. The zero value asks for the
// whole account's.
//
// Telnyx ignores a filter that it does not know and then returns everything, so
// check each row with [Assignment.On].
type AssignmentFilter struct {
	CampaignID    CampaignID
	TCRCampaignID TCRCampaignID
}

// AssignmentPage is one page of a list of assignments.
type AssignmentPage struct {
	Records []Assignment
	// Page is the page that was asked for, from 1.
	Page int
	// TotalRecords is how many there are on all pages, by Telnyx's count.
	TotalRecords int
}

// Assignment reads the record of one number. [IsNotFound] recognises the error
// for a number that is on no campaign. phoneNumber is in E.164 form.
//
// https://developers.telnyx.com/api-reference/phone-number-campaigns/get-single-phone-number-campaign
func (c *Client) Assignment(ctx context.Context, phoneNumber string) (Assignment, error) {
	a, err := call(ctx, c, get(assignmentRoute, phoneNumber), isAssignmentOf(phoneNumber))
	return a, annotate(err, "read the assignment of %s", phoneNumber)
}

// Assignments lists all assignments that the filter lets through, by number.
// A number may have several records, of which one at most is no failed one.
//
// https://developers.telnyx.com/api-reference/phone-number-campaigns/list-phone-number-campaigns
func (c *Client) Assignments(ctx context.Context, filter AssignmentFilter) ([]Assignment, error) {
	rows, err := list(ctx, c, filter.request(), pageParam, Assignment.key)
	return rows, annotate(err, "list the assignments of %s", filter.about())
}

// AssignmentsPage reads one page, from 1, of at most 250 rows. Its first page
// tells what reading all of them would cost.
func (c *Client) AssignmentsPage(ctx context.Context, filter AssignmentFilter, number int) (AssignmentPage, error) {
	if number < 1 {
		return AssignmentPage{}, annotate(ErrInvalidArgument, "list assignments, page %s", strconv.Itoa(number))
	}
	p, err := readPage[Assignment](ctx, c, filter.request(), pageParam, number)
	if err != nil {
		return AssignmentPage{}, annotate(err, "list the assignments of %s, page %s", filter.about(), strconv.Itoa(number))
	}
	return AssignmentPage{Records: p.rows, Page: number, TotalRecords: p.total}, nil
}

// Assign attaches a number that is on no campaign: read its record first. It
// returns when Telnyx has accepted the order, usually as PENDING_ASSIGNMENT; the
// carriers take from minutes to days. campaignID is [Campaign.AssignmentID].
// The record may hold a complaint in Errors although Telnyx answered 200.
//
// https://developers.telnyx.com/api-reference/phone-number-campaigns/create-new-phone-number-campaign
func (c *Client) Assign(ctx context.Context, phoneNumber, campaignID string) (Assignment, error) {
	a, err := c.order(ctx, http.MethodPost, assignmentsRoute, phoneNumber, campaignID)
	return a, annotate(err, "assign %s to campaign %s", phoneNumber, campaignID)
}

// Reassign moves a number to a campaign, away from the one that it is on, which
// the record may go on naming for a while. It asks nobody: a number without a
// record may get one by it.
//
// https://developers.telnyx.com/api-reference/phone-number-campaigns/update-phone-number-campaign
func (c *Client) Reassign(ctx context.Context, phoneNumber, campaignID string) (Assignment, error) {
	a, err := c.order(ctx, http.MethodPut, assignmentRoute, phoneNumber, campaignID)
	return a, annotate(err, "move %s to campaign %s", phoneNumber, campaignID)
}

// order sends a number and a campaign; POST and PUT have the same body.
func (c *Client) order(ctx context.Context, method, route, phoneNumber, campaignID string) (Assignment, error) {
	if phoneNumber == "" || campaignID == "" {
		return Assignment{}, ErrInvalidArgument
	}
	r := request{method: method, route: route, body: struct {
		PhoneNumber string `json:"phoneNumber"`
		CampaignID  string `json:"campaignId"`
	}{phoneNumber, campaignID}}
	if route == assignmentRoute {
		r.args = []string{phoneNumber}
	}
	return call(ctx, c, r, isAssignmentOf(phoneNumber))
}

// about names what is listed, for errors.
func (f AssignmentFilter) about() string {
	if id := cmp.Or(string(f.CampaignID), string(f.TCRCampaignID)); id != "" {
		return "campaign " + id
	}
	return "the account"
}

// request asks for the list by number: its default order is the newest first, so
// that rows would move while numbers are being attached.
func (f AssignmentFilter) request() request {
	r := get(assignmentsRoute)
	r.query = url.Values{"recordsPerPage": {strconv.Itoa(assignmentsPerPage)}, "sort": {"phoneNumber"}}
	if f.CampaignID != "" {
		r.query.Set("filter[telnyx_campaign_id]", string(f.CampaignID))
	}
	if f.TCRCampaignID != "" {
		r.query.Set("filter[tcr_campaign_id]", string(f.TCRCampaignID))
	}
	return r
}

// isAssignmentOf refuses an answer that is about another number than the one
// that was asked for: deciding by it could attach a number that is in use.
func isAssignmentOf(phoneNumber string) check[Assignment] {
	return func(a Assignment) error {
		if a.PhoneNumber != phoneNumber {
			return fmt.Errorf("it is about %q", oneLine(a.PhoneNumber, maxIDText))
		}
		return nil
	}
}

// key keeps records of one number on one campaign apart, since failed ones stay.
func (a Assignment) key() string {
	return a.PhoneNumber + " " + a.CampaignID + " " + a.CreatedAt.Text
}
