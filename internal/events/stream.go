package events

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// DedupeWindow is how long the stream remembers message ids. Somebody who caught
	// a delivery can send it again for as long as its timestamp passes: from 300 s
	// before our clock shows it to the end of the 300th second after, which is 601 s at
	// most, and the rest of a minute is for clocks that are corrected. Telnyx's own
	// tries end after about two minutes. An id costs some 150 bytes until then
	// (docs/performance.md), and there are never more than the stream has room for.
	DedupeWindow = 11 * time.Minute

	// eventsMaxAge keeps events long enough to read back what happened over a
	// long weekend.
	eventsMaxAge = 7 * 24 * time.Hour
	// eventsMaxBytes bounds the disk. An event takes about 0.8 KiB, so this is
	// over a million of them, far over what a week brings.
	eventsMaxBytes = 1 << 30
	// eventsMaxMsgSize is over the webhook's largest body (256 KiB by default,
	// 1 MiB at most) plus headers.
	eventsMaxMsgSize = 1<<20 + 64<<10

	// triggersMaxAge bounds what has no time to live of its own. Triggers last for an
	// hour, and schedules until they are due, however long that is.
	triggersMaxAge = 24 * time.Hour
	// triggersMaxBytes is room for a schedule (about 200 bytes) of each of
	// 100,000 campaigns, several times over.
	triggersMaxBytes = 64 << 20

	deadLettersMaxAge   = 90 * 24 * time.Hour
	deadLettersMaxBytes = 256 << 20

	// maxReplicas is JetStream's own limit.
	maxReplicas = 5
)

// ErrReplicas is matched by the error for a number of copies that JetStream has not.
var ErrReplicas = errors.New("replicas")

// EnsureStreams creates the streams, or brings their settings up to date.
// Replicas is 1 for one server and 3 for a cluster of three or more; 0 means 1. A
// stream that has more already keeps them: a process that was started without the
// setting must not take copies away. It is safe to call from several processes at
// once.
func EnsureStreams(ctx context.Context, js jetstream.JetStream, replicas int) error {
	if replicas < 0 || replicas > maxReplicas {
		return fmt.Errorf("%w %d: must be between 1 and %d", ErrReplicas, replicas, maxReplicas)
	}
	// Triggers first: events are sourced from them.
	for _, cfg := range []jetstream.StreamConfig{triggersConfig(), eventsConfig(), deadLettersConfig()} {
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

// Streams are the names of the streams that EnsureStreams makes.
func Streams() []string { return []string{streamTriggers, StreamEvents, StreamDeadLetters} }

func eventsConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        StreamEvents,
		Description: "Telnyx event notifications, and the triggers sourced from " + streamTriggers,
		Subjects:    []string{subjectEvents + ">"},
		// One consumer must see events and triggers, since JetStream pins a
		// consumer, and only one assigner may work.
		Sources: []*jetstream.StreamSource{{Name: streamTriggers, FilterSubject: subjectTriggers + ">"}},
		Storage: jetstream.FileStorage,
		// Limits, not work queue: what was handled stays readable as history.
		Retention: jetstream.LimitsPolicy,
		// A full stream must refuse, so that the webhook answers 503 and Telnyx
		// tries again; dropping the oldest would lose an event in silence.
		Discard:    jetstream.DiscardNew,
		MaxAge:     eventsMaxAge,
		MaxBytes:   eventsMaxBytes,
		MaxMsgSize: eventsMaxMsgSize,
		Duplicates: DedupeWindow,
		// Triggers come with a time to live. They replace one another in their own
		// stream alone: for a rollup the server reads all that was stored since the
		// one before, and a resync would read the whole stream into memory.
		AllowMsgTTL: true,
		AllowDirect: true,
		// Events that come at the same time share a commit; see [Batcher].
		AllowAtomicPublish: true,
	}
}

// triggersConfig is a stream of its own because JetStream refuses schedules in
// a stream that discards new messages, and events must not be in one that
// discards old ones. What is lost here is made again by the next start.
func triggersConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        streamTriggers,
		Description: "What wakes the assigner beside events, now and by schedule",
		Subjects:    []string{subjectTriggers + ">", subjectSchedules + ">"},
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardOld,
		MaxAge:      triggersMaxAge,
		MaxBytes:    triggersMaxBytes,
		// One trigger or schedule of a kind and campaign is enough.
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
		Description: "What could not be handled, with the reason",
		Subjects:    []string{subjectDeadLetters + ">"},
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy,
		// A dead letter that pushes out another is lost work; refuse instead, so
		// that the message it is about stays where it is.
		Discard:     jetstream.DiscardNew,
		MaxAge:      deadLettersMaxAge,
		MaxBytes:    deadLettersMaxBytes,
		MaxMsgSize:  eventsMaxMsgSize,
		Duplicates:  DedupeWindow,
		AllowDirect: true,
	}
}
