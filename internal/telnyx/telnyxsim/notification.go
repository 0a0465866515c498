package telnyxsim

import (
	"strings"
	"time"

	"greenlight/internal/telnyx"
)

// Notification is a kind of notification that Telnyx publishes, from
// https://developers.telnyx.com/docs/messaging/10dlc/event-notifications.
type Notification struct {
	// Name tells it from the others, such as "verified" or "tcr-campaign-add".
	Name string
	// EventType is one of the Event constants.
	EventType string
	payload   func(About) any
}

// About is what a notification is about. Empty fields get what the published
// examples have there.
type About struct {
	CampaignID, TCRCampaignID, BrandID, PhoneNumber string
}

// Of the published examples.
const (
	exampleCampaign    = "751c6a5c-907b-43a9-8ada-ba1dc8335b07"
	exampleTCRCampaign = "C6X6M95"
	exampleBrand       = "97091164-e814-435c-9c1b-14ab2d18e987"
	exampleNumber      = "+16715455939"
)

func (a About) withDefaults() About {
	a.CampaignID = orDefault(a.CampaignID, exampleCampaign)
	a.TCRCampaignID = orDefault(a.TCRCampaignID, exampleTCRCampaign)
	a.BrandID = orDefault(a.BrandID, exampleBrand)
	a.PhoneNumber = orDefault(a.PhoneNumber, exampleNumber)
	return a
}

// Notifications returns every published kind: those about campaigns first, then
// numbers, then brands.
func Notifications() []Notification {
	campaign := func(name string, payload func(About) any) Notification {
		return Notification{name, EventCampaign, payload}
	}
	list := []Notification{
		campaign("verified", func(a About) any {
			return verified{a.BrandID, a.CampaignID, "2024-07-06T14:22:37.328+00:00", "CSPID1", telnyx.TypeVerified, true}
		}),
		campaign("telnyx-review-accepted", reviewOf(telnyx.TypeTelnyxReview, telnyx.EventAccepted, " approved by Telnyx")),
		campaign("telnyx-review-rejected", reviewOf(telnyx.TypeTelnyxReview, telnyx.EventRejected, " rejected by Telnyx")),
		campaign("mno-review-accepted", reviewOf(telnyx.TypeMNOReview, telnyx.EventAccepted, " approved by T-Mobile")),
		campaign("mno-review-rejected", reviewOf(telnyx.TypeMNOReview, telnyx.EventRejected, " rejected by T-Mobile")),
		campaign("registration-failed", func(a About) any {
			return registrationFailed{a.CampaignID, telnyx.EventFailed, telnyx.TypeRegistration,
				[]fieldReason{{[]string{"sample1"}, "Sample message does not contain required opt-out language"}}}
		}),
		campaign("dormant", func(a About) any {
			return review{a.CampaignID, "Campaign has been marked as dormant", telnyx.EventDormant, telnyx.TypeTelnyxEvent}
		}),
		campaign("number-pool-provisioned", poolOf(telnyx.TypeNumberPoolProvisioned)),
		campaign("number-pool-deprovisioned", poolOf(telnyx.TypeNumberPoolDeprovisioned)),
		campaign("campaign-nudge", func(a About) any {
			return campaignNudge{a.TCRCampaignID, telnyx.TypeCampaignNudge, "APPEAL_REJECTION",
				"The campaign has been reviewed and approved after appeal.", "TNX"}
		}),
	}
	for _, eventType := range []string{
		telnyx.TCRCampaignAdd, telnyx.TCRCampaignBilled, telnyx.TCRCampaignDCAComplete, telnyx.TCRCampaignExpired,
		telnyx.TCRCampaignNudge, telnyx.TCRCampaignResubmission, telnyx.TCRCampaignUpdate, telnyx.TCRMNOApproved,
		telnyx.TCRMNORejected, telnyx.TCRMNOReview, telnyx.TCRMNOSuspended, telnyx.TCRMNOUnsuspended,
	} {
		list = append(list, campaign("tcr-"+kebab(eventType), func(a About) any {
			return tcrEvent{a.CampaignID, telnyx.TypeTCREvent, eventType, "Campaign " + a.TCRCampaignID + ": " + eventType}
		}))
	}
	return append(append(list, numberNotifications()...), brandNotifications()...)
}

func numberNotifications() []Notification {
	var list []Notification
	for _, kind := range []string{telnyx.TypeAssignment, telnyx.TypeDeletion} {
		for _, status := range []string{telnyx.EventSuccess, telnyx.EventFailed} {
			list = append(list, Notification{kebab(kind) + "-" + status, EventPhoneNumber, func(a About) any {
				event := assignmentEvent{a.CampaignID, a.PhoneNumber, status, kind, []string{}}
				if status == telnyx.EventFailed {
					event.Reasons = []string{"Long code could not be changed"}
				}
				return event
			}})
		}
	}
	for _, status := range []string{telnyx.NumberAdded, telnyx.NumberDeleted, telnyx.NumberPending, telnyx.NumberFailed} {
		list = append(list, Notification{"status-update-" + kebab(status), EventPhoneNumber, func(a About) any {
			return mappingEvent{a.CampaignID, a.TCRCampaignID, a.PhoneNumber, status, telnyx.TypeStatusUpdate}
		}})
	}
	return list
}

func brandNotifications() []Notification {
	outcome := func(kind, status string, reasons ...fieldReason) Notification {
		return Notification{"brand-" + kebab(kind) + "-" + status, EventBrand, func(a About) any {
			return brandOutcome{a.BrandID, status, kind, append([]fieldReason{}, reasons...)}
		}}
	}
	list := []Notification{
		outcome(telnyx.TypeRegistration, telnyx.EventFailed, fieldReason{[]string{"ein"}, "Invalid EIN"}),
		outcome(telnyx.TypeRevet, telnyx.EventSuccess),
		outcome(telnyx.TypeOrderExternalVetting, telnyx.EventSuccess),
		outcome(telnyx.TypeOrderExternalVetting, telnyx.EventFailed,
			fieldReason{[]string{"ein"}, "External vetting could not be ordered"}),
	}
	for _, eventType := range []string{telnyx.TCRBrandAdd, telnyx.TCRBrandAppealAdd, telnyx.TCRBrandAppealComplete, telnyx.TCRBrandRevet} {
		list = append(list, Notification{"tcr-" + kebab(eventType), EventBrand, func(a About) any {
			return brandUpdate{a.BrandID, "Some Brand LLC", "Brand BBRAND1: " + eventType, eventType, telnyx.EventSuccess, "BBRAND1", telnyx.TypeTCRBrandUpdate}
		}})
	}
	return list
}

// The payloads that the simulator never sends of itself.
type (
	poolEvent struct {
		BrandID    string `json:"brandId"`
		CampaignID string `json:"campaignId"`
		Type       string `json:"type"`
	}
	campaignNudge struct {
		CampaignID  string `json:"campaignId"`
		Type        string `json:"type"`
		NudgeIntent string `json:"nudgeIntent"`
		Description string `json:"description"`
		CSPID       string `json:"cspId"`
	}
	brandOutcome struct {
		BrandID string        `json:"brandId"`
		Status  string        `json:"status"`
		Type    string        `json:"type"`
		Reasons []fieldReason `json:"reasons"`
	}
	brandUpdate struct {
		BrandID     string `json:"brandId"`
		BrandName   string `json:"brandName"`
		Description string `json:"description"`
		EventType   string `json:"eventType"`
		Status      string `json:"status"`
		TCRBrandID  string `json:"tcrBrandId"`
		Type        string `json:"type"`
	}
)

func reviewOf(kind, status, description string) func(About) any {
	return func(a About) any { return review{a.CampaignID, a.TCRCampaignID + description, status, kind} }
}

func poolOf(kind string) func(About) any {
	return func(a About) any { return poolEvent{a.BrandID, a.CampaignID, kind} }
}

// kebab spells a word of the wire for a command line.
func kebab(word string) string { return strings.ToLower(strings.ReplaceAll(word, "_", "-")) }

// Body returns a delivery's body, as it is posted the first time: a new event, of now.
// It also returns the event's id.
func (n Notification) Body(about About, now time.Time, deliveredTo string) (body []byte, id string) {
	e := envelope{
		Data: eventData{
			EventType: n.EventType, ID: newID(), OccurredAt: now.UTC().Format(zoned),
			Payload: encode(n.payload(about.withDefaults()), ""), RecordType: "event",
		},
		Meta: eventMeta{Attempt: 1, DeliveredTo: deliveredTo},
	}
	return e.body(), e.Data.ID
}
