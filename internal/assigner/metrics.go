package assigner

import (
	"errors"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"greenlight/internal/telnyx"
)

type metrics struct {
	looks    *prometheus.CounterVec
	attaches *prometheus.CounterVec
	calls    *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer, a *Assigner) *metrics {
	factory := promauto.With(r)
	m := &metrics{
		looks: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "greenlight_assigner_looks_total",
			Help: "Looks at a campaign by outcome: done, stopped (Telnyx refuses the account), failed (repeated).",
		}, []string{"outcome"}),
		attaches: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "greenlight_assigner_attach_requests_total",
			Help: "Requests to attach a number by outcome: accepted, or the ledger's reason.",
		}, []string{"outcome"}),
		calls: factory.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "greenlight_telnyx_request_seconds",
			Help:    "Calls to Telnyx's API by method, route and status (0: no answer).",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"method", "route", "status"}),
	}
	factory.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "greenlight_assigner_queue_campaigns",
		Help: "Campaigns that wait for a look in this process.",
	}, func() float64 { return float64(a.queue.depth()) })
	factory.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "greenlight_assigner_stopped",
		Help: "1 while all work rests because Telnyx refuses the account or its key.",
	}, func() float64 {
		if a.gate.trouble() != nil {
			return 1
		}
		return 0
	})
	return m
}

func (m *metrics) look(err error) {
	m.looks.WithLabelValues(outcomeOf(err)).Inc()
}

// outcomeOf says in a word what came of a look.
func outcomeOf(err error) string {
	if _, resting := errors.AsType[*stopped](err); resting {
		return "stopped"
	}
	if err != nil {
		return "failed"
	}
	return "done"
}

func (m *metrics) attached(outcome string) { m.attaches.WithLabelValues(outcome).Inc() }

func (m *metrics) call(call telnyx.Call) {
	m.calls.WithLabelValues(call.Method, call.Route, strconv.Itoa(call.Status)).Observe(call.Duration.Seconds())
}
