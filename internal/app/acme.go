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
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

const (
	// firstRetry and lastRetry are the waits after the authority issued nothing. Let's
	// Encrypt takes five failed validations of a name an hour
	// (https://letsencrypt.org/docs/rate-limits/).
	firstRetry = 5 * time.Minute
	lastRetry  = time.Hour
	// patrol is how often autocert, which renews by itself, is asked for what is in force.
	patrol = 10 * time.Minute
	// acmeTimeout bounds one call to the authority.
	acmeTimeout = 30 * time.Second
	// goodbye is how long an attempt may take to end when it is stopped.
	goodbye = 3 * time.Second
)

// NewIssued returns certificates that an ACME authority (RFC 8555) issues for the hosts,
// which it validates by TLS-ALPN-01 (RFC 8737) on the public listener itself: connections
// to port 443 of each name must arrive there. The authority's terms of service are
// accepted. Dir keeps the account's key and the certificates over restarts. Directory is
// the authority's, Let's Encrypt's if it is empty; transport calls it, nil for the default.
//
// Only Run asks for certificates, and a handshake gets one that is there: else strangers
// could use up what the authority allows, and wait here while it answers.
func NewIssued(hosts []string, dir, directory string, transport http.RoundTripper) (*Certificates, error) {
	if len(hosts) == 0 {
		return nil, errors.New("no host to get a certificate for")
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
			return nil, errors.New("no certificate for that name was issued")
		}
		return pair, nil
	}
	reload := make(chan struct{}, 1) // holds one request
	c.byConnections = true
	c.reload = func() {
		select {
		case reload <- struct{}{}:
		default: // it is asked for already
		}
	}
	c.keep = func(ctx context.Context) {
		defer stop()
		for retry := firstRetry; ; {
			missing := c.obtain(ctx, stop, manager)
			wait := patrol
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
// reports whether one is missing. When ctx ends it calls stop, which ends the calls under
// way: autocert gives an attempt five minutes, and no way to end it.
func (c *Certificates) obtain(ctx context.Context, stop func(), manager *autocert.Manager) (missing bool) {
	for _, host := range c.hosts {
		var pair *tls.Certificate
		done := make(chan error, 1)
		go func() {
			// A client that knows no newer key than RSA would be given a second certificate.
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
			case <-time.After(goodbye): // autocert sits out a wait that the authority asked for
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
		return fmt.Errorf("the certificate for %s: %w", host, path)
	}
	return fmt.Errorf("no certificate for %s was issued; port 443 of that name must lead to this listener: %w", host, err)
}

// stoppable makes calls that also end when ctx does.
type stoppable struct {
	ctx  context.Context
	next http.RoundTripper
}

// RoundTrip makes a call that ends with the request's context or with s.ctx.
func (s stoppable) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(request.Context())
	context.AfterFunc(s.ctx, cancel) // until the process ends: a renewal is ten calls in two months
	return s.next.RoundTrip(request.WithContext(ctx))
}

// checkHost returns an error for a name that no public authority certifies.
func checkHost(host string) error {
	labels := strings.Split(host, ".")
	bad := func(label string) bool {
		odd := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
		return label == "" || len(label) > 63 || strings.ContainsFunc(label, odd) || label[0] == '-' || label[len(label)-1] == '-'
	}
	if net.ParseIP(host) != nil || len(labels) < 2 || len(host) > 253 || slices.ContainsFunc(labels, bad) {
		return fmt.Errorf("%q is not a public host name in small letters", host)
	}
	return nil
}

// privateFolder makes the folder, or makes sure that nobody else may read it and that we
// may write it.
func privateFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if open := info.Mode().Perm() & 0o077; open != 0 {
		return fmt.Errorf("%s is open to others (mode %04o) and will hold keys: chmod 700 it, or name another folder", dir, info.Mode().Perm())
	}
	probe, err := os.CreateTemp(dir, "probe")
	if err != nil {
		return err
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}
