package trouble

import (
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"greenlight/internal/natstest"
)

// The way to the server goes dead under load, and nobody hangs up. Small events stay
// in the kernel's buffers, large ones fill them, so that writes stand still too.
func TestSilentServer_IsNotWaitedForLong(t *testing.T) {
	for name, padding := range map[string]int{"small events": 0, "large events": 200 << 10} {
		t.Run(name, func(t *testing.T) {
			if padding == 0 && !long() {
				t.Skip("the large ones show more, and " + varLong + " is not set")
			}
			server := natstest.StartInMemory(t)
			var wire natstest.Wire
			address := wire.Start(t, server.URL)
			fs := openFronts(t, func() *nats.Conn { return connect(t, address) }, 1)
			own := connect(t, server.URL)
			before := begin(fs)
			ls := startLoads(fs, 0)
			ls.stored(connections)
			wire.Freeze()
			thaw := sync.OnceFunc(wire.Thaw)
			defer thaw()
			ls.refused(connections)
			ids := ls.end()
			// Large events come only now: so many would take a busy machine long to store.
			waiting := startLoads(fs, padding)
			fs.findUnready("stream EVENTS cannot be reached")
			waiting.refused(2 * connections)
			before.assertBounded(t)
			ids = append(ids, waiting.end()...)
			thaw()
			again := startLoads(fs, 0)
			again.stored(connections)
			fs.becomeReady()
			ids = append(ids, again.end()...)
			before.assertNothingLeft(fs)
			assertKept(t, own, ids)
		})
	}
}
