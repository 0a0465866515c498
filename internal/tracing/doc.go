// Package tracing makes one trace out of what follows from a delivery: the request
// at the webhook, its message in the stream, the assigner's look at the campaign, and
// each call to Telnyx. It sends them to a collector by OTLP over HTTP
// (https://opentelemetry.io/docs/specs/otlp/), as the standard variables say
// (https://opentelemetry.io/docs/specs/otel/protocol/exporter/).
//
// Its invariants:
//
//   - Off unless OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is
//     set. A nil [Tracer] and a zero [Span] are off, and cost no allocation.
//   - No phone number and no secret: attributes are ids, kinds and statuses, and an
//     error is told as a failure, without its text.
//   - Nobody waits for the collector: what it does not take in time is dropped.
package tracing
