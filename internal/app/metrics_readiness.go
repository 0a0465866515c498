package app

import (
	"context"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"greenlight/internal/status"
)

// Readiness tells what /readyz tells.
type Readiness struct{ checks []status.Check }

// NewReadiness returns a collector that makes the checks when it is asked, all at
// once. They must be safe for that.
func NewReadiness(checks []status.Check) *Readiness { return &Readiness{checks: checks} }

var (
	readyDesc = desc("greenlight_ready", "1 while each role of this process can do its job, as /readyz says under roles.")
	checkDesc = desc("greenlight_check_ok", "1 for each thing that /readyz checks and that is as it should be. Not each of them makes the process unready.", "check")
)

// Describe tells of the metrics.
func (r *Readiness) Describe(out chan<- *prometheus.Desc) {
	out <- readyDesc
	out <- checkDesc
}

// Collect makes the checks.
func (r *Readiness) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	errs := make([]error, len(r.checks))
	var asking sync.WaitGroup
	for i, check := range r.checks {
		asking.Go(func() { errs[i] = check.Err(ctx) })
	}
	asking.Wait()
	ready := true
	for i, check := range r.checks {
		ready = ready && (errs[i] == nil || check.Advisory)
		out <- prometheus.MustNewConstMetric(checkDesc, prometheus.GaugeValue, truth(errs[i] == nil), check.Name)
	}
	out <- prometheus.MustNewConstMetric(readyDesc, prometheus.GaugeValue, truth(ready))
}
