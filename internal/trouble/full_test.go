package trouble

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/testkit"
)

// The stream fills up under load, and gets room again.
func TestFullStream_RefusesAndGoesOnWhenThereIsRoom(t *testing.T) {
	if !alone(t) {
		return
	}
	server := testkit.StartInMemory(t)
	fs := openFronts(t, func() *nats.Conn { return connect(t, server.URL) }, 1)
	own := connect(t, server.URL)
	js, err := jetstream.New(own)
	must(t, err)
	stream, err := js.Stream(t.Context(), events.StreamEvents)
	must(t, err)
	bound := func(most int64) {
		t.Helper()
		config := stream.CachedInfo().Config
		config.MaxBytes = most
		_, err := js.UpdateStream(t.Context(), config)
		must(t, err)
	}
	before := begin(fs)
	bound(256 << 10)
	ls := startLoads(fs, 0)
	ls.refused(2 * connections)
	fs.becomeUnready("stream EVENTS is full")
	before.assertBounded(t)
	if ls.total() == 0 {
		t.Error("nothing was stored before it was full")
	}
	bound(stream.CachedInfo().Config.MaxBytes)
	ls.stored(2 * connections)
	fs.becomeReady()
	ids := ls.end()
	before.assertNothingLeft(fs)
	assertKept(t, own, ids)
}
