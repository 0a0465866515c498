// Package trouble has only tests: the webhook as a process runs it, under load, while NATS is
// killed, full, slow, or without a leader.
//
// What must hold each time:
//
//   - Every delivery is answered, 200 or 503 with Retry-After, within the deadline.
//   - What was answered 200 is in the stream once, and events that shared a commit
//     are there all or none.
//   - Readiness turns false and says why, and turns true again afterwards, unattended.
//   - Neither goroutines nor memory are left over.
package trouble
