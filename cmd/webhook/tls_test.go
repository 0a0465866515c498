package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit/commandtest"
)

// TestWebhook_SpeaksTLS has the command as operators run it: with files, and with
// new ones that cannot be used.
func TestWebhook_SpeaksTLS(t *testing.T) {
	t.Parallel()
	address, _ := commandtest.StartNATS(t)
	sim := telnyxsim.New(telnyxsim.Options{})
	defer sim.Close()
	example := httptest.NewTLSServer(nil) // whose certificate we borrow
	pair, roots := example.TLS.Certificates[0], x509.NewCertPool()
	roots.AddCert(example.Certificate())
	example.Close()
	keyDER, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	must(t, err)
	cert, key := filepath.Join(t.TempDir(), "tls.crt"), filepath.Join(t.TempDir(), "tls.key")
	must(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}), 0o600))
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))

	door := commandtest.Start(t, commandName, "status page at", "NATS_URL="+address, "TELNYX_PUBLIC_KEY="+sim.PublicKey(),
		"LISTEN=127.0.0.1:0", "ADMIN_LISTEN=127.0.0.1:0", "TLS_CERT="+cert, "TLS_KEY="+key)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com"}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	get := func(url string) string {
		t.Helper()
		_, body := commandtest.Get(t, client, url)
		return body
	}
	public, private := "https://"+door.Address("webhook"), "http://"+door.Address("status")
	if got := get(public + "/healthz"); !strings.Contains(got, "ok") {
		t.Errorf("got %s", got)
	}
	must(t, os.WriteFile(key, []byte("no key"), 0o600))
	var ready string
	for deadline := time.Now().Add(commandtest.Patience); !strings.Contains(ready, "stays in use: certificate or key: ") && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		ready = get(private + "/readyz")
	}
	if !strings.Contains(ready, `"status": "ready"`) || !strings.Contains(ready, "stays in use: certificate or key: ") || !strings.Contains(ready, `"certificate": "ok"`) {
		t.Errorf("ready, with the fault? got %s", ready)
	}
	if got := get(private + "/metrics"); !strings.Contains(got, "\ngreenlight_tls_certificate_faulty 1\n") || !strings.Contains(got, `greenlight_tls_certificate_not_after_seconds{host="example.com"} `) {
		t.Error("the metrics do not show it")
	}
	transport.CloseIdleConnections()
	if got := get(public + "/healthz"); !strings.Contains(got, "ok") {
		t.Errorf("a new connection: got %s", got)
	}
	door.Stop()
}
