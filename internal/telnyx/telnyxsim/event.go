package telnyxsim

import (
	"encoding/json"

	"greenlight/internal/telnyx"
)

// All types of event that Telnyx sends about 10DLC.
const (
	// EventBrand is about a brand.
	EventBrand = telnyx.EventBrandUpdate
	// EventCampaign is about a campaign.
	EventCampaign = telnyx.EventCampaignUpdate
	// EventPhoneNumber is about a number and its campaign.
	EventPhoneNumber = telnyx.EventPhoneNumberUpdate
)

// envelope is the body of a delivery. Keys and their order are those of the
// examples at https://developers.telnyx.com/docs/messaging/10dlc/event-notifications.
type envelope struct {
	Data eventData `json:"data"`
	Meta eventMeta `json:"meta"`
}

type eventData struct {
	EventType  string          `json:"event_type"`
	ID         string          `json:"id"`
	OccurredAt string          `json:"occurred_at"`
	Payload    json.RawMessage `json:"payload"`
	RecordType string          `json:"record_type"`
}

type eventMeta struct {
	Attempt     int    `json:"attempt"`
	DeliveredTo string `json:"delivered_to"`
}

// body renders the bytes to post: indented by two spaces, without a final newline.
func (e envelope) body() []byte { return encode(e, "  ") }

// verified is the payload of VERIFIED. Its fields are in the published order, so that a
// test can compare the published example byte for byte. Other payloads are objects.
type verified struct {
	BrandID           string `json:"brandId"`
	CampaignID        string `json:"campaignId"`
	CreatedDate       string `json:"createdDate"`
	CSPID             string `json:"cspId"`
	Type              string `json:"type"`
	TMobileRegistered bool   `json:"isTMobileRegistered"`
}

// review is the payload of TELNYX_REVIEW, MNO_REVIEW and TELNYX_EVENT.
func review(campaignID, kind, status, description string) object {
	return object{"campaignId": campaignID, "type": kind, "status": status, "description": description}
}

// registrationFailed is the payload of a failed REGISTRATION.
func registrationFailed(campaignID, field, description string) object {
	return object{"campaignId": campaignID, "type": "REGISTRATION", "status": "failed", "reasons": fieldReasons(field, description)}
}

// fieldReasons are the reasons of a failed registration.
func fieldReasons(field, description string) []object {
	return []object{{"fields": []string{field}, "description": description}}
}

// tcrEvent is the payload of TCR_EVENT.
func tcrEvent(campaignID, eventType, description string) object {
	return object{"campaignId": campaignID, "type": "TCR_EVENT", "eventType": eventType, "description": description}
}

// assignmentEvent is the payload of ASSIGNMENT and DELETION. No example of a failed one is
// published; its reasons are strings here.
func assignmentEvent(campaignID, phoneNumber, kind, status string, reasons ...string) object {
	return object{
		"campaignId": campaignID, "phoneNumber": phoneNumber, "type": kind, "status": status,
		"reasons": append([]string{}, reasons...),
	}
}

// mappingEvent is the payload of STATUS_UPDATE. It does not name the carrier.
func mappingEvent(campaignID, tcrCampaignID, phoneNumber, status string) object {
	return object{
		"campaignId": campaignID, "tcrCampaignId": tcrCampaignID, "phoneNumber": phoneNumber,
		"type": "STATUS_UPDATE", "status": status,
	}
}

func (s *Simulator) emitReview(c *campaign, kind, status, description string) {
	s.emit(c, EventCampaign, review(c.assignmentID(), kind, status, description))
}

func (s *Simulator) emitTCR(c *campaign, eventType, description string) {
	s.emit(c, EventCampaign, tcrEvent(c.assignmentID(), eventType, description))
}

func (s *Simulator) emitAssignment(r *record, kind, status string, reasons ...string) {
	s.emit(r.campaign, EventPhoneNumber, assignmentEvent(r.campaign.assignmentID(), r.number, kind, status, reasons...))
}

func (s *Simulator) emitMapping(r *record, status string) {
	s.emit(r.campaign, EventPhoneNumber, mappingEvent(r.campaign.assignmentID(), r.campaign.TCRID, r.number, status))
}
