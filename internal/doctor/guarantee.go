package doctor

import (
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
)

// Sync is whether a server writes an event through to the disk before it
// acknowledges it.
type Sync string

// What is known of it.
const (
	SyncUnknown Sync = "unknown"
	SyncAlways  Sync = "always"
	// SyncLater: at intervals, every two minutes by default.
	SyncLater Sync = "later"
)

// Guarantee is how events are kept, and with it what a 200 means. The zero value is
// that nothing is known.
type Guarantee struct {
	// Copies is how many servers keep an event; 0 if that is not known.
	Copies int
	// InMemory says that they keep it in memory alone.
	InMemory bool
	// Later says that they write it to a file only after they acknowledged it
	// (persist_mode async), so that nothing comes of Sync.
	Later bool
	// DropsOldest says that a full stream makes room by dropping the oldest events.
	DropsOldest bool
	// Fleeting is the volume that the file is on if nothing lasts there; see
	// [Volume.Fleeting].
	Fleeting string
	Sync     Sync
}

// GuaranteeOf returns how a stream keeps events on servers that sync them so.
func GuaranteeOf(stream jetstream.StreamConfig, sync Sync) Guarantee {
	return Guarantee{
		Copies:      max(stream.Replicas, 1),
		InMemory:    stream.Storage == jetstream.MemoryStorage,
		Later:       stream.PersistMode == jetstream.AsyncPersistMode,
		DropsOldest: stream.Discard != jetstream.DiscardNew,
		Sync:        sync,
	}
}

// String says what a 200 means.
func (g Guarantee) String() string {
	if g.DropsOldest && g.Copies > 0 {
		return g.kept() + " A full stream drops the oldest events all the same."
	}
	return g.kept()
}

func (g Guarantee) kept() string {
	switch {
	case g.Copies == 0:
		return "What a 200 means here cannot be told: the stream of events could not be looked at."
	case g.InMemory:
		return "A 200 here means that the event is in memory. It is gone when " + g.servers("the server restarts", "the servers restart") + "."
	case g.Fleeting != "":
		return "A 200 here means that the event is in a file on " + g.Fleeting + ": no sync makes it last there."
	case g.Later:
		return "A 200 here means that " + g.servers("one server has the event", fmt.Sprintf("most of %d servers have the event", g.Copies)) +
			", not yet that it is in a file. A crash of " + g.servers("the server", "most of them at once") + " takes what was not written yet."
	case g.Sync == SyncAlways && g.Copies == 1:
		return "A 200 here means that the event was written through to one disk. A power failure does not take it; the loss of that disk would."
	case g.Sync == SyncAlways:
		return fmt.Sprintf("A 200 here means that the event was written through to the disks of most of %d servers. Neither a power failure nor the loss of %s takes it.",
			g.Copies, g.losable())
	case g.Sync == SyncLater && g.Copies == 1:
		return "A 200 here means that one server has the event, not yet that it is on the disk. A crash of the server does not take it; a power failure takes what was not synced yet."
	case g.Sync == SyncLater:
		return fmt.Sprintf("A 200 here means that most of %d servers have the event, not yet that it is on their disks. It takes a power failure of most of them at once to lose it.", g.Copies)
	case g.Copies == 1:
		return "A 200 here means that one server has the event in a file. Whether a power failure could take it is unknown: it depends on sync_always."
	default:
		return fmt.Sprintf("A 200 here means that most of %d servers have the event in a file. Whether a power failure of most of them at once could take it is unknown: it depends on sync_always.", g.Copies)
	}
}

func (g Guarantee) servers(one, more string) string {
	if g.Copies == 1 {
		return one
	}
	return more
}

// losable is how many disks may be lost while most are left.
func (g Guarantee) losable() string {
	switch n := (g.Copies - 1) / 2; n {
	case 0:
		return "no disk but one that came late"
	case 1:
		return "one disk"
	default:
		return fmt.Sprintf("%d disks", n)
	}
}

// Version judges the server's version. Where is the server's name, or what it runs
// in.
func Version(version string, embedded bool, name string) Finding {
	f := Finding{Check: CheckVersion, Level: OK, Facts: map[string]any{
		"version": version, "needed": events.MinServerVersion, "embedded": embedded, "server": name,
	}}
	where := "on server " + name
	if embedded {
		where = "inside greenlight up"
	}
	f.Says = fmt.Sprintf("NATS %s runs %s; %s or newer is needed.", version, where, events.MinServerVersion)
	if !events.IsSupported(version) {
		f.Level = Fail
		f.Fix = "Upgrade the server (https://github.com/nats-io/nats-server/releases)."
	}
	return f
}

// Storage judges what the stream of events is kept in.
func Storage(info *jetstream.StreamInfo) Finding {
	f := Finding{Check: CheckStorage, Level: OK, Facts: map[string]any{"storage": info.Config.Storage.String()}}
	switch {
	case info.Config.Storage == jetstream.MemoryStorage:
		f.Level = Fail
		f.Says = "Stream EVENTS is kept in memory: a restart of the server takes what was answered 200."
		f.Fix = "Storage cannot be changed: stop Greenlight, delete the stream, and let Greenlight make it anew; it makes it with files."
	case info.Config.PersistMode == jetstream.AsyncPersistMode:
		f.Level = Fail
		f.Says = "Stream EVENTS is kept in files that are written after the acknowledgement (persist_mode async): a crash takes what was answered 200."
		f.Fix = "Stop Greenlight, delete the stream, and let Greenlight make it anew; it makes it without."
	case info.Config.Discard != jetstream.DiscardNew:
		f.Level = Fail
		f.Says = "Stream EVENTS is kept in files, but makes room by dropping the oldest events, which were answered 200."
		f.Fix = "Start webhook or assigner once more: they set the stream to refuse new events instead (discard new)."
	default:
		f.Says = "Stream EVENTS is kept in files, and refuses when it is full rather than dropping the oldest."
	}
	return f
}

// Replicas judges how many copies of events there are and how they are. Clustered
// says that the server belongs to a cluster.
func Replicas(info *jetstream.StreamInfo, clustered bool) Finding {
	copies := max(info.Config.Replicas, 1)
	current := 1 // the leader
	if info.Cluster != nil {
		for _, peer := range info.Cluster.Replicas {
			if peer.Current && !peer.Offline {
				current++
			}
		}
		if copies > 1 && info.Cluster.Leader == "" {
			current = 0
		}
	}
	current = min(current, copies)
	f := Finding{Check: CheckReplicas, Level: OK, Facts: map[string]any{"replicas": copies, "current": current, "clustered": clustered}}
	switch {
	case copies == 1 && clustered:
		f.Level = Warn
		f.Says = "Stream EVENTS is kept in one copy although the server belongs to a cluster: while the one that has it is away, events are answered 503."
		f.Fix = "Start webhook and assigner with --replicas 3."
	case copies == 1:
		f.Says = "Stream EVENTS is kept in one copy, on the one server that there is."
	case current <= copies/2:
		f.Level = Fail
		f.Says = fmt.Sprintf("Of %d copies of stream EVENTS %d can be used, which is no majority: events are answered 503.", copies, current)
		f.Fix = "Bring the servers back that are away."
	case current < copies:
		f.Level = Warn
		f.Says = fmt.Sprintf("Of %d copies of stream EVENTS %d are up to date.", copies, current)
		f.Fix = "Look after the servers that are away or behind: nats server report jetstream."
	case copies%2 == 0:
		f.Level = Warn
		f.Says = fmt.Sprintf("Stream EVENTS is kept in %d copies, all up to date, which bears no more losses than %d.", copies, copies-1)
		f.Fix = "Start webhook and assigner with --replicas 3."
	default:
		f.Says = fmt.Sprintf("Stream EVENTS is kept in %d copies, all up to date.", copies)
	}
	return f
}

// Synced judges whether events are synced before they are acknowledged, as far as it
// is known. Source is how it became known, or what was in the way.
func Synced(sync Sync, copies int, source string) Finding {
	f := Finding{Check: CheckSync, Facts: map[string]any{"sync": string(sync), "source": source}}
	const mend = `Write sync_interval: always into the jetstream block of the server's configuration and restart it.`
	switch {
	case sync == SyncAlways:
		f.Level = OK
		f.Says = "Events are synced to the disk before they are acknowledged (sync_always), " + source + "."
	case sync == SyncLater && copies == 1:
		f.Level = Fail
		f.Says = "Events are acknowledged before they are synced to the disk, " + source + ": a power failure takes what came since the last sync, two minutes by default."
		f.Fix = mend
	case sync == SyncLater:
		f.Level = Warn
		f.Says = "Events are acknowledged before they are synced to the disk, " + source + ": only the other copies hold them through a power failure."
		f.Fix = mend
	default:
		f.Level = Unknown
		f.Says = "Whether events are synced to the disk before they are acknowledged (sync_always) is unknown: " + source + "."
		f.Fix = "Name the server's monitoring address with --nats-monitor http://HOST:8222, or look for sync_interval: always in its configuration. Without it NATS syncs every two minutes."
	}
	return f
}
