// Package telnyxsim simulates Telnyx: an [http.Handler] that serves the 10DLC part of the
// v2 API from memory, changes state with the delays and quirks of the real one, and posts
// signed notifications to the webhook URLs of its campaigns. Tests, the demo and
// "greenlight simulator" use it, so it does not import testing.
//
// It shares no decoder with the client under test. Only the spelling of statuses and
// event types comes from package telnyx.
//
// # Surface
//
//	New(Options) *Simulator                 start; Close stops timers and deliveries
//	ServeHTTP, Close, PublicKey             the API under /v2; the key that signs
//	AddBrand, AddCampaign, AddNumbers,      seeding
//	AddMessagingProfiles, AttachNumber,
//	DetachNumber
//	Submit, TelnyxReview, MNOReview,        what happens to a campaign, with the events
//	Approve, Walk, Reject, Appeal,          that Telnyx sends for it
//	FailRegistration, Suspend, Unsuspend,
//	SuspendTMobile, UnsuspendTMobile,
//	Expire, MakeDormant
//	SetCampaignStatus                       the same without an event
//	FailAssignment, FailMapping             what carriers will refuse
//	Emit, Send, SignedHeader, Signed        the caller's own events and bodies
//	Notifications, Notification.Body        every published kind of event, by name
//	DropDeliveries, DuplicateDeliveries     faults of event delivery
//	Inject, ClearFaults                     faults of the API
//	Dialect, Dialects, ParseDialect, Merge  other interpretations of Telnyx's pages
//	Campaign, Assignments, Deliveries,      state and history, for checks
//	Writes, Calls
//
// # What it serves
//
// Brands (list), campaigns (list, one, PUT, operationStatus, mnoMetadata), campaigns shared
// with the account (list, one, PATCH), phone number campaigns (list, one, POST, PUT,
// DELETE), messaging settings of numbers (list, one, PATCH), numbers (list, one), the
// numbers of a messaging profile, and the log of webhook deliveries (list, one). Operations
// that Greenlight does not call answer 404: filing brands and campaigns, sharing, and the
// bulk assignment of a messaging profile.
//
// # How far to trust it
//
// Nothing here was compared with a live account. Shapes follow the OpenAPI description,
// which the package's contract test checks. Where customers report something else, that
// test's table of departures lists the difference and its source. What no source
// documents, for example the status and code of a refusal, is marked as a guess. Where guesses
// matter or Telnyx's pages contradict each other, a [Dialect] covers each possibility.
//
// # Sources
//
// Read in 2026:
//
//   - OpenAPI description, https://github.com/team-telnyx/openapi
//   - Event notifications (payloads, five attempts 30 s apart, status flow),
//     https://developers.telnyx.com/docs/messaging/10dlc/event-notifications
//   - Phone number assignment,
//     https://developers.telnyx.com/docs/messaging/10dlc/phone-number-assignment
//   - Webhook fundamentals (signing, 2 s, 3xx is a failure),
//     https://developers.telnyx.com/development/api-fundamentals/webhooks/receiving-webhooks
//   - Error codes and rate limiting,
//     https://developers.telnyx.com/development/api-fundamentals/api-errors,
//     https://developers.telnyx.com/development/api-fundamentals/reliability/rate-limiting
//   - Dormant campaigns,
//     https://support.telnyx.com/en/articles/10723378-10dlc-campaign-suspended
package telnyxsim
