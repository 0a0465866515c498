package app

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"greenlight/internal/plan"
)

// planMetrics tells which plan set is in force, and whether the files can be used.
type planMetrics struct{ info *prometheus.GaugeVec }

func newPlanMetrics(r prometheus.Registerer, plans *Plans) *planMetrics {
	factory := promauto.With(r)
	m := &planMetrics{info: factory.NewGaugeVec(prometheus.GaugeOpts{
		Name: "greenlight_plan_info",
		Help: "1 for the plan set in force, by its hash.",
	}, []string{"hash"})}
	factory.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "greenlight_plan_faulty",
		Help: "1 while the plan files cannot be used and the last good set stays in force.",
	}, func() float64 {
		if plans.Err() != nil {
			return 1
		}
		return 0
	})
	m.changed(plans.Set())
	return m
}

func (m *planMetrics) changed(set *plan.Set) {
	m.info.Reset()
	m.info.WithLabelValues(set.Hash).Set(1)
}
