package app

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func quietLog() *log.Logger { return log.New(io.Discard, "", 0) }

// quick makes the waits of a test short.
func quick(t *testing.T, cert, key string) *Certificates {
	t.Helper()
	f, err := LoadCertificate(cert, key)
	must(t, err)
	f.files.every = 20 * time.Millisecond
	return f
}

const season = 60 * 24 * time.Hour

func TestCertificates_ReloadUnderOpenConnections(t *testing.T) {
	t.Parallel()
	ca, dir := newAuthority(t), t.TempDir()
	f := quick(t, firstOf(ca.pairIn(dir, season)), filepath.Join(dir, "tls.key"))
	keep(t, f)
	address := serveTLS(t, f)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.roots, ServerName: host}, MaxConnsPerHost: 1}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	serial := func() string {
		answer, err := client.Get("https://" + address)
		must(t, err)
		defer answer.Body.Close()
		proto, err := io.ReadAll(answer.Body)
		must(t, err)
		if string(proto) != "HTTP/1.1" {
			t.Errorf("got %s, want HTTP/1.1 alone", proto)
		}
		return answer.TLS.PeerCertificates[0].SerialNumber.String()
	}
	if got := serial(); got != "2" {
		t.Fatalf("got certificate %s, want 2", got)
	}
	ca.pairIn(dir, season)
	eventually(t, "the new certificate", func() bool { return shown(t, ca, address) == "3" })
	if got := serial(); got != "2" {
		t.Errorf("the open connection shows %s, want 2: it was cut", got)
	}
}

func firstOf(first, _ string) string { return first }

func TestCertificates_FollowLinksThatAreSwitched(t *testing.T) {
	t.Parallel()
	// What Kubernetes does: tls.crt -> ..data/tls.crt, ..data -> ..1, then ..2 by a
	// rename over ..data.
	ca, dir := newAuthority(t), t.TempDir()
	ca.pairIn(filepath.Join(dir, "..1"), season)
	must(t, os.Symlink("..1", filepath.Join(dir, "..data")))
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	must(t, os.Symlink("..data/tls.crt", cert))
	must(t, os.Symlink("..data/tls.key", key))
	f := quick(t, cert, key)
	w := keep(t, f)
	address := serveTLS(t, f)
	for _, next := range []string{"..2", "..3"} {
		old, err := os.Readlink(filepath.Join(dir, "..data"))
		must(t, err)
		ca.pairIn(filepath.Join(dir, next), season)
		must(t, os.Symlink(next, filepath.Join(dir, "..tmp")))
		must(t, os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")))
		must(t, os.RemoveAll(filepath.Join(dir, old)))
		want := map[string]string{"..2": "3", "..3": "4"}[next]
		eventually(t, "the certificate of "+next, func() bool { return shown(t, ca, address) == want })
	}
	if got := w.count("stays in use"); got != 0 {
		t.Errorf("%d faults were reported: %q", got, w.said)
	}
}

func TestCertificates_PollWithoutEvents(t *testing.T) {
	t.Parallel()
	// A link further up is switched, for which there is no event.
	ca, dir := newAuthority(t), t.TempDir()
	ca.pairIn(filepath.Join(dir, "v1"), season)
	ca.pairIn(filepath.Join(dir, "v2"), season)
	must(t, os.Symlink("v1", filepath.Join(dir, "current")))
	f := quick(t, filepath.Join(dir, "current/tls.crt"), filepath.Join(dir, "current/tls.key"))
	keep(t, f)
	address := serveTLS(t, f)
	must(t, os.Symlink("v2", filepath.Join(dir, "next")))
	must(t, os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "current")))
	eventually(t, "the certificate behind the link", func() bool { return shown(t, ca, address) == "3" })
}

func TestCertificates_KeepWhatWasGood(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	otherCert, _ := ca.issue(season)
	expired, expiredKey := ca.issue(-time.Hour)
	for name, test := range map[string]struct {
		files map[string][]byte
		want  string
	}{
		"a key of another pair": {map[string][]byte{"tls.crt": otherCert}, "private key does not match public key"},
		"no PEM":                {map[string][]byte{"tls.crt": []byte("hello")}, "failed to find any PEM data in certificate input"},
		"an empty key":          {map[string][]byte{"tls.key": nil}, "failed to find any PEM data in key input"},
		"one that has expired":  {map[string][]byte{"tls.crt": expired, "tls.key": expiredKey}, "the certificate for hooks.example.com expired on "},
		"a file that is too large": {
			map[string][]byte{"tls.crt": make([]byte, maxSmall+1)}, "is larger than",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			cert, key := ca.pairIn(dir, season)
			good, err := os.ReadFile(cert)
			must(t, err)
			goodKey, err := os.ReadFile(key)
			must(t, err)
			f := quick(t, cert, key)
			w := keep(t, f)
			address := serveTLS(t, f)
			before := shown(t, ca, address)
			writeFiles(t, dir, test.files)
			eventually(t, "the fault, and what stays in use", func() bool { // between two files there may be another fault
				err := f.Renewal()
				return err != nil && strings.Contains(err.Error(), test.want) && strings.Contains(err.Error(), " stays in use: ")
			})
			f.Reload() // it reports nothing new
			if got := shown(t, ca, address); got != before {
				t.Errorf("shown is %s, want %s", got, before)
			}
			must(t, f.Ready())
			writeFiles(t, dir, map[string][]byte{"tls.crt": good, "tls.key": goodKey})
			eventually(t, "the end of the fault", func() bool { return f.Renewal() == nil })
			eventually(t, "the word", func() bool { return w.count(test.want) == 1 })
		})
	}
}

func TestCertificates_ReportOnesThatVanished(t *testing.T) {
	t.Parallel()
	ca, dir := newAuthority(t), t.TempDir()
	cert, key := ca.pairIn(dir, season)
	f := quick(t, cert, key)
	keep(t, f)
	must(t, os.Remove(key))
	eventually(t, "the fault", func() bool { return f.Renewal() != nil })
	if err := f.Renewal(); !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got %v", err)
	}
	ca.pairIn(dir, season)
	eventually(t, "its end", func() bool { return f.Renewal() == nil && f.InUse()[0].SerialNumber.Int64() == 3 })
}

func TestCertificates_ReportHowLongTheyAreValid(t *testing.T) {
	ca := newAuthority(t)
	for name, test := range map[string]struct {
		left           time.Duration
		ready, renewal string
	}{
		"long":    {season, "", ""},
		"days":    {3 * 24 * time.Hour, "", "the certificate for hooks.example.com ends on "},
		"expired": {-time.Hour, "the certificate for hooks.example.com expired on ", "ends on "},
		"not yet": {100 * 24 * time.Hour, "the certificate for hooks.example.com is not valid before ", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := LoadCertificate(ca.pairIn(t.TempDir(), test.left))
			must(t, err)
			if got := errorText(f.Ready()); !says(got, test.ready) {
				t.Errorf("ready: got %q, want %q", got, test.ready)
			}
			if got := errorText(f.Renewal()); !says(got, test.renewal) {
				t.Errorf("renewal: got %q, want %q", got, test.renewal)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// says reports whether a text has the part, or is empty as the part is.
func says(text, part string) bool {
	return strings.Contains(text, part) && (text == "") == (part == "")
}

func TestCertificates_RefuseOldTLS(t *testing.T) {
	ca := newAuthority(t)
	f, err := LoadCertificate(ca.pairIn(t.TempDir(), season))
	must(t, err)
	address := serveTLS(t, f)
	for version, want := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: ca.roots, ServerName: host, MinVersion: tls.VersionTLS10, MaxVersion: version})
		if (err == nil) != want {
			t.Errorf("%s: got %v, want it to work: %t", tls.VersionName(version), err, want)
		}
		if err == nil {
			conn.Close()
		}
	}
}

func TestLoadCertificate_NamesWhatIsMissing(t *testing.T) {
	_, err := LoadCertificate("missing.crt", "missing.key")
	if err == nil || !strings.Contains(err.Error(), "missing.crt") || !strings.Contains(err.Error(), "missing.key") {
		t.Errorf("got %v, want both files", err)
	}
}

// A pipe without a writer would hold up the start for ever.
func TestLoadCertificate_RefusesWhatIsNoFile(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	must(t, syscall.Mkfifo(pipe, 0o600))
	for _, path := range []string{pipe, "/dev/zero"} {
		if _, err := LoadCertificate(path, path); err == nil || !strings.Contains(err.Error(), path+" is not a regular file") {
			t.Errorf("%s: got %v, want it refused", path, err)
		}
	}
}
