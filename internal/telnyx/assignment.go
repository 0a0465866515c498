package telnyx

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// AssignmentStatus is the field assignmentStatus of a number's record, in upper
// case with underscores however Telnyx spells it. It may be absent (empty), and
// words that are not listed here are kept.
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
// list and do not attach it, a number has at most one.
type Assignment struct {
	// PhoneNumber is in E.164 form; see [CanonicalNumber].
	PhoneNumber string `json:"phoneNumber" as:"number"`
	// CampaignID is the TCR id when the campaign is shared with us, else the
	// Telnyx id. Use [Assignment.On] to compare.
	CampaignID       string           `json:"campaignId"`
	TelnyxCampaignID CampaignID       `json:"telnyxCampaignId"`
	TCRCampaignID    TCRCampaignID    `json:"tcrCampaignId"`
	AssignmentStatus AssignmentStatus `json:"assignmentStatus" or:"status" as:"word"`
	// TMobile, NonTMobile and ATT are the carriers' mappings. The first two are
	// in Telnyx's Go SDK of 2026, the third was seen in field reports only.
	TMobile    MappingStatus `json:"tmobileNumberMappingStatus" as:"word"`
	NonTMobile MappingStatus `json:"nonTmobileNumberMappingStatus" as:"word"`
	ATT        MappingStatus `json:"attNumberMappingStatus" as:"word"`
	// FailureReasons and Errors are kept raw because their types vary: strings,
	// objects and null were all seen. Errors can be a plain string in an
	// answer with status 200.
	FailureReasons json.RawMessage `json:"failureReasons,omitempty"`
	Errors         json.RawMessage `json:"errors,omitempty"`
	// CreatedAt and UpdatedAt come without a zone; see [Time].
	CreatedAt Time `json:"createdAt"`
	UpdatedAt Time `json:"updatedAt"`
}

// UnmarshalJSON decodes a record with keys in camel case or snake case. The guide
// to assigning numbers has status where the OpenAPI description has
// assignmentStatus; either is taken.
func (a *Assignment) UnmarshalJSON(data []byte) error {
	*a = Assignment{}
	return decodeRecord(data, a)
}

// FailureText is what the record says in words about a failure, under errors and, if
// the assignment failed, under failureReasons, in any shape; empty if it says nothing.
// Reasons of an earlier failure stay in healthy records.
func (a Assignment) FailureText() string {
	faults, reasons := failureText(a.Errors), ""
	if a.AssignmentStatus == FailedAssignment || a.AssignmentStatus == FailedUnassignment {
		reasons = failureText(a.FailureReasons)
	}
	switch {
	case reasons == "" || strings.Contains(faults, reasons):
		return faults
	case faults == "" || strings.Contains(reasons, faults):
		return reasons
	}
	return oneLine(reasons+"; "+faults, maxReasonText)
}

// failureText is the text of a field unless it only says that there is no failure.
func failureText(raw json.RawMessage) string {
	text := ReasonText(raw)
	switch strings.ToLower(text) {
	case "false", "0", "null", "none", "[]", "{}":
		return ""
	}
	return text
}

// On reports whether the record is on the given campaign, by any of the campaign's ids,
// in upper or lower case.
func (a Assignment) On(c Campaign) bool {
	for _, id := range []string{string(c.CampaignID), string(c.TCRCampaignID)} {
		if id == "" {
			continue
		}
		for _, named := range []string{a.CampaignID, string(a.TelnyxCampaignID), string(a.TCRCampaignID)} {
			if strings.EqualFold(id, named) {
				return true
			}
		}
	}
	return false
}

// Mappings returns the carrier mappings that Telnyx gives, in a fixed order.
func (a Assignment) Mappings() []MappingStatus {
	given := []MappingStatus{a.TMobile, a.NonTMobile, a.ATT}
	return slices.DeleteFunc(given, func(m MappingStatus) bool { return m == "" })
}

// Sendable reports whether carriers let messages from the number through: it
// is ASSIGNED, at least one carrier mapping is known, and every known one is
// ADDED. Telnyx states no rule; this is the strictest of the four seen in use.
func (a Assignment) Sendable() bool {
	given := a.Mappings()
	isOther := func(m MappingStatus) bool { return m != MappingAdded }
	return a.AssignmentStatus == Assigned && len(given) > 0 && !slices.ContainsFunc(given, isOther)
}

// Assignment reads the record of one number. [IsNotFound] recognizes the error
// for a number that is on no campaign. phoneNumber is in E.164 form.
//
// A 404 means something only under a path that exists, so the first call of a
// process reads a page of the list before.
//
// https://developers.telnyx.com/api-reference/phone-number-campaigns/get-single-phone-number-campaign
func (c *Client) Assignment(ctx context.Context, phoneNumber string) (Assignment, error) {
	route, err := c.provenRoute(ctx)
	if err != nil {
		return Assignment{}, annotate(err, "read the assignment of %s", phoneNumber)
	}
	a, err := callOne(ctx, c, get(route+"/{phoneNumber}", phoneNumber), isAssignmentOf(phoneNumber))
	return a, annotate(err, "read the assignment of %s", phoneNumber)
}

// Assign attaches a number that is on no campaign: read its record first. It
// returns when Telnyx has accepted the request, usually as PENDING_ASSIGNMENT; the
// carriers take from minutes to days. campaignID is [Campaign.AssignmentID].
// The record may hold a complaint in Errors although Telnyx answered 200.
//
// https://developers.telnyx.com/api-reference/phone-number-campaigns/create-new-phone-number-campaign
func (c *Client) Assign(ctx context.Context, phoneNumber, campaignID string) (Assignment, error) {
	a, err := c.write(ctx, http.MethodPost, "", phoneNumber, campaignID)
	return a, annotate(err, "assign %s to campaign %s", phoneNumber, campaignID)
}

// Reassign moves a number to a campaign, away from the one that it is on. The record may
// show the old campaign for a while. Telnyx does not ask for confirmation, and a number
// without a record may get one.
//
// https://developers.telnyx.com/api-reference/phone-number-campaigns/update-phone-number-campaign
func (c *Client) Reassign(ctx context.Context, phoneNumber, campaignID string) (Assignment, error) {
	a, err := c.write(ctx, http.MethodPut, "/{phoneNumber}", phoneNumber, campaignID)
	return a, annotate(err, "move %s to campaign %s", phoneNumber, campaignID)
}

// Unassign takes a number off its campaign. It returns when Telnyx has accepted
// the request, usually with the record as PENDING_UNASSIGNMENT. An answer
// without a record gives an Assignment with the number alone.
//
// https://developers.telnyx.com/api-reference/phone-number-campaigns/delete-phone-number-campaign
func (c *Client) Unassign(ctx context.Context, phoneNumber string) (Assignment, error) {
	route, exists := c.assignmentRoute()
	r := request{method: http.MethodDelete, route: route + "/{phoneNumber}", arg: phoneNumber}
	a, err := callOne(ctx, c, r, func(a Assignment) error {
		if a.PhoneNumber == "" {
			return nil
		}
		return isAssignmentOf(phoneNumber)(a)
	})
	if err == nil {
		a.PhoneNumber = phoneNumber
	}
	return a, annotate(doubtRoute(err, exists), "take %s off its campaign", phoneNumber)
}

// write sends a number and a campaign, once; POST and PUT have the same body. It never
// reads first: nothing may come between its caller's last read and the write, and that
// read has found the route.
func (c *Client) write(ctx context.Context, method, under, phoneNumber, campaignID string) (Assignment, error) {
	if phoneNumber == "" || campaignID == "" {
		return Assignment{}, ErrInvalidArgument
	}
	route, exists := c.assignmentRoute()
	r := request{method: method, route: route + under, body: struct {
		PhoneNumber string `json:"phoneNumber"`
		CampaignID  string `json:"campaignId"`
	}{phoneNumber, campaignID}}
	if under != "" {
		r.arg = phoneNumber
	}
	a, err := callOne(ctx, c, r, isAssignmentOf(phoneNumber))
	return a, doubtRoute(err, exists)
}

// isAssignmentOf refuses an answer that is about another number than the one
// that was asked for: deciding by it could attach a number that is in use.
func isAssignmentOf(phoneNumber string) check[Assignment] {
	return func(a Assignment) error {
		if a.PhoneNumber != CanonicalNumber(phoneNumber) {
			return fmt.Errorf("it is about %q", oneLine(a.PhoneNumber, maxIDText))
		}
		return nil
	}
}
