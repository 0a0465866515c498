// Package trouble has no code, only tests: the front door as a process runs it, under
// load, while NATS is killed, full, slow, or between two leaders.
//
// What must hold each time:
//
//   - Every delivery is answered, 200 or 503 with Retry-After, within the deadline.
//   - What was answered 200 is in the stream once, and events that shared a commit
//     are there all or none.
//   - Readiness turns false and says why, and turns true again when the trouble is
//     over. Nobody helps, but where the server itself needs a person.
//   - Neither goroutines nor memory are left over.
package trouble
