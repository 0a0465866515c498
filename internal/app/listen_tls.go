package app

import (
	"context"
	"crypto/x509"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"greenlight/internal/status"
	"greenlight/internal/telemetry"
)

// prepareTLS puts TLS before a listener, and returns the part that keeps the
// certificates up to date. One that cannot be renewed is told in readiness without
// making the process unready. None that is valid makes it so, unless it takes
// connections to get one: a load balancer sends none to a process that is not ready.
// SIGHUP makes it look at them at once.
func (p *Process) prepareTLS(listener net.Listener, certificates *Certificates) (secure net.Listener, keep func(context.Context) error) {
	log := p.log.With().Str(telemetry.KeyPart, "tls").Logger()
	failed := promauto.With(p.registry).NewCounter(prometheus.CounterOpts{
		Name: "greenlight_tls_handshakes_failed_total",
		Help: "Connections to the public listener that ended before a request, in the TLS handshake.",
	})
	secure = ServeTLS(listener, certificates.Config(), func(reason string) {
		failed.Inc()
		log.Debug().Str(telemetry.KeyHandshake, reason).Msg("a connection was not made")
	})
	p.checks = append(p.checks,
		status.Check{Name: "certificate", Role: status.RoleWebhook, Advisory: certificates.byConnections, Ready: func(context.Context) error { return certificates.Ready() }},
		status.Check{Name: "certificate renewal", Role: status.RoleWebhook, Advisory: true, Ready: func(context.Context) error { return certificates.Renewal() }})
	p.registry.MustRegister(&certificateMetrics{certificates})
	hangups := catchHangups()
	return secure, func(ctx context.Context) error {
		defer hangups.relay(certificates.Reload)()
		certificates.onChange = func(leaf *x509.Certificate) {
			log.Info().Str(telemetry.KeyHost, nameOf(leaf)).Time(telemetry.KeyNotAfter, leaf.NotAfter).Msg("a certificate is in force")
		}
		certificates.onFault = func(err error) { log.Error().Err(err).Msg("a certificate cannot be renewed") }
		certificates.Run(ctx)
		return nil
	}
}

// certificateMetrics tells how long the certificates are valid.
type certificateMetrics struct{ certificates *Certificates }

var (
	notAfterMetric = prometheus.NewDesc("greenlight_tls_certificate_not_after_seconds",
		"When the certificate in force ends, in seconds since 1970, by its first name.", []string{"host"}, nil)
	faultyMetric = prometheus.NewDesc("greenlight_tls_certificate_faulty",
		"1 while a certificate cannot be renewed and the last good one stays in force.", nil, nil)
)

func (m *certificateMetrics) Describe(out chan<- *prometheus.Desc) {
	out <- notAfterMetric
	out <- faultyMetric
}

func (m *certificateMetrics) Collect(out chan<- prometheus.Metric) {
	ends := make(map[string]time.Time)
	for _, leaf := range m.certificates.InForce() {
		ends[nameOf(leaf)] = leaf.NotAfter
	}
	for host, end := range ends {
		out <- prometheus.MustNewConstMetric(notAfterMetric, prometheus.GaugeValue, float64(end.Unix()), host)
	}
	faulty := 0.0
	if m.certificates.Renewal() != nil {
		faulty = 1
	}
	out <- prometheus.MustNewConstMetric(faultyMetric, prometheus.GaugeValue, faulty)
}
