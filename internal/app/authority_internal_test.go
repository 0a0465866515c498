package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const host = "hooks.example.com"

// authority is a certificate authority of the test's own.
type authority struct {
	t     testing.TB
	key   *ecdsa.PrivateKey
	cert  *x509.Certificate
	roots *x509.CertPool

	mu     sync.Mutex
	serial int64
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"},
		NotBefore: time.Now().Add(-2 * 365 * 24 * time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return &authority{t: t, key: key, cert: cert, roots: roots, serial: 1}
}

// sign returns a certificate in DER form.
func (a *authority) sign(name string, public any, from, to time.Time) []byte {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.serial++
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: from, NotAfter: to, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, a.cert, public, a.key)
	must(a.t, err)
	return der
}

// issue returns a pair in PEM form that is valid for the time.
func (a *authority) issue(left time.Duration) (cert, key []byte) {
	a.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(a.t, err)
	der := a.sign(host, &private.PublicKey, time.Now().Add(left-90*24*time.Hour), time.Now().Add(left))
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	must(a.t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

// writeFiles puts files into a folder.
func writeFiles(t testing.TB, dir string, files map[string][]byte) {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o700))
	for name, content := range files {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path+".new", content, 0o600))
		must(t, os.Rename(path+".new", path)) // no test reads half of it
	}
}

// pairIn returns LoadCertificate's arguments for a folder with a new pair.
func (a *authority) pairIn(dir string, left time.Duration) (certFile, keyFile string) {
	a.t.Helper()
	cert, key := a.issue(left)
	writeFiles(a.t, dir, map[string][]byte{"tls.crt": cert, "tls.key": key})
	return filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
}

// listener notes what certificates report.
type listener struct {
	t    *testing.T
	mu   sync.Mutex
	said []string
}

func (w *listener) say(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, text)
}

func (w *listener) count(part string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Count(strings.Join(w.said, "\n"), part)
}

// keep runs the certificates until the test ends.
func keep(t *testing.T, c *Certificates) *listener {
	t.Helper()
	w := &listener{t: t}
	ctx, cancel := context.WithCancel(context.Background())
	c.onChange = func(leaf *x509.Certificate) { w.say("in force: " + leaf.SerialNumber.String()) }
	c.onFault = func(err error) { w.say(err.Error()) }
	done := make(chan struct{})
	go func() { defer close(done); c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(patience):
			t.Errorf("Run runs %s after its end", patience)
		}
	})
	return w
}

// serveTLS answers HTTPS with the certificates.
func serveTLS(t *testing.T, c *Certificates) (address string) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(r.Proto))
	})}
	server.ErrorLog = quietLog()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(tls.NewListener(inner, c.Config()))
	}()
	t.Cleanup(func() { server.Close(); <-done })
	return inner.Addr().String()
}

// shown returns the serial number of the certificate that is seen by a client which trusts
// the authority.
func shown(t testing.TB, a *authority, address string) string {
	t.Helper()
	conn, err := dial(a, address, host)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

func dial(a *authority, address, name string) (*tls.Conn, error) {
	return tls.Dial("tcp", address, &tls.Config{RootCAs: a.roots, ServerName: name})
}
