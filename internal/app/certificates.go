package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// expiring is how long before its end a certificate that was not renewed is reported.
// Automatic renewal happens 30 days before the end, or when a third of the time is left.
const expiring = 7 * 24 * time.Hour

// Certificates are those of the public listener: a pair of files that is read again when
// it changes ([LoadCertificate]), or certificates that an authority issues ([NewIssued]).
//
//   - A valid certificate stays in use until a better one is there.
//   - A change does not affect open connections.
//   - TLS 1.2 is the oldest version, and HTTP/1.1 the only protocol: Telnyx sends one request
//     at a time, and HTTP/2 would allow hundreds of requests on one connection.
//
// Its methods are safe for concurrent use.
type Certificates struct {
	config *tls.Config
	// hosts are the names that have a certificate each. For files it is one empty name.
	hosts []string
	// byConnections is true if the authority validates over connections to the listener,
	// which must therefore accept them before there is a certificate.
	byConnections bool
	// keep keeps the certificates up to date until ctx ends, and reload makes it check now.
	keep   func(ctx context.Context)
	reload func()
	files  poller // unused for what is issued
	now    func() time.Time
	// onChange gets each new certificate, and onFault why one could not be renewed, once
	// while the reason stays the same. Set them before Run.
	onChange func(*x509.Certificate)
	onFault  func(error)

	mu     sync.Mutex
	pairs  map[string]*tls.Certificate
	faults map[string]error
}

func newCertificates(hosts []string, protocols ...string) *Certificates {
	return &Certificates{
		config: &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: append([]string{"http/1.1"}, protocols...)},
		hosts:  hosts, now: time.Now, onChange: func(*x509.Certificate) {}, onFault: func(error) {},
		pairs: make(map[string]*tls.Certificate), faults: make(map[string]error),
	}
}

// Config returns the listener's TLS configuration. Do not change it.
func (c *Certificates) Config() *tls.Config { return c.config }

// Run keeps the certificates up to date until ctx ends. It runs once.
func (c *Certificates) Run(ctx context.Context) {
	for _, leaf := range c.InUse() {
		c.onChange(leaf)
	}
	c.keep(ctx)
}

// Reload makes Run check for new certificates now. It does not wait.
func (c *Certificates) Reload() { c.reload() }

// InUse returns the certificates in use.
func (c *Certificates) InUse() []*x509.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []*x509.Certificate
	for _, host := range c.hosts {
		if pair := c.pairs[host]; pair != nil {
			all = append(all, pair.Leaf)
		}
	}
	return all
}

// Ready returns nil if every host has a certificate that is valid now, else an error that
// names the hosts without one.
func (c *Certificates) Ready() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, host := range c.hosts {
		if pair := c.pairs[host]; pair != nil {
			errs = append(errs, validity(pair.Leaf, c.now()))
			continue
		}
		errs = append(errs, cmp.Or(c.faults[host], fmt.Errorf("the certificate for %s has been requested", host)))
	}
	return errors.Join(errs...)
}

// Renewal returns nil if all certificates are being renewed in time, else why not.
func (c *Certificates) Renewal() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, host := range c.hosts {
		errs = append(errs, c.faults[host])
		if pair := c.pairs[host]; pair != nil && c.faults[host] == nil {
			errs = append(errs, closeToEnd(pair.Leaf, c.now()))
		}
	}
	return errors.Join(errs...)
}

// pair returns the certificate of a host, nil if there is none yet.
func (c *Certificates) pair(host string) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pairs[host]
}

// put takes a certificate into use.
func (c *Certificates) put(host string, pair *tls.Certificate) {
	c.mu.Lock()
	before := c.pairs[host]
	c.pairs[host] = pair
	delete(c.faults, host)
	c.mu.Unlock()
	if before == nil || !before.Leaf.Equal(pair.Leaf) {
		c.onChange(pair.Leaf)
	}
}

// fail notes why a host's certificate could not be renewed.
func (c *Certificates) fail(host string, err error) {
	c.mu.Lock()
	before := c.faults[host]
	c.faults[host] = err
	c.mu.Unlock()
	if before == nil || before.Error() != err.Error() {
		c.onFault(err)
	}
}

// LoadCertificate reads a certificate, followed by those between it and the authority's,
// and its key from PEM files. They are read again when they change.
func LoadCertificate(cert, key string) (*Certificates, error) {
	c := newCertificates([]string{""})
	c.config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.pair(""), nil }
	c.files = newPoller(func() string { return digestSmall(cert, key) }, func() (func() error, error) {
		pair, err := readPair(cert, key)
		if err == nil && validity(pair.Leaf, c.now()) != nil && c.Ready() == nil {
			err = validity(pair.Leaf, c.now()) // better than none, but the current one is valid
		}
		return func() error { c.put("", pair); return nil }, err
	})
	c.files.onFault = func(err error) {
		c.fail("", fmt.Errorf("the certificate of %s stays in use: %w", day(c.pair("").Leaf.NotBefore), err))
	}
	c.keep, c.reload = c.files.run, c.files.Reload
	c.files.used = c.files.digest()
	pair, err := readPair(cert, key)
	if err != nil {
		return nil, err
	}
	c.pairs[""] = pair
	return c, nil
}

// readPair returns the certificate with its key and its leaf parsed. No error contains any
// part of the key.
func readPair(cert, key string) (*tls.Certificate, error) {
	certText, certErr := readSmall(cert)
	keyText, keyErr := readSmall(key)
	if err := errors.Join(certErr, keyErr); err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certText, keyText)
	if err != nil {
		return nil, fmt.Errorf("certificate or key: %s", strings.TrimPrefix(err.Error(), "tls: "))
	}
	return &pair, nil
}

// validity returns nil for a certificate that is valid now.
func validity(leaf *x509.Certificate, now time.Time) error {
	switch {
	case now.After(leaf.NotAfter):
		return fmt.Errorf("the certificate for %s expired on %s", nameOf(leaf), day(leaf.NotAfter))
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("the certificate for %s is not valid before %s", nameOf(leaf), leaf.NotBefore.UTC().Format(time.RFC3339))
	default:
		return nil
	}
}

// closeToEnd returns an error for a certificate that should have been renewed.
func closeToEnd(leaf *x509.Certificate, now time.Time) error {
	if left := leaf.NotAfter.Sub(now); left < min(expiring, leaf.NotAfter.Sub(leaf.NotBefore)/4) {
		return fmt.Errorf("the certificate for %s ends on %s and was not renewed", nameOf(leaf), day(leaf.NotAfter))
	}
	return nil
}

// nameOf returns the first name that a certificate is for.
func nameOf(leaf *x509.Certificate) string {
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
