package main

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"greenlight/internal/tracing/tracingtest"
	"greenlight/internal/webhook"
)

// The spans of a delivery have left the process when it has stopped.
func TestWebhook_SendsTraces(t *testing.T) {
	collector := &tracingtest.Collector{}
	server := httptest.NewServer(collector)
	defer server.Close()
	address, _ := startNATS(t)
	sim, _ := startTelnyx(t)
	door := start(t, "webhook takes deliveries", "NATS_URL="+address, "TELNYX_PUBLIC_KEY="+sim.PublicKey(),
		"LISTEN=127.0.0.1:0", "ADMIN_LISTEN=127.0.0.1:0", "OTEL_EXPORTER_OTLP_ENDPOINT="+server.URL)
	listens := regexp.MustCompile(`"part":"webhook","address":"([^"]+)"`).FindStringSubmatch(door.log())
	if listens == nil {
		t.Fatal("its log does not name the address")
	}
	_, campaign := stage(t, sim, "http://"+listens[1]+webhook.Path)
	must(t, sim.Approve(campaign.ID()))
	for deadline := time.Now().Add(patience); !strings.Contains(door.log(), `"answer":"accepted"`); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no delivery was accepted")
		}
	}
	door.stop()
	names := map[string]string{}
	for _, span := range collector.Spans() {
		names[span.Name] = span.Service
	}
	if names["webhook.deliver"] != "greenlight-webhook" || names["events.publish"] != "greenlight-webhook" {
		t.Errorf("got %v", names)
	}
}
