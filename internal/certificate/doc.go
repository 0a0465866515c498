// Package certificate has what the public listener shows to prove who it is: a
// certificate from files, read again when they change ([Files]), or one that a
// certificate authority issues by itself ([Auto]). Both are a [Source].
//
// It knows nothing of HTTP nor of who listens. Its invariants:
//
//   - What was good stays in force until something better is there: files that
//     cannot be used, and an authority that does not answer, change nothing but
//     what [Source.Renewal] tells.
//   - Connections that are open are not touched by a change.
//   - TLS 1.2 is the oldest version that is spoken, and HTTP/1.1 the only protocol:
//     Telnyx sends a request at a time, and HTTP/2 would let one connection stand
//     for hundreds.
package certificate
