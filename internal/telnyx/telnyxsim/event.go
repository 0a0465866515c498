package telnyxsim

import (
	"encoding/json"

	"greenlight/internal/telnyx"
)

// The types of event that Telnyx sends about 10DLC, and all of them.
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

// body renders the bytes that are posted: indented by two spaces, without a
// newline at the end.
func (e envelope) body() []byte { return encode(e, "  ") }

// The payloads, which unlike their envelope are spelled in camel case.
type (
	registrationFailed struct {
		CampaignID string        `json:"campaignId"`
		Status     string        `json:"status"`
		Type       string        `json:"type"`
		Reasons    []fieldReason `json:"reasons"`
	}
	fieldReason struct {
		Fields      []string `json:"fields"`
		Description string   `json:"description"`
	}
	review struct {
		CampaignID  string `json:"campaignId"`
		Description string `json:"description"`
		Status      string `json:"status"`
		Type        string `json:"type"`
	}
	verified struct {
		BrandID           string `json:"brandId"`
		CampaignID        string `json:"campaignId"`
		CreatedDate       string `json:"createdDate"`
		CSPID             string `json:"cspId"`
		Type              string `json:"type"`
		TMobileRegistered bool   `json:"isTMobileRegistered"`
	}
	tcrEvent struct {
		CampaignID  string `json:"campaignId"`
		Type        string `json:"type"`
		EventType   string `json:"eventType"`
		Description string `json:"description"`
	}
	// assignmentEvent is ASSIGNMENT or DELETION. No example of a failed one is
	// published; its reasons are strings here.
	assignmentEvent struct {
		CampaignID  string   `json:"campaignId"`
		PhoneNumber string   `json:"phoneNumber"`
		Status      string   `json:"status"`
		Type        string   `json:"type"`
		Reasons     []string `json:"reasons"`
	}
	// mappingEvent is STATUS_UPDATE. It does not say which carrier it is about.
	mappingEvent struct {
		CampaignID    string `json:"campaignId"`
		TCRCampaignID string `json:"tcrCampaignId"`
		PhoneNumber   string `json:"phoneNumber"`
		Status        string `json:"status"`
		Type          string `json:"type"`
	}
)

func (s *Simulator) emitCampaign(c *campaign, payload any) {
	s.emit(c, EventCampaign, payload)
}

func (s *Simulator) emitReview(c *campaign, kind, status, description string) {
	s.emitCampaign(c, review{CampaignID: c.assignmentID(), Description: description, Status: status, Type: kind})
}

func (s *Simulator) emitTCR(c *campaign, eventType, description string) {
	s.emitCampaign(c, tcrEvent{
		CampaignID: c.assignmentID(), Type: telnyx.TypeTCREvent, EventType: eventType, Description: description,
	})
}

func (s *Simulator) emitAssignment(r *record, kind, status string, reasons ...string) {
	s.emit(r.campaign, EventPhoneNumber, assignmentEvent{
		CampaignID: r.campaign.assignmentID(), PhoneNumber: r.number,
		Status: status, Type: kind, Reasons: append([]string{}, reasons...),
	})
}

func (s *Simulator) emitMapping(r *record, status string) {
	s.emit(r.campaign, EventPhoneNumber, mappingEvent{
		CampaignID: r.campaign.assignmentID(), TCRCampaignID: r.campaign.TCRID,
		PhoneNumber: r.number, Status: status, Type: telnyx.TypeStatusUpdate,
	})
}
