package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

const (
	// firstRetry and lastRetry are the waits after a failed attempt. Let's Encrypt allows
	// five failed validations of a name per hour
	// (https://letsencrypt.org/docs/rate-limits/).
	firstRetry = 5 * time.Minute
	lastRetry  = time.Hour
	// renewalCheck is how often autocert, which renews certificates, is asked for the
	// current ones.
	renewalCheck = 10 * time.Minute
	// acmeTimeout bounds one call to the authority.
	acmeTimeout = 30 * time.Second
	// stopTimeout is how long an attempt may take to end when it is stopped.
	stopTimeout = 3 * time.Second
)

// NewIssued returns certificates that an ACME authority (RFC 8555) issues for the hosts,
// which it validates by TLS-ALPN-01 (RFC 8737) on the public listener itself: connections
// to port 443 of each name must arrive there. It accepts the authority's terms of service.
// Dir keeps the account's key and the certificates across restarts. Directory is the URL of
// the authority's directory, empty for Let's Encrypt. Transport is used to call it, nil for
// the default.
//
// Only Run requests certificates, and a handshake uses one that exists. Otherwise strangers
// could use up the authority's limits, and keep connections waiting for its answers.
func NewIssued(hosts []string, dir, directory string, transport http.RoundTripper) (*Certificates, error) {
	if len(hosts) == 0 {
		return nil, errors.New("no host names for certificates")
	}
	if err := privateFolder(dir); err != nil {
		return nil, err
	}
	c := newCertificates(hosts, acme.ALPNProto)
	stopped, stop := context.WithCancel(context.Background())
	manager := &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      autocert.DirCache(dir),
		HostPolicy: autocert.HostWhitelist(hosts...),
		Client: &acme.Client{
			DirectoryURL: cmp.Or(directory, autocert.DefaultACMEDirectory),
			HTTPClient:   &http.Client{Timeout: acmeTimeout, Transport: stoppable{stopped, cmp.Or(transport, http.DefaultTransport)}},
			UserAgent:    "greenlight",
		},
	}
	c.config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto}) {
			return manager.GetCertificate(hello)
		}
		pair := c.pair(strings.ToLower(strings.TrimSuffix(hello.ServerName, ".")))
		if pair == nil {
			return nil, errors.New("no certificate for this name has been issued")
		}
		return pair, nil
	}
	reload := make(chan struct{}, 1)
	c.byConnections = true
	c.reload = func() {
		select {
		case reload <- struct{}{}:
		default: // one is pending
		}
	}
	c.keep = func(ctx context.Context) {
		defer stop()
		for retry := firstRetry; ; {
			missing := c.obtain(ctx, stop, manager)
			wait := renewalCheck
			if missing {
				wait, retry = retry, min(2*retry, lastRetry)
			}
			select {
			case <-ctx.Done():
				return
			case <-reload:
			case <-time.After(wait):
			}
		}
	}
	return c, nil
}

// obtain gets every host's certificate, from memory, the folder or the authority, and
// reports whether one is missing. When ctx ends it calls stop, which ends calls in progress:
// autocert gives an attempt five minutes, and cannot cancel it.
func (c *Certificates) obtain(ctx context.Context, stop func(), manager *autocert.Manager) (missing bool) {
	for _, host := range c.hosts {
		var pair *tls.Certificate
		done := make(chan error, 1)
		go func() {
			// For a client that supports only RSA, autocert would get a second certificate.
			hello := &tls.ClientHelloInfo{ServerName: host, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}
			var err error
			pair, err = manager.GetCertificate(hello)
			done <- err
		}()
		var err error
		select {
		case err = <-done:
		case <-ctx.Done():
			stop()
			select {
			case <-done:
			case <-time.After(stopTimeout): // autocert may be in a wait that the authority asked for
			}
			return true
		}
		if err != nil {
			missing = true
			c.fail(host, issueFault(host, err))
			continue
		}
		c.put(host, pair)
	}
	return missing
}

func issueFault(host string, err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("certificate for %s: %w", host, path)
	}
	return fmt.Errorf("no certificate for %s was issued (port 443 of that name must lead to this listener): %w", host, err)
}

// stoppable is a transport whose requests also end when ctx does.
type stoppable struct {
	ctx  context.Context
	next http.RoundTripper
}

// RoundTrip makes a request that ends with its own context or with s.ctx.
func (s stoppable) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(request.Context())
	context.AfterFunc(s.ctx, cancel) // never released, but a renewal is ten requests in two months
	return s.next.RoundTrip(request.WithContext(ctx))
}

// publicHost is a host name in lower case with a dot: up to 63 letters, digits and inner
// hyphens a label (RFC 1123).
var publicHost = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// isPublicHost reports whether a public authority could certify the name.
func isPublicHost(host string) bool {
	return publicHost.MatchString(host) && len(host) <= 253 && net.ParseIP(host) == nil
}

// privateFolder creates the folder, or checks that only this user can read it and that we
// can write to it.
func privateFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if open := info.Mode().Perm() & 0o077; open != 0 {
		return fmt.Errorf("%s will hold keys, and other users can access it (mode %04o); run chmod 700 on it", dir, info.Mode().Perm())
	}
	probe, err := os.CreateTemp(dir, "probe")
	if err != nil {
		return err
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}
