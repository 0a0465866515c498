package events

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// DedupeWindow is how long the stream remembers message ids. A captured delivery can
	// be replayed while its timestamp is accepted, which is 300 s either way and at most
	// 601 s in all; the rest allows for clocks that are corrected. Telnyx's own retries
	// end after about two minutes. An id takes about 150 bytes (docs/performance.md).
	DedupeWindow = 11 * time.Minute

	// eventsMaxAge keeps events long enough to review a long weekend.
	eventsMaxAge = 7 * 24 * time.Hour
	// eventsMaxBytes limits the disk space. An event takes about 0.8 KiB, so this is over a
	// million events, far more than in a week.
	eventsMaxBytes = 1 << 30
	// eventsMaxMsgSize is over the webhook's largest body (256 KiB by default,
	// 1 MiB at most) plus headers.
	eventsMaxMsgSize = 1<<20 + 64<<10

	// triggersMaxAge applies to messages without a time to live. Triggers have an hour, and
	// schedules are kept until they are due.
	triggersMaxAge = 24 * time.Hour
	// triggersMaxBytes is room for a schedule (about 200 bytes) of each of
	// 100,000 campaigns, several times over.
	triggersMaxBytes = 64 << 20

	deadLettersMaxAge   = 90 * 24 * time.Hour
	deadLettersMaxBytes = 256 << 20

	// maxReplicas is JetStream's own limit.
	maxReplicas = 5
)

// ErrReplicas is matched by the error for a number of copies that JetStream does not support.
var ErrReplicas = errors.New("replicas")

// EnsureStreams creates the streams or updates their settings. Replicas is 1 for one
// server and 3 for a cluster of three or more; 0 means 1. A stream that already has more
// keeps them; see [Layout]. Several processes may call it at once.
func EnsureStreams(ctx context.Context, js jetstream.JetStream, replicas int) error {
	if replicas < 0 || replicas > maxReplicas {
		return fmt.Errorf("%w %d: must be between 1 and %d", ErrReplicas, replicas, maxReplicas)
	}
	// Triggers first: events are sourced from them.
	for _, cfg := range Settings() {
		kept, err := Layout(ctx, js, cfg.Name, replicas)
		if err != nil {
			return err
		}
		cfg.Replicas, cfg.Metadata = kept.Replicas, kept.Metadata
		if _, err := js.CreateOrUpdateStream(ctx, cfg); err != nil {
			return fmt.Errorf("create stream %s: %w", cfg.Name, err)
		}
	}
	return nil
}

// Settings returns the settings of the streams that EnsureStreams creates.
func Settings() []jetstream.StreamConfig {
	return []jetstream.StreamConfig{triggersConfig(), eventsConfig(), deadLettersConfig()}
}

// Streams returns the names of the streams that EnsureStreams creates.
func Streams() []string { return []string{StreamTriggers, StreamEvents, StreamDeadLetters} }

func eventsConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        StreamEvents,
		Description: "Telnyx event notifications, and the triggers sourced from " + StreamTriggers,
		Subjects:    []string{subjectEvents + ">"},
		// One consumer must get both events and triggers: JetStream pins a consumer,
		// and only one assigner may work.
		Sources: []*jetstream.StreamSource{{Name: StreamTriggers, FilterSubject: subjectTriggers + ">"}},
		Storage: jetstream.FileStorage,
		// Limits, not work queue: settled events stay readable as history.
		Retention: jetstream.LimitsPolicy,
		// A full stream must refuse, so that the webhook answers 503 and Telnyx tries
		// again; dropping the oldest would silently lose an event.
		Discard:    jetstream.DiscardNew,
		MaxAge:     eventsMaxAge,
		MaxBytes:   eventsMaxBytes,
		MaxMsgSize: eventsMaxMsgSize,
		Duplicates: DedupeWindow,
		// Triggers have a time to live. They replace each other only in their own
		// stream: for a rollup here, the server would read everything since the last
		// resync into memory.
		AllowMsgTTL: true,
		AllowDirect: true,
		// Events that arrive at the same time share a commit; see [Batcher].
		AllowAtomicPublish: true,
	}
}

// triggersConfig is a separate stream because JetStream refuses schedules in a stream
// that discards new messages, and the stream of events must not discard old ones. The
// next start recreates whatever is lost here.
func triggersConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        StreamTriggers,
		Description: "Triggers for the assigner, and their schedules",
		Subjects:    []string{subjectTriggers + ">", subjectSchedules + ">"},
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardOld,
		MaxAge:      triggersMaxAge,
		MaxBytes:    triggersMaxBytes,
		// One trigger or schedule per kind and campaign is enough.
		MaxMsgsPerSubject: 1,
		AllowMsgSchedules: true,
		AllowMsgTTL:       true,
		AllowRollup:       true,
		AllowDirect:       true,
	}
}

func deadLettersConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        StreamDeadLetters,
		Description: "Messages that could not be handled, with the reason",
		Subjects:    []string{subjectDeadLetters + ">"},
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy,
		// A full stream must refuse: dropping a letter would lose work, and a refused
		// message stays in its own stream.
		Discard:     jetstream.DiscardNew,
		MaxAge:      deadLettersMaxAge,
		MaxBytes:    deadLettersMaxBytes,
		MaxMsgSize:  eventsMaxMsgSize,
		Duplicates:  DedupeWindow,
		AllowDirect: true,
	}
}
