package webhook_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"greenlight/internal/telemetry"
	"greenlight/internal/telnyx"
	"greenlight/internal/webhook"
)

// traced makes the webhook record its spans in memory.
func traced() (*tracetest.InMemoryExporter, func(*setup)) {
	spans := tracetest.NewInMemoryExporter()
	return spans, func(s *setup) {
		s.config.Tracer = telemetry.NewTracer(trace.NewTracerProvider(trace.WithSyncer(spans)))
	}
}

func TestTrace_CoversSignedDeliveries(t *testing.T) {
	spans, on := traced()
	d := open(t, on)
	body := fixtures(t)["10dlc.campaign.update.VERIFIED"]
	if got := d.deliver(body); got != accepted {
		t.Fatalf("got %v", got)
	}
	names := map[string]map[string]string{}
	for _, span := range spans.GetSpans() {
		names[span.Name] = map[string]string{}
		for _, a := range span.Attributes {
			names[span.Name][string(a.Key)] = a.Value.String()
		}
	}
	if root := names["webhook.deliver"]; root["greenlight.answer"] != "accepted" || root["greenlight.event_id"] == "" || root["greenlight.event_type"] != "10dlc.campaign.update" || root["http.response.status_code"] != "200" {
		t.Errorf("got %v", names)
	}
	if _, published := names["events.publish"]; !published || len(names) != 2 {
		t.Errorf("got %v, want the delivery and its publishing", names)
	}
	spans.Reset()
	unsigned := signed(body)
	unsigned.Del(telnyx.SignatureHeader)
	if got := d.post(unsigned, body); got.Status != http.StatusUnauthorized {
		t.Fatalf("got %v", got)
	}
	if got := spans.GetSpans(); len(got) != 0 {
		t.Errorf("an unsigned request made %d spans", len(got))
	}
	d.stopServer()
	if got := d.deliver(body); got != notStored {
		t.Fatalf("got %v", got)
	}
	if got := spans.GetSpans(); len(got) != 2 || got[0].Status.Code.String() != "Error" || got[1].Status.Code.String() != "Error" || got[0].Status.Description != "" {
		t.Errorf("got %v, want both as failures", got)
	}
}

// Answers to strangers must not be traced, not even a 503: a flood would become as many
// traces.
func TestTrace_OmitsUnverifiedRequests(t *testing.T) {
	t.Parallel() // it waits for the timeout of a body
	spans, on := traced()
	d := open(t, on)
	body, inside := io.Pipe()
	defer inside.Close()
	got, _ := d.do(d.request(http.MethodPost, webhook.Path, signed(nil), body))
	assertAnswer(t, got, answer{http.StatusServiceUnavailable, "body_too_slow"})
	if got := spans.GetSpans(); len(got) != 0 {
		t.Errorf("%d spans were made of what nobody verified", len(got))
	}
}

// BenchmarkTrace measures a whole delivery, from the handler to the acknowledgement, with
// traces off and on.
func BenchmarkTrace(b *testing.B) {
	_, on := traced()
	for name, changes := range map[string][]func(*setup){"off": nil, "traced": {on}} {
		b.Run(name, func(b *testing.B) {
			d := open(b, changes...)
			handler := d.hook.Handler()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				body := []byte(`{"data":{"event_type":"10dlc.campaign.update","id":"id` + strconv.Itoa(i) + `","payload":{"campaignId":"` + campaign + `"}}}`)
				request := httptest.NewRequest(http.MethodPost, webhook.Path, bytes.NewReader(body))
				request.Header = signed(body)
				answer := httptest.NewRecorder()
				handler.ServeHTTP(answer, request)
				if answer.Code != http.StatusOK {
					b.Fatal(answer.Body)
				}
			}
		})
	}
}
