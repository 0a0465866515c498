package telemetry

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// ParentHeader is the header that passes a trace from one part to the next
// (https://www.w3.org/TR/trace-context/).
const ParentHeader = "traceparent"

// scope is the instrumentation scope of all spans.
const scope = "greenlight"

// maxText limits an attribute's text, which may come from outside.
const maxText = 200

// Kind is the role of a span between two parts.
type Kind = trace.SpanKind

// The kinds of spans.
const (
	Internal = trace.SpanKindInternal
	Server   = trace.SpanKindServer
	Client   = trace.SpanKindClient
	Producer = trace.SpanKindProducer
	Consumer = trace.SpanKindConsumer
)

// Tracer begins traces. Nil is off. Safe for concurrent use.
type Tracer struct{ tracer trace.Tracer }

// NewTracer returns a tracer for the provider.
func NewTracer(provider trace.TracerProvider) *Tracer { return &Tracer{provider.Tracer(scope)} }

// Follow begins a span that continues the trace of parent, the value of a [ParentHeader],
// or a new trace if parent is not valid.
func (t *Tracer) Follow(ctx context.Context, parent, name string, kind Kind) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	if parent != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{ParentHeader: parent})
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithSpanKind(kind))
	return ctx, Span{span}
}

// Begin begins a span below the one of ctx. Without one it does nothing.
func Begin(ctx context.Context, name string, kind Kind) (context.Context, Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, Span{}
	}
	ctx, span := parent.TracerProvider().Tracer(scope).Start(ctx, name, trace.WithSpanKind(kind))
	return ctx, Span{span}
}

// Of returns the span of ctx, the zero Span if there is none.
func Of(ctx context.Context) Span {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		return Span{span}
	}
	return Span{}
}

// Parent returns the [ParentHeader] that continues the trace of ctx, empty if there is
// none.
func Parent(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[ParentHeader]
}

// Span is one step of a trace. The methods of the zero Span do nothing.
type Span struct{ span trace.Span }

// Text sets a text attribute. It must not be a phone number or a secret.
func (s Span) Text(key, value string) {
	if s.span != nil {
		// An incomplete character would make the whole batch invalid.
		s.span.SetAttributes(attribute.String(key, strings.ToValidUTF8(value[:min(len(value), maxText)], "")))
	}
}

// Number sets a number attribute.
func (s Span) Number(key string, value int) {
	if s.span != nil {
		s.span.SetAttributes(attribute.Int(key, value))
	}
}

// End ends the span as a success or a failure; only the log says why. A span that is not
// ended is never sent.
func (s Span) End(worked bool) {
	if s.span == nil {
		return
	}
	if !worked {
		s.span.SetStatus(codes.Error, "")
	}
	s.span.End()
}

// The keys of attributes. Those of HTTP are OpenTelemetry's own
// (https://opentelemetry.io/docs/specs/semconv/http/http-spans/).
const (
	AttrEvent     = "greenlight.event_id"
	AttrType      = "greenlight.event_type"
	AttrAnswer    = "greenlight.answer"
	AttrSequence  = "greenlight.sequence"
	AttrAttempt   = "greenlight.attempt"
	AttrCampaign  = "greenlight.campaign_id"
	AttrCampaigns = "greenlight.campaigns"
	AttrKind      = "greenlight.kind"
	AttrOutcome   = "greenlight.outcome"
	AttrMethod    = "http.request.method"
	AttrRoute     = "url.template"
	AttrStatus    = "http.response.status_code"
)
