// Package telnyx speaks to Telnyx about 10DLC: it verifies and decodes the
// notifications that Telnyx posts, and calls the API operations that attaching
// numbers to a campaign needs, one by one or a messaging profile at a time.
//
// It knows the wire and nothing else: no plan, no NATS, no decision about what
// to do with an answer beyond "is this call worth repeating" ([Judge]).
//
// # Invariants
//
//   - A delivery is authentic or it is not looked at: [Verifier.Verify] checks
//     the raw bytes before anybody decodes them.
//   - Nothing that Telnyx says is lost in decoding. Unknown words stay as they
//     were told, fields of doubtful type are kept as raw JSON, and an answer
//     that is no JSON still yields an [APIError] with its status.
//   - A request that writes is sent once. Only reads are repeated here.
//   - No call takes a number off a campaign but [Client.Reassign], which puts it on
//     another: Greenlight never unassigns, so it has nothing to do it with.
//   - A list is whole or an error: what cannot be read to its end is not
//     passed off as complete.
//   - The API key never leaves the Authorization header ([APIKey]).
//
// # Sources
//
// Telnyx's own pages disagree in places; where they do, the comment beside the
// code says which source it follows. Read in 2026:
//
//   - 10DLC event notifications,
//     https://developers.telnyx.com/docs/messaging/10dlc/event-notifications
//   - Webhook fundamentals (signing),
//     https://developers.telnyx.com/development/api-fundamentals/webhooks/receiving-webhooks
//   - OpenAPI description, https://github.com/team-telnyx/openapi,
//     openapi/spec3.json at 354b7445 (comments say "OpenAPI: GET /10dlc/…")
//   - Rate limiting and error codes,
//     https://developers.telnyx.com/development/api-fundamentals/reliability/rate-limiting,
//     https://developers.telnyx.com/development/api-fundamentals/api-errors
package telnyx
