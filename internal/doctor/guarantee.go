package doctor

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
)

// Sync is whether a server syncs an event to the disk before it acknowledges it.
type Sync string

// The values of Sync.
const (
	SyncUnknown Sync = "unknown"
	SyncAlways  Sync = "always"
	// SyncLater means at intervals, every two minutes by default.
	SyncLater Sync = "later"
)

// Guarantee is how events are stored, and so what a 200 means. The zero value means that
// nothing is known.
type Guarantee struct {
	// Copies is the number of servers that store an event; 0 if unknown.
	Copies int
	// InMemory is true if they store it only in memory.
	InMemory bool
	// Later is true if they write it to a file after they acknowledge it (persist_mode
	// async), whatever Sync says.
	Later bool
	// DropsOldest is true if a full stream drops its oldest events.
	DropsOldest bool
	// Volatile describes the volume of the file if it does not last; see [Volume.Volatile].
	Volatile string
	Sync     Sync
}

// GuaranteeOf returns how a stream stores events on servers with the given sync setting.
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
	if g.Copies == 0 {
		return "What a 200 means here is unknown: stream EVENTS could not be read."
	}
	text := "A 200 here means that " + g.meaning()
	if g.DropsOldest {
		text += " A full stream drops its oldest events."
	}
	return text
}

func (g Guarantee) meaning() string {
	holder, crash := "one server has the event", "the server"
	if g.Copies > 1 {
		holder, crash = fmt.Sprintf("most of %d servers have the event", g.Copies), "most of them at once"
	}
	switch {
	case g.InMemory:
		return holder + " in memory. A restart of " + crash + " loses it."
	case g.Volatile != "":
		return "the event is in a file on " + g.Volatile + ". A sync does not make it last."
	case g.Later:
		return holder + ", but not yet in a file. A crash of " + crash + " loses what was not written yet."
	case g.Sync == SyncAlways && g.Copies == 1:
		return "the event is synced to one disk. It survives a power failure, but not the loss of that disk."
	case g.Sync == SyncAlways && g.Copies == 2:
		return "the event is synced to the disks of both servers. It survives a power failure."
	case g.Sync == SyncAlways:
		disks := "one disk"
		if n := (g.Copies - 1) / 2; n > 1 {
			disks = fmt.Sprintf("%d disks", n)
		}
		return fmt.Sprintf("the event is synced to the disks of most of %d servers. It survives a power failure and the loss of %s.", g.Copies, disks)
	case g.Sync == SyncLater && g.Copies == 1:
		return holder + ", but not yet synced to disk. It survives a crash of the server. A power failure loses what was not synced yet."
	case g.Sync == SyncLater:
		return holder + ", but not yet synced to disk. It is lost if most of them lose power at once."
	default:
		return holder + " in a file. Whether it survives a power failure of " + crash + " depends on sync_always, which is unknown."
	}
}

// ReadGuarantee returns the server's version and what a 200 means on a connection in use, or
// that this is unknown. Sync is the server's setting, which only its administrators can read.
// Dir is its data folder if that is on this machine, else empty.
func ReadGuarantee(ctx context.Context, js jetstream.JetStream, sync Sync, dir string) string {
	stream, err := js.Stream(ctx, events.StreamEvents)
	if err != nil {
		return Guarantee{}.String()
	}
	guarantee := GuaranteeOf(stream.CachedInfo().Config, sync)
	guarantee.Volatile = volatileFolder(dir)
	return "NATS " + js.Conn().ConnectedServerVersion() + ". " + guarantee.String()
}
