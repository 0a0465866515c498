// Package endtoend has no code, only tests: the whole of Greenlight, from
// deliveries over HTTP to requests at a simulated Telnyx, on a real JetStream
// server. Each test is a promise of the design, tried hard.
package endtoend
