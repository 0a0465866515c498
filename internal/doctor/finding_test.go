package doctor_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/doctor"
	"greenlight/internal/events"
)

// row is a finding and the level that it should have.
type row struct {
	name string
	got  doctor.Finding
	want doctor.Level
}

func check(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			if r.got.Level != r.want {
				t.Errorf("got %+v, want %s", r.got, r.want)
			}
			if !strings.HasSuffix(r.got.Message, ".") || (r.got.Fix != "") != (r.want != doctor.OK) {
				t.Errorf("got %+v, want a sentence, and a fix unless it is ok", r.got)
			}
		})
	}
}

func TestPublishSpeed_Thresholds(t *testing.T) {
	const ms = time.Millisecond
	check(t, []row{
		{"fast", doctor.PublishSpeed(doctor.Speed{P50: ms, P99: 20 * ms}), doctor.OK},
		{"just fast enough", doctor.PublishSpeed(doctor.Speed{P50: 50*ms - 1, P99: 300*ms - 1}), doctor.OK},
		{"median slow", doctor.PublishSpeed(doctor.Speed{P50: 50 * ms, P99: 60 * ms}), doctor.Warn},
		{"tail slow", doctor.PublishSpeed(doctor.Speed{P50: ms, P99: 300 * ms}), doctor.Warn},
		{"tail just fast enough to work", doctor.PublishSpeed(doctor.Speed{P50: ms, P99: 1000*ms - 1}), doctor.Warn},
		{"too slow", doctor.PublishSpeed(doctor.Speed{P50: ms, P99: 1000 * ms}), doctor.Fail},
		{"lost", doctor.PublishSpeed(doctor.Speed{Lost: true}), doctor.Fail},
	})
}

func TestUpgrade_SaysWhatChanges(t *testing.T) {
	settings := func(layout string, age time.Duration) jetstream.StreamConfig {
		return jetstream.StreamConfig{Name: "KV_NUMBERS", MaxAge: age, Metadata: map[string]string{"greenlight_layout": layout, "greenlight_version": "9.9.0"}}
	}
	upgrade := func(found ...jetstream.StreamConfig) doctor.Finding {
		byName := make(map[string]jetstream.StreamConfig)
		for _, has := range found {
			byName[has.Name] = has
		}
		return doctor.Upgrade([]jetstream.StreamConfig{{Name: "KV_NUMBERS", MaxAge: time.Hour}}, byName)
	}
	current := strconv.Itoa(events.LayoutVersion)
	check(t, []row{
		{"nothing", upgrade(settings(current, time.Hour)), doctor.OK},
		{"newer", upgrade(settings("99", time.Hour)), doctor.Fail},
	})
	for _, tt := range []struct {
		got  doctor.Finding
		want string
	}{
		{upgrade(settings(current, time.Hour)), "changes nothing"},
		{upgrade(settings(current, time.Minute)), "updates the settings of bucket NUMBERS (max_age)"},
		{upgrade(settings("0", time.Hour)), "updates the settings of bucket NUMBERS (layout)"},
		{upgrade(), "creates bucket NUMBERS"},
		{upgrade(settings("99", time.Hour)), "stream KV_NUMBERS was made by a newer Greenlight (version 9.9.0, layout 99; this program supports layout " + current + ")"},
	} {
		if !strings.Contains(tt.got.Message, tt.want) {
			t.Errorf("got %q, want %q in it", tt.got.Message, tt.want)
		}
	}
}

// Fewer than a hundred messages have no 99th percentile.
func TestPublishSpeed_NamesTheSlowest(t *testing.T) {
	for messages, want := range map[int]string{99: "(slowest)", 100: "(99 %)", 200: "(99 %)"} {
		if got := doctor.PublishSpeed(doctor.Speed{P50: 1, P99: 2, Messages: messages}).Message; !strings.Contains(got, want) {
			t.Errorf("%d messages: got %q, want %q in it", messages, got, want)
		}
	}
}

func TestClocks_Thresholds(t *testing.T) {
	check(t, []row{
		{"NATS, the same", doctor.NATSClock(0, time.Millisecond), doctor.OK},
		{"NATS, under a minute", doctor.NATSClock(59*time.Second, 0), doctor.OK},
		{"NATS, a minute", doctor.NATSClock(time.Minute, 0), doctor.Warn},
		{"NATS, a minute behind", doctor.NATSClock(-time.Minute, 0), doctor.Warn},
		{"NATS, a minute that may be less", doctor.NATSClock(time.Minute, time.Second), doctor.OK},
		{"NATS, an hour", doctor.NATSClock(time.Hour, 0), doctor.Warn},
		{"Telnyx, the same", doctor.TelnyxClock(0, time.Second), doctor.OK},
		{"Telnyx, a minute", doctor.TelnyxClock(-time.Minute, 0), doctor.Warn},
		{"Telnyx, nearly five", doctor.TelnyxClock(299*time.Second, 0), doctor.Warn},
		{"Telnyx, five", doctor.TelnyxClock(-300*time.Second, 0), doctor.Fail},
	})
}

func TestCheckClock_AllowsAMinute(t *testing.T) {
	if err := doctor.CheckClock(59*time.Second, 0); err != nil {
		t.Errorf("got %v, want no error", err)
	}
	if err := doctor.CheckClock(-61*time.Second, 0); err == nil || !strings.Contains(err.Error(), "1 min behind") {
		t.Errorf("got %v, want that it is behind", err)
	}
}

// stream is a stream of 1 GiB like the one that Greenlight creates.
func stream(change func(*jetstream.StreamInfo)) *jetstream.StreamInfo {
	info := &jetstream.StreamInfo{Config: jetstream.StreamConfig{
		Name: "EVENTS", MaxBytes: 1 << 30, MaxAge: 168 * time.Hour, Discard: jetstream.DiscardNew, Replicas: 1,
	}}
	if change != nil {
		change(info)
	}
	return info
}

func TestStreamRoom_Thresholds(t *testing.T) {
	used := func(bytes uint64) *jetstream.StreamInfo {
		return stream(func(i *jetstream.StreamInfo) { i.State.Bytes = bytes })
	}
	check(t, []row{
		{"empty", doctor.StreamRoom(doctor.CheckRoom, used(0)), doctor.OK},
		{"under four fifths", doctor.StreamRoom(doctor.CheckRoom, used(1<<30/100*79)), doctor.OK},
		{"four fifths", doctor.StreamRoom(doctor.CheckRoom, used(1<<30/5*4+4)), doctor.Warn},
		{"full but for two MiB", doctor.StreamRoom(doctor.CheckRoom, used(1<<30-2<<20)), doctor.Warn},
		{"full but for one MiB", doctor.StreamRoom(doctor.CheckRoom, used(1<<30-1<<20)), doctor.Fail},
		{"no bound", doctor.StreamRoom(doctor.CheckRoom, stream(func(i *jetstream.StreamInfo) { i.Config.MaxBytes = -1 })), doctor.Warn},
	})
}

func TestDisk_Thresholds(t *testing.T) {
	check(t, []row{
		{"a disk", doctor.Disk("data", doctor.Volume{Kind: "ext4", Free: 10 << 30}, 1<<30), doctor.OK},
		{"a disk without a name", doctor.Disk("data", doctor.Volume{Free: 10 << 30}, 1<<30), doctor.OK},
		{"less free than the stream may take", doctor.Disk("data", doctor.Volume{Kind: "ext4", Free: 1<<30 - 1}, 1<<30), doctor.Warn},
		{"nearly nothing free", doctor.Disk("data", doctor.Volume{Kind: "ext4", Free: 64<<20 - 1}, 0), doctor.Fail},
		{"memory", doctor.Disk("data", doctor.Volume{Kind: "tmpfs", Free: 10 << 30}, 0), doctor.Fail},
		{"a container's own", doctor.Disk("data", doctor.Volume{Kind: "overlayfs", Free: 10 << 30}, 0), doctor.Fail},
		{"another machine's", doctor.Disk("data", doctor.Volume{Kind: "nfs", Free: 10 << 30}, 0), doctor.Warn},
	})
}

func TestStorage_MustLast(t *testing.T) {
	check(t, []row{
		{"files", doctor.Storage(stream(nil)), doctor.OK},
		{"memory", doctor.Storage(stream(func(i *jetstream.StreamInfo) { i.Config.Storage = jetstream.MemoryStorage })), doctor.Fail},
		{"written later", doctor.Storage(stream(func(i *jetstream.StreamInfo) { i.Config.PersistMode = jetstream.AsyncPersistMode })), doctor.Fail},
		{"drops the oldest", doctor.Storage(stream(func(i *jetstream.StreamInfo) { i.Config.Discard = jetstream.DiscardOld })), doctor.Fail},
	})
}

func TestReplicas_Majority(t *testing.T) {
	copies := func(n int, others ...*jetstream.PeerInfo) *jetstream.StreamInfo {
		return stream(func(i *jetstream.StreamInfo) {
			i.Config.Replicas = n
			i.Cluster = &jetstream.ClusterInfo{Leader: "n1", Replicas: others}
		})
	}
	current, behind := &jetstream.PeerInfo{Current: true}, &jetstream.PeerInfo{}
	away := &jetstream.PeerInfo{Current: true, Offline: true}
	leaderless := copies(3, current, current)
	leaderless.Cluster.Leader = ""
	check(t, []row{
		{"one server", doctor.Replicas(stream(nil), false), doctor.OK},
		{"one copy in a cluster", doctor.Replicas(copies(1), true), doctor.Warn},
		{"three", doctor.Replicas(copies(3, current, current), true), doctor.OK},
		{"one of three behind", doctor.Replicas(copies(3, current, behind), true), doctor.Warn},
		{"two of three away", doctor.Replicas(copies(3, away, away), true), doctor.Fail},
		{"no leader", doctor.Replicas(leaderless, true), doctor.Fail},
		{"two", doctor.Replicas(copies(2, current), true), doctor.Warn},
	})
}

func TestSynced_IsNeverOKWhenItIsNotKnown(t *testing.T) {
	check(t, []row{
		{"always", doctor.Synced(doctor.SyncAlways, 1, "as it is"), doctor.OK},
		{"later, one copy", doctor.Synced(doctor.SyncLater, 1, "as it is"), doctor.Fail},
		{"later, three copies", doctor.Synced(doctor.SyncLater, 3, "as it is"), doctor.Warn},
		{"unknown", doctor.Synced(doctor.SyncUnknown, 3, "no server says so"), doctor.Unknown},
		{"zero", doctor.Synced("", 1, "no server says so"), doctor.Unknown},
	})
}

func TestGuarantee_PromisesNoMoreThanIsKnown(t *testing.T) {
	for _, g := range []doctor.Guarantee{
		{}, {Copies: 1}, {Copies: 3}, {Copies: 1, Sync: doctor.SyncUnknown}, {Copies: 3, Sync: doctor.SyncLater},
		{Copies: 1, Sync: doctor.SyncLater}, {Copies: 1, InMemory: true, Sync: doctor.SyncAlways},
		{Copies: 1, Volatile: "tmpfs, which is memory", Sync: doctor.SyncAlways},
	} {
		if got := g.String(); strings.Contains(got, "is synced") {
			t.Errorf("%+v: got %q, want no promise of a disk", g, got)
		}
	}
	if got := (doctor.Guarantee{Copies: 3, Sync: doctor.SyncAlways}).String(); !strings.Contains(got, "most of 3 servers") || !strings.Contains(got, "one disk") {
		t.Errorf("got %q, want what three copies are worth", got)
	}
}

// The guarantee must not contradict a finding that fails.
func TestGuarantee_AgreesWithTheStorageFinding(t *testing.T) {
	for name, tt := range map[string]struct {
		change    func(*jetstream.StreamInfo)
		says, not string
	}{
		"files":                        {nil, "is synced to one disk", "drops"},
		"written later":                {func(i *jetstream.StreamInfo) { i.Config.PersistMode = jetstream.AsyncPersistMode }, "A crash of the server loses what was not written yet.", "is synced"},
		"written later, three servers": {func(i *jetstream.StreamInfo) { i.Config.PersistMode, i.Config.Replicas = jetstream.AsyncPersistMode, 3 }, "A crash of most of them at once loses what was not written yet.", "is synced"},
		"drops the oldest":             {func(i *jetstream.StreamInfo) { i.Config.Discard = jetstream.DiscardOld }, "A full stream drops its oldest events.", ""},
	} {
		t.Run(name, func(t *testing.T) {
			info := stream(tt.change)
			got := doctor.GuaranteeOf(info.Config, doctor.SyncAlways).String()
			if !strings.Contains(got, tt.says) || tt.not != "" && strings.Contains(got, tt.not) {
				t.Errorf("got %q, want %q in it, and not %q", got, tt.says, tt.not)
			}
			if failed := doctor.Storage(info).Level == doctor.Fail; failed != (tt.change != nil) {
				t.Errorf("the finding fails: %t", failed)
			}
		})
	}
}

// The guarantee is read from the stream.
func TestNATS_GuaranteeSaysThatTheOldestAreDropped(t *testing.T) {
	t.Parallel()
	nc, js := connect(t, outside(t, nil), "all")
	createStreams(t, js)
	stream, err := js.Stream(t.Context(), events.StreamEvents)
	must(t, err)
	changed := stream.CachedInfo().Config
	changed.Discard = jetstream.DiscardOld
	_, err = js.UpdateStream(t.Context(), changed)
	must(t, err)
	if report, _ := runChecks(t, doctor.NATS{Conn: nc}); !strings.Contains(report.Guarantee, "drops its oldest") {
		t.Errorf("got %q, want that the oldest are dropped", report.Guarantee)
	}
}

func TestPercentile_OfTheMeasured(t *testing.T) {
	values := make([]time.Duration, 50)
	for i := range values {
		values[i] = time.Duration(i + 1)
	}
	if got := doctor.Percentile(values, 50); got != 25 {
		t.Errorf("got %d as the median, want 25", got)
	}
	if got := doctor.Percentile(values, 99); got != 50 {
		t.Errorf("got %d for 99 of 100, want the slowest of so few", got)
	}
	for i := len(values); i < 200; i++ {
		values = append(values, time.Duration(i+1))
	}
	if got := doctor.Percentile(values, 99); got != 198 {
		t.Errorf("got %d for 99 of 100, want two to be slower", got)
	}
	if got := doctor.Percentile(values[:1], 50); got != 1 {
		t.Errorf("got %d of one, want it", got)
	}
}
