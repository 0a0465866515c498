package certificate

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
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
	// patrol is how often the certificates in force are looked at; autocert renews
	// them by itself and tells nobody.
	patrol = 10 * time.Minute
	// callTimeout bounds one call to the authority.
	callTimeout = 30 * time.Second
	// goodbye is how long an attempt may take to notice that it was stopped.
	goodbye = 3 * time.Second
)

// AutoOptions say which certificates are asked for.
type AutoOptions struct {
	// Hosts are the names that get one each. Others are refused. See [CheckHost].
	Hosts []string
	// Dir keeps the account's key and the certificates over restarts: who asks for
	// new ones at each start soon gets none. It is made if it is not there, and
	// refused if others may read it.
	Dir string
	// Directory is the authority's ACME directory. Default Let's Encrypt's.
	Directory string
	// Client calls the authority. Default one that gives each call 30 s.
	Client *http.Client
}

// Auto has its certificates issued by an authority that speaks ACME (RFC 8555) and
// proves that the names are ours on the public listener itself, by TLS-ALPN-01 (RFC
// 8737): connections to port 443 of each name must arrive there, and no other port
// is needed. The authority's terms of service are accepted.
//
// Only Run asks for certificates. A handshake gets one that is there, or fails: else
// strangers could use up what the authority allows, and wait here while it answers.
type Auto struct {
	hosts   []string
	manager *autocert.Manager
	config  *tls.Config
	now     func() time.Time
	first   time.Duration // the first wait for another attempt
	// stop ends the calls under way, and all later ones.
	stop   context.CancelFunc
	reload chan struct{} // holds one request

	mu     sync.Mutex
	issued map[string]*x509.Certificate
	faults map[string]error
}

// NewAuto prepares the folder, and asks nobody for anything yet.
func NewAuto(o AutoOptions) (*Auto, error) {
	if len(o.Hosts) == 0 {
		return nil, errors.New("no host to get a certificate for")
	}
	if err := privateFolder(o.Dir); err != nil {
		return nil, err
	}
	client := http.Client{Timeout: callTimeout}
	if o.Client != nil {
		client = *o.Client
	}
	ctx, stop := context.WithCancel(context.Background())
	client.Transport = stoppable{ctx, cmp.Or[http.RoundTripper](client.Transport, http.DefaultTransport)}
	a := &Auto{
		hosts: o.Hosts,
		manager: &autocert.Manager{
			Prompt:     autocert.AcceptTOS,
			Cache:      autocert.DirCache(o.Dir),
			HostPolicy: autocert.HostWhitelist(o.Hosts...),
			Client: &acme.Client{
				DirectoryURL: cmp.Or(o.Directory, autocert.DefaultACMEDirectory),
				HTTPClient:   &client,
				UserAgent:    "greenlight",
			},
		},
		config: config(acme.ALPNProto),
		now:    time.Now,
		first:  firstRetry,
		stop:   stop,
		reload: make(chan struct{}, 1),
		issued: make(map[string]*x509.Certificate),
		faults: make(map[string]error),
	}
	a.config.GetCertificate = a.certificate
	return a, nil
}

// CheckHost returns an error for a name that no public authority certifies.
func CheckHost(host string) error {
	labels := strings.Split(host, ".")
	bad := func(label string) bool {
		odd := func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
		}
		return label == "" || len(label) > 63 || strings.ContainsFunc(label, odd) || label[0] == '-' || label[len(label)-1] == '-'
	}
	if net.ParseIP(host) != nil || len(labels) < 2 || len(host) > 253 || slices.ContainsFunc(labels, bad) {
		return fmt.Errorf("%q is no public host name in small letters", host)
	}
	return nil
}

// privateFolder makes the folder, or makes sure that nobody else may read it and
// that we may write it.
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

// Config returns the listener's TLS configuration, which also answers the
// authority's challenges.
func (a *Auto) Config() *tls.Config { return a.config }

// certificate answers a handshake.
func (a *Auto) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	host := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	if !slices.Contains(a.hosts, host) {
		return nil, errors.New("no certificate for that name")
	}
	if slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto}) {
		return a.manager.GetCertificate(hello)
	}
	a.mu.Lock()
	_, there := a.issued[host]
	a.mu.Unlock()
	if !there {
		return nil, errors.New("no certificate was issued yet")
	}
	return a.manager.GetCertificate(ownHello(host))
}

// ownHello is a handshake for the one certificate that a host has: autocert would ask
// for a second one, with an RSA key, if a client knew nothing newer.
func ownHello(host string) *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{ServerName: host, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}
}

// InForce returns the certificates that are there.
func (a *Auto) InForce() []*x509.Certificate {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []*x509.Certificate
	for _, host := range a.hosts {
		if leaf := a.issued[host]; leaf != nil {
			all = append(all, leaf)
		}
	}
	return all
}

// Ready returns nil when every host has a certificate that is valid now.
func (a *Auto) Ready() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var errs []error
	for _, host := range a.hosts {
		leaf := a.issued[host]
		switch {
		case leaf != nil:
			errs = append(errs, validity(leaf, a.now()))
		case a.faults[host] != nil:
			errs = append(errs, a.faults[host])
		default:
			errs = append(errs, fmt.Errorf("a certificate for %s is being asked for", host))
		}
	}
	return errors.Join(errs...)
}

// ByConnections is true: the authority's challenge is a connection.
func (a *Auto) ByConnections() bool { return true }

// Renewal returns what stands in the way of certificates.
func (a *Auto) Renewal() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var errs []error
	for _, host := range a.hosts {
		errs = append(errs, a.faults[host])
		if leaf := a.issued[host]; leaf != nil {
			errs = append(errs, closeToEnd(leaf, a.now()))
		}
	}
	return errors.Join(errs...)
}

// Reload makes Run ask for what is missing now.
func (a *Auto) Reload() {
	select {
	case a.reload <- struct{}{}:
	default: // it is asked for already
	}
}

// Run asks for the certificates that are not there, until it has all, and follows
// their renewal, until ctx ends. The listener must take connections meanwhile. It
// runs once.
func (a *Auto) Run(ctx context.Context, tell Told) error {
	defer a.stop()
	retry := a.first
	for {
		missing, ended := a.obtainAll(ctx, tell)
		if ended {
			return nil
		}
		wait := patrol
		if missing {
			wait, retry = retry, min(2*retry, lastRetry)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-a.reload:
		case <-time.After(wait):
		}
	}
}

// obtainAll gets every host's certificate, from memory, the folder or the authority,
// in this order. Ended says that ctx ended first.
func (a *Auto) obtainAll(ctx context.Context, tell Told) (missing, ended bool) {
	for _, host := range a.hosts {
		done := make(chan error, 1)
		var pair *tls.Certificate
		go func() {
			var err error
			pair, err = a.manager.GetCertificate(ownHello(host))
			done <- err
		}()
		var err error
		select {
		case err = <-done:
		case <-ctx.Done():
			a.stop()
			select {
			case <-done:
			case <-time.After(goodbye): // it sits out a wait that the authority asked for
			}
			return true, true
		}
		if err != nil {
			missing = true
			a.failed(host, err, tell)
			continue
		}
		a.have(host, pair.Leaf, tell)
	}
	return missing, false
}

func (a *Auto) failed(host string, cause error, tell Told) {
	err := fmt.Errorf("no certificate for %s was issued; port 443 of that name must lead to this listener: %w", host, cause)
	if path, ok := errors.AsType[*fs.PathError](cause); ok {
		err = fmt.Errorf("the certificate for %s: %w", host, path)
	}
	a.mu.Lock()
	before := a.faults[host]
	a.faults[host] = err
	a.mu.Unlock()
	if before == nil || before.Error() != err.Error() {
		tell.Fault(err)
	}
}

func (a *Auto) have(host string, leaf *x509.Certificate, tell Told) {
	a.mu.Lock()
	before := a.issued[host]
	a.issued[host] = leaf
	delete(a.faults, host)
	a.mu.Unlock()
	if before == nil || !before.Equal(leaf) {
		tell.Changed(leaf)
	}
}

// stoppable makes calls that end with ctx: autocert gives an attempt five minutes,
// and no way to end it.
type stoppable struct {
	ctx  context.Context
	next http.RoundTripper
}

// RoundTrip makes a call that ends with the request's context or with s.ctx.
func (s stoppable) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(request.Context())
	unlink := context.AfterFunc(s.ctx, cancel)
	end := func() { unlink(); cancel() }
	answer, err := s.next.RoundTrip(request.WithContext(ctx))
	if err != nil {
		end()
		return nil, err
	}
	answer.Body = &linked{answer.Body, end}
	return answer, nil
}

// linked calls end when the body is closed.
type linked struct {
	io.ReadCloser
	end func()
}

// Close closes the body.
func (l *linked) Close() error {
	defer l.end()
	return l.ReadCloser.Close()
}
