package doctor_test

import (
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"greenlight/internal/doctor"
)

func TestReadGuarantee_SaysWhatTheStreamAndTheServerDo(t *testing.T) {
	_, js := connect(t, outside(t, nil), "all")
	if got := doctor.ReadGuarantee(t.Context(), js, doctor.SyncUnknown, ""); !strings.Contains(got, "is unknown") {
		t.Errorf("without a stream: got %q", got)
	}
	createStreams(t, js)
	for sync, want := range map[doctor.Sync]string{
		doctor.SyncUnknown: "NATS " + server.VERSION + ". A 200 here means that one server has the event in a file. Whether it survives a power failure",
		doctor.SyncAlways:  "NATS " + server.VERSION + ". A 200 here means that the event is synced to one disk",
	} {
		if got := doctor.ReadGuarantee(t.Context(), js, sync, ""); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
