package main

import (
	"net/http/httptest"
	"testing"

	"greenlight/internal/testkit"
	"greenlight/internal/testkit/commandtest"
	"greenlight/internal/webhook"
)

// The spans of a delivery have left the process when it has stopped.
func TestWebhook_SendsTraces(t *testing.T) {
	t.Parallel()
	collector := &testkit.Collector{}
	server := httptest.NewServer(collector)
	defer server.Close()
	address, _ := commandtest.StartNATS(t)
	sim, _ := commandtest.StartTelnyx(t)
	door := commandtest.Start(t, commandName, "webhook accepts deliveries", "NATS_URL="+address, "TELNYX_PUBLIC_KEY="+sim.PublicKey(),
		"LISTEN=127.0.0.1:0", "ADMIN_LISTEN=127.0.0.1:0", "OTEL_EXPORTER_OTLP_ENDPOINT="+server.URL)
	_, campaign := commandtest.Stage(t, sim, "http://"+door.Address("webhook")+webhook.Path)
	must(t, sim.Approve(campaign.ID()))
	door.Says(`"answer":"accepted"`)
	door.Stop()
	names := map[string]string{}
	for _, span := range collector.Spans() {
		names[span.Name] = span.Service
	}
	if names["webhook.deliver"] != "greenlight-webhook" || names["events.publish"] != "greenlight-webhook" {
		t.Errorf("got %v", names)
	}
}
