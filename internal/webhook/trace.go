package webhook

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"greenlight/internal/telemetry"
	"greenlight/internal/telnyx"
)

// traced makes a trace of each delivery that next answers, and goes on with one that
// came with the request, as proxies send them. What was refused before it was verified
// is not sent, whatever the reason: a flood of strangers would become a flood of
// traces, and is counted anyway.
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

// beginPublish names the event in the delivery's span and begins the one of storing
// it, both if there are any.
func beginPublish(ctx context.Context, event telnyx.Event) (context.Context, telemetry.Span) {
	delivery := telemetry.Of(ctx)
	delivery.Text(telemetry.AttrEvent, event.ID)
	delivery.Text(telemetry.AttrType, event.Type)
	return telemetry.Begin(ctx, "events.publish", telemetry.Producer)
}
