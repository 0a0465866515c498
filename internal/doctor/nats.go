package doctor

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
)

// NATS is a server to look at. Nobody else may use the connection meanwhile.
type NATS struct {
	Conn *nats.Conn
	// Embedded says that the server runs inside greenlight up on this machine, and
	// Syncs that it syncs always; Dir is its data folder, empty if that is not known.
	Embedded, Syncs bool
	Dir             string
	// Health asks the embedded server whether it can still write its streams; trouble
	// is empty if so.
	Health func(context.Context, *nats.Conn) (trouble string, err error)
	// Monitors are addresses at which servers tell of themselves.
	Monitors []string
	// HTTP asks the monitors. Default [http.DefaultClient].
	HTTP *http.Client
}

// Look adds what is found about the server, and sets what a 200 means.
func (n NATS) Look(ctx context.Context, r *Report) {
	r.Add(Version(n.Conn.ConnectedServerVersion(), n.Embedded, n.Conn.ConnectedServerName()))
	js, err := jetstream.New(n.Conn)
	if err != nil {
		r.Add(NoStream(err))
		return
	}
	info, err := n.stream(ctx, js, events.StreamEvents)
	if err != nil {
		r.Add(NoStream(err))
		r.Add(Rights(rights(ctx, n.Conn, js)))
		return
	}
	sync, source := n.sync(ctx, info)
	copies := max(info.Config.Replicas, 1)
	means := GuaranteeOf(info.Config, sync)
	means.Fleeting = fleetingFolder(n.Dir)
	r.Means = means.String()
	r.Add(Storage(info), Replicas(info, n.Conn.ConnectedClusterName() != ""), Synced(sync, copies, source))
	r.Add(n.writes(ctx))
	if n.Dir != "" {
		n.lookAtDisk(r, info)
	}
	r.Add(StreamRoom(CheckRoom, info))
	if letters, err := n.stream(ctx, js, events.StreamDeadLetters); err == nil {
		r.Add(StreamRoom(CheckDeadLetters, letters))
	} else {
		r.Add(Finding{Check: CheckDeadLetters, Level: Unknown, Says: "How much room dead letters have cannot be told: " + sentenceEnd(err.Error())})
	}
	r.Add(Rights(rights(ctx, n.Conn, js)), n.speed(ctx, js, info.Config), n.clock(ctx, js), n.assigner(ctx, js))
}

// patience bounds each question, so that one without an answer leaves time for the
// others.
const patience = 5 * time.Second

// heed has a question asked within patience; see [events.Heed].
func heed(ctx context.Context, nc *nats.Conn, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return events.Heed(ctx, nc, ask)
}

func (n NATS) stream(ctx context.Context, js jetstream.JetStream, name string) (info *jetstream.StreamInfo, err error) {
	err = heed(ctx, n.Conn, func(ctx context.Context) error {
		stream, err := js.Stream(ctx, name)
		if err == nil {
			info = stream.CachedInfo()
		}
		return err
	})
	return info, err
}

func (n NATS) sync(ctx context.Context, info *jetstream.StreamInfo) (s Sync, source string) {
	switch {
	case n.Embedded && n.Syncs:
		return SyncAlways, "as greenlight up has it"
	case n.Embedded:
		return SyncLater, "as greenlight up was told"
	}
	return findSync(ctx, n.Conn, n.client(), n.Monitors, keepersOf(info, n.Conn.ConnectedServerName()))
}

func (n NATS) writes(ctx context.Context) Finding {
	if !n.Embedded || n.Health == nil {
		return Writes(findWrites(ctx, n.client(), n.Monitors))
	}
	var trouble string
	err := heed(ctx, n.Conn, func(ctx context.Context) (err error) {
		trouble, err = n.Health(ctx, n.Conn)
		return err
	})
	return Writes(trouble, err)
}

func (n NATS) client() *http.Client {
	if n.HTTP != nil {
		return n.HTTP
	}
	return http.DefaultClient
}

func (n NATS) lookAtDisk(r *Report, info *jetstream.StreamInfo) {
	volume, known, err := VolumeOf(n.Dir)
	if err != nil {
		r.Add(Finding{Check: CheckDisk, Level: Unknown, Says: "What data folder " + n.Dir + " is on cannot be told: " + sentenceEnd(err.Error())})
		return
	}
	if known {
		room := events.RoomOf(info)
		r.Add(Disk(n.Dir, volume, max(room.Most-room.Used, 0)))
	}
}

// NoStream is the finding that the stream of events cannot be looked at.
func NoStream(err error) Finding {
	f := Finding{Check: CheckStream}
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		f.Level = Warn
		f.Says = "Stream EVENTS is not there: neither webhook nor assigner ever ran on this server, so there is nothing to say about storage, room and speed."
		f.Fix = "Start webhook and assigner, which make it, and run this again."
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount), errors.Is(err, nats.ErrNoResponders):
		f.Level = Fail
		f.Says = "JetStream is not enabled, so that nothing can be stored."
		f.Fix = "Start the server with a jetstream block in its configuration (or -js), and enable it for the user's account."
	default:
		f.Level = Unknown
		f.Says = "Stream EVENTS cannot be looked at: " + sentenceEnd(err.Error())
		f.Fix = "If the user may not ask ($JS.API.STREAM.INFO.EVENTS), permit it or name other credentials with --nats-creds."
	}
	return f
}

func (n NATS) speed(ctx context.Context, js jetstream.JetStream, like jetstream.StreamConfig) Finding {
	var s Speed
	ctx, cancel := context.WithTimeout(ctx, measureTimeout)
	defer cancel()
	err := events.Heed(ctx, n.Conn, func(ctx context.Context) (err error) {
		s, err = Measure(ctx, js, like)
		return err
	})
	if err != nil {
		return Finding{
			Check: CheckSpeed, Level: Unknown,
			Says: "How fast events are stored could not be measured: " + sentenceEnd(err.Error()),
			Fix:  "It takes a stream of its own, " + ProbeStream + ", which this user must be allowed to make and delete. If another doctor is at it, run this again.",
		}
	}
	return PublishSpeed(s)
}

func (n NATS) clock(ctx context.Context, js jetstream.JetStream) Finding {
	var ahead, within time.Duration
	err := heed(ctx, n.Conn, func(ctx context.Context) (err error) {
		ahead, within, err = events.ClockOffset(ctx, js, time.Now)
		return err
	})
	if err != nil {
		return Finding{Check: CheckNATSClock, Level: Unknown, Says: "The NATS server's clock cannot be read: " + sentenceEnd(err.Error())}
	}
	return NATSClock(ahead, within)
}

func (n NATS) assigner(ctx context.Context, js jetstream.JetStream) Finding {
	var info *jetstream.ConsumerInfo
	var hold ledger.Hold
	err := heed(ctx, n.Conn, func(ctx context.Context) error {
		consumer, err := js.Consumer(ctx, events.StreamEvents, events.ConsumerAssigner)
		if err != nil {
			return err
		}
		info = consumer.CachedInfo()
		if hold, err = ledger.ReadHold(ctx, js); errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil // an older assigner runs
		}
		return err
	})
	return Assigner(info, hold, err)
}
