package doctor

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/status"
)

// noStream is the finding for an error when reading stream EVENTS.
func noStream(err error) Finding {
	f := Finding{Check: CheckStream}
	switch {
	case errors.Is(err, events.ErrRestoring):
		return f.is(Fail, "A restore is in progress or was interrupted. Meanwhile events are answered 503, and nothing is attached.",
			"Wait until greenlight restore is complete. If it does not run any more, run it again.")
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return f.is(Warn, "Stream EVENTS does not exist: neither webhook nor assigner has run on this server. Storage, free space and speed cannot be checked.",
			"Start webhook and assigner, which create it, and run this again.")
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount), errors.Is(err, nats.ErrNoResponders):
		return f.is(Fail, "JetStream is not enabled, so events cannot be stored.",
			"Add a jetstream block to the server's configuration (or start it with -js), and enable JetStream for the user's account.")
	default:
		return unknown(CheckStream, "Stream EVENTS could not be read", err,
			"If the user lacks permission for $JS.API.STREAM.INFO.EVENTS, grant it, or use other credentials with --nats-creds.")
	}
}

// Storage checks how stream EVENTS is stored.
func Storage(info *jetstream.StreamInfo) Finding {
	f := Finding{Check: CheckStorage, Facts: map[string]any{"storage": info.Config.Storage.String()}}
	const recreate = "Stop Greenlight, delete the stream, and start Greenlight, which creates it with the right storage."
	switch {
	case info.Config.Storage == jetstream.MemoryStorage:
		return f.is(Fail, "Stream EVENTS is stored in memory: a restart of the server loses events that were answered 200.", recreate)
	case info.Config.PersistMode == jetstream.AsyncPersistMode:
		return f.is(Fail, "Stream EVENTS is written to files only after the acknowledgement (persist_mode async): a crash loses events that were answered 200.", recreate)
	case info.Config.Discard != jetstream.DiscardNew:
		return f.is(Fail, "Stream EVENTS is stored in files, but when full it drops its oldest events, which were answered 200.",
			"Restart webhook or assigner: they set the stream to refuse new events instead (discard new).")
	default:
		return f.is(OK, "Stream EVENTS is stored in files. When full, it refuses new events and keeps the old ones.", "")
	}
}

// Replicas checks the copies of stream EVENTS. Clustered is true if the server belongs to
// a cluster.
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
	f := Finding{Check: CheckReplicas, Facts: map[string]any{"replicas": copies, "current": current, "clustered": clustered}}
	const threeReplicas = "Start webhook and assigner with --replicas 3."
	switch {
	case copies == 1 && clustered:
		return f.is(Warn, "Stream EVENTS has one copy although the server belongs to a cluster. While the server with that copy is down, events are answered 503.", threeReplicas)
	case copies == 1:
		return f.is(OK, "Stream EVENTS has one copy, on the only server.", "")
	case current <= copies/2:
		return f.is(Fail, fmt.Sprintf("Only %d of %d copies of stream EVENTS are up, which is not a majority: events are answered 503.", current, copies),
			"Restart the servers that are down.")
	case current < copies:
		return f.is(Warn, fmt.Sprintf("Only %d of %d copies of stream EVENTS are up to date.", current, copies),
			"Find the servers that are down or behind with nats server report jetstream.")
	case copies%2 == 0:
		return f.is(Warn, fmt.Sprintf("Stream EVENTS has %d copies, all up to date. That tolerates no more failures than %d copies do.", copies, copies-1), threeReplicas)
	default:
		return f.is(OK, fmt.Sprintf("Stream EVENTS has %d copies, all up to date.", copies), "")
	}
}

// Synced checks whether events are synced before they are acknowledged. Source says how
// this is known, or why not.
func Synced(sync Sync, copies int, source string) Finding {
	f := Finding{Check: CheckSync, Facts: map[string]any{"sync": string(sync), "source": source}}
	const syncAlways = "Add sync_interval: always to the jetstream block of the server's configuration, and restart it."
	switch {
	case sync == SyncAlways:
		return f.is(OK, "Events are synced to disk before they are acknowledged (sync_always, from "+source+").", "")
	case sync == SyncLater && copies == 1:
		return f.is(Fail, "Events are acknowledged before they are synced to disk (from "+source+"). A power failure loses those since the last sync, two minutes by default.", syncAlways)
	case sync == SyncLater:
		return f.is(Warn, "Events are acknowledged before they are synced to disk (from "+source+"). Only the other copies survive a power failure.", syncAlways)
	default:
		return f.is(Unknown, "Whether events are synced to disk before they are acknowledged (sync_always) is unknown: "+source+".",
			"Give the server's monitoring address with --nats-monitor http://HOST:8222, or look for sync_interval: always in its configuration. By default NATS syncs every two minutes.")
	}
}

// roomyShare is the used share of a stream, in percent, from which a person is warned.
// The rest should last a weekend at twice the usual rate.
const roomyShare = 80

// StreamRoom checks how full a stream is.
func StreamRoom(check Check, info *jetstream.StreamInfo) Finding {
	room, name := events.RoomOf(info), info.Config.Name
	f := Finding{Check: check, Facts: map[string]any{
		"messages": info.State.Msgs, "used_bytes": room.Used, "max_bytes": room.Limit, "max_age_seconds": int64(info.Config.MaxAge / time.Second),
	}}
	message := fmt.Sprintf("Stream %s has %s in %s", name, status.Count(int(info.State.Msgs), "message"), bytes(room.Used))
	if room.Limit <= 0 {
		return f.is(Warn, message+" and no size limit: a flood of events could fill the server's disk.",
			"Restart webhook or assigner: they set the limit.")
	}
	share := int(100 * room.Used / room.Limit)
	kept := "without a time limit"
	if age := info.Config.MaxAge; age > 0 {
		kept = "for " + status.Span(age)
	}
	message += fmt.Sprintf(" of %s (%d %%), kept %s.", bytes(room.Limit), share, kept)
	fix := fmt.Sprintf("Find out what fills it with nats stream subjects %s. Old messages expire by themselves.", name)
	if check == CheckDeadLetters {
		fix = "Review them with greenlight deadletters list, and requeue those that can be handled now."
	}
	switch {
	case room.Full():
		return f.is(Fail, message+" It cannot take a message of the largest size: such a message is answered 503 until old ones expire.", fix)
	case share >= roomyShare:
		return f.is(Warn, message, fix)
	default:
		return f.is(OK, message, "")
	}
}

// bytes formats a size with a suitable unit.
func bytes(n int64) string {
	size, units := float64(n), []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	unit := 0
	for size >= 1024 && unit < len(units)-1 {
		size /= 1024
		unit++
	}
	if unit == 0 || size >= 100 {
		return fmt.Sprintf("%.0f %s", size, units[unit])
	}
	return fmt.Sprintf("%.1f %s", size, units[unit])
}
