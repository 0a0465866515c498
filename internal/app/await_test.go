package app_test

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"greenlight/internal/app"
	"greenlight/internal/events"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
	"greenlight/internal/webhook"
)

// startServer starts a server on the loopback port.
func startServer(t *testing.T, port, token, dir string) (stop func()) {
	t.Helper()
	number, err := strconv.Atoi(port)
	must(t, err)
	ns, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: number, Authorization: token, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: dir, JetStreamMaxStore: 16 << 30,
	})
	must(t, err)
	ns.Start()
	if !ns.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server did not come up")
	}
	return func() { ns.Shutdown(); ns.WaitForShutdown() }
}

// runWebhook runs a front door on the connection, and returns its private address.
func runWebhook(t *testing.T, nc *nats.Conn, log *testkit.Buffer) (private net.Listener) {
	t.Helper()
	sim := telnyxsim.New(telnyxsim.Options{})
	t.Cleanup(sim.Close)
	p, err := app.Await(t.Context(), nc, 1, zerolog.New(log))
	must(t, err)
	private = listen(t)
	must(t, p.AddWebhook(webhook.Config{Verifier: verifier(t, sim)}, listen(t)))
	p.AddPrivate(private, "")
	run(t, p)
	return private
}

func waitFor(t *testing.T, log *testkit.Buffer, line string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(log.String(), line); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %q in the log:\n%s", line, log.String())
		}
	}
}

// The server comes up later and refuses the token; then one comes up that takes it,
// goes away, and is back.
func TestAwait_TellsOnceThatItIsRefusedAndGoesOnTrying(t *testing.T) {
	port := testkit.FreePort(t)
	nc, err := events.ConnectOrWait("nats://right@127.0.0.1:"+port, t.Name())
	must(t, err)
	defer nc.Close()
	var log testkit.Buffer
	private := runWebhook(t, nc, &log)
	get(t, private.Addr().String(), "/readyz", http.StatusServiceUnavailable)

	stop := startServer(t, port, "wrong", t.TempDir())
	refused := "refused the connection at nats://127.0.0.1:" + port + "; Greenlight keeps trying: nats: Authorization Violation"
	waitFor(t, &log, refused)
	if body := get(t, private.Addr().String(), "/readyz", http.StatusServiceUnavailable); !strings.Contains(body, refused) {
		t.Errorf("got %s, want it to say %q", body, refused)
	}
	stop()
	stop = startServer(t, port, "right", t.TempDir())
	get(t, private.Addr().String(), "/readyz", http.StatusOK)
	if n := strings.Count(log.String(), refused); n != 1 || strings.Contains(log.String(), "right@") {
		t.Errorf("the refusal is told %d times, or the token is:\n%s", n, log.String())
	}
	stop()
	waitFor(t, &log, "the NATS server is away")
	get(t, private.Addr().String(), "/readyz", http.StatusServiceUnavailable)
	stop = startServer(t, port, "right", t.TempDir())
	defer func() { stop() }()
	waitFor(t, &log, "the NATS server is connected again")
}

// The stream was made otherwise, in a way that cannot be changed: that ends a start.
// A process that waits says so, once, and goes on when it is mended.
func TestAwait_SaysThatTheStreamsConflict(t *testing.T) {
	const conflict = "create stream EVENTS: nats: API error: code=500 err_code=10052 description=stream configuration update can not cancel deny message deletes"
	port, dir := testkit.FreePort(t), t.TempDir()
	address := "nats://127.0.0.1:" + port
	stop := startServer(t, port, "", dir)
	nc, err := events.Connect(address, t.Name())
	must(t, err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	must(t, err)
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: events.StreamEvents, Subjects: []string{"telnyx.event.>"}, DenyDelete: true})
	must(t, err)
	if _, err := app.Await(t.Context(), nc, 1, zerolog.Nop()); err == nil || !strings.Contains(err.Error(), conflict) {
		t.Errorf("got %v, want %s", err, conflict)
	}
	stop()

	late, err := events.ConnectOrWait(address, t.Name())
	must(t, err)
	defer late.Close()
	var log testkit.Buffer
	private := runWebhook(t, late, &log)
	stop = startServer(t, port, "", dir)
	defer func() { stop() }()
	waitFor(t, &log, "until somebody mends it")
	if body := get(t, private.Addr().String(), "/readyz", http.StatusServiceUnavailable); !strings.Contains(body, conflict) {
		t.Errorf("got %s, want it to say %q", body, conflict)
	}
	testkit.Within(t, 10*time.Second, func() error { return js.DeleteStream(t.Context(), events.StreamEvents) })
	get(t, private.Addr().String(), "/readyz", http.StatusOK)
	if n := strings.Count(log.String(), conflict); n != 1 {
		t.Errorf("the conflict is told %d times:\n%s", n, log.String())
	}
}

func TestAwait_RefusesWhatWaitingDoesNotMend(t *testing.T) {
	if _, err := app.Await(t.Context(), testkit.Connect(t, testkit.Embedded(t)), 9, zerolog.Nop()); err == nil || !strings.Contains(err.Error(), "replicas 9") {
		t.Errorf("got %v, want the number of replicas refused", err)
	}
}
