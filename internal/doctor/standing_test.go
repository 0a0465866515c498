package doctor_test

import (
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"greenlight/internal/doctor"
	"greenlight/internal/events"
)

func TestStanding_TellsWhatA200MeansAndAsksOnce(t *testing.T) {
	_, js := connect(t, outside(t, nil), "all")
	unknown, synced := doctor.NewStanding(js, doctor.SyncUnknown), doctor.NewStanding(js, doctor.SyncAlways)
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
