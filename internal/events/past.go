package events

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// pastBatch is how many messages are read at once.
	pastBatch = 500
	// pastWait is how long a batch may take that the server says is there.
	pastWait = 5 * time.Second
	// pastLasts is how long the server keeps a reader that went away.
	pastLasts = 10 * time.Second
	// longestType is how many parts an event type has at most; Telnyx's have two or
	// three.
	longestType = 4
)

// Kept is a message of the stream of events as it is kept there.
type Kept struct {
	Kind     Kind
	Type     string
	About    string
	Sequence uint64
	StoredAt time.Time
	Body     []byte
}

// About visits the events about campaigns and brands with the given ids, those
// about numbers without one, and the looks at these campaigns that a person asked
// for, the oldest first. Events are kept for a week, what a person asked for an
// hour. Before a stream exists there is nothing.
func About(ctx context.Context, js jetstream.JetStream, ids []string, visit func(Kept)) error {
	stream, err := js.Stream(ctx, StreamEvents)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", StreamEvents, err)
	}
	consumer, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		FilterSubjects:    subjectsAbout(ids),
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		Replicas:          1,
		InactiveThreshold: pastLasts,
	})
	if err != nil {
		return fmt.Errorf("read stream %s: %w", StreamEvents, err)
	}
	info := consumer.CachedInfo()
	defer func() {
		// It would vanish by itself; an error means that it has.
		_ = stream.DeleteConsumer(context.WithoutCancel(ctx), info.Name)
	}()
	for left := int(info.NumPending); left > 0; {
		batch, err := consumer.Fetch(min(left, pastBatch), jetstream.FetchMaxWait(pastWait))
		if err != nil {
			return fmt.Errorf("read stream %s: %w", StreamEvents, err)
		}
		before := left
		for msg := range batch.Messages() {
			left--
			kept, err := keptOf(msg)
			if err != nil {
				return err
			}
			visit(kept)
		}
		if err := errors.Join(batch.Error(), ctx.Err()); err != nil {
			return fmt.Errorf("read stream %s: %w", StreamEvents, err)
		}
		if left == before {
			return nil // the rest has expired meanwhile
		}
	}
	return nil
}

func keptOf(msg jetstream.Msg) (Kept, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return Kept{}, fmt.Errorf("read message of %s: %w", msg.Subject(), err)
	}
	kind, eventType, about := parseSubject(msg.Subject())
	return Kept{Kind: kind, Type: eventType, About: about, Sequence: meta.Sequence.Stream, StoredAt: meta.Timestamp, Body: msg.Data()}, nil
}

// subjectsAbout lists the subjects of all that [About] visits. Ids that cannot stand
// in a subject are in none.
func subjectsAbout(ids []string) []string {
	subjects := []string{subjectEvents + "10dlc.phone_number.*." + noID}
	seen := map[string]bool{"": true}
	for _, id := range ids {
		if seen[id] || !isToken(id) || id == noID {
			continue
		}
		seen[id] = true
		eventType := ""
		for range longestType {
			eventType += "*."
			subjects = append(subjects, subjectEvents+eventType+id)
		}
		subjects = append(subjects, subjectTriggers+string(KindCampaign)+"."+id)
	}
	return subjects
}

// headerScheduleNext is on a message that a schedule made: when it makes the next.
const headerScheduleNext = "Nats-Schedule-Next"

// NextResync returns when every planned campaign is looked at next, zero where that
// is not known: before the first resync that the schedule has made.
func NextResync(ctx context.Context, js jetstream.JetStream) (time.Time, error) {
	subject, err := TriggerSubject(KindResync, "")
	if err != nil {
		return time.Time{}, err
	}
	stream, err := js.Stream(ctx, streamTriggers)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("look up stream %s: %w", streamTriggers, err)
	}
	var next time.Time
	for _, from := range []string{subject, scheduleSubject(subject)} {
		msg, err := stream.GetLastMsgForSubject(ctx, from)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return time.Time{}, fmt.Errorf("look up %s: %w", from, err)
		}
		at := scheduledAfter(msg)
		if at.After(next) {
			next = at
		}
	}
	return next, nil
}

// scheduledAfter returns when the schedule that the message is, or that made it,
// makes its next message.
func scheduledAfter(msg *jetstream.RawStreamMsg) time.Time {
	if at, err := time.Parse(time.RFC3339Nano, msg.Header.Get(headerScheduleNext)); err == nil {
		return at
	}
	pattern, _ := strings.CutPrefix(msg.Header.Get(headerSchedule), "@every ")
	every, err := time.ParseDuration(pattern)
	if err != nil {
		return time.Time{}
	}
	return msg.Time.Add(every)
}
