package assigner

import (
	"context"
	"errors"

	"greenlight/internal/events"
	"greenlight/internal/telnyx"
	"greenlight/internal/tracing"
)

// The trace of a delivery passes through here in three steps: it is received, causes a
// reconcile, and the reconcile makes calls. A reconcile that serves several deliveries
// belongs to the first one's trace; those of the others end where they were received.
// Routine reconciles, thousands at a time, are traced only if what caused them was.

// traceReceived notes that a delivery was received, and returns the trace that its
// reconciles belong to, empty if there is none.
func (a *Assigner) traceReceived(ctx context.Context, d *events.Delivery, campaigns int) string {
	parent := d.TraceParent()
	if a.config.Tracer == nil || parent == "" && d.Kind == events.KindResync {
		return ""
	}
	ctx, span := a.config.Tracer.Follow(ctx, parent, "assigner.receive", tracing.Consumer)
	span.Text(tracing.KeyKind, string(d.Kind))
	span.Number(tracing.KeySequence, int(d.Sequence))
	span.Number(tracing.KeyAttempt, d.Attempt)
	span.Number(tracing.KeyCampaigns, campaigns)
	span.End(true)
	return tracing.Parent(ctx)
}

// beginSpan begins the span of a reconcile, if the delivery that caused it is traced.
func (a *Assigner) beginSpan(ctx context.Context, req request) (context.Context, tracing.Span) {
	if req.trace == "" {
		return ctx, tracing.Span{}
	}
	ctx, span := a.config.Tracer.Follow(ctx, req.trace, "assigner.reconcile", tracing.Internal)
	span.Text(tracing.KeyCampaign, req.key)
	return ctx, span
}

// endSpan ends the span of a reconcile.
func endSpan(span tracing.Span, err error) {
	outcome := reconcileOutcome(err)
	if _, elsewhere := errors.AsType[*knownAs](err); elsewhere {
		outcome = "known_as_another"
	}
	span.Text(tracing.KeyOutcome, outcome)
	span.End(outcome != outcomeFailed)
}

// traceCalls makes a span of each call that a traced reconcile makes.
func (a *Assigner) traceCalls(client *telnyx.Client) {
	if a.config.Tracer == nil {
		return
	}
	before := client.OnSend
	client.OnSend = func(ctx context.Context, method, route string) func(telnyx.Call) {
		_, span := tracing.Begin(ctx, method+" "+route, tracing.Client)
		span.Text(tracing.KeyMethod, method)
		span.Text(tracing.KeyRoute, route)
		over := func(telnyx.Call) {}
		if before != nil {
			over = before(ctx, method, route)
		}
		return func(call telnyx.Call) {
			span.Number(tracing.KeyStatus, call.Status)
			span.End(call.Err == nil)
			over(call)
		}
	}
}
