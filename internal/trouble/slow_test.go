package trouble

import (
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"greenlight/internal/testkit"
)

// The connection to the server freezes under load without being closed. Small events stay in
// the kernel's buffers. Large ones fill them, so that writes block too.
func TestSilentServer_IsNotWaitedForLong(t *testing.T) {
	if !alone(t) {
		return
	}
	for name, padding := range map[string]int{"small events": 0, "large events": 200 << 10} {
		t.Run(name, func(t *testing.T) {
			if padding == 0 && !long() {
				t.Skip("the large ones show more, and " + varLong + " is not set")
			}
			server := testkit.StartInMemory(t)
			var wire testkit.Wire
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
			// Large events only now: storing so many would take a busy machine long.
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

// The connection to the server is slow. Every delivery is still answered in time, and what is
// answered 200 is kept. While an answer takes 0.3 s nearly all are stored: more than a few
// refusals would mean that they wait for each other. At one second some are refused.
func TestSlowServer_IsWaitedForAsLongAsTelnyxWaits(t *testing.T) {
	if !alone(t) {
		return
	}
	server := testkit.StartInMemory(t)
	var wire testkit.Wire
	address := wire.Start(t, server.URL)
	fs := openFronts(t, func() *nats.Conn { return connect(t, address) }, 1)
	own := connect(t, server.URL)
	before := begin(fs)
	var ids []string
	for _, there := range []struct {
		andBack time.Duration
		refuses bool
	}{{300 * time.Millisecond, false}, {time.Second, true}, {0, false}} {
		wire.Delay(there.andBack / 2)
		ls := startLoads(fs, 0)
		ls.stored(2 * connections)
		before.assertBounded(t)
		ids = append(ids, ls.end()...)
		for _, l := range ls.all {
			if refused := l.refused.Load(); refused > l.kept.Load()/4 && !there.refuses {
				t.Errorf("%s: %d were refused while an answer took %s", l.f.name, refused, there.andBack)
			}
			t.Logf("%s, %s: %d stored, %d refused", there.andBack, l.f.name, l.kept.Load(), l.refused.Load())
		}
	}
	fs.becomeReady()
	before.assertNothingLeft(fs)
	assertKept(t, own, ids)
}
