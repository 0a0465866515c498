package assigner

import (
	"context"
	"errors"

	"greenlight/internal/events"
	"greenlight/internal/telemetry"
	"greenlight/internal/telnyx"
)

// A delivery's trace has a span for receiving it, one for its reconcile, and one for each call.
// A reconcile for several deliveries belongs to the first one's trace, and the other traces
// end where they were received. Routine reconciles, which come in thousands, are traced only
// if their cause was.

// traceReceived traces that a delivery was received, and returns the trace that its reconciles
// belong to, empty if there is none.
func (a *Assigner) traceReceived(ctx context.Context, d *events.Delivery, campaigns int) string {
	parent := d.TraceParent()
	if a.config.Tracer == nil || parent == "" && d.Kind == events.KindResync {
		return ""
	}
	ctx, span := a.config.Tracer.Follow(ctx, parent, "assigner.receive", telemetry.Consumer)
	span.Text(telemetry.AttrKind, string(d.Kind))
	span.Number(telemetry.AttrSequence, int(d.Sequence))
	span.Number(telemetry.AttrAttempt, d.Attempt)
	span.Number(telemetry.AttrCampaigns, campaigns)
	span.End(true)
	return telemetry.Parent(ctx)
}

// beginSpan begins the span of a reconcile, if the delivery that caused it is traced.
func (a *Assigner) beginSpan(ctx context.Context, req request) (context.Context, telemetry.Span) {
	if req.trace == "" {
		return ctx, telemetry.Span{}
	}
	ctx, span := a.config.Tracer.Follow(ctx, req.trace, "assigner.reconcile", telemetry.Internal)
	span.Text(telemetry.AttrCampaign, req.key)
	return ctx, span
}

// endSpan ends the span of a reconcile.
func endSpan(span telemetry.Span, err error) {
	outcome := reconcileOutcome(err)
	if _, elsewhere := errors.AsType[*knownAs](err); elsewhere {
		outcome = "known_as_another"
	}
	span.Text(telemetry.AttrOutcome, outcome)
	span.End(outcome != outcomeFailed)
}

// watchCall counts a call, and makes a span for it if its reconcile is traced.
func (a *Assigner) watchCall(ctx context.Context, method, route string) (over func(telnyx.Call)) {
	var span telemetry.Span
	if a.config.Tracer != nil {
		_, span = telemetry.Begin(ctx, method+" "+route, telemetry.Client)
		span.Text(telemetry.AttrMethod, method)
		span.Text(telemetry.AttrRoute, route)
	}
	return func(call telnyx.Call) {
		a.metrics.call(call)
		span.Number(telemetry.AttrStatus, call.Status)
		span.End(call.Err == nil)
	}
}
