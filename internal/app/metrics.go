package app

import "github.com/prometheus/client_golang/prometheus"

// NewBuild returns a metric that is always 1 and says by its labels what the process
// was built from. The date is the commit's, empty if that is not known.
func NewBuild(version, commit, date, goVersion string) prometheus.Collector {
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "greenlight_build_info",
		Help:        "1 for the version of Greenlight that runs, with the commit, its date and the version of Go that it was built from.",
		ConstLabels: prometheus.Labels{"version": version, "commit": commit, "date": date, "go": goVersion},
	})
	build.Set(1)
	return build
}
