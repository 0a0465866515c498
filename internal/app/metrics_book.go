package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"greenlight/internal/ledger"
)

// Book reports how many numbers and campaigns the ledger has, by a tally that another
// goroutine keeps. Until the tally is known, these metrics are absent.
type Book struct{ tally *ledger.Tally }

// NewBook returns a collector of the tally's counts.
func NewBook(tally *ledger.Tally) *Book { return &Book{tally: tally} }

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
	if numbers, known := b.tally.Numbers(); known {
		for _, state := range ledger.States() {
			numbers[ledger.NumberKind{State: state, NeedsPerson: state == ledger.Conflict || state == ledger.Failed}] += 0
		}
		for kind, n := range numbers {
			out <- prometheus.MustNewConstMetric(numbersDesc, prometheus.GaugeValue, float64(n),
				string(kind.State), string(kind.Reason), yesNo(kind.NeedsPerson))
		}
	}
	if campaigns, known := b.tally.Campaigns(); known {
		for _, phase := range ledger.Phases() {
			campaigns[ledger.CampaignKind{Phase: phase, Planned: true}] += 0
		}
		for kind, n := range campaigns {
			out <- prometheus.MustNewConstMetric(campaignsDesc, prometheus.GaugeValue, float64(n), string(kind.Phase), yesNo(kind.Planned))
		}
	}
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
