// Package telnyxsim is a simulated Telnyx: an [http.Handler] that serves the
// 10DLC part of the v2 API out of memory, changes state with the delays and
// quirks of the real one, and posts signed notifications to the webhook URLs of
// its campaigns. It serves tests, the demo and "greenlight simulator", so it
// does not import testing.
//
// It shares no decoder with the client it stands against: the wire structs are
// its own, and only the spelling of statuses and of events' words comes from package
// telnyx.
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
//	SetCampaignStatus                       the same without any event
//	FailAssignment, FailMapping             what the carriers will refuse
//	Emit, Send, SignedHeader, Signed        events and bodies of the caller's making
//	Notifications, Notification.Body        every published kind of event, by name
//	DropDeliveries, DuplicateDeliveries     spoiling the delivery of events
//	Inject, ClearFaults                     spoiling the answers of the API
//	Dialect, Dialects, ParseDialect, Merge  other readings of Telnyx
//	Campaign, Assignments, Deliveries,      what there is and what was done,
//	Writes, Calls; Operations()             for checkers
//
// # What it knows
//
// Brands (list), campaigns (list, one, operationStatus), campaigns shared with the account (list,
// one), phone number campaigns (list, one, POST, PUT, DELETE), messaging
// settings of numbers (list, one, PATCH), numbers (list, one), the numbers of a messaging profile,
// and the log of webhook deliveries (list, one). Left out are the operations
// that Greenlight does not call: filing and changing brands and campaigns,
// sharing, mnoMetadata and the bulk assignment of a messaging profile. They answer 404.
//
// # How far to trust it
//
// Nothing here was compared with a live account. Shapes follow the OpenAPI
// description, which the package's contract test checks; where reports from the
// field differ from it, that test's table of departures names each difference
// and its source. What no source settles, such as the status and code of a
// refusal, is a guess that the comment beside it calls one, and where guesses
// matter or Telnyx's pages contradict each other, a [Dialect] offers each of them.
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
