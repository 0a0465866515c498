// Package telnyx is a client for the 10DLC part of Telnyx's API. It verifies and decodes
// the notifications that Telnyx posts, and calls the operations that attaching numbers to
// a campaign needs.
//
// It knows the wire format only: nothing of plans or NATS, and it does not decide what
// to do with an answer. [Classify] says what an error is about.
//
// Telnyx's pages contradict each other about routes, filters, page sizes and
// spellings, so the client finds out what works. For each list there is a table of pagings
// (route, names of the page's parameters, size, another parameter), and for the
// rows of an owner a table of forms. If an answer contradicts one, the next is tried; a
// form is trusted once it has found something that is known to be there. What was learned
// is kept for the process and shared by copies of a client ([Client.Learned]).
//
// # Invariants
//
//   - A delivery is authentic or it is not read: [Verifier.Verify] checks
//     the raw bytes before they are decoded.
//   - Decoding loses nothing that a decision may need. Unknown words are kept, fields
//     whose type varies are kept as raw JSON, and an answer that is not JSON still
//     yields an [APIError] with its status.
//   - A write is sent once. Only reads are repeated.
//   - The absence of something is never concluded from one answer that may have been
//     misunderstood: [Rows] says whether a list is complete, and [Numbers] has a
//     third state beside found and absent.
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
