package webhook

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"greenlight/internal/telemetry"
	"greenlight/internal/telnyx"
)

// traced traces each delivery that next answers, and continues a trace that a proxy began.
// A request that was refused before it was verified is not traced: a flood of strangers
// would become a flood of traces, and the metrics count it anyway.
func (w *Webhook) traced(next echo.HandlerFunc) echo.HandlerFunc {
	if w.tracer == nil {
		return next
	}
	return func(c echo.Context) error {
		request := c.Request()
		ctx, span := w.tracer.Follow(request.Context(), request.Header.Get(telemetry.ParentHeader), "webhook.deliver", telemetry.Server)
		c.SetRequest(request.WithContext(ctx))
		err := next(c)
		status := http.StatusOK
		if err != nil {
			refused := asRefusal(err)
			if refused.code != codeNotStored {
				return err // it may not be verified
			}
			status = refused.status
			span.Text(telemetry.AttrAnswer, refused.code)
		}
		span.Number(telemetry.AttrStatus, status)
		span.End(status == http.StatusOK)
		return err
	}
}

// beginPublish names the event in the delivery's span, if any, and begins the span for
// storing it.
func beginPublish(ctx context.Context, event telnyx.Event) (context.Context, telemetry.Span) {
	delivery := telemetry.Of(ctx)
	delivery.Text(telemetry.AttrEvent, event.ID)
	delivery.Text(telemetry.AttrType, event.Type)
	return telemetry.Begin(ctx, "events.publish", telemetry.Producer)
}
