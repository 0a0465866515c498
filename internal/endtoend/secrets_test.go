//go:build unix

package endtoend_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
	"greenlight/internal/webhook"
)

// The secrets of a whole run. That of NATS is made at its start.
const (
	notifyUser = "n0tify-user-s3cret"
	notifyPath = "n0tify-path-t0ken"
	adminToken = "adm1n-t0ken-s3cret"
	otlpHeader = "0tlp-header-s3cret"
	basePass   = "base-url-passw0rd"
	natsSeed   = "SUA-nats-creds-s3cret"
)

// secretsRun has all output of the commands while they run against a world.
type secretsRun struct {
	*world
	commands    string   // the folder of the binaries
	environment []string // of every command
	nats        *url.URL
	all         testkit.Buffer
	// collector gets the traces. TLSKey is a line of the private key.
	collector testkit.Collector
	tlsKey    string
}

// otherID is a campaign that is rejected.
const otherID = "11111111-907b-43a9-8ada-ba1dc8335b07"

// TestSecrets_AreInNoOutput runs every command in normal operation and with faults, and
// searches all output for every secret: logs, pages, metrics, errors, notices.
func TestSecrets_AreInNoOutput(t *testing.T) {
	t.Parallel()
	c := newSecretsRun(t)
	receiver, worker, standby := c.start("webhook"), c.start("assigner"), c.start("assigner")
	c.exercise(receiver)
	c.readPages(receiver, worker, standby)
	worker.stop()
	c.takesOver(standby)
	c.readPages(receiver, worker, standby)
	c.runForPeople()
	c.backUp()
	for _, n := range c.notices() {
		fmt.Fprintln(&c.all, n.Text)
	}
	c.eventually("traces arrive", func() (bool, string) { return len(c.collector.Raw()) > 0, "" })
	_, err := c.all.Write(c.collector.Raw())
	c.must(err)
	c.holdsNoSecret()
	c.hasExpectedOutput()
}

func newSecretsRun(t *testing.T) *secretsRun {
	t.Helper()
	commands, err := buildCommands()
	if err != nil {
		t.Fatal(err)
	}
	trusting := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(trusting.CloseIdleConnections)
	c := &secretsRun{world: newWorld(t, telnyxsim.Options{DeliveryTransport: trusting}), commands: commands}
	c.stage(campaignID+": "+numbers, otherID+": +12125550199")
	c.nats, err = url.Parse(c.world.nats.URL())
	c.must(err)
	// The receiver of notices refuses, and repeats the address of the request.
	inbox := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		http.Error(answer, r.URL.String()+r.Header.Get("Authorization"), http.StatusForbidden)
	}))
	t.Cleanup(inbox.Close)
	collector := httptest.NewServer(&c.collector)
	t.Cleanup(collector.Close)
	cert, key := c.certificate()
	notifyURL := "generic+" + strings.Replace(inbox.URL, "http://", "http://"+notifyUser+":pass@", 1) + "/" + notifyPath
	c.environment = append(os.Environ(),
		"NATS_URL="+c.nats.String(), "TELNYX_API_KEY="+apiKey, "TELNYX_BASE_URL="+c.api.URL+"/v2", "TELNYX_RATE=100", "TELNYX_PUBLIC_KEY="+c.sim.PublicKey(),
		"PLANS="+c.planFile(), "RESYNC=1h", "LISTEN=127.0.0.1:0", "ADMIN_LISTEN=127.0.0.1:0", "NOTIFY_URL="+notifyURL, "ADMIN_TOKEN="+adminToken, "LOG_LEVEL=debug",
		"OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL, "OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20"+otlpHeader, "TLS_CERT="+cert, "TLS_KEY="+key)
	return c
}

// certificate writes a certificate for the public listener and its key.
func (c *secretsRun) certificate() (cert, key string) {
	c.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c.must(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	leaf, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	c.must(err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	c.must(err)
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	c.tlsKey = strings.Split(string(text), "\n")[1]
	cert, key = filepath.Join(c.t.TempDir(), "cert.pem"), filepath.Join(c.t.TempDir(), "key.pem")
	c.must(os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf}), 0o600))
	c.must(os.WriteFile(key, text, 0o600))
	return cert, key
}

// backUp runs greenlight up on a backup of the run, and backs it up. All that is in the
// streams is searched, since snapshots are compressed.
func (c *secretsRun) backUp() {
	c.t.Helper()
	data, file := filepath.Join(testkit.MemoryDir(c.t), "data"), filepath.Join(c.t.TempDir(), "backup")
	c.runOnce(run{name: "greenlight", args: []string{"backup", file}, fine: true})
	own := []string{"NATS_URL=", "DATA=" + data}
	c.runOnce(run{name: "greenlight", args: []string{"restore", file}, env: own, fine: true})
	c.must(fs.WalkDir(os.DirFS(filepath.Join(data, "jetstream")), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		stored, err := os.ReadFile(filepath.Join(data, "jetstream", name))
		c.must(err)
		_, err = c.all.Write(append(stored, '\n'))
		return err
	}))
	environment := c.environment
	c.environment = append(slices.Clip(environment), own...)
	up := c.start("greenlight", "up")
	c.readPages(up)
	for _, args := range [][]string{{"status", "--json"}, {"doctor", "--json"}, {"backup", file}, {"why", "+12125550142"}, {"notices", "list"}} {
		c.runOnce(run{name: "greenlight", args: args, fine: args[0] != "doctor"})
	}
	address, err := os.ReadFile(filepath.Join(data, events.EmbeddedURLFile))
	c.must(err)
	token, err := url.Parse(strings.TrimSpace(string(address)))
	c.must(err)
	if strings.Contains(c.all.String(), token.User.Username()) {
		c.t.Error("the token of the built-in NATS server came out")
	}
	up.stop()
	c.environment = environment
}

// started is a command that runs until the test ends or it is stopped.
type started struct {
	log  testkit.Buffer
	page string // the URL of its private listener
	stop func()
}

func (c *secretsRun) start(name string, args ...string) *started {
	c.t.Helper()
	s := &started{}
	command := exec.Command(c.commands+name, args...)
	command.Env = c.environment
	command.Stdout, command.Stderr = io.MultiWriter(&s.log, &c.all), io.MultiWriter(&s.log, &c.all)
	c.must(command.Start())
	s.stop = sync.OnceFunc(func() {
		_ = command.Process.Signal(syscall.SIGTERM) // it may have exited
		_ = command.Wait()
	})
	c.t.Cleanup(s.stop)
	c.eventually(name+" is up", func() (bool, string) { return statusPage.MatchString(s.log.String()), s.log.String() })
	s.page = statusPage.FindStringSubmatch(s.log.String())[1]
	return s
}

// exercise approves one campaign and rejects another. Telnyx repeats the key in an answer,
// and the receiver of notices refuses.
func (c *secretsRun) exercise(receiver *started) {
	c.t.Helper()
	public := regexp.MustCompile(`"part":"webhook","address":"([^"]+)"`).FindStringSubmatch(receiver.log.String())
	if public == nil {
		c.t.Fatal("the webhook's log does not have its address")
	}
	for _, id := range []string{campaignID, otherID} {
		c.sim.AddCampaign(telnyxsim.Campaign{ID: id, CampaignStatus: telnyx.CampaignMNOPending, WebhookURL: "https://" + public[1] + webhook.Path})
	}
	c.sim.Inject(telnyxsim.Fault{Method: "GET", PathPrefix: "/10dlc/campaign", Times: 3,
		Kind: telnyxsim.StatusFault(http.StatusInternalServerError, `{"errors":[{"code":"99999","title":"odd","detail":"Bearer `+apiKey+`"}]}`)})
	for _, id := range []string{campaignID, otherID} {
		c.nudge(id)
		c.phase(id, ledger.PhaseInReview)
	}
	c.must(c.sim.Approve(campaignID))
	c.reaches(campaignID, ledger.Sendable)
	c.must(c.sim.Reject(otherID, "no opt-in"))
	c.phase(otherID, ledger.PhaseRejected)
	c.eventually("a notice is refused", func() (bool, string) {
		got := c.all.String()
		return strings.Contains(got, "a notice could not be sent") && strings.Contains(got, "403"), got
	})
}

// get requests a page with the token. An error means that nothing listens.
func (c *secretsRun) get(url string) (body []byte, err error) {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, url, nil)
	c.must(err)
	request.Header.Set("Authorization", "Bearer "+adminToken)
	answer, err := (&http.Client{Timeout: patience}).Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(answer.Body)
	c.must(err)
	return body, nil
}

// readPages reads all pages of the private listeners that are still running.
func (c *secretsRun) readPages(of ...*started) {
	c.t.Helper()
	for _, s := range of {
		for _, path := range []string{"/status", "/status.json", "/metrics", "/readyz", "/healthz", "/nowhere"} {
			if body, err := c.get(s.page + path); err == nil {
				_, err = c.all.Write(body)
				c.must(err)
			}
		}
	}
}

// takesOver waits until the standby is active.
func (c *secretsRun) takesOver(standby *started) {
	c.t.Helper()
	c.eventually("the other one works", func() (bool, string) {
		c.nudge(campaignID) // an assigner is active from its first message on
		metrics, err := c.get(standby.page + "/metrics")
		c.must(err)
		return bytes.Contains(metrics, []byte("\ngreenlight_assigner_active 1\n")), standby.log.String()
	})
}

// run is a command that exits or is stopped.
type run struct {
	name string
	args []string
	env  []string
	fine bool
	// waits says that it runs until it is stopped.
	waits bool
}

// runForPeople runs the operator's commands, and commands that report a fault in a setting
// with a secret.
func (c *secretsRun) runForPeople() {
	c.t.Helper()
	unreachable := "NATS_URL=" + strings.Replace(c.nats.String(), c.nats.Host, "127.0.0.1:1", 1)
	creds := filepath.Join(c.t.TempDir(), "nats.creds")
	c.must(os.WriteFile(creds, []byte("-----BEGIN USER NKEY SEED-----\n"+natsSeed+"\n------END USER NKEY SEED------\n"), 0o600))
	for _, r := range []run{
		{name: "greenlight", args: []string{"status"}, fine: true},
		{name: "greenlight", args: []string{"status", "--json"}, fine: true},
		{name: "greenlight", args: []string{"deadletters", "list"}, fine: true},
		{name: "greenlight", args: []string{"doctor"}},
		{name: "greenlight", args: []string{"up", "--help"}, fine: true},
		{name: "assigner", args: []string{"--help"}, fine: true},
		{name: "assigner", env: []string{"NOTIFY_URL=" + notifyPath}},
		{name: "assigner", env: []string{"NOTIFY_URL=slack://" + notifyUser + "/" + notifyPath}},
		{name: "assigner", env: []string{unreachable}, waits: true},
		{name: "assigner", env: []string{"NATS_URL=" + c.nats.String() + "%zz"}},
		{name: "webhook", env: []string{unreachable}, waits: true},
		{name: "assigner", env: []string{"TELNYX_API_KEY_FILE=also"}},
		{name: "assigner", env: []string{"TELNYX_BASE_URL=" + strings.Replace(c.api.URL, "http://", "http://user:"+basePass+"@", 1) + "/v2"}},
		{name: "greenlight", args: []string{"doctor"}, env: []string{"TELNYX_BASE_URL=http://user:" + basePass + "@127.0.0.1:1/v2"}},
		{name: "assigner", env: []string{"NATS_CREDS=" + creds}},
		{name: "webhook", env: []string{"TLS_CERT=" + creds}},
		{name: "webhook", env: []string{"OTEL_EXPORTER_OTLP_HEADERS=%zz" + otlpHeader}},
	} {
		c.runOnce(r)
	}
}

func (c *secretsRun) runOnce(r run) {
	c.t.Helper()
	command := exec.Command(c.commands+r.name, r.args...)
	command.Env = append(slices.Clip(c.environment), r.env...)
	command.Dir = c.t.TempDir()
	var said testkit.Buffer
	command.Stdout, command.Stderr = &said, &said
	c.must(command.Start())
	if r.waits {
		c.eventually("it says that it waits", func() (bool, string) { return strings.Contains(said.String(), "NATS"), said.String() })
		c.must(command.Process.Signal(syscall.SIGTERM))
	}
	err := command.Wait()
	if failed := new(exec.ExitError); err != nil && !errors.As(err, &failed) {
		c.t.Fatal(err)
	}
	if r.fine && err != nil || strings.TrimSpace(said.String()) == "" {
		c.t.Errorf("%s %v: %v, %s", r.name, r.args, err, said.String())
	}
	fmt.Fprint(&c.all, said.String())
}

func (c *secretsRun) holdsNoSecret() {
	c.t.Helper()
	got := c.all.String()
	for what, secret := range map[string]string{
		"the API key": apiKey, "the token of NATS": c.nats.User.Username(), "the user in NOTIFY_URL": notifyUser,
		"the path in NOTIFY_URL": notifyPath, "ADMIN_TOKEN": adminToken,
		"the headers of OTLP": otlpHeader, "the password in TELNYX_BASE_URL": basePass, "NATS_CREDS": natsSeed, "TLS_KEY": c.tlsKey,
	} {
		if len(secret) < 8 {
			c.t.Fatalf("%s is too short to search for", what)
		}
		for line := range strings.Lines(got) {
			if strings.Contains(line, secret) {
				c.t.Errorf("%s came out: %.300s", what, line)
			}
		}
	}
}

// hasExpectedOutput fails if there was less output to search than expected.
func (c *secretsRun) hasExpectedOutput() {
	c.t.Helper()
	got := c.all.String()
	for _, word := range []string{"greenlight_numbers", `"checks"`, "number is sendable", "NOTIFY_URL (--notify-url)", "<html", "Backed up", `"check": "upgrade"`, "assigner.reconcile"} {
		if !strings.Contains(got, word) {
			c.t.Errorf("%s did not come out, so the search proves less than it should", word)
		}
	}
}
