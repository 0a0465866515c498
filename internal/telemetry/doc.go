// Package telemetry names what Greenlight writes about its work, so that every part
// writes the same thing under the same key: the keys of log lines, the steps of a trace
// and their attributes. It does not know where log and traces go; package app sets that
// up.
//
// Tracing is off with a nil [Tracer] and a zero [Span], and then costs no allocation. No
// attribute is a phone number or a secret, and a failed span does not say why.
package telemetry
