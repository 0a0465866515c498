//go:build unix

package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/rehearsal"
	"greenlight/internal/telnyx/telnyxsim"
)

// bucketNumbers is the bucket that has the claims.
const bucketNumbers = "NUMBERS"

// history collects all that the checker uses. The queue is read last, so that it is not
// behind the rest.
func (tr *trial) history(ctx context.Context) (history, error) {
	h := history{
		History: rehearsal.History{
			Expected: tr.world.expected, Bystanders: tr.world.bystanders, Failures: failuresIn(tr.sim.Deliveries()),
			Writes: tr.sim.Writes(), Assignments: tr.sim.Assignments(), Accepted: tr.network.taken(),
		},
		periods: tr.world.periods, entries: map[string]string{},
		holds: tr.people.holds, frozen: tr.people.frozen, claimsLost: tr.people.lost[bucketNumbers], reports: tr.people.reports,
	}
	h.commands, h.steps, h.mustLeave = tr.people.commands, tr.people.steps, tr.mustLeave
	h.requests, h.readings, h.touches = tr.recorder.seen()
	h.noteRemovals()
	for _, p := range tr.world.campaigns {
		h.entries[p.id] = p.entry
	}
	var ends map[string][]time.Time
	h.timeline, ends = tr.world.timelines()
	for number, times := range ends {
		h.Failures[number] = append(h.Failures[number], times...)
	}
	for _, bucket := range ledger.Buckets()[:2] {
		seen, err := tr.reportsOf(ctx, bucket)
		if err != nil {
			return h, err
		}
		h.reports = append(h.reports, seen...)
	}
	var err error
	if h.Ledger, err = tr.records(ctx); err != nil {
		return h, err
	}
	if h.Kept, err = tr.kept(ctx); err != nil {
		return h, err
	}
	h.queue, err = tr.queue(ctx)
	return h, err
}

// failuresIn returns when carriers failed a number's assignment, from the events that Telnyx
// sent, whether they arrived or not.
func failuresIn(deliveries []telnyxsim.Delivery) map[string][]time.Time {
	failures := map[string][]time.Time{}
	for _, d := range deliveries {
		var event struct {
			PhoneNumber string `json:"phoneNumber"`
			Status      string `json:"status"`
			Type        string `json:"type"`
		}
		if json.Unmarshal(d.Payload, &event) == nil && event.Type == "ASSIGNMENT" && event.Status == "failed" {
			failures[event.PhoneNumber] = append(failures[event.PhoneNumber], d.OccurredAt)
		}
	}
	return failures
}

// records returns the ledger.
func (tr *trial) records(ctx context.Context) ([]ledger.Number, error) {
	book, err := ledger.Open(ctx, tr.js)
	if err != nil {
		return nil, err
	}
	return book.AllNumbers(ctx)
}

// kept returns the ids of all that is in the streams: of events with their
// sequence, of dead letters with 0.
func (tr *trial) kept(ctx context.Context) (map[string]uint64, error) {
	kept := map[string]uint64{}
	err := tr.eachMessage(ctx, events.StreamDeadLetters, ">", func(msg jetstream.Msg, _ uint64) {
		kept[deliveryID(msg.Data())] = 0
	})
	if err != nil {
		return nil, err
	}
	err = tr.eachMessage(ctx, events.StreamEvents, "telnyx.event.>", func(msg jetstream.Msg, sequence uint64) {
		kept[msg.Headers().Get(jetstream.MsgIDHeader)] = sequence
	})
	return kept, err
}

// eachMessage visits every message of a stream under a subject.
func (tr *trial) eachMessage(ctx context.Context, stream, subject string, visit func(jetstream.Msg, uint64)) error {
	consumer, err := tr.js.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{FilterSubjects: []string{subject}})
	if err != nil {
		return fmt.Errorf("read stream %s: %w", stream, err)
	}
	for left := consumer.CachedInfo().NumPending; left > 0; left-- {
		msg, err := consumer.Next(jetstream.FetchMaxWait(5 * time.Second))
		if err != nil {
			return fmt.Errorf("read stream %s: %w", stream, err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			return fmt.Errorf("read stream %s: %w", stream, err)
		}
		visit(msg, meta.Sequence.Stream)
	}
	return nil
}

// queue returns how far the assigners are. Reconciles are requested all the time, so it waits
// a little for a moment without any.
func (tr *trial) queue(ctx context.Context) (state queueState, err error) {
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		var consumer jetstream.Consumer
		if consumer, err = tr.js.Consumer(ctx, events.StreamEvents, events.ConsumerAssigner); err != nil {
			continue
		}
		info := consumer.CachedInfo()
		state = queueState{waiting: int(info.NumPending), open: info.NumAckPending, ackFloor: info.AckFloor.Stream}
		if state.waiting == 0 && state.open == 0 {
			return state, nil
		}
	}
	return state, err
}
