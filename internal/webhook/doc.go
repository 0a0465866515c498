// Package webhook is the front door: it receives Telnyx's notifications over HTTP,
// verifies their signatures, and answers 200 only after they are stored.
//
//	POST /webhooks/telnyx
//	  too large ──────────────────────────► 413 body_too_large
//	  not signed by Telnyx, or too old ──► 401 signature_…, timestamp_…
//	  body too slow, or cut off ─────────► 503 body_too_slow, 400 body_unreadable
//	  too many are being stored ──────────► 503 overloaded
//	  not an event, dead letter stored ──► 200 dead_lettered
//	  an event type that is not kept ────► 200 ignored
//	  stored ─────────────────────────────► 200 accepted, or duplicate
//	  not stored in time ─────────────────► 503 not_stored
//	GET /healthz ─────────────────────────► 200 ok, or 503 stopping
//
// Each 503 has Retry-After: 1. docs/webhook.md lists every answer with its code and what
// Telnyx does next; a test compares that table with this package. Package app handles
// connections and their timeouts, the stop (MAX_CONNECTIONS, DRAIN_DELAY), TLS, and keys
// and certificates that change.
//
// It knows nothing of plans, campaigns or what an event means. Nothing is decoded before
// its signature was checked over the raw bytes. Telnyx waits two seconds for an answer
// and tries for about two minutes
// (https://developers.telnyx.com/docs/messaging/10dlc/event-notifications), so a 503
// loses nothing, and a 200 without storage would lose an event.
package webhook
