package endtoend_test

import (
	"bytes"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"greenlight/internal/app"
	"greenlight/internal/ledger"
	"greenlight/internal/telemetry"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
	"greenlight/internal/webhook"
)

const traceNumber = "+15557770001"

// traceWorld is a world whose tracing follows the environment, and the campaign that the
// carriers are about to approve.
func traceWorld(t *testing.T, environment map[string]string) (w *world, stop func()) {
	t.Helper()
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, "")
		}
	}
	for name, value := range environment {
		t.Setenv(name, value)
	}
	w = newWorld(t, telnyxsim.Options{})
	tracer, stop, err := app.StartTracing(t.Context(), "greenlight", zerolog.Nop())
	w.must(err)
	w.config.Tracer = tracer
	key, err := telnyx.ParsePublicKey(w.sim.PublicKey())
	w.must(err)
	verifier, err := telnyx.NewVerifier([]telnyx.PublicKey{key}, time.Now)
	w.must(err)
	hook, err := webhook.New(webhook.Config{Verifier: verifier, JetStream: w.connect("traced webhook"), Log: zerolog.New(w.log), Tracer: tracer})
	w.must(err)
	w.hook = httptest.NewServer(hook.Handler())
	t.Cleanup(w.hook.Close)
	w.stage(campaignID + ": " + traceNumber)
	w.campaign(campaignID, telnyx.CampaignMNOPending)
	return w, stop
}

func TestTrace_ConnectsTheDeliveryToTelnyx(t *testing.T) {
	collector := &testkit.Collector{}
	server := httptest.NewServer(collector)
	defer server.Close()
	w, stopTraces := traceWorld(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": server.URL})
	stop := w.start()
	w.numberReaches(campaignID, traceNumber, ledger.Planned)
	w.must(w.sim.Approve(campaignID))
	w.numberReaches(campaignID, traceNumber, ledger.Sendable)
	stop()
	stopTraces()

	spans := map[string]testkit.Span{}
	for _, span := range collector.Spans() {
		spans[span.ID] = span
	}
	attached := false
	for _, span := range spans {
		if span.Name != "POST /10dlc/phoneNumberCampaign" && span.Name != "POST /10dlc/phone_number_campaigns" {
			continue
		}
		var path []string
		for at := span; at.Name != ""; at = spans[at.Parent] {
			path = append(path, at.Name)
			if at.Trace != span.Trace {
				t.Errorf("%s belongs to another trace", at.Name)
			}
		}
		if strings.Join(path[1:], " < ") != "assigner.reconcile < assigner.receive < events.publish < webhook.deliver" {
			t.Errorf("got %q", path)
		}
		if span.Attributes["http.response.status_code"] != "200" || span.Attributes["http.request.method"] != "POST" || span.Kind != "SPAN_KIND_CLIENT" {
			t.Errorf("got %+v", span)
		}
		attached = true
	}
	if !attached {
		t.Errorf("there is no trace of an attach call in %+v", collector.Spans())
	}
	for _, secret := range []string{strings.TrimPrefix(traceNumber, "+"), apiKey, "Bearer"} {
		if bytes.Contains(collector.Raw(), []byte(secret)) {
			t.Errorf("%q is in a span", secret)
		}
	}
}

func TestTrace_IsOffByDefault(t *testing.T) {
	w, stopTraces := traceWorld(t, nil)
	stop := w.start()
	w.must(w.sim.Approve(campaignID))
	w.numberReaches(campaignID, traceNumber, ledger.Sendable)
	stop()
	stopTraces()
	stream, err := w.js.Stream(t.Context(), "EVENTS")
	w.must(err)
	info, err := stream.Info(t.Context())
	w.must(err)
	for sequence := info.State.FirstSeq; sequence <= info.State.LastSeq; sequence++ {
		if msg, err := stream.GetMsg(t.Context(), sequence); err == nil && msg.Header.Get(telemetry.ParentHeader) != "" {
			t.Errorf("message %d has a trace: %v", sequence, msg.Header)
		}
	}
}
