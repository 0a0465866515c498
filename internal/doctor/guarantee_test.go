package doctor_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/doctor"
	"greenlight/internal/events"
)

func TestCachedGuarantee_ReadsTheStreamOnce(t *testing.T) {
	_, js := connect(t, outside(t, nil), "all")
	unknown, synced := doctor.NewCachedGuarantee(js, doctor.SyncUnknown, ""), doctor.NewCachedGuarantee(js, doctor.SyncAlways, "")
	if got := unknown.Text(t.Context()); !strings.Contains(got, "is unknown") {
		t.Errorf("without a stream: got %q", got)
	}
	createStreams(t, js)
	for range 3 {
		if got, want := unknown.Text(t.Context()), "NATS "+server.VERSION+". A 200 here means that one server has the event in a file. Whether it survives a power failure"; !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := synced.Text(t.Context()); !strings.Contains(got, "is synced to one disk") {
			t.Errorf("got %q, want that it is on the disk", got)
		}
		// Until a reconnect, the answer comes from the cache.
		if err := js.DeleteStream(t.Context(), events.StreamEvents); err != nil && !strings.Contains(err.Error(), "not found") {
			t.Fatal(err)
		}
	}
	js.Conn().ForceReconnect()
	for t.Context().Err() == nil {
		if got := synced.Text(t.Context()); strings.Contains(got, "is unknown: stream EVENTS") {
			return
		}
	}
	t.Error("the stream was not read again after a reconnect")
}

// A stream may be edited during a connection.
func TestCachedGuarantee_ReadsTheStreamAgainAfterAMinute(t *testing.T) {
	_, js := connect(t, outside(t, nil), "all")
	createStreams(t, js)
	now := time.Now()
	guarantee := doctor.NewCachedGuarantee(js, doctor.SyncAlways, "")
	doctor.SetNow(guarantee, func() time.Time { return now })
	if got := guarantee.Text(t.Context()); strings.Contains(got, "drops") {
		t.Fatalf("before the change: got %q", got)
	}
	info, err := js.Stream(t.Context(), events.StreamEvents)
	must(t, err)
	changed := info.CachedInfo().Config
	changed.Discard = jetstream.DiscardOld
	_, err = js.UpdateStream(t.Context(), changed)
	must(t, err)
	now = now.Add(59 * time.Second)
	if got := guarantee.Text(t.Context()); strings.Contains(got, "drops") {
		t.Errorf("within a minute: got %q, want the cached answer", got)
	}
	now = now.Add(time.Second)
	if got := guarantee.Text(t.Context()); !strings.Contains(got, "drops its oldest") {
		t.Errorf("after a minute: got %q, want that the oldest are dropped", got)
	}
}
