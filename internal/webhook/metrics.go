package webhook

import (
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"greenlight/internal/telnyx"
)

type metrics struct {
	events  *prometheus.CounterVec
	refused *prometheus.CounterVec
	// verified is by the key's fingerprint: an old key can go when its count no longer
	// grows.
	verified *prometheus.CounterVec
	// byKey are the counters of the keys in use, so that one is found without making
	// the fingerprint, which costs as much as reading the claim.
	byKey   atomic.Pointer[map[telnyx.PublicKey]prometheus.Counter]
	publish prometheus.Histogram
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
			Help: "Requests that were refused, by the code in the answer, and by the cause where the code does not say it all.",
		}, []string{"code", "cause"}),
		verified: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "greenlight_webhook_verified_total",
			Help: "Verified deliveries by the beginning of the public key that verified them.",
		}, []string{"key"}),
		publish: factory.NewHistogram(prometheus.HistogramOpts{
			Name:    "greenlight_webhook_publish_seconds",
			Help:    "Time from a body read to the stream's acknowledgement or refusal.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2},
		}),
	}
	// A counter that appears with its first refusal has no increase to alert on.
	for _, code := range refusalCodes {
		m.refused.WithLabelValues(code, "")
	}
	for code, causes := range causesOf {
		for _, cause := range causes {
			m.refused.WithLabelValues(code, cause)
		}
	}
	return m
}

// refusalCodes are the codes of all answers other than 200 that tell of trouble, ours
// or somebody's who is not Telnyx, and that say it all; see causesOf for the others.
var refusalCodes = []string{
	string(telnyx.SignatureMissing), string(telnyx.TimestampMalformed), string(telnyx.TimestampStale),
	string(telnyx.TimestampFuture), string(telnyx.SignatureMalformed), string(telnyx.SignatureMismatch),
	"internal",
}

// keys makes a counter for each key in use, so that one that verifies nothing shows
// as zero.
func (m *metrics) keys(keys []telnyx.PublicKey) {
	byKey := map[telnyx.PublicKey]prometheus.Counter{}
	for _, key := range keys {
		byKey[key] = m.verified.WithLabelValues(key.Fingerprint())
	}
	m.byKey.Store(&byKey)
}

// verifiedBy counts a delivery that the key verified. It may be a key of before, which
// the delivery was checked with just now.
func (m *metrics) verifiedBy(key telnyx.PublicKey) {
	counter, known := (*m.byKey.Load())[key]
	if !known {
		counter = m.verified.WithLabelValues(key.Fingerprint())
	}
	counter.Inc()
}

// event counts one verified delivery. The type comes from outside, so only
// those of the 10DLC family become a label of their own.
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
