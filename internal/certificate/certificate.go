package certificate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"
)

// Source is where certificates come from. Its methods are safe for concurrent use.
type Source interface {
	// Config returns the listener's TLS configuration. Do not change it.
	Config() *tls.Config
	// Run keeps the certificates up to date and tells of it, until ctx ends; then it
	// returns nil.
	Run(ctx context.Context, tell Told) error
	// Ready returns nil when every host has a certificate that is valid now, else a
	// sentence that says which has none.
	Ready() error
	// ByConnections reports whether certificates come by way of connections to the
	// listener, so that who waits with connections until there is one waits for ever.
	ByConnections() bool
	// Renewal returns nil when the certificates will stay valid as far as can be
	// told, else a sentence that says what stands in the way.
	Renewal() error
	// InForce returns the certificates that are shown.
	InForce() []*x509.Certificate
	// Reload makes Run look now, and does not wait for it.
	Reload()
}

// Told is told by [Source.Run] what happens, from one goroutine. All are required.
type Told struct {
	// Changed is told that a certificate is in force.
	Changed func(*x509.Certificate)
	// Fault is told why a certificate could not be renewed, once as long as the
	// reason stays the same.
	Fault func(error)
}

// expiring is how long before its end a certificate is told of that nobody has
// renewed: those that renew themselves do so 30 days before, or when a third of
// their time is left.
const expiring = 7 * 24 * time.Hour

// config returns what all sources have in common.
func config(protocols ...string) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: append([]string{"http/1.1"}, protocols...)}
}

// validity returns nil for a certificate that is valid now.
func validity(leaf *x509.Certificate, now time.Time) error {
	switch {
	case now.After(leaf.NotAfter):
		return fmt.Errorf("the certificate for %s expired on %s", Name(leaf), day(leaf.NotAfter))
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("the certificate for %s is not valid before %s", Name(leaf), leaf.NotBefore.UTC().Format(time.RFC3339))
	default:
		return nil
	}
}

// closeToEnd returns an error for a certificate that should have been renewed.
func closeToEnd(leaf *x509.Certificate, now time.Time) error {
	if left := leaf.NotAfter.Sub(now); left < min(expiring, leaf.NotAfter.Sub(leaf.NotBefore)/4) {
		return fmt.Errorf("the certificate for %s ends on %s and was not renewed", Name(leaf), day(leaf.NotAfter))
	}
	return nil
}

// Name returns the first name that a certificate is for.
func Name(leaf *x509.Certificate) string {
	switch {
	case len(leaf.DNSNames) > 0:
		return leaf.DNSNames[0]
	case len(leaf.IPAddresses) > 0:
		return leaf.IPAddresses[0].String()
	default:
		return fmt.Sprintf("%q", leaf.Subject.CommonName)
	}
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
