package testkit

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/events/embedded"
)

// Embedded starts the program's own server in a [MemoryDir], without a listener. It is
// stopped when the test ends.
func Embedded(t testing.TB) *embedded.Server {
	t.Helper()
	server, err := embedded.Start(embedded.Options{Dir: MemoryDir(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// Connect returns a connection to the server, which is closed when the test ends.
func Connect(t testing.TB, server *embedded.Server) *nats.Conn {
	t.Helper()
	nc, err := events.Connect("", t.Name(), server.InProcess()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// JetStream connects to the server as [Connect] does.
func JetStream(t testing.TB, server *embedded.Server) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(Connect(t, server))
	if err != nil {
		t.Fatal(err)
	}
	return js
}
