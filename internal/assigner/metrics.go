package assigner

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"greenlight/internal/ledger"
	"greenlight/internal/notice"
	"greenlight/internal/telnyx"
)

// scrapeTimeout bounds what one gauge may ask of NATS.
const scrapeTimeout = time.Second

// The outcomes of a reconcile, and of a request that Telnyx accepted.
const (
	outcomeDone    = "done"
	outcomeStopped = "stopped"
	outcomeFailed  = "failed"
	accepted       = "accepted"
)

type metrics struct {
	reconciles *prometheus.CounterVec
	attaches   *prometheus.CounterVec
	removals   *prometheus.CounterVec
	calls      *prometheus.HistogramVec
	approval   prometheus.Histogram
	notices    *prometheus.CounterVec
	unstored   prometheus.Counter
}

func newMetrics(r prometheus.Registerer, a *Assigner) *metrics {
	factory := promauto.With(r)
	m := &metrics{
		reconciles: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "greenlight_assigner_reconciles_total",
			Help: "Reconciles of a campaign by outcome: done, stopped (Telnyx refuses the account), failed (repeated).",
		}, []string{"outcome"}),
		attaches: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "greenlight_assigner_attach_requests_total",
			Help: "Requests to attach a number by outcome: accepted, or the ledger's reason.",
		}, []string{"outcome"}),
		removals: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "greenlight_assigner_remove_requests_total",
			Help: "Requests to remove a number from its campaign by outcome: accepted, or the ledger's reason.",
		}, []string{"outcome"}),
		calls: factory.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "greenlight_telnyx_request_seconds",
			Help:    "Calls to Telnyx's API by method, route and status (0: no answer).",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"method", "route", "status"}),
		approval: factory.NewHistogram(prometheus.HistogramOpts{
			Name: "greenlight_campaign_attach_seconds",
			Help: "Time from the VERIFIED notification of a campaign (or from when Greenlight read its approval) until every planned number was attached; one per approval.",
			// Five numbers take seconds, and five thousand take an hour; Telnyx itself may
			// take three days.
			Buckets: []float64{1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 3 * 3600, 12 * 3600, 24 * 3600, 72 * 3600},
		}),
	}
	m.notices = factory.NewCounterVec(prometheus.CounterOpts{
		Name: "greenlight_notices_total",
		Help: "Notices that this process stored, by kind: completed, partial, needs_person, stuck, expires_soon.",
	}, []string{"kind"})
	m.unstored = factory.NewCounter(prometheus.CounterOpts{
		Name: "greenlight_notices_failed_total",
		Help: "Notices that could not be stored; the next reconcile of the campaign tries again.",
	})
	for _, kind := range notice.Kinds() {
		m.notices.WithLabelValues(string(kind))
	}
	// A counter that appears with its first event has no increase to alert on.
	for _, outcome := range []string{outcomeDone, outcomeStopped, outcomeFailed} {
		m.reconciles.WithLabelValues(outcome)
	}
	m.attaches.WithLabelValues(accepted)
	m.removals.WithLabelValues(accepted)
	for _, reason := range ledger.Reasons() {
		m.attaches.WithLabelValues(string(reason))
	}
	m.watch(factory, a)
	if r != nil {
		r.MustRegister(&activeMetric{a})
	}
	return m
}

// watch registers what is read from the assigner at each scrape.
func (m *metrics) watch(factory promauto.Factory, a *Assigner) {
	gauge := func(name, help string, read func() float64) {
		factory.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read)
	}
	gauge("greenlight_assigner_queue_campaigns", "Campaigns waiting for a reconcile in this process.",
		func() float64 { return float64(a.queue.depth()) })
	gauge("greenlight_assigner_breaker_open", "1 while the circuit breaker is open because Telnyx refuses the account or its key.",
		func() float64 {
			if a.breaker.err() != nil {
				return 1
			}
			return 0
		})
	gauge("greenlight_assigner_resync_age_seconds",
		"Time since this process last queued all planned campaigns for a resync, or since its start. It grows on a standby assigner.",
		func() float64 { return a.now().Sub(time.Unix(0, a.resynced.Load())).Seconds() })
	gauge("greenlight_assigner_resync_interval_seconds", "Configured time between two resyncs.",
		a.config.Resync.Seconds)
	limiter := a.client.Limiter
	gauge("greenlight_telnyx_rate", "Calls to Telnyx per second that the limiter allows now.", limiter.Rate)
	gauge("greenlight_telnyx_limiter_waiting", "Calls to Telnyx waiting for the limiter now.",
		func() float64 { return float64(limiter.Waits().Now) })
	counter := func(name, help string, read func() float64) {
		factory.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, read)
	}
	counter("greenlight_telnyx_limiter_waits_total", "Calls to Telnyx that have waited for the limiter, even briefly.",
		func() float64 { return float64(limiter.Waits().Calls) })
	counter("greenlight_telnyx_limiter_wait_seconds_total", "Total time that calls to Telnyx have waited for the limiter.",
		func() float64 { return limiter.Waits().Total.Seconds() })
}

// activeMetric reports whether this assigner is active. It is absent while NATS does not
// answer, because either value might be wrong.
type activeMetric struct{ a *Assigner }

var activeDesc = prometheus.NewDesc("greenlight_assigner_active",
	"1 on the assigner that the consumer is pinned to, 0 on standby. Known after the first message, which each start causes.", nil, nil)

func (m *activeMetric) Describe(out chan<- *prometheus.Desc) { out <- activeDesc }

func (m *activeMetric) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	state, err := m.a.consumer.State(ctx)
	if err != nil {
		return
	}
	active := 0.0
	if state.Pinned {
		active = 1
	}
	out <- prometheus.MustNewConstMetric(activeDesc, prometheus.GaugeValue, active)
}

// reconcileOutcome says in a word how a reconcile ended.
func reconcileOutcome(err error) string {
	_, open := errors.AsType[*openError](err)
	_, undone := errors.AsType[*undoneError](err)
	switch {
	case open:
		return outcomeStopped
	case err != nil && !undone:
		return outcomeFailed
	default:
		return outcomeDone
	}
}

func (m *metrics) call(call telnyx.Call) {
	m.calls.WithLabelValues(call.Method, call.Route, strconv.Itoa(call.Status)).Observe(call.Duration.Seconds())
}
