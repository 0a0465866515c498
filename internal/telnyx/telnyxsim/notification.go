package telnyxsim

import (
	"slices"
	"strings"
	"time"

	"greenlight/internal/telnyx"
)

// Notification is a kind of notification that Telnyx publishes, from
// https://developers.telnyx.com/docs/messaging/10dlc/event-notifications.
type Notification struct {
	// Name is unique, for example "verified" or "tcr-campaign-add".
	Name string
	// EventType is one of the Event constants.
	EventType string
	payload   func(About) any
}

// About is what a notification is about. Empty fields get the values of the published
// examples.
type About struct {
	CampaignID, TCRCampaignID, BrandID, PhoneNumber string
}

// Values of the published examples.
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
	return slices.Concat(campaignNotifications(), numberNotifications(), brandNotifications())
}

func campaignNotifications() []Notification {
	campaign := func(name string, payload func(About) any) Notification {
		return Notification{name, EventCampaign, payload}
	}
	reviewed := func(name, kind, status, description string) Notification {
		return campaign(name, func(a About) any { return review(a.CampaignID, kind, status, a.TCRCampaignID+description) })
	}
	pool := func(name, kind string) Notification {
		return campaign(name, func(a About) any { return object{"brandId": a.BrandID, "campaignId": a.CampaignID, "type": kind} })
	}
	list := []Notification{
		campaign("verified", func(a About) any {
			return verified{a.BrandID, a.CampaignID, "2024-07-06T14:22:37.328+00:00", "CSPID1", telnyx.TypeVerified, true}
		}),
		reviewed("telnyx-review-accepted", "TELNYX_REVIEW", "ACCEPTED", " approved by Telnyx"),
		reviewed("telnyx-review-rejected", "TELNYX_REVIEW", "REJECTED", " rejected by Telnyx"),
		reviewed("mno-review-accepted", "MNO_REVIEW", "ACCEPTED", " approved by T-Mobile"),
		reviewed("mno-review-rejected", "MNO_REVIEW", "REJECTED", " rejected by T-Mobile"),
		campaign("registration-failed", func(a About) any {
			return registrationFailed(a.CampaignID, "sample1", "Sample message does not contain required opt-out language")
		}),
		campaign("dormant", func(a About) any {
			return review(a.CampaignID, "TELNYX_EVENT", "DORMANT", "Campaign has been marked as dormant")
		}),
		pool("number-pool-provisioned", "NUMBER_POOL_PROVISIONED"),
		pool("number-pool-deprovisioned", "NUMBER_POOL_DEPROVISIONED"),
		campaign("campaign-nudge", func(a About) any {
			return object{
				"campaignId": a.TCRCampaignID, "type": "CAMPAIGN_NUDGE", "nudgeIntent": "APPEAL_REJECTION",
				"description": "The campaign has been reviewed and approved after appeal.", "cspId": "TNX",
			}
		}),
	}
	for _, eventType := range []string{
		"CAMPAIGN_ADD", "CAMPAIGN_BILLED", "CAMPAIGN_DCA_COMPLETE", "CAMPAIGN_EXPIRED",
		"CAMPAIGN_NUDGE", "CAMPAIGN_RESUBMISSION", "CAMPAIGN_UPDATE", "MNO_CAMPAIGN_OPERATION_APPROVED",
		"MNO_CAMPAIGN_OPERATION_REJECTED", "MNO_CAMPAIGN_OPERATION_REVIEW", "MNO_CAMPAIGN_OPERATION_SUSPENDED", "MNO_CAMPAIGN_OPERATION_UNSUSPENDED",
	} {
		list = append(list, campaign("tcr-"+kebab(eventType), func(a About) any {
			return tcrEvent(a.CampaignID, eventType, "Campaign "+a.TCRCampaignID+": "+eventType)
		}))
	}
	return list
}

func numberNotifications() []Notification {
	var list []Notification
	for _, kind := range []string{"ASSIGNMENT", "DELETION"} {
		list = append(list,
			Notification{kebab(kind) + "-success", EventPhoneNumber, func(a About) any {
				return assignmentEvent(a.CampaignID, a.PhoneNumber, kind, "success")
			}},
			Notification{kebab(kind) + "-failed", EventPhoneNumber, func(a About) any {
				return assignmentEvent(a.CampaignID, a.PhoneNumber, kind, "failed", "Long code could not be changed")
			}})
	}
	for _, status := range []string{"ADDED", "DELETED", "PENDING", "FAILED"} {
		list = append(list, Notification{"status-update-" + kebab(status), EventPhoneNumber, func(a About) any {
			return mappingEvent(a.CampaignID, a.TCRCampaignID, a.PhoneNumber, status)
		}})
	}
	return list
}

func brandNotifications() []Notification {
	outcome := func(kind, status string, reasons []object) Notification {
		return Notification{"brand-" + kebab(kind) + "-" + status, EventBrand, func(a About) any {
			return object{"brandId": a.BrandID, "type": kind, "status": status, "reasons": reasons}
		}}
	}
	list := []Notification{
		outcome("REGISTRATION", "failed", fieldReasons("ein", "Invalid EIN")),
		outcome("REVET", "success", []object{}),
		outcome("ORDER_EXTERNAL_VETTING", "success", []object{}),
		outcome("ORDER_EXTERNAL_VETTING", "failed", fieldReasons("ein", "External vetting could not be ordered")),
	}
	for _, eventType := range []string{"BRAND_ADD", "BRAND_APPEAL_ADD", "BRAND_APPEAL_COMPLETE", "BRAND_REVET"} {
		list = append(list, Notification{"tcr-" + kebab(eventType), EventBrand, func(a About) any {
			return object{
				"brandId": a.BrandID, "brandName": "Some Brand LLC", "tcrBrandId": "BBRAND1", "type": "TCR_BRAND_UPDATE",
				"eventType": eventType, "status": "success", "description": "Brand BBRAND1: " + eventType,
			}
		}})
	}
	return list
}

// kebab spells a wire word for a command line.
func kebab(word string) string { return strings.ToLower(strings.ReplaceAll(word, "_", "-")) }

// Body returns the body of a first delivery of a new event, and the event's id.
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
