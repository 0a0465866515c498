package doctor_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/doctor"
	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/testkit"
)

func TestNATS_KnowsNothingOfAnOutsideServersSync(t *testing.T) {
	nc, js := connect(t, outside(t, nil), "all")
	furnish(t, js)
	report, found := look(t, doctor.NATS{Conn: nc})
	if got := found[doctor.CheckSync]; got.Level != doctor.Unknown || got.Mend == "" {
		t.Errorf("got %+v, want unknown and how to find out", got)
	}
	if !strings.Contains(report.Means, "unknown") {
		t.Errorf("got %q, want that it is unknown", report.Means)
	}
	for _, check := range []doctor.Check{
		doctor.CheckVersion, doctor.CheckStorage, doctor.CheckReplicas, doctor.CheckRoom, doctor.CheckDeadLetters, doctor.CheckNATSClock, doctor.CheckRights,
	} {
		if got := found[check]; got.Level != doctor.OK {
			t.Errorf("%s: got %+v, want ok", check, got)
		}
	}
	if got := found[doctor.CheckAssigner]; got.Level != doctor.Warn {
		t.Errorf("got %+v, want a warning that no assigner ran", got)
	}
}

func TestNATS_ReadsSyncFromTheMonitor(t *testing.T) {
	ns := outside(t, nil)
	nc, js := connect(t, ns, "all")
	furnish(t, js)
	monitor := "http://" + ns.MonitorAddr().String()
	report, found := look(t, doctor.NATS{Conn: nc, Monitors: []string{monitor}})
	if got := found[doctor.CheckSync]; got.Level != doctor.Fail || !strings.Contains(got.Says, "as /varz tells") {
		t.Errorf("got %+v, want that it does not sync", got)
	}
	if !strings.Contains(report.Means, "a power failure takes what was not synced yet") {
		t.Errorf("got %q, want that a power failure takes events", report.Means)
	}
	if got := found[doctor.CheckWrites]; got.Level != doctor.OK {
		t.Errorf("got %+v, want that it can write", got)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	nobody := listener.Addr().String()
	must(t, listener.Close())
	for name, address := range map[string]string{
		"nobody there":  "http://all:s3cret@" + nobody,
		"no address":    "://",
		"not the right": "http://" + nobody,
	} {
		t.Run(name, func(t *testing.T) {
			_, found := look(t, doctor.NATS{Conn: nc, Monitors: []string{address}})
			for _, check := range []doctor.Check{doctor.CheckSync, doctor.CheckWrites} {
				if got := found[check]; got.Level != doctor.Unknown {
					t.Errorf("got %+v, want unknown", got)
				}
			}
		})
	}
}

func TestNATS_TellsWhatTheMonitorSaysOfWriting(t *testing.T) {
	nc, js := connect(t, outside(t, nil), "all")
	furnish(t, js)
	for name, tt := range map[string]struct {
		code int
		text string
		want doctor.Level
		says string
	}{
		"well":       {200, `{"status":"ok"}`, doctor.OK, "met no error"},
		"not well":   {503, `{"status":"unavailable","status_code":503,"error":"stream '$G > EVENTS' write error: no space left on device"}`, doctor.Fail, "no space left on device"},
		"no healthz": {404, `nothing here`, doctor.Unknown, "answered no /healthz"},
	} {
		t.Run(name, func(t *testing.T) {
			monitor := telnyxAt(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/healthz" {
					w.WriteHeader(tt.code)
				}
				_, _ = w.Write([]byte(tt.text))
			})
			_, found := look(t, doctor.NATS{Conn: nc, Monitors: []string{monitor}})
			if got := found[doctor.CheckWrites]; got.Level != tt.want || !strings.Contains(got.Says, tt.says) {
				t.Errorf("got %+v, want %s and %q", got, tt.want, tt.says)
			}
		})
	}
}

func TestNATS_LeavesEverythingAsItWas(t *testing.T) {
	nc, js := connect(t, outside(t, nil), "all")
	furnish(t, js)
	before := standing(t, js)
	look(t, doctor.NATS{Conn: nc})
	if after := standing(t, js); after != before {
		t.Errorf("got\n%s\nwant\n%s", after, before)
	}
}

// standing tells of every stream what is in it and how it is set, and of its
// consumers.
func standing(t *testing.T, js jetstream.JetStream) string {
	t.Helper()
	var b strings.Builder
	streams := js.ListStreams(t.Context())
	for info := range streams.Info() {
		fmt.Fprintf(&b, "%s: %d messages, last %d, %d consumers, %+v\n", info.Config.Name, info.State.Msgs, info.State.LastSeq, info.State.Consumers, info.Config.Subjects)
	}
	must(t, streams.Err())
	return b.String()
}

func TestNATS_TellsWhatTheUserMayNotDo(t *testing.T) {
	// A webhook's user, who may also look.
	ns := outside(t, &server.Permissions{Publish: &server.SubjectPermission{Allow: []string{
		"telnyx.event.>", "deadletter.>", "$JS.API.STREAM.INFO.>",
	}}})
	_, js := connect(t, ns, "all")
	furnish(t, js)
	nc, _ := connect(t, ns, "some")
	_, found := look(t, doctor.NATS{Conn: nc})
	got := found[doctor.CheckRights]
	if got.Level != doctor.Fail {
		t.Fatalf("got %+v, want that it fails", got)
	}
	for _, f := range []struct {
		name string
		want bool
	}{
		{"make_the_streams", false}, {"publish_events", true}, {"store_dead_letters", true}, {"publish_triggers", false},
		{"publish_schedules", false}, {"create_the_consumer", false}, {"write_the_ledger", false}, {"read_the_ledger", false},
	} {
		if got.Facts[f.name] != f.want {
			t.Errorf("%s: got %v, want %t", f.name, got.Facts[f.name], f.want)
		}
	}
	if !strings.Contains(got.Says, "publish triggers") || strings.Contains(got.Says, "publish events") {
		t.Errorf("got %q, want what it may not do and nothing else", got.Says)
	}
	if got := found[doctor.CheckSpeed]; got.Level != doctor.Unknown {
		t.Errorf("got %+v, want that speed is unknown", got)
	}
}

func TestNATS_TellsThatNothingIsThereYet(t *testing.T) {
	nc, _ := connect(t, outside(t, nil), "all")
	report, found := look(t, doctor.NATS{Conn: nc})
	if got := found[doctor.CheckStream]; got.Level != doctor.Warn || !strings.Contains(got.Says, "never") && !strings.Contains(got.Says, "neither") {
		t.Errorf("got %+v, want that the stream is not there", got)
	}
	if got := found[doctor.CheckRights]; got.Level != doctor.Unknown {
		t.Errorf("got %+v, want that rights are unknown", got)
	}
	if !strings.Contains(report.Means, "cannot be told") {
		t.Errorf("got %q, want that it cannot be told", report.Means)
	}
}

func TestNATS_LooksAtACluster(t *testing.T) {
	cluster := testkit.StartCluster(t)
	nc, err := events.Connect(cluster.Servers[0].ClientURL(), t.Name())
	must(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	must(t, err)
	testkit.Within(t, 20*time.Second, func() error { return events.EnsureStreams(t.Context(), js, 3) })
	_, err = ledger.Create(t.Context(), js, 3)
	must(t, err)
	var monitors []string
	for _, ns := range cluster.Servers {
		monitors = append(monitors, "http://"+ns.MonitorAddr().String())
	}
	before := standing(t, js)
	report, found := look(t, doctor.NATS{Conn: nc, Monitors: monitors})
	for _, check := range []doctor.Check{doctor.CheckSync, doctor.CheckRights, doctor.CheckRoom} {
		if got := found[check]; got.Level != doctor.OK {
			t.Errorf("%s: got %+v, want ok", check, got)
		}
	}
	if got := found[doctor.CheckReplicas]; got.Facts["replicas"] != 3 {
		t.Errorf("got %+v, want three copies", got)
	}
	if got := found[doctor.CheckSpeed]; got.Level == doctor.Unknown {
		t.Errorf("got %+v, want that speed was measured", got)
	}
	if !strings.Contains(report.Means, "the disks of most of 3 servers") {
		t.Errorf("got %q, want what three disks are worth", report.Means)
	}
	if after := standing(t, js); after != before {
		t.Errorf("got\n%s\nwant\n%s", after, before)
	}
	_, found = look(t, doctor.NATS{Conn: nc, Monitors: monitors[:2]})
	if got := found[doctor.CheckSync]; got.Level != doctor.Unknown {
		t.Errorf("got %+v of two of three, want unknown", got)
	}
}

func TestCanPublish_StoresNothing(t *testing.T) {
	_, js := connect(t, outside(t, nil), "all")
	if err := events.CanPublish(t.Context(), js); err == nil {
		t.Error("got no error without a stream, want one")
	}
	furnish(t, js)
	must(t, events.CanPublish(t.Context(), js))
	stream, err := js.Stream(t.Context(), events.StreamEvents)
	must(t, err)
	if got := stream.CachedInfo().State.LastSeq; got != 0 {
		t.Errorf("got sequence %d, want 0", got)
	}
}

func TestAssigner_TellsAHold(t *testing.T) {
	for _, tt := range []struct {
		name string
		info *jetstream.ConsumerInfo
		hold ledger.Hold
		err  error
		want doctor.Level
	}{
		{"at work", &jetstream.ConsumerInfo{NumWaiting: 1}, ledger.Hold{}, nil, doctor.OK},
		{"held", &jetstream.ConsumerInfo{NumWaiting: 1}, ledger.Hold{All: &ledger.HeldBy{By: "ann@ops"}}, nil, doctor.Warn},
		{"a campaign is held", &jetstream.ConsumerInfo{NumWaiting: 1}, ledger.Hold{Campaigns: map[string]ledger.HeldBy{"C6X6M95": {}}}, nil, doctor.Warn},
		{"nobody asks", &jetstream.ConsumerInfo{}, ledger.Hold{}, nil, doctor.Warn},
		{"never ran", nil, ledger.Hold{}, jetstream.ErrConsumerNotFound, doctor.Warn},
		{"cannot be asked", nil, ledger.Hold{}, errors.New("timeout"), doctor.Unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := doctor.Assigner(tt.info, tt.hold, tt.err); got.Level != tt.want {
				t.Errorf("got %+v, want %s", got, tt.want)
			}
		})
	}
}

// On a volume that is memory, or a container's own, the headline promises no disk, and
// nor does readiness.
func TestNATS_PromisesNothingOfAFolderWhereNothingLasts(t *testing.T) {
	dir := fleetingFolder(t)
	nc, js := connect(t, outside(t, nil), "all")
	furnish(t, js)
	report, found := look(t, doctor.NATS{Conn: nc, Embedded: true, Syncs: true, Dir: dir})
	if got := found[doctor.CheckDisk]; got.Level != doctor.Fail {
		t.Errorf("got %+v, want that nothing lasts there", got)
	}
	for name, got := range map[string]string{
		"doctor": report.Means, "readiness": doctor.NewStanding(js, doctor.SyncAlways, dir).Says(t.Context()),
	} {
		if strings.Contains(got, "written through") || !strings.Contains(got, "no sync makes it last") {
			t.Errorf("%s: got %q, want no promise of a disk", name, got)
		}
	}
}

// fleetingFolder finds a folder on which nothing lasts; most machines have one in
// memory.
func fleetingFolder(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{"/dev/shm", "/run", t.TempDir()} {
		if v, known, err := doctor.VolumeOf(dir); err == nil && known && v.Fleeting() != "" {
			return dir
		}
	}
	t.Skip("neither /dev/shm nor /run is in memory here, and the test folder is on a disk")
	return ""
}
