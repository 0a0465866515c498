package doctor_test

import (
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
	createStreams(t, js)
	report, found := runChecks(t, doctor.NATS{Conn: nc})
	if got := found[doctor.CheckSync]; got.Level != doctor.Unknown || got.Fix == "" {
		t.Errorf("got %+v, want unknown and how to find out", got)
	}
	if !strings.Contains(report.Guarantee, "unknown") {
		t.Errorf("got %q, want that it is unknown", report.Guarantee)
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
	t.Parallel()
	ns := outside(t, nil)
	nc, js := connect(t, ns, "all")
	createStreams(t, js)
	monitor := "http://" + ns.MonitorAddr().String()
	report, found := runChecks(t, doctor.NATS{Conn: nc, Monitors: []string{monitor}})
	if got := found[doctor.CheckSync]; got.Level != doctor.Fail || !strings.Contains(got.Message, "from /varz") {
		t.Errorf("got %+v, want that it does not sync", got)
	}
	if !strings.Contains(report.Guarantee, "A power failure loses what was not synced yet") {
		t.Errorf("got %q, want that a power failure loses events", report.Guarantee)
	}
	if got := found[doctor.CheckWrites]; got.Level != doctor.OK {
		t.Errorf("got %+v, want that it can write", got)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	closed := listener.Addr().String()
	must(t, listener.Close())
	for name, address := range map[string]string{
		"no server":     "http://all:s3cret@" + closed,
		"no address":    "://",
		"not the right": "http://" + closed,
	} {
		t.Run(name, func(t *testing.T) {
			_, found := runChecks(t, doctor.NATS{Conn: nc, Monitors: []string{address}})
			for _, check := range []doctor.Check{doctor.CheckSync, doctor.CheckWrites} {
				if got := found[check]; got.Level != doctor.Unknown {
					t.Errorf("got %+v, want unknown", got)
				}
			}
		})
	}
}

func TestNATS_ReportsWriteErrorsFromTheMonitor(t *testing.T) {
	t.Parallel()
	nc, js := connect(t, outside(t, nil), "all")
	createStreams(t, js)
	for name, tt := range map[string]struct {
		code int
		text string
		want doctor.Level
		says string
	}{
		"well":       {200, `{"status":"ok"}`, doctor.OK, "no write errors"},
		"not well":   {503, `{"status":"unavailable","status_code":503,"error":"stream '$G > EVENTS' write error: no space left on device"}`, doctor.Fail, "no space left on device"},
		"no healthz": {404, `nothing here`, doctor.Unknown, "did not answer /healthz"},
	} {
		t.Run(name, func(t *testing.T) {
			monitor := telnyxAt(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/healthz" {
					w.WriteHeader(tt.code)
				}
				_, _ = w.Write([]byte(tt.text))
			})
			_, found := runChecks(t, doctor.NATS{Conn: nc, Monitors: []string{monitor}})
			if got := found[doctor.CheckWrites]; got.Level != tt.want || !strings.Contains(got.Message, tt.says) {
				t.Errorf("got %+v, want %s and %q", got, tt.want, tt.says)
			}
		})
	}
}

func TestNATS_LeavesEverythingAsItWas(t *testing.T) {
	nc, js := connect(t, outside(t, nil), "all")
	createStreams(t, js)
	before := describe(t, js)
	runChecks(t, doctor.NATS{Conn: nc})
	if after := describe(t, js); after != before {
		t.Errorf("got\n%s\nwant\n%s", after, before)
	}
}

// describe returns the content, settings and consumers of every stream.
func describe(t *testing.T, js jetstream.JetStream) string {
	t.Helper()
	var b strings.Builder
	streams := js.ListStreams(t.Context())
	for info := range streams.Info() {
		fmt.Fprintf(&b, "%s: %d messages, last %d, %d consumers, %+v\n", info.Config.Name, info.State.Msgs, info.State.LastSeq, info.State.Consumers, info.Config.Subjects)
	}
	must(t, streams.Err())
	return b.String()
}

func TestNATS_ReportsMissingPermissions(t *testing.T) {
	t.Parallel()
	// A webhook's user, who may also read.
	ns := outside(t, &server.Permissions{Publish: &server.SubjectPermission{Allow: []string{
		"telnyx.event.>", "deadletter.>", "$JS.API.STREAM.INFO.>",
	}}})
	_, js := connect(t, ns, "all")
	createStreams(t, js)
	nc, _ := connect(t, ns, "some")
	_, found := runChecks(t, doctor.NATS{Conn: nc})
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
	if !strings.Contains(got.Message, "publish triggers") || strings.Contains(got.Message, "publish events") {
		t.Errorf("got %q, want what it may not do and nothing else", got.Message)
	}
	if got := found[doctor.CheckSpeed]; got.Level != doctor.Unknown {
		t.Errorf("got %+v, want that speed is unknown", got)
	}
}

func TestNATS_ReportsMissingStreams(t *testing.T) {
	nc, _ := connect(t, outside(t, nil), "all")
	report, found := runChecks(t, doctor.NATS{Conn: nc})
	if got := found[doctor.CheckStream]; got.Level != doctor.Warn || !strings.Contains(got.Message, "does not exist") {
		t.Errorf("got %+v, want that the stream does not exist", got)
	}
	if got := found[doctor.CheckRights]; got.Level != doctor.Unknown {
		t.Errorf("got %+v, want that rights are unknown", got)
	}
	if !strings.Contains(report.Guarantee, "is unknown") {
		t.Errorf("got %q, want that it is unknown", report.Guarantee)
	}
}

func TestNATS_ChecksACluster(t *testing.T) {
	t.Parallel()
	cluster := testkit.StartCluster(t)
	nc, err := events.Connect(cluster.Servers[0].ClientURL(), t.Name())
	must(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	must(t, err)
	testkit.Within(t, time.Minute, func() error { return events.EnsureStreams(t.Context(), js, 3) })
	testkit.Within(t, time.Minute, func() error { _, err := ledger.Create(t.Context(), js, 3); return err })
	testkit.Within(t, time.Minute, func() error { return events.CanPublish(t.Context(), js) }) // the server knows where the stream is
	var monitors []string
	for _, ns := range cluster.Servers {
		monitors = append(monitors, "http://"+ns.MonitorAddr().String())
	}
	before := describe(t, js)
	report, found := runChecks(t, doctor.NATS{Conn: nc, Monitors: monitors})
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
	if !strings.Contains(report.Guarantee, "the disks of most of 3 servers") {
		t.Errorf("got %q, want what three disks are worth", report.Guarantee)
	}
	if after := describe(t, js); after != before {
		t.Errorf("got\n%s\nwant\n%s", after, before)
	}
	_, found = runChecks(t, doctor.NATS{Conn: nc, Monitors: monitors[:2]})
	if got := found[doctor.CheckSync]; got.Level != doctor.Unknown {
		t.Errorf("got %+v of two of three, want unknown", got)
	}
}

func TestCanPublish_StoresNothing(t *testing.T) {
	t.Parallel()
	_, js := connect(t, outside(t, nil), "all")
	if err := events.CanPublish(t.Context(), js); err == nil {
		t.Error("got no error without a stream, want one")
	}
	createStreams(t, js)
	must(t, events.CanPublish(t.Context(), js))
	stream, err := js.Stream(t.Context(), events.StreamEvents)
	must(t, err)
	if got := stream.CachedInfo().State.LastSeq; got != 0 {
		t.Errorf("got sequence %d, want 0", got)
	}
}

func TestAssigner_WarnsOfAHoldAndAMissingAssigner(t *testing.T) {
	running := events.Backlog{Ran: true}
	check(t, []row{
		{"running", doctor.Assigner(running, ledger.Hold{}), doctor.OK},
		{"everything on hold", doctor.Assigner(running, ledger.Hold{All: &ledger.HeldBy{By: "ann@ops"}}), doctor.Warn},
		{"a campaign on hold", doctor.Assigner(running, ledger.Hold{Campaigns: map[string]ledger.HeldBy{"C6X6M95": {}}}), doctor.Warn},
		{"not running", doctor.Assigner(events.Backlog{Ran: true, Idle: true}, ledger.Hold{}), doctor.Warn},
		{"never ran", doctor.Assigner(events.Backlog{Idle: true}, ledger.Hold{}), doctor.Warn},
	})
}

// For a folder in memory or in a container's own file system, neither the doctor nor
// readiness promises a disk.
func TestNATS_PromisesNoDiskForAVolatileFolder(t *testing.T) {
	t.Parallel()
	dir := volatileFolder(t)
	nc, js := connect(t, outside(t, nil), "all")
	createStreams(t, js)
	report, found := runChecks(t, doctor.NATS{Conn: nc, Embedded: true, Syncs: true, Dir: dir})
	if got := found[doctor.CheckDisk]; got.Level != doctor.Fail {
		t.Errorf("got %+v, want that files do not last there", got)
	}
	for name, got := range map[string]string{
		"doctor": report.Guarantee, "readiness": doctor.ReadGuarantee(t.Context(), js, doctor.SyncAlways, dir),
	} {
		if strings.Contains(got, "is synced") || !strings.Contains(got, "does not make it last") {
			t.Errorf("%s: got %q, want no promise of a disk", name, got)
		}
	}
}

// volatileFolder finds a folder in memory, which most machines have.
func volatileFolder(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{"/dev/shm", "/run", t.TempDir()} {
		if v, known, err := doctor.VolumeOf(dir); err == nil && known && v.Volatile() != "" {
			return dir
		}
	}
	t.Skip("neither /dev/shm nor /run is in memory here, and the test folder is on a disk")
	return ""
}
