package endtoend_test

import (
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
)

// natsHost is a NATS server that can be stopped and started again at the same address, on
// the same files.
type natsHost struct {
	t       *testing.T
	options server.Options
	server  *server.Server
}

func startHost(t *testing.T) *natsHost {
	t.Helper()
	// A port that is free now is most likely free for the rest of the test.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	h := &natsHost{t: t, options: server.Options{
		Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: testkit.MemoryDir(t), NoSigs: true, NoLog: true,
	}}
	h.start()
	t.Cleanup(h.stop)
	return h
}

func (h *natsHost) start() {
	h.t.Helper()
	options := h.options
	ns, err := server.NewServer(&options)
	if err != nil {
		h.t.Fatal(err)
	}
	ns.Start()
	if !ns.ReadyForConnections(patience) {
		h.t.Fatal("the NATS server was not ready")
	}
	h.server = ns
}

func (h *natsHost) stop() {
	h.server.Shutdown()
	h.server.WaitForShutdown()
}

func (h *natsHost) connect(name string) jetstream.JetStream {
	h.t.Helper()
	nc, err := events.Connect("nats://127.0.0.1:"+strconv.Itoa(h.options.Port), name)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		h.t.Fatal(err)
	}
	return js
}

// NATS stops while requests are in flight, so that their outcomes cannot be recorded and
// messages cannot be acknowledged. When it is back everything continues, and no message
// stays open forever.
func TestNATSRestart_DuringAReconcile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{Latency: 20 * time.Millisecond})
	host := startHost(t)
	w.js = host.connect("test")
	w.must(events.EnsureStreams(t.Context(), w.js, 1))
	var err error
	w.book, err = ledger.Create(t.Context(), w.js, 1)
	w.must(err)

	var planned string
	for i := range 30 {
		planned += fmt.Sprintf(" +1212555%04d", i)
	}
	w.stage(campaignID + ":" + planned)
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	w.config.Concurrency = 2
	w.config.JetStream = host.connect("assigner")
	w.startOn(w.config)
	for round := 1; round <= 2; round++ {
		w.eventually("some numbers are requested", func() (bool, string) {
			return len(w.posts()) >= 5*round, fmt.Sprint(len(w.posts()))
		})
		host.stop()
		host.start()
	}
	if done := len(w.posts()); done == 30 {
		t.Fatal("it was all done before the restarts, so this proves nothing")
	}
	w.eventually("every number is requested, and its outcome known", func() (bool, string) {
		numbers, err := w.book.Numbers(t.Context(), campaignID)
		if err != nil {
			return false, err.Error()
		}
		known := 0
		for _, entry := range numbers {
			switch entry.Number.State {
			case ledger.Pending, ledger.Attached, ledger.Sendable:
				known++
			}
		}
		return known == 30, fmt.Sprint(known)
	})
	w.onePost(campaignID)
	w.idle()
}
