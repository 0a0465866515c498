package telnyx

import "encoding/json"

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
	MappingDeleted MappingStatus = "DELETED"
)

// Assignment is the record of one number on one campaign, which Telnyx calls a
// phone number campaign. A number has at most one.
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
