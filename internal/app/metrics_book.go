package app

import (
	"maps"

	"github.com/prometheus/client_golang/prometheus"

	"greenlight/internal/ledger"
	"greenlight/internal/status"
)

// Book reports how many numbers and campaigns the ledger has. Until all of it was read,
// these metrics are absent.
type Book struct{ view *status.View }

// NewBook returns a collector of the view's counts.
func NewBook(view *status.View) *Book { return &Book{view: view} }

var (
	numbersDesc = desc("greenlight_numbers", "Planned numbers by state and reason, and whether they need a person (yes or no), as greenlight status says; the reason is empty when all is as it should be.",
		"state", "reason", "needs_person")
	campaignsDesc = desc("greenlight_campaigns", "Campaigns by phase, and whether a plan names them (yes or no).", "phase", "planned")
)

// Describe sends the descriptions of the metrics.
func (b *Book) Describe(out chan<- *prometheus.Desc) {
	out <- numbersDesc
	out <- campaignsDesc
}

// Collect reports the counts. Each state and phase is there from the beginning, at
// zero, so that the first one that comes is a change.
func (b *Book) Collect(out chan<- prometheus.Metric) {
	if _, _, loaded := b.view.Version(); !loaded {
		return
	}
	numbers, campaigns := map[ledger.NumberKind]int{}, map[campaignKind]int{}
	b.view.Read(func(x *status.Contents) {
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
		out <- prometheus.MustNewConstMetric(numbersDesc, prometheus.GaugeValue, float64(n),
			string(kind.State), string(kind.Reason), yesNo(kind.NeedsPerson))
	}
	for kind, n := range campaigns {
		out <- prometheus.MustNewConstMetric(campaignsDesc, prometheus.GaugeValue, float64(n), string(kind.phase), yesNo(kind.planned))
	}
}

// campaignKind is what campaigns are counted by.
type campaignKind struct {
	phase   ledger.Phase
	planned bool
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
