package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/status"
)

// NATS is a server to check. While it is checked, nothing else may use the connection.
type NATS struct {
	Conn *nats.Conn
	// Embedded is true if the server runs inside greenlight up on this machine, and Syncs
	// if it syncs always. Dir is its data folder, empty if unknown.
	Embedded, Syncs bool
	Dir             string
	// Health asks the embedded server whether it can still write its streams. The first
	// result is what is wrong, empty if nothing is.
	Health func(context.Context, *nats.Conn) (string, error)
	// Monitors are the monitoring addresses of servers.
	Monitors []string
	// Settings are those that this program gives its streams and buckets.
	Settings []jetstream.StreamConfig
	// HTTP is the client for the monitors. Default [http.DefaultClient].
	HTTP *http.Client
}

// Check adds the findings about the server to the report, and sets its guarantee.
func (n NATS) Check(ctx context.Context, r *Report) {
	r.Add(Version(n.Conn.ConnectedServerVersion(), n.Embedded, n.Conn.ConnectedServerName()))
	js, err := jetstream.New(n.Conn)
	if err != nil {
		r.Add(noStream(err))
		return
	}
	err = n.bounded(ctx, func(ctx context.Context) error { return events.RefuseRestoring(ctx, js) })
	if errors.Is(err, events.ErrRestoring) {
		r.Add(noStream(err)) // other checks would advise to start what waits for the restore
		return
	}
	info, err := n.stream(ctx, js, events.StreamEvents)
	if err != nil {
		r.Add(noStream(err), Rights(n.rights(ctx, js)))
		return
	}
	sync, source := n.sync(ctx, info)
	guarantee := GuaranteeOf(info.Config, sync)
	guarantee.Volatile = volatileFolder(n.Dir)
	r.Guarantee = guarantee.String()
	r.Add(Storage(info), Replicas(info, n.Conn.ConnectedClusterName() != ""), Synced(sync, guarantee.Copies, source), n.writes(ctx))
	if n.Dir != "" {
		n.checkDisk(r, info)
	}
	r.Add(StreamRoom(CheckRoom, info))
	if deadLetters, err := n.stream(ctx, js, events.StreamDeadLetters); err == nil {
		r.Add(StreamRoom(CheckDeadLetters, deadLetters))
	} else {
		r.Add(unknown(CheckDeadLetters, "The free space of stream DEAD_LETTERS is unknown", err, ""))
	}
	r.Add(n.upgrade(ctx, js), Rights(n.rights(ctx, js)), n.speed(ctx, js, info.Config), n.clock(ctx, js), n.assigner(ctx, js))
}

// requestTimeout bounds each check, so that one without an answer leaves time for others.
const requestTimeout = 5 * time.Second

// bounded makes requests within requestTimeout; see [events.Heed].
func (n NATS) bounded(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return events.Heed(ctx, n.Conn, ask)
}

func (n NATS) stream(ctx context.Context, js jetstream.JetStream, name string) (info *jetstream.StreamInfo, err error) {
	err = n.bounded(ctx, func(ctx context.Context) error {
		stream, err := js.Stream(ctx, name)
		if err == nil {
			info = stream.CachedInfo()
		}
		return err
	})
	return info, err
}

// Version says which server runs. Connecting to one that is too old fails before this.
func Version(version string, embedded bool, name string) Finding {
	f := Finding{Check: CheckVersion, Facts: map[string]any{
		"version": version, "needed": events.MinServerVersion, "embedded": embedded, "server": name,
	}}
	where := "on server " + name
	if embedded {
		where = "inside greenlight up"
	}
	return f.is(OK, fmt.Sprintf("NATS %s runs %s; %s or newer is required.", version, where, events.MinServerVersion), "")
}

func (n NATS) checkDisk(r *Report, info *jetstream.StreamInfo) {
	volume, known, err := VolumeOf(n.Dir)
	if err != nil {
		r.Add(unknown(CheckDisk, "The disk of data folder "+n.Dir+" is unknown", err, ""))
		return
	}
	if known {
		room := events.RoomOf(info)
		r.Add(Disk(n.Dir, volume, max(room.Limit-room.Used, 0)))
	}
}

func (n NATS) speed(ctx context.Context, js jetstream.JetStream, like jetstream.StreamConfig) Finding {
	var s Speed
	ctx, cancel := context.WithTimeout(ctx, measureTimeout)
	defer cancel()
	err := events.Heed(ctx, n.Conn, func(ctx context.Context) (err error) {
		s, err = measure(ctx, js, like)
		return err
	})
	if err != nil {
		return unknown(CheckSpeed, "How fast events are stored could not be measured", err,
			"Allow this user to create and delete stream "+probeStream+". If another doctor is running, try again later.")
	}
	return PublishSpeed(s)
}

func (n NATS) clock(ctx context.Context, js jetstream.JetStream) Finding {
	var ahead, within time.Duration
	err := n.bounded(ctx, func(ctx context.Context) (err error) {
		ahead, within, err = events.ClockOffset(ctx, js, time.Now)
		return err
	})
	if err != nil {
		return unknown(CheckNATSClock, "The NATS server's clock could not be read", err, "")
	}
	return NATSClock(ahead, within)
}

func (n NATS) assigner(ctx context.Context, js jetstream.JetStream) Finding {
	var backlog events.Backlog
	var hold ledger.Hold
	err := n.bounded(ctx, func(ctx context.Context) (err error) {
		if backlog, err = events.ReadBacklog(ctx, js); err != nil {
			return err
		}
		if hold, err = ledger.ReadHold(ctx, js); errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil // an older assigner runs
		}
		return err
	})
	if err != nil {
		return unknown(CheckAssigner, "Whether an assigner is running is unknown", err, "")
	}
	return Assigner(backlog, hold)
}

// Assigner checks whether an assigner is running, and whether anything is on hold.
func Assigner(backlog events.Backlog, hold ledger.Hold) Finding {
	f := Finding{Check: CheckAssigner, Facts: map[string]any{"hold": hold, "running": !backlog.Idle, "waiting": backlog.Waiting}}
	const start = "Start an assigner, or greenlight up."
	const resume = "When the reason for the hold is over, run greenlight resume."
	waiting := " Waiting: " + status.Count(backlog.Waiting, "message") + "."
	switch {
	case !backlog.Ran:
		return f.is(Warn, "No assigner has ever run here. Events are stored, but nothing is attached.", start)
	case hold.All != nil:
		return f.is(Warn, "Everything is on hold, by "+hold.All.String()+". Events are stored, but nothing is attached."+waiting, resume)
	case len(hold.Campaigns) > 0:
		return f.is(Warn, "On hold: "+status.Count(len(hold.Campaigns), "campaign")+". Nothing is attached to them. greenlight status shows who put them on hold, and why."+waiting, resume)
	case backlog.Idle:
		return f.is(Warn, "No assigner is running. Events are stored, but nothing is attached."+waiting, start)
	default:
		return f.is(OK, "An assigner is running and nothing is on hold."+waiting, "")
	}
}

// rights tests what the NATS user of this connection may do, without doing it.
func (n NATS) rights(ctx context.Context, js jetstream.JetStream) []events.Right {
	rights := events.Rights(ctx, n.Conn)
	rights = append(rights, events.Right{Name: "write the ledger", Err: events.MayPublish(ctx, n.Conn, ledger.WriteProbe)})
	return append(rights, events.Right{Name: "read the ledger", Err: n.bounded(ctx, func(ctx context.Context) error {
		book, err := ledger.Open(ctx, js)
		if err == nil {
			_, err = book.Campaigns(ctx)
		}
		return err
	})})
}

// Rights checks what the NATS user may do.
func Rights(rights []events.Right) Finding {
	f := Finding{Check: CheckRights, Facts: map[string]any{}}
	var denied, unclear []string
	var unclearErr error
	onlyMissing := true
	for _, right := range rights {
		f.Facts[strings.ReplaceAll(right.Name, " ", "_")] = right.Err == nil
		switch {
		case right.Err == nil:
		case errors.Is(right.Err, events.ErrNotPermitted):
			denied = append(denied, right.Name)
		default:
			unclear, unclearErr = append(unclear, right.Name), right.Err
			onlyMissing = onlyMissing && isMissing(right.Err)
		}
	}
	switch {
	case len(denied) > 0:
		return f.is(Fail, "This NATS user may not "+listed(denied, "or")+".",
			"Grant these permissions, or use the credentials of webhook and assigner with --nats-creds. A webhook must create streams, publish events and store dead letters. An assigner needs all of them.")
	case len(unclear) > 0 && onlyMissing:
		return f.is(Unknown, "Whether this NATS user may "+listed(unclear, "and")+" is unknown: the streams do not exist yet.",
			"Start webhook and assigner once, or greenlight up: they create what is missing.")
	case len(unclear) > 0:
		return f.is(Unknown, "Whether this NATS user may "+listed(unclear, "and")+" is unknown: "+sentenceEnd(cause(unclearErr)),
			"Check the user's permissions in the server's configuration.")
	default:
		return f.is(OK, "This NATS user has all permissions of webhook and assigner.", "")
	}
}

// isMissing reports whether an error only says that a stream or bucket does not exist yet.
func isMissing(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrBucketNotFound) || errors.Is(err, jetstream.ErrStreamNotFound)
}

func listed(items []string, last string) string {
	if len(items) < 2 {
		return strings.Join(items, "")
	}
	end := len(items) - 1
	return strings.Join(items[:end], ", ") + " " + last + " " + items[end]
}
