package app

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/status"
)

// collector computes metrics when they are scraped.
type collector func(out chan<- prometheus.Metric)

// Describe sends nothing: the metrics are known only when they are computed.
func (c collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends the metrics.
func (c collector) Collect(out chan<- prometheus.Metric) { c(out) }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

func gauge(d *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

// truth is how Prometheus writes true and false.
func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// buildMetric is always 1, with the build as labels.
func buildMetric(b Build) prometheus.Collector {
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "greenlight_build_info",
		Help:        "1 for the running version of Greenlight, with its commit, the commit's date and the version of Go.",
		ConstLabels: prometheus.Labels{"version": b.Version, "commit": b.Commit, "date": b.Date, "go": b.Go},
	})
	build.Set(1)
	return build
}

// scrapeTimeout bounds the requests to NATS for one scrape. Prometheus gives up after ten
// seconds by default.
const scrapeTimeout = 2 * time.Second

var (
	waitingDesc       = desc("greenlight_events_waiting", "Messages not yet delivered to an assigner.")
	openDesc          = desc("greenlight_events_open", "Messages delivered to an assigner and not yet acknowledged.")
	oldestDesc        = desc("greenlight_events_oldest_age_seconds", "Age of the oldest message that waits or is open; 0 if there is none.")
	bytesDesc         = desc("greenlight_events_bytes", "Size of stream EVENTS.")
	bytesMaxDesc      = desc("greenlight_events_bytes_limit", "Size at which stream EVENTS is full and deliveries are answered 503.")
	listeningDesc     = desc("greenlight_assigner_listening", "1 while an assigner, in this process or another one, reads the stream.")
	heldDesc          = desc("greenlight_assigner_held", "1 while everything is on hold: no new write request is sent to Telnyx.")
	heldCampaignsDesc = desc("greenlight_campaigns_held", "Campaigns with their own hold.")
	deadLettersDesc   = desc("greenlight_dead_letters", "Messages that could not be handled and wait for a person.")
)

// streamMetrics reports how full the streams are and what is on hold. They are absent while
// the server does not answer.
func streamMetrics(js jetstream.JetStream) prometheus.Collector {
	return collector(func(out chan<- prometheus.Metric) {
		ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
		defer cancel()
		d, err := events.ReadDepths(ctx, js)
		if err != nil {
			return // readiness says why
		}
		age := 0.0
		if !d.Oldest.IsZero() {
			age = max(d.At.Sub(d.Oldest).Seconds(), 0)
		}
		out <- gauge(waitingDesc, float64(d.Waiting))
		out <- gauge(openDesc, float64(d.Open))
		out <- gauge(oldestDesc, age)
		out <- gauge(bytesDesc, float64(d.Room.Used))
		out <- gauge(bytesMaxDesc, float64(d.Room.Limit))
		out <- gauge(listeningDesc, truth(!d.Idle))
		out <- gauge(deadLettersDesc, float64(d.DeadLetters))
		hold, err := ledger.ReadHold(ctx, js)
		if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return
		}
		out <- gauge(heldDesc, truth(hold.All != nil))
		out <- gauge(heldCampaignsDesc, float64(len(hold.Campaigns)))
	})
}

var (
	readyDesc = desc("greenlight_ready", "1 while every role of this process is ready, as /readyz says.")
	checkDesc = desc("greenlight_check_ok", "1 for each check of /readyz that is ok. Advisory checks do not make the process unready.", "check")
)

// readinessMetrics makes all checks at once.
func readinessMetrics(checks []status.Check) prometheus.Collector {
	return collector(func(out chan<- prometheus.Metric) {
		ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
		defer cancel()
		errs := make([]error, len(checks))
		var checking sync.WaitGroup
		for i, check := range checks {
			checking.Go(func() { errs[i] = check.Err(ctx) })
		}
		checking.Wait()
		ready := true
		for i, check := range checks {
			ready = ready && (errs[i] == nil || check.Advisory)
			out <- gauge(checkDesc, truth(errs[i] == nil), check.Name)
		}
		out <- gauge(readyDesc, truth(ready))
	})
}

var (
	numbersDesc = desc("greenlight_numbers", "Planned numbers by state and reason, and whether they need a person (yes or no). The reason is empty if all is well.",
		"state", "reason", "needs_person")
	campaignsDesc = desc("greenlight_campaigns", "Campaigns by phase, and whether a plan names them (yes or no).", "phase", "planned")
)

// campaignKind is what campaigns are counted by.
type campaignKind struct {
	phase   ledger.Phase
	planned bool
}

// ledgerMetrics counts numbers and campaigns. They are absent until the ledger has been
// read. Each state and phase starts at zero, so that its first number is a change.
func ledgerMetrics(view *status.View) prometheus.Collector {
	return collector(func(out chan<- prometheus.Metric) {
		if _, _, loaded := view.Version(); !loaded {
			return
		}
		numbers, campaigns := map[ledger.NumberKind]int{}, map[campaignKind]int{}
		view.Read(func(x *status.Contents) {
			maps.Copy(numbers, x.Totals)
			for _, e := range x.Campaigns() {
				if e.Recorded {
					campaigns[campaignKind{e.Phase, e.Planned}]++
				}
			}
		})
		for _, state := range ledger.States() {
			numbers[ledger.NumberKind{State: state, NeedsPerson: state == ledger.Conflict || state == ledger.Failed}] += 0
		}
		for _, phase := range ledger.Phases() {
			campaigns[campaignKind{phase, true}] += 0
		}
		for kind, n := range numbers {
			out <- gauge(numbersDesc, float64(n), string(kind.State), string(kind.Reason), yesNo(kind.NeedsPerson))
		}
		for kind, n := range campaigns {
			out <- gauge(campaignsDesc, float64(n), string(kind.phase), yesNo(kind.planned))
		}
	})
}

// newPlanMetrics registers the metrics about the plan files. The result is called with each
// new set.
func newPlanMetrics(r prometheus.Registerer, plans *Plans) (inForce func(*plan.Set)) {
	factory := promauto.With(r)
	info := factory.NewGaugeVec(prometheus.GaugeOpts{
		Name: "greenlight_plan_info",
		Help: "1 for the plan set in force, by its hash.",
	}, []string{"hash"})
	factory.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "greenlight_plan_faulty",
		Help: "1 while the plan files cannot be used and the last good set stays in force.",
	}, func() float64 { return truth(plans.Err() != nil) })
	inForce = func(set *plan.Set) {
		info.Reset()
		info.WithLabelValues(set.Hash).Set(1)
	}
	if set := plans.Set(); set != nil {
		inForce(set)
	}
	return inForce
}

var (
	notAfterDesc = desc("greenlight_tls_certificate_not_after_seconds", "When the certificate in use ends, in seconds since 1970, by its first name.", "host")
	faultyDesc   = desc("greenlight_tls_certificate_faulty", "1 while a certificate cannot be renewed and the last good one stays in use.")
)

// certificateMetrics reports how long the certificates are valid.
func certificateMetrics(certificates *Certificates) prometheus.Collector {
	return collector(func(out chan<- prometheus.Metric) {
		ends := make(map[string]time.Time) // two certificates may have the same first name
		for _, leaf := range certificates.InUse() {
			ends[nameOf(leaf)] = leaf.NotAfter
		}
		for host, end := range ends {
			out <- gauge(notAfterDesc, float64(end.Unix()), host)
		}
		out <- gauge(faultyDesc, truth(certificates.Renewal() != nil))
	})
}
