package telnyx

// The event types of 10DLC notifications: what [Event.Type] can be. They are plain strings
// because Telnyx may send others, which pass through as they are
// (https://developers.telnyx.com/docs/messaging/10dlc/event-notifications, read in 2026).
const (
	EventBrandUpdate       = "10dlc.brand.update"
	EventCampaignUpdate    = "10dlc.campaign.update"
	EventPhoneNumberUpdate = "10dlc.phone_number.update"
)

// TypeVerified is the payload's type when a campaign reaches [CampaignMNOProvisioned].
const TypeVerified = "VERIFIED"
