package app_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"greenlight/config"
	"greenlight/internal/app"
	"greenlight/internal/assigner"
	"greenlight/internal/events"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
	"greenlight/internal/webhook"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := app.Listen("127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { listener.Close() })
	return listener
}

// run runs the process until the test ends. Stop stops it, and ended waits for its
// end, which must be without an error.
func run(t *testing.T, p *app.Process) (stop context.CancelFunc, ended func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- p.Run(ctx) }()
	ended = sync.OnceFunc(func() {
		if err := <-result; err != nil {
			t.Errorf("the process ended with %v", err)
		}
	})
	t.Cleanup(func() { cancel(); ended() })
	return cancel, ended
}

func verifier(t *testing.T, sim *telnyxsim.Simulator) *telnyx.Verifier {
	t.Helper()
	key, err := telnyx.ParsePublicKey(sim.PublicKey())
	must(t, err)
	verifier, err := telnyx.NewVerifier([]telnyx.PublicKey{key}, time.Now)
	must(t, err)
	return verifier
}

// get waits until the address answers the path with the code, and returns the
// body.
func get(t *testing.T, address, path string, code int) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	var got int
	var body []byte
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		answer, err := client.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err = io.ReadAll(answer.Body)
		answer.Body.Close()
		if got = answer.StatusCode; err == nil && got == code {
			return string(body)
		}
	}
	t.Fatalf("%s: got %d %s, want %d", path, got, body, code)
	return ""
}

func TestProcess_RunsBothRolesAndShowsThem(t *testing.T) {
	t.Parallel()
	nc := testkit.Connect(t, testkit.Embedded(t))
	sim := telnyxsim.New(telnyxsim.Options{})
	defer sim.Close()
	api := listen(t)
	simulating, stopSim := context.WithCancel(context.Background())
	simulated := make(chan error, 1)
	go func() { simulated <- app.Serve(simulating, api, sim) }()
	defer func() { stopSim(); must(t, <-simulated) }()
	set, err := plan.LoadBytes("plan.yaml", config.ExamplePlan)
	must(t, err)

	var log testkit.Buffer
	p, err := app.New(t.Context(), nc, 1, zerolog.New(&log))
	must(t, err)
	public, private := listen(t), listen(t)
	must(t, p.AddWebhook(webhook.Config{Verifier: verifier(t, sim)}, public, app.Public{}))
	must(t, p.AddAssigner(t.Context(), assigner.Config{
		Telnyx: &telnyx.Client{APIKey: "KEY_s3cret", BaseURL: "http://" + api.Addr().String() + "/v2", Limiter: telnyx.NewLimiter(telnyx.LimiterConfig{Ceiling: 100, Concurrency: 8})},
		Plans:  func() *plan.Set { return set },
	}))
	p.AddPrivate(private, "")
	stop, ended := run(t, p)

	var ready struct{ Checks map[string]string }
	must(t, json.Unmarshal([]byte(get(t, private.Addr().String(), "/readyz", http.StatusOK)), &ready))
	for _, check := range []string{"nats", "webhook", "assigner"} {
		if ready.Checks[check] != "ok" {
			t.Errorf("check %s: got %q, want ok", check, ready.Checks[check])
		}
	}
	if got := ready.Checks["guarantee"]; !strings.Contains(got, "A 200 here means that one server has the event in a file.") {
		t.Errorf("got %q, want what a 200 means", got)
	}
	get(t, public.Addr().String(), "/healthz", http.StatusOK)
	metrics := get(t, private.Addr().String(), "/metrics", http.StatusOK)
	for _, name := range []string{"go_goroutines", "process_cpu_seconds_total", "greenlight_webhook_", "greenlight_assigner_"} {
		if !strings.Contains(metrics, name) {
			t.Errorf("no metric %s", name)
		}
	}
	stop()
	ended()
	for _, listener := range []net.Listener{public, private} {
		if conn, err := net.Dial("tcp", listener.Addr().String()); err == nil {
			conn.Close()
			t.Errorf("%s still takes connections", listener.Addr())
		}
		if !strings.Contains(log.String(), listener.Addr().String()) {
			t.Errorf("the log does not name %s", listener.Addr())
		}
	}
	if strings.Contains(log.String(), "KEY_s3cret") {
		t.Errorf("the log contains the API key:\n%s", log.String())
	}
}

func TestProcess_SaysThatNATSIsAway(t *testing.T) {
	t.Parallel()
	nc := testkit.Connect(t, testkit.Embedded(t))
	sim := telnyxsim.New(telnyxsim.Options{})
	defer sim.Close()
	p, err := app.New(t.Context(), nc, 1, zerolog.Nop())
	must(t, err)
	private := listen(t)
	must(t, p.AddWebhook(webhook.Config{Verifier: verifier(t, sim)}, listen(t), app.Public{}))
	p.AddPrivate(private, "")
	run(t, p)
	get(t, private.Addr().String(), "/readyz", http.StatusOK)
	nc.Close()
	body := get(t, private.Addr().String(), "/readyz", http.StatusServiceUnavailable)
	for _, want := range []string{"the NATS server is not connected; Greenlight keeps trying", "stream EVENTS cannot be reached"} {
		if !strings.Contains(body, want) {
			t.Errorf("got %s, want it to say %q", body, want)
		}
	}
}

// A denied permission does not pass by itself, and a request only times out because of it.
func TestNew_LogsADeniedPermissionAsAWarning(t *testing.T) {
	t.Parallel()
	nc := testkit.Connect(t, testkit.Embedded(t))
	var log testkit.Buffer
	_, err := app.New(t.Context(), nc, 1, zerolog.New(&log).Level(zerolog.WarnLevel))
	must(t, err)
	report := nc.ErrorHandler()
	report(nc, nil, nats.ErrSlowConsumer)
	report(nc, nil, fmt.Errorf("%w: publish to greenlight.event", nats.ErrPermissionViolation))
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "greenlight.event") {
		t.Errorf("got the log %q, want only the denied permission", got)
	}
}

// A process does its job with a full stream of dead letters, and says what is wrong.
func TestProcess_ReportsAFullStreamOfDeadLetters(t *testing.T) {
	t.Parallel()
	nc := testkit.Connect(t, testkit.Embedded(t))
	js := must2(jetstream.New(nc))
	p, err := app.New(t.Context(), nc, 1, zerolog.Nop())
	must(t, err)
	private := listen(t)
	p.AddPrivate(private, "")
	run(t, p)
	get(t, private.Addr().String(), "/readyz", http.StatusOK)
	config := must2(js.Stream(t.Context(), events.StreamDeadLetters)).CachedInfo().Config
	config.MaxBytes = 1 << 20 // less than the largest letter
	_, err = js.UpdateStream(t.Context(), config)
	must(t, err)
	if body := get(t, private.Addr().String(), "/readyz", http.StatusOK); !strings.Contains(body, "stream DEAD_LETTERS is full") {
		t.Errorf("got %s, want that DEAD_LETTERS is full", body)
	}
}

func TestProcess_APartThatFailsStopsAll(t *testing.T) {
	t.Parallel()
	nc := testkit.Connect(t, testkit.Embedded(t))
	sim := telnyxsim.New(telnyxsim.Options{})
	defer sim.Close()
	p, err := app.New(t.Context(), nc, 1, zerolog.Nop())
	must(t, err)
	taken, private := listen(t), listen(t)
	must(t, taken.Close()) // so that serving on it fails
	must(t, p.AddWebhook(webhook.Config{Verifier: verifier(t, sim)}, taken, app.Public{}))
	p.AddPrivate(private, "")
	err = p.Run(t.Context())
	if !errors.Is(err, net.ErrClosed) || !strings.HasPrefix(err.Error(), "webhook: serve on "+taken.Addr().String()) {
		t.Errorf("got %v, want the part and its address", err)
	}
}

// A load balancer that asks for readiness must be able to see it false while
// deliveries are still taken.
func TestProcess_IsUnreadyBeforeItsDoorCloses(t *testing.T) {
	t.Parallel()
	nc := testkit.Connect(t, testkit.Embedded(t))
	sim := telnyxsim.New(telnyxsim.Options{})
	defer sim.Close()
	p, err := app.New(t.Context(), nc, 1, zerolog.Nop())
	must(t, err)
	public, private := listen(t), listen(t)
	const delay = 700 * time.Millisecond
	must(t, p.AddWebhook(webhook.Config{Verifier: verifier(t, sim)}, public, app.Public{Server: app.ServerOptions{DrainDelay: delay}}))
	p.AddPrivate(private, "")
	stop, ended := run(t, p)
	get(t, private.Addr().String(), "/readyz", http.StatusOK)
	get(t, public.Addr().String(), "/healthz", http.StatusOK)
	began := time.Now()
	stop()
	body := get(t, private.Addr().String(), "/readyz", http.StatusServiceUnavailable)
	if !strings.Contains(body, "this process is stopping") {
		t.Errorf("got %s, want it to say why", body)
	}
	answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(must2(http.NewRequest(http.MethodPost, "http://"+public.Addr().String()+webhook.Path, nil)))
	if err != nil {
		if time.Since(began) < delay {
			t.Errorf("a delivery during the delay: %v", err)
		}
	} else if answer.Body.Close(); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("an unsigned delivery during the delay: got %d, want 401", answer.StatusCode)
	}
	ended()
	if took := time.Since(began); took < delay {
		t.Errorf("the stop took %s, want the delay of %s at least", took, delay)
	}
	if conn, err := net.Dial("tcp", public.Addr().String()); err == nil {
		conn.Close()
		t.Error("new connections are taken after the stop")
	}
}

func must2[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func TestProcess_TakesOtherKeysWhenItsFileChangesAndOnSIGHUP(t *testing.T) {
	t.Parallel()
	nc := testkit.Connect(t, testkit.Embedded(t))
	old, next := telnyxsim.New(telnyxsim.Options{}), telnyxsim.New(telnyxsim.Options{})
	defer old.Close()
	defer next.Close()
	var log testkit.Buffer
	p, err := app.New(t.Context(), nc, 1, zerolog.New(&log))
	must(t, err)
	dir := t.TempDir()
	path := filepath.Join(dir, "link", "key")
	// point changes the file behind a link further up, which causes no event: only
	// SIGHUP finds it before the poll does.
	point := func(folder, text string) {
		t.Helper()
		must(t, os.Mkdir(filepath.Join(dir, folder), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, folder, "key"), []byte(text), 0o600))
		must(t, os.Symlink(folder, filepath.Join(dir, "new")))
		must(t, os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "link")))
	}
	point("first", old.PublicKey())
	inUse := verifier(t, old)
	public, private := listen(t), listen(t)
	must(t, p.AddWebhook(webhook.Config{Verifier: inUse}, public, app.Public{Keys: app.NewKeyFile(path, inUse)}))
	p.AddPrivate(private, "")
	run(t, p)
	get(t, private.Addr().String(), "/readyz", http.StatusOK)
	until := func(what string, reached func() bool) {
		t.Helper()
		for deadline := time.Now().Add(5 * time.Second); !reached(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: not reached; the log:\n%s", what, log.String())
			}
		}
	}
	metrics := func() string { return get(t, private.Addr().String(), "/metrics", http.StatusOK) }
	counter := func(sim *telnyxsim.Simulator) string {
		return fmt.Sprintf("greenlight_webhook_verified_total{key=%q} 0", sim.PublicKey()[:8])
	}
	if got := metrics(); !strings.Contains(got, counter(old)) || strings.Contains(got, counter(next)) {
		t.Error("at first there is not just a counter for the old key")
	}
	must(t, os.WriteFile(path, []byte(old.PublicKey()+","+next.PublicKey()), 0o600))
	until("both keys", func() bool { return len(inUse.Keys()) == 2 })
	until("a counter for the new key", func() bool { return strings.Contains(metrics(), counter(next)) })
	until("a line in the log", func() bool { return strings.Contains(log.String(), "new public keys are in use") })

	point("second", "nonsense")
	must(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
	until("the fault", func() bool {
		return strings.Contains(get(t, private.Addr().String(), "/readyz", http.StatusOK), "the previous keys stay in use")
	})
	if len(inUse.Keys()) != 2 || !strings.Contains(log.String(), "the public keys could not be read again") {
		t.Errorf("%d keys are in use, and the log says:\n%s", len(inUse.Keys()), log.String())
	}
	point("third", next.PublicKey())
	must(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
	until("the new key alone", func() bool { keys := inUse.Keys(); return len(keys) == 1 && keys[0].String() == next.PublicKey() })
}

// With TLS the end of a renewal may take seconds, in which the process must neither
// look ready nor be without certificates.
func TestProcess_IsUnreadyBeforeItsCertificatesAreLeftAlone(t *testing.T) {
	t.Parallel()
	sim := telnyxsim.New(telnyxsim.Options{})
	defer sim.Close()
	p, err := app.New(t.Context(), testkit.Connect(t, testkit.Embedded(t)), 1, zerolog.Nop())
	must(t, err)
	public, private := listen(t), listen(t)
	stopped := false
	certificates, err := app.LoadCertificate(certificateFiles(t))
	must(t, err)
	certificates.KeepWith(func(ctx context.Context) {
		<-ctx.Done()
		stopped = true
		answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(must2(http.NewRequest(http.MethodGet, "http://"+private.Addr().String()+"/readyz", nil)))
		if err != nil {
			t.Error(err)
			return
		}
		if answer.Body.Close(); answer.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("got %d when the certificate keeper has to stop, want 503 by then", answer.StatusCode)
		}
		if conn, err := net.Dial("tcp", public.Addr().String()); err == nil {
			conn.Close()
			t.Error("the door still takes connections")
		}
	})
	must(t, p.AddWebhook(webhook.Config{Verifier: verifier(t, sim)}, public, app.Public{Certificates: certificates}))
	p.AddPrivate(private, "")
	stop, ended := run(t, p)
	get(t, private.Addr().String(), "/readyz", http.StatusOK)
	stop()
	ended()
	if !stopped {
		t.Error("the certificate keeper was not stopped")
	}
}

// A load balancer sends connections to what is ready, and the authority's challenge is
// one: the process must be ready before it has a certificate, and say that it has none.
func TestProcess_IsReadyWithoutACertificateThatComesByConnections(t *testing.T) {
	t.Parallel()
	issued, err := app.NewIssued([]string{"hooks.example.com"}, filepath.Join(t.TempDir(), "certificates"), "https://127.0.0.1:1/directory", nil)
	must(t, err)
	expired, err := app.LoadCertificate(certificateUntil(t, time.Now().Add(-time.Minute)))
	must(t, err)
	for name, test := range map[string]struct {
		certificates *app.Certificates
		want         int
	}{
		"by connections": {issued, http.StatusOK},
		"otherwise":      {expired, http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			nc := testkit.Connect(t, testkit.Embedded(t))
			sim := telnyxsim.New(telnyxsim.Options{})
			defer sim.Close()
			p, err := app.New(t.Context(), nc, 1, zerolog.Nop())
			must(t, err)
			private := listen(t)
			must(t, p.AddWebhook(webhook.Config{Verifier: verifier(t, sim)}, listen(t), app.Public{Certificates: test.certificates}))
			p.AddPrivate(private, "")
			run(t, p)
			body := get(t, private.Addr().String(), "/readyz", test.want)
			if !strings.Contains(body, "certificate for hooks.example.com") {
				t.Errorf("got %s, want it to name the host without a certificate", body)
			}
		})
	}
}

func TestAdd_RefusesWhatTheRoleRefuses(t *testing.T) {
	t.Parallel()
	p, err := app.New(t.Context(), testkit.Connect(t, testkit.Embedded(t)), 1, zerolog.Nop())
	must(t, err)
	for want, err := range map[string]error{
		"webhook: no verifier":                               p.AddWebhook(webhook.Config{}, listen(t), app.Public{}),
		"assigner: Telnyx, JetStream and Plans are required": p.AddAssigner(t.Context(), assigner.Config{}),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

func TestNew_RefusesReplicasThatJetStreamHasNot(t *testing.T) {
	if _, err := app.New(t.Context(), testkit.Connect(t, testkit.Embedded(t)), 9, zerolog.Nop()); err == nil || !strings.Contains(err.Error(), "replicas 9") {
		t.Errorf("got %v, want the number of replicas refused", err)
	}
}

func TestProcess_RefusesTracesThatCannotBeSent(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317")
	p, err := app.New(t.Context(), testkit.Connect(t, testkit.Embedded(t)), 1, zerolog.Nop())
	must(t, err)
	err = p.Trace(t.Context(), "greenlight-test")
	if err == nil || !strings.HasPrefix(err.Error(), "traces cannot be sent: OTEL_EXPORTER_OTLP_ENDPOINT is not a URL") {
		t.Errorf("got %v", err)
	}
}

// A page that is read live is a request that does not end. The process stops all the
// same, and at once, and the private listener asks for the token.
func TestProcess_StopsWhileThePageIsReadLive(t *testing.T) {
	t.Parallel()
	nc := testkit.Connect(t, testkit.Embedded(t))
	p, err := app.New(t.Context(), nc, 1, zerolog.Nop())
	must(t, err)
	private := listen(t)
	const token = "0123456789abcdef"
	p.AddPrivate(private, token)
	stop, ended := run(t, p)
	get(t, private.Addr().String(), "/readyz", http.StatusOK)
	get(t, private.Addr().String(), "/status", http.StatusUnauthorized)
	get(t, private.Addr().String(), "/metrics", http.StatusUnauthorized)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+private.Addr().String()+"/status/events?of=/status", nil)
	must(t, err)
	request.SetBasicAuth("ops", token)
	answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	must(t, err)
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("got %d, want 200", answer.StatusCode)
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Scan() // it is open
	stop()
	ended() // and nothing was cut off
}
