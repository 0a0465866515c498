// Package telemetry defines the keys of log lines, and the spans of traces and their
// attributes, so that every part uses the same names. Package app configures where log and
// traces go.
//
// A nil [Tracer] and a zero [Span] turn tracing off without allocations. Attributes hold
// no phone numbers and no secrets, and a failed span does not say why.
package telemetry
