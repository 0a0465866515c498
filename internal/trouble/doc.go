// Package trouble has only tests. They run the front door as a process, under load, while
// NATS is killed, full, slow, or between two leaders.
//
// What must hold each time:
//
//   - Every delivery is answered, 200 or 503 with Retry-After, within the deadline.
//   - An event that was answered 200 is in the stream exactly once. Events that shared a
//     commit are all there or none is.
//   - Readiness turns false and says why, and turns true again when the trouble is over,
//     without help, except where the server itself needs a person.
//   - No goroutines and no memory are leaked.
package trouble
