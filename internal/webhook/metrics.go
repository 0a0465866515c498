package webhook

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"greenlight/internal/telnyx"
)

type metrics struct {
	events  *prometheus.CounterVec
	refused *prometheus.CounterVec
	// verified is by the key's fingerprint: an old key can be removed when its counter no
	// longer grows.
	verified *prometheus.CounterVec
	publish  prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) *metrics {
	factory := promauto.With(r)
	m := &metrics{
		events: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "greenlight_webhook_events_total",
			Help: "Verified deliveries by event type and answer (accepted, duplicate, ignored, dead_lettered).",
		}, []string{"type", "answer"}),
		refused: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "greenlight_webhook_refused_total",
			Help: "Refused requests by the code in the answer, and by cause for not_stored.",
		}, []string{"code", "cause"}),
		verified: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "greenlight_webhook_verified_total",
			Help: "Verified deliveries by the first characters of the public key that verified them.",
		}, []string{"key"}),
		publish: factory.NewHistogram(prometheus.HistogramOpts{
			Name:    "greenlight_webhook_publish_seconds",
			Help:    "Time from the end of the body to the stream's acknowledgement or refusal.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2},
		}),
	}
	// A counter that first appears at 1 shows no increase, so no alert would fire.
	for _, code := range refusalCodes {
		m.refused.WithLabelValues(code, "")
	}
	for _, cause := range causes {
		m.refused.WithLabelValues(codeNotStored, cause)
	}
	return m
}

// refusalCodes are the codes that alerts use, besides not_stored, which has causes.
var refusalCodes = []string{
	string(telnyx.SignatureMissing), string(telnyx.TimestampMalformed), string(telnyx.TimestampStale),
	string(telnyx.TimestampFuture), string(telnyx.SignatureMalformed), string(telnyx.SignatureMismatch),
	"overloaded", "internal",
}

// keys adds a counter for each key in use, so that an unused one shows as zero.
func (m *metrics) keys(keys []telnyx.PublicKey) {
	for _, key := range keys {
		m.verified.WithLabelValues(key.Fingerprint())
	}
}

// event counts one verified delivery. The type comes from outside, so only known types
// become labels.
func (m *metrics) event(eventType, answer string) {
	switch eventType {
	case "10dlc.brand.update", "10dlc.campaign.update", "10dlc.phone_number.update":
	default:
		eventType = family(eventType)
	}
	m.events.WithLabelValues(eventType, answer).Inc()
}

func family(eventType string) string {
	for _, known := range []string{"10dlc", "brand", "campaign", "message"} {
		if strings.HasPrefix(eventType, known+".") {
			return known + ".other"
		}
	}
	return "other"
}
