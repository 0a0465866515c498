package app

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/acme"
)

// issuer is an authority that speaks as much of ACME (RFC 8555) as one order needs:
// it validates by TLS-ALPN-01 at the address, and believes every signature.
type issuer struct {
	*authority
	server *httptest.Server
	// address is the one of every name.
	address func() string

	mu     sync.Mutex
	orders []*order
	hold   chan struct{} // if not nil, nothing is answered until it is closed
}

type order struct {
	Status         string   `json:"status"`
	Authorizations []string `json:"authorizations"`
	Finalize       string   `json:"finalize"`
	Certificate    string   `json:"certificate,omitempty"`

	name, validated string
	chain           []byte
}

func newIssuer(t *testing.T, address func() string) *issuer {
	t.Helper()
	i := &issuer{authority: newAuthority(t), address: address}
	i.server = httptest.NewServer(i)
	t.Cleanup(i.server.Close)
	return i
}

func (i *issuer) ordered() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.orders)
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if i.hold != nil {
		select {
		case <-i.hold:
		case <-r.Context().Done():
			return
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	w.Header().Set("Replay-Nonce", "nonce")
	kind, number, _ := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
	at := func(kind string, n int) string { return fmt.Sprintf("%s/%s/%d", i.server.URL, kind, n) }
	n, o := 0, &order{}
	if number != "" {
		fmt.Sscan(number, &n)
		o = i.orders[n]
	}
	var answer any = struct{}{}
	switch kind {
	case "directory":
		answer = map[string]string{"newNonce": i.server.URL + "/nonce", "newAccount": i.server.URL + "/account", "newOrder": i.server.URL + "/order"}
	case "nonce":
		return
	case "account":
		w.Header().Set("Location", i.server.URL+"/account")
		w.WriteHeader(http.StatusCreated)
	case "order":
		if number == "" {
			var asked struct{ Identifiers []struct{ Value string } }
			i.payload(r, &asked)
			n = len(i.orders)
			o = &order{Status: acme.StatusPending, Authorizations: []string{at("authorization", n)}, Finalize: at("finalize", n), name: asked.Identifiers[0].Value, validated: acme.StatusPending}
			i.orders = append(i.orders, o)
			w.Header().Set("Location", at("order", n))
			w.WriteHeader(http.StatusCreated)
		}
		answer = o
	case "authorization":
		answer = map[string]any{"status": o.validated, "identifier": map[string]string{"type": "dns", "value": o.name}, "challenges": []map[string]string{
			{"type": "tls-alpn-01", "status": o.validated, "url": at("challenge", n), "token": "token"},
		}}
	case "challenge":
		o.validated, o.Status = acme.StatusInvalid, acme.StatusInvalid
		if err := i.validate(o.name); err == nil {
			o.validated, o.Status = acme.StatusValid, acme.StatusReady
		}
		answer = map[string]string{"type": "tls-alpn-01", "status": o.validated, "url": at("challenge", n), "token": "token"}
	case "finalize":
		var asked struct{ CSR string }
		i.payload(r, &asked)
		der, err := base64.RawURLEncoding.DecodeString(asked.CSR)
		must(i.t, err)
		csr, err := x509.ParseCertificateRequest(der)
		must(i.t, err)
		leaf := i.sign(csr.DNSNames[0], csr.PublicKey, time.Now().Add(-time.Hour), time.Now().Add(90*24*time.Hour))
		o.chain = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf})
		o.Status, o.Certificate = acme.StatusValid, at("certificate", n)
		w.Header().Set("Location", at("order", n))
		answer = o
	case "certificate":
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		w.Write(o.chain)
		return
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		i.t.Error(err)
	}
}

// payload reads what a signed request says.
func (i *issuer) payload(r *http.Request, into any) {
	var signed struct{ Payload string }
	err := json.NewDecoder(r.Body).Decode(&signed)
	if err == nil {
		var text []byte
		if text, err = base64.RawURLEncoding.DecodeString(signed.Payload); err == nil {
			err = json.Unmarshal(text, into)
		}
	}
	if err != nil {
		i.t.Errorf("%s: %v", r.URL.Path, err)
	}
}

// validate does what RFC 8737 section 3 asks of the authority, but for the token.
func (i *issuer) validate(name string) error {
	conn, err := tls.Dial("tcp", i.address(), &tls.Config{ServerName: name, NextProtos: []string{acme.ALPNProto}, InsecureSkipVerify: true})
	if err != nil {
		return err
	}
	defer conn.Close()
	state := conn.ConnectionState()
	leaf := state.PeerCertificates[0]
	if state.NegotiatedProtocol != acme.ALPNProto || !slices.Equal(leaf.DNSNames, []string{name}) {
		return fmt.Errorf("got protocol %q and names %q", state.NegotiatedProtocol, leaf.DNSNames)
	}
	proof := asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}
	for _, extension := range leaf.Extensions {
		if extension.Id.Equal(proof) && extension.Critical && len(extension.Value) == 2+sha256.Size {
			return nil
		}
	}
	return errors.New("no proof in the certificate")
}

// auto returns certificates of the issuer for the hosts.
func (i *issuer) auto(t *testing.T, dir string, hosts ...string) *Certificates {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	a, err := NewIssued(hosts, dir, i.server.URL+"/directory", transport)
	must(t, err)
	return a
}

func TestIssued_GetsCertificatesThroughTheListenerAlone(t *testing.T) {
	t.Parallel()
	var address string
	i := newIssuer(t, func() string { return address })
	dir := filepath.Join(t.TempDir(), "data", "certificates")
	const other = "other.example.com"
	a := i.auto(t, dir, host, other)
	address = serveTLS(t, a)
	if err := a.Ready(); err == nil || !strings.Contains(err.Error(), "the certificate for hooks.example.com has been requested") {
		t.Errorf("ready before: got %v", err)
	}
	if conn, err := dial(i.authority, address, host); err == nil {
		conn.Close()
		t.Error("a handshake succeeded before there was a certificate")
	}
	if got := i.ordered(); got != 0 {
		t.Errorf("a handshake made %d orders; only Run may", got)
	}

	w := keep(t, a)
	eventually(t, "the certificates", func() bool { return a.Ready() == nil })
	must(t, a.Renewal())
	for _, name := range []string{host, other, strings.ToUpper(host)} {
		conn, err := dial(i.authority, address, name)
		must(t, err)
		if got := conn.ConnectionState().NegotiatedProtocol; got != "" {
			t.Errorf("got protocol %q, want none", got)
		}
		conn.Close()
	}
	for _, name := range []string{"stranger.example.com", "x." + host, ""} {
		conn, err := tls.Dial("tcp", address, &tls.Config{ServerName: name, InsecureSkipVerify: true})
		if err == nil {
			conn.Close()
			t.Errorf("%q got a certificate", name)
		}
	}
	if got := i.ordered(); got != 2 || w.count("in force: ") != 2 || len(a.InUse()) != 2 {
		t.Errorf("got %d orders and %q, want one of each host", got, w.said)
	}
	info, err := os.Stat(dir)
	must(t, err)
	if got := info.Mode().Perm(); got != 0o700 {
		t.Errorf("the folder's mode is %04o, want 0700", got)
	}

	// Another start finds them in the folder.
	again := i.auto(t, dir, host, other)
	keep(t, again)
	eventually(t, "the certificates after a restart", func() bool { return again.Ready() == nil })
	if got := i.ordered(); got != 2 {
		t.Errorf("the restart made %d orders, want none", got-2)
	}
}

func TestIssued_SaysWhyThereIsNone(t *testing.T) {
	i := newIssuer(t, func() string { return "127.0.0.1:1" }) // port 443 leads nowhere
	a := i.auto(t, filepath.Join(t.TempDir(), "certificates"), host)
	address := serveTLS(t, a)
	w := keep(t, a)
	want := "no certificate for hooks.example.com was issued (port 443 of that name must lead to this listener): "
	eventually(t, "the fault", func() bool { return w.count(want) == 1 })
	for _, err := range []error{a.Ready(), a.Renewal()} {
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s…", err, want)
		}
	}
	if conn, err := dial(i.authority, address, host); err == nil {
		conn.Close()
		t.Error("a handshake succeeded without a certificate")
	}
}

func TestIssued_StopsWhileTheAuthorityIsSilent(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, func() string { return "" })
	i.hold = make(chan struct{})
	defer close(i.hold)
	a := i.auto(t, filepath.Join(t.TempDir(), "certificates"), host)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); a.Run(ctx) }()
	time.Sleep(50 * time.Millisecond)
	cancel()
	select {
	case <-done:
	case <-time.After(stopTimeout - time.Second):
		t.Error("still running")
	}
}

func TestNewIssued_RefusesAFolderThatOthersMayRead(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o750))
	_, err := NewIssued([]string{host}, dir, "", nil)
	if err == nil || !strings.Contains(err.Error(), "other users can access it (mode 0750); run chmod 700 on it") {
		t.Errorf("got %v", err)
	}
	if _, err := NewIssued(nil, t.TempDir(), "", nil); err == nil {
		t.Error("no host was taken")
	}
}

func TestIsPublicHost(t *testing.T) {
	for name, want := range map[string]bool{
		"hooks.example.com": true, "a.b": true, "xn--bcher-kva.example": true, "1.example.com": true,
		"": false, "localhost": false, "Hooks.example.com": false, "hooks.example.com.": false, "hooks.example.com:443": false,
		"*.example.com": false, "https://example.com": false, "192.0.2.1": false, "::1": false, "a_b.example.com": false,
		"-a.example.com": false, "a-.example.com": false, "bücher.example": false, "a..b": false, strings.Repeat("a", 64) + ".com": false,
	} {
		if got := isPublicHost(name); got != want {
			t.Errorf("%q: got %t, want %t", name, got, want)
		}
	}
}
