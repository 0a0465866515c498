// Package webhook is the front door: it receives Telnyx's notifications over HTTP,
// verifies that Telnyx signed them, and answers 200 only after they are stored.
//
//	POST /webhooks/telnyx
//	  too large ──────────────────────────► 413 body_too_large
//	  signature or timestamp invalid ─────► 401 signature_…, timestamp_…
//	  body too slow, broken off ──────────► 503 body_too_slow, 400 body_unreadable
//	  too many are being stored ──────────► 503 overloaded
//	  not an event; dead letter stored ───► 200 dead_lettered
//	  a type that is not kept ────────────► 200 ignored
//	  stored ─────────────────────────────► 200 accepted, or duplicate
//	  not stored in time ─────────────────► 503 not_stored
//	GET /healthz ─────────────────────────► 200 ok, or 503 stopping
//
// Each 503 has Retry-After: 1. docs/webhook.md lists every answer with its code and what
// to do; a test compares that table with this package. Connections, their timeouts and
// the stop (MAX_CONNECTIONS, DRAIN_DELAY), TLS, and keys and certificates that change
// belong to internal/app.
//
// The package knows nothing about plans, campaigns or the meaning of an event. Nothing
// is decoded before its signature over the raw bytes has been verified. Telnyx waits two
// seconds for an answer and retries for about two minutes
// (https://developers.telnyx.com/docs/messaging/10dlc/event-notifications), so a 503
// loses nothing, but a 200 without storage would.
package webhook
