package app

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
)

// scrapeTimeout bounds what a scrape asks of NATS. Prometheus gives up after ten
// seconds unless configured otherwise.
const scrapeTimeout = 2 * time.Second

// Streams tells how full the streams are, as the server says when it is asked. Every
// process tells the same.
type Streams struct{ js jetstream.JetStream }

// NewStreams returns a collector that asks through js.
func NewStreams(js jetstream.JetStream) *Streams { return &Streams{js: js} }

var (
	waitingDesc     = desc("greenlight_events_waiting", "Messages that no assigner has been handed yet.")
	openDesc        = desc("greenlight_events_open", "Messages that an assigner has and that are not settled.")
	oldestDesc      = desc("greenlight_events_oldest_age_seconds", "How long the oldest message has been stored that waits or is open; 0 if none does.")
	bytesDesc       = desc("greenlight_events_bytes", "Size of the stream of events.")
	bytesMostDesc   = desc("greenlight_events_bytes_most", "Size at which the stream of events takes no more, so that deliveries are answered 503.")
	listeningDesc   = desc("greenlight_assigner_listening", "1 while some assigner, here or elsewhere, asks the stream for work.")
	heldDesc        = desc("greenlight_assigner_held", "1 while greenlight hold stops everything: no new write request is sent to Telnyx.")
	heldCampaigns   = desc("greenlight_campaigns_held", "Campaigns that greenlight hold stops one by one.")
	deadLettersDesc = desc("greenlight_dead_letters", "Dead letters: what nobody could handle and a person has not dealt with.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe tells of the metrics.
func (s *Streams) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{waitingDesc, openDesc, oldestDesc, bytesDesc, bytesMostDesc, listeningDesc, heldDesc, heldCampaigns, deadLettersDesc} {
		out <- d
	}
}

// Collect asks the server.
func (s *Streams) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	d, err := events.ReadDepths(ctx, s.js)
	if err != nil {
		return // readiness says what is wrong
	}
	age := 0.0
	if !d.Oldest.IsZero() {
		age = max(d.At.Sub(d.Oldest).Seconds(), 0)
	}
	tell := func(d *prometheus.Desc, value float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value)
	}
	tell(waitingDesc, float64(d.Waiting))
	tell(openDesc, float64(d.Open))
	tell(oldestDesc, age)
	tell(bytesDesc, float64(d.Room.Used))
	tell(bytesMostDesc, float64(d.Room.Most))
	tell(listeningDesc, truth(!d.Idle))
	tell(deadLettersDesc, float64(d.DeadLetters))
	hold, err := ledger.ReadHold(ctx, s.js)
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return
	}
	tell(heldDesc, truth(hold.All != nil))
	tell(heldCampaigns, float64(len(hold.Campaigns)))
}

// truth is how Prometheus writes yes and no.
func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
