package telnyxsim

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"

	"greenlight/internal/telnyx"
)

// Messages of the aggregator behind Telnyx, which Telnyx passes on in the field errors. Syniverse publishes them at
// https://sdcdocumentation.syniverse.com/index.php/10-dlc/getting-started/ess-notifications-and-http-error-codes
const (
	textOtherCampaign = "Longcode cannot be added/deleted as it is already associated with another campaign."
	textCampaignFull  = "Longcode cannot be added to campaign. Limit exceeded"
	textNotDeployed   = "Longcode cannot be added/deleted as Campaign is not Deployed."
)

// textSoleProprietor is Telnyx's, from
// https://developers.telnyx.com/docs/messaging/10dlc/sole-proprietor.
const textSoleProprietor = "Sole Proprietor campaigns can only have one phone number assigned"

// textDormant is why the assignment that reactivates a campaign fails.
const textDormant = "Campaign is dormant and is being reactivated. Please try again later."

var e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// pair is the body of POST and PUT.
type pair struct {
	PhoneNumber string `json:"phoneNumber"`
	CampaignID  string `json:"campaignId"`
}

// assign is POST /10dlc/phone_number_campaigns. What it does with a number that
// already has a record:
//
//	PENDING_UNASSIGNMENT            refuse with 10036
//	live on this campaign           answer with the unchanged record ([Dialect].RefuseRepeats: 400, 10012)
//	live on another campaign        answer 200 with an errors string ([Dialect].RefuseConflicts: 400)
//	FAILED_ASSIGNMENT on any        start again
//
// The statuses of its refusals are guesses, because Telnyx publishes none.
func assign(s *Simulator, c *call) answer {
	wanted, campaign, refused := s.readPair(c)
	if refused != nil {
		return *refused
	}
	if s.beingRemoved(wanted.PhoneNumber) {
		return beingProcessed("The phone number is being removed from its campaign")
	}
	if r := s.records[wanted.PhoneNumber]; r.live() {
		return s.answerAttached(r, campaign)
	}
	reply := s.attach(c, wanted.PhoneNumber, campaign, s.newLag())
	if s.options.Dialect.Created && reply.status == http.StatusOK {
		reply.status = http.StatusCreated
	}
	return reply
}

// beingRemoved reports whether a number is leaving its campaign, or left it so recently
// that it cannot be attached yet.
func (s *Simulator) beingRemoved(phoneNumber string) bool {
	r := s.records[phoneNumber]
	if r != nil && r.status == telnyx.PendingUnassignment {
		return true
	}
	return time.Now().Before(s.reattach[phoneNumber])
}

// reassign is PUT /10dlc/phone_number_campaigns/{phoneNumber}, which attaches
// and moves: a number on another campaign is silently taken from it, and for a while reads
// still show the old campaign. [Dialect].RefuseMoves and RefuseUpserts change that.
func reassign(s *Simulator, c *call) answer {
	wanted, campaign, refused := s.readPair(c)
	if refused != nil {
		return *refused
	}
	if wanted.PhoneNumber != c.r.PathValue("phoneNumber") {
		return badParameter("The phone number of the path and that of the body differ", "/phoneNumber")
	}
	if s.beingRemoved(wanted.PhoneNumber) {
		return beingProcessed("The phone number is being removed from its campaign")
	}
	old := s.records[wanted.PhoneNumber]
	switch {
	case old.live() && old.campaign == campaign:
		return ok(s.assignment(old.wire()))
	case old.live() && s.options.Dialect.RefuseMoves:
		return onOtherCampaign()
	case !old.live() && s.options.Dialect.RefuseUpserts:
		return notFound("Phone number campaign not found")
	}
	return s.attach(c, wanted.PhoneNumber, campaign, s.moveLag(old))
}

// unassign is DELETE /10dlc/phone_number_campaigns/{phoneNumber}. It answers
// with the record and continues in the background.
func unassign(s *Simulator, c *call) answer {
	r := s.records[c.r.PathValue("phoneNumber")]
	c.noteCampaign(r)
	if r == nil {
		return notFound("Phone number campaign not found")
	}
	if r.status != telnyx.PendingUnassignment {
		c.write.Effective = true
		s.beginRemoval(r)
	}
	return ok(s.assignment(r.wire()))
}

// readPair reads the body of a POST or PUT, and refuses numbers and campaigns that cannot
// be attached.
func (s *Simulator) readPair(c *call) (pair, *campaign, *answer) {
	var wanted pair
	if json.Unmarshal(c.body, &wanted) != nil {
		return wanted, nil, new(unreadableBody())
	}
	c.write.notePrevious(s.records[wanted.PhoneNumber])
	found := s.findCampaign(wanted.CampaignID)
	if found != nil {
		c.write.CampaignStatus = found.CampaignStatus
	}
	if refused := s.refuseNumber(wanted.PhoneNumber); refused != nil {
		return wanted, nil, refused
	}
	if wanted.CampaignID == "" {
		return wanted, nil, new(missingField("campaignId"))
	}
	if found == nil {
		return wanted, nil, new(notFoundAt("Campaign not found", "/campaignId").as(CampaignMissing))
	}
	return wanted, found, s.refuseCampaign(found)
}

// refuseNumber returns the refusal of a number that cannot be on any campaign.
func (s *Simulator) refuseNumber(phoneNumber string) *answer {
	if phoneNumber == "" {
		return new(missingField("phoneNumber"))
	}
	if !e164.MatchString(phoneNumber) {
		return new(refuse(http.StatusBadRequest, codeNotE164, "Phone number must be in +E.164 format",
			"Received "+phoneNumber, "/phoneNumber"))
	}
	n := s.findNumber(phoneNumber)
	switch {
	case n == nil:
		return new(notFoundAt("Phone number not found in this account", "/phoneNumber").as(NotOwned))
	case !n.isActive():
		return new(refuse(http.StatusBadRequest, codeInactiveNumber, "Inactive phone number",
			"The phone number is not active", "/phoneNumber").as(NotActive))
	case !n.Type.IsLongCode():
		return new(badParameter("Only long codes can be assigned to a 10DLC campaign", "/phoneNumber").as(NotLongCode))
	case n.MessagingProfileID == "":
		return new(badParameter("The phone number is not assigned to a messaging profile", "/phoneNumber").as(NoProfile))
	}
	return nil
}

// refuseCampaign returns the refusal of a campaign that does not accept numbers now. A
// dormant one accepts them: an assignment reactivates it.
func (s *Simulator) refuseCampaign(c *campaign) *answer {
	if c.Mock {
		return new(badParameter("Phone numbers cannot be assigned to a mock campaign", "/campaignId").as(CampaignMock))
	}
	if c.CampaignStatus != telnyx.CampaignMNOProvisioned && !c.Dormant {
		return new(beingProcessed(textNotDeployed).as(CampaignInactive))
	}
	return nil
}

// answerAttached answers a POST for a number that is already on a campaign, and changes
// nothing.
func (s *Simulator) answerAttached(r *record, wanted *campaign) answer {
	switch {
	case r.campaign == wanted && s.options.Dialect.RefuseRepeats:
		return refuse(http.StatusBadRequest, codeDuplicate, "Duplicate resource",
			"The phone number is already assigned to this campaign", "/phoneNumber").as(SameCampaign)
	case r.campaign == wanted:
		return ok(s.assignment(r.wire()))
	case s.options.Dialect.RefuseConflicts:
		return onOtherCampaign()
	}
	return ok(s.assignment(refusedByAggregator(r, wanted)))
}

// onOtherCampaign refuses a number that is on another campaign.
func onOtherCampaign() answer {
	return badParameter(textOtherCampaign, "/phoneNumber").as(OtherCampaign)
}

// refusedByAggregator is the record of an assignment that Telnyx accepted and the
// aggregator refused, as customers report it: status 200, failureReasons null and the
// reason in errors.
func refusedByAggregator(r *record, wanted *campaign) object {
	refused := newRecord(r.number, wanted, telnyx.PendingAssignment)
	refused.mappings = mappingsOf(telnyx.FailedAssignment)
	reply := refused.wire()
	reply["failureReasons"], reply["errors"] = nil, textOtherCampaign
	return reply
}

// attach starts an assignment if the campaign admits it.
func (s *Simulator) attach(c *call, phoneNumber string, wanted *campaign, late lag) answer {
	willFail, refused := s.admit(wanted)
	if refused != nil {
		return *refused
	}
	c.write.Effective = true
	return ok(s.assignment(s.begin(phoneNumber, wanted, willFail, late).wire()))
}

// admit checks whether a campaign accepts one more number, and reactivates a dormant one.
// It returns why the assignment will fail later, if it will, or a refusal.
func (s *Simulator) admit(wanted *campaign) (willFail string, refused *answer) {
	if s.countLive(wanted) >= s.capacity(wanted) {
		return "", new(badParameter(fullText(wanted), "/campaignId").as(CampaignFull))
	}
	if !wanted.Dormant {
		return "", nil
	}
	s.reactivate(wanted)
	if s.options.Dialect.RefuseDormant {
		return "", new(refuse(http.StatusBadRequest, codeBeingProcessed, "Resource is being processed",
			textDormant, "/campaignId"))
	}
	return textDormant, nil
}

func fullText(c *campaign) string {
	if c.isSoleProprietor() {
		return textSoleProprietor
	}
	return textCampaignFull
}

// getAssignment is GET /10dlc/phone_number_campaigns/{phoneNumber}.
func getAssignment(s *Simulator, c *call) answer {
	r := s.shown(c.r.PathValue("phoneNumber"))
	if r == nil {
		return s.noRecord()
	}
	return ok(s.assignment(r.wire()))
}

// listAssignments is GET /10dlc/phone_number_campaigns. It ignores unknown filters, so
// everything is returned.
func listAssignments(s *Simulator, c *call) answer {
	query := c.r.URL.Query()
	d := s.options.Dialect
	empty, refused := s.unknownFilters(query, d.campaignFilters()...)
	if refused != nil {
		return *refused
	}
	var found []*record
	for phoneNumber := range s.records {
		if r := s.listed(phoneNumber); r != nil && !empty && d.matchesCampaign(r, query) {
			found = append(found, r)
		}
	}
	sortBy(found, query.Get("sort"), (*record).sortKey, func(r *record) int { return r.seq })
	return tendlcList(s, query, 20, found, func(r *record) any { return s.assignmentRow(r.wire()) })
}

// publishedFilters returns the filters of the list, with the record's values.
func (r *record) publishedFilters() map[string]string {
	return map[string]string{
		"filter[telnyx_campaign_id]": r.campaign.ID,
		"filter[telnyx_brand_id]":    r.campaign.BrandID,
		"filter[tcr_campaign_id]":    r.campaign.TCRID,
		"filter[tcr_brand_id]":       r.campaign.TCRBrandID,
	}
}

// guideFilter is the one filter in Telnyx's guide.
const guideFilter = "filter[campaignId]"

// campaignFilters returns the filters that the list knows.
func (d Dialect) campaignFilters() []string {
	switch d.CampaignFilters {
	case CampaignFiltersUnknown:
		return nil
	case CampaignFiltersCamel:
		return []string{guideFilter}
	}
	return slices.Collect(maps.Keys((&record{campaign: &campaign{}}).publishedFilters()))
}

// matchesCampaign applies the known filters to a record.
func (d Dialect) matchesCampaign(r *record, query url.Values) bool {
	if d.CampaignFilters == CampaignFiltersCamel {
		want := query.Get(guideFilter)
		return want == "" || want == r.campaign.ID || want == r.campaign.TCRID
	}
	for name, value := range r.publishedFilters() {
		want := query.Get(name)
		if want == "" || d.CampaignFilters == CampaignFiltersUnknown {
			continue
		}
		if d.CampaignFilters == CampaignFiltersEmpty || want != value {
			return false
		}
	}
	return true
}

func (r *record) sortKey(field string) string {
	switch field {
	case "phoneNumber":
		return r.number
	case "assignmentStatus":
		return string(r.status)
	default:
		return r.created.UTC().Format(zoneless)
	}
}

func badParameter(detail, pointer string) answer {
	return refuse(http.StatusBadRequest, codeBadParameter, "Invalid parameter", detail, pointer)
}

func missingField(name string) answer {
	return refuse(http.StatusBadRequest, codeMissingParameter, "Missing required parameter",
		name+" is required", "/"+name)
}

// beingProcessed is code 10036. Its HTTP status is not known; 422 is a guess.
func beingProcessed(detail string) answer {
	return refuse(http.StatusUnprocessableEntity, codeBeingProcessed, "Resource is being processed", detail, "")
}
