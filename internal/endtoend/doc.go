// Package endtoend has only tests. They run all of Greenlight, from deliveries over HTTP to
// requests at a simulated Telnyx, on a real JetStream server. Each test checks a promise of
// the design.
package endtoend
