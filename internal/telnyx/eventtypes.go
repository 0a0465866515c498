package telnyx

// The words of 10DLC notifications, spelled as on the wire, from
// https://developers.telnyx.com/docs/messaging/10dlc/event-notifications (read
// in 2026). They are plain strings because Telnyx may send others, which pass
// through as they are. Compare exactly: "failed" and "FAILED" mean different
// things.

// The event types: what [Event.Type] can be.
const (
	EventBrandUpdate       = "10dlc.brand.update"
	EventCampaignUpdate    = "10dlc.campaign.update"
	EventPhoneNumberUpdate = "10dlc.phone_number.update"
)

// The payload types of brand events: what [Payload.Type] can be there, besides
// [TypeRegistration].
const (
	TypeRevet                = "REVET"
	TypeOrderExternalVetting = "ORDER_EXTERNAL_VETTING"
	TypeTCRBrandUpdate       = "TCR_BRAND_UPDATE"
	// TypeTCRBrandWebhook is what older pages call TypeTCRBrandUpdate.
	TypeTCRBrandWebhook = "TCR_BRAND_WEBHOOK"
)

// The payload types of campaign events.
const (
	// TypeRegistration is sent for failures of a brand or a campaign.
	TypeRegistration = "REGISTRATION"
	// TypeTelnyxReview is Telnyx's own review. The carriers come after it.
	TypeTelnyxReview = "TELNYX_REVIEW"
	// TypeMNOReview is the word of a carrier or of the aggregator.
	TypeMNOReview = "MNO_REVIEW"
	// TypeTelnyxEvent has status [EventDormant] when a campaign without traffic
	// is suspended.
	TypeTelnyxEvent = "TELNYX_EVENT"
	// TypeVerified is sent when the campaign reaches [CampaignMNOProvisioned].
	TypeVerified              = "VERIFIED"
	TypeNumberPoolProvisioned = "NUMBER_POOL_PROVISIONED"
	// TypeNumberPoolDeprovisioned is the opposite.
	TypeNumberPoolDeprovisioned = "NUMBER_POOL_DEPROVISIONED"
	// TypeTCREvent is from The Campaign Registry; [Payload.EventType] says more.
	TypeTCREvent = "TCR_EVENT"
	// TypeCampaignNudge names the campaign by its TCR id. The page lists it as
	// an event type of TypeTCREvent ([TCRCampaignNudge]) and shows it as a type.
	TypeCampaignNudge = "CAMPAIGN_NUDGE"
)

// The payload types of phone number events.
const (
	TypeAssignment   = "ASSIGNMENT"
	TypeDeletion     = "DELETION"
	TypeStatusUpdate = "STATUS_UPDATE"
)

// What [Payload.EventType] can be under [TypeTCRBrandUpdate].
const (
	TCRBrandAdd            = "BRAND_ADD"
	TCRBrandAppealAdd      = "BRAND_APPEAL_ADD"
	TCRBrandAppealComplete = "BRAND_APPEAL_COMPLETE"
	TCRBrandRevet          = "BRAND_REVET"
)

// What [Payload.EventType] can be under [TypeTCREvent].
const (
	TCRCampaignAdd          = "CAMPAIGN_ADD"
	TCRCampaignBilled       = "CAMPAIGN_BILLED"
	TCRCampaignDCAComplete  = "CAMPAIGN_DCA_COMPLETE"
	TCRCampaignExpired      = "CAMPAIGN_EXPIRED"
	TCRCampaignNudge        = "CAMPAIGN_NUDGE"
	TCRCampaignResubmission = "CAMPAIGN_RESUBMISSION"
	TCRCampaignUpdate       = "CAMPAIGN_UPDATE"
	TCRMNOApproved          = "MNO_CAMPAIGN_OPERATION_APPROVED"
	TCRMNORejected          = "MNO_CAMPAIGN_OPERATION_REJECTED"
	TCRMNOReview            = "MNO_CAMPAIGN_OPERATION_REVIEW"
	TCRMNOSuspended         = "MNO_CAMPAIGN_OPERATION_SUSPENDED"
	TCRMNOUnsuspended       = "MNO_CAMPAIGN_OPERATION_UNSUSPENDED"
)

// What [Payload.Status] can be in events of brands and campaigns, and under
// [TypeAssignment] and [TypeDeletion].
const (
	EventSuccess  = "success"
	EventFailed   = "failed"
	EventAccepted = "ACCEPTED"
	EventRejected = "REJECTED"
	EventDormant  = "DORMANT"
)

// What [Payload.Status] can be under [TypeStatusUpdate].
const (
	NumberAdded   = "ADDED"
	NumberDeleted = "DELETED"
	NumberPending = "PENDING"
	NumberFailed  = "FAILED"
)
