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

func TestStanding_TellsWhatA200MeansAndAsksOnce(t *testing.T) {
	_, js := connect(t, outside(t, nil), "all")
	unknown, synced := doctor.NewStanding(js, doctor.SyncUnknown, ""), doctor.NewStanding(js, doctor.SyncAlways, "")
	if got := unknown.Says(t.Context()); !strings.Contains(got, "cannot be told") {
		t.Errorf("without a stream: got %q", got)
	}
	furnish(t, js)
	for range 3 {
		if got, want := unknown.Says(t.Context()), "NATS "+server.VERSION+". A 200 here means that one server has the event in a file. Whether a power failure could take it is unknown"; !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := synced.Says(t.Context()); !strings.Contains(got, "written through to one disk") {
			t.Errorf("got %q, want that it is on the disk", got)
		}
		// What is known needs no server until the connection is made anew.
		if err := js.DeleteStream(t.Context(), events.StreamEvents); err != nil && !strings.Contains(err.Error(), "not found") {
			t.Fatal(err)
		}
	}
	js.Conn().ForceReconnect()
	for t.Context().Err() == nil {
		if got := synced.Says(t.Context()); strings.Contains(got, "cannot be told") {
			return
		}
	}
	t.Error("a new connection is not asked")
}

// A stream may be edited while the connection stands.
func TestStanding_AsksAgainAfterAMinute(t *testing.T) {
	_, js := connect(t, outside(t, nil), "all")
	furnish(t, js)
	now := time.Now()
	standing := doctor.NewStanding(js, doctor.SyncAlways, "")
	doctor.SetNow(standing, func() time.Time { return now })
	if got := standing.Says(t.Context()); strings.Contains(got, "drops") {
		t.Fatalf("before the change: got %q", got)
	}
	info, err := js.Stream(t.Context(), events.StreamEvents)
	must(t, err)
	changed := info.CachedInfo().Config
	changed.Discard = jetstream.DiscardOld
	_, err = js.UpdateStream(t.Context(), changed)
	must(t, err)
	now = now.Add(59 * time.Second)
	if got := standing.Says(t.Context()); strings.Contains(got, "drops") {
		t.Errorf("within a minute: got %q, want no question", got)
	}
	now = now.Add(time.Second)
	if got := standing.Says(t.Context()); !strings.Contains(got, "drops the oldest") {
		t.Errorf("after a minute: got %q, want that the oldest are dropped", got)
	}
}
