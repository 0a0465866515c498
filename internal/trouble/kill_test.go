package trouble

import (
	"testing"

	"github.com/nats-io/nats.go"

	"greenlight/internal/testkit"
)

// The server is killed under load and started again, several times. The webhook finds it
// again.
func TestKilledServer_LosesNothingAndIsFoundAgain(t *testing.T) {
	if !alone(t) {
		return
	}
	server := testkit.StartInMemory(t)
	fs := openFronts(t, func() *nats.Conn { return connect(t, server.URL) }, 1)
	own := connect(t, server.URL)
	before := begin(fs)
	ls := startLoads(fs, 0)
	for range rounds(2) {
		ls.stored(100)
		server.Kill()
		fs.becomeUnready("the NATS server is not connected")
		ls.refused(connections)
		before.assertBounded(t)
		server.Start()
		fs.becomeReady()
	}
	ls.stored(100)
	ids := ls.end()
	before.assertNothingLeft(fs)
	assertKept(t, own, ids)
}
