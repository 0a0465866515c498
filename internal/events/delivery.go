package events

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Delivery is one message that was delivered to this process. It stays open, with
// heartbeats to the server, until Done, Retry or DeadLetter is called. If that call fails,
// the server delivers the message again after [Timing.AckWait]. If it succeeds, or the
// consumer was lost, a later call does nothing. Safe for concurrent use.
type Delivery struct {
	// Kind, Type and About come from the subject: the kind of message, the event's type,
	// and the id of the campaign, brand or plan. They are empty if it has none.
	Kind  Kind
	Type  string
	About string
	// Subject and Sequence locate the message in the stream.
	Subject  string
	Sequence uint64
	// StoredAt is when the stream stored the message, by the server's clock; see Age.
	StoredAt time.Time
	// Attempt counts the deliveries of the message, from 1.
	Attempt int
	// Pin identifies the pin under which the message was delivered. A new value means that
	// this process has taken over.
	Pin string
	// Header and Body are the message's own. Do not change them.
	Header map[string][]string
	Body   []byte

	msg      jetstream.Msg
	consumer *Consumer
	// settling lets one call at a time settle the delivery.
	settling sync.Mutex
	// sending guards settled. It is locked only for the last message to the server, and not
	// while a dead letter is stored, when heartbeats must continue.
	sending sync.Mutex
	settled bool
	// void says that the consumer was lost: nothing can settle the delivery any more.
	void atomic.Bool
}

func newDelivery(msg jetstream.Msg, consumer *Consumer) (*Delivery, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return nil, fmt.Errorf("read delivery of %s: %w", msg.Subject(), err)
	}
	kind, eventType, about := parseSubject(msg.Subject())
	return &Delivery{
		Kind:     kind,
		Type:     eventType,
		About:    about,
		Subject:  msg.Subject(),
		Sequence: meta.Sequence.Stream,
		StoredAt: meta.Timestamp,
		Attempt:  int(meta.NumDelivered),
		Pin:      msg.Headers().Get(headerPinID),
		Header:   msg.Headers(),
		Body:     msg.Data(),
		msg:      msg,
		consumer: consumer,
	}, nil
}

// TraceParent returns the message's trace, empty if there is none.
func (d *Delivery) TraceParent() string {
	if values := d.Header[HeaderTraceParent]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// Done acknowledges the message: its work is done and stored.
func (d *Delivery) Done() error {
	return d.settle("acknowledge", ready, d.msg.Ack)
}

// Retry returns the message to the server, which delivers it again after the delay.
func (d *Delivery) Retry(after time.Duration) error {
	return d.settle("give back", ready, func() error { return d.msg.NakWithDelay(max(after, 0)) })
}

// DeadLetter stores the message as a dead letter, and then ends its deliveries. If storing
// fails, the server delivers the message again after [Timing.AckWait].
func (d *Delivery) DeadLetter(ctx context.Context, reason, detail string) error {
	store := func() error {
		return d.consumer.publisher.DeadLetter(ctx, DeadLetter{
			Origin:         ConsumerAssigner,
			Reason:         reason,
			Detail:         detail,
			Attempts:       d.Attempt,
			Key:            fmt.Sprintf("%s-%d", StreamEvents, d.Sequence),
			OriginSubject:  d.Subject,
			OriginSequence: d.Sequence,
			Header:         d.Header,
			Body:           d.Body,
		})
	}
	return d.settle("dead-letter", store, func() error { return d.msg.TermWithReason(reason) })
}

// Age returns how long ago the server stored the message, by the server's clock. It asks
// the server for its time at most once a minute.
func (d *Delivery) Age(ctx context.Context) (time.Duration, error) {
	now, err := d.consumer.publisher.serverTime(ctx)
	if err != nil {
		return 0, fmt.Errorf("age of message %d: %w", d.Sequence, err)
	}
	return now.Sub(d.StoredAt), nil
}

// ready prepares nothing.
func ready() error { return nil }

// settle prepares and then sends the message that ends the delivery. If either fails, the
// delivery still gets no more heartbeats, so that the server delivers the message again.
func (d *Delivery) settle(what string, prepare, send func() error) error {
	d.settling.Lock()
	defer d.settling.Unlock()
	if d.settled || d.void.Load() { // settled is written only with settling locked
		return nil
	}
	defer d.consumer.forget(d)
	err := prepare()
	if err == nil {
		err = d.end(send)
	}
	if err != nil {
		return fmt.Errorf("%s message %d (%s): %w", what, d.Sequence, d.Subject, err)
	}
	return nil
}

func (d *Delivery) end(send func() error) error {
	d.sending.Lock()
	defer d.sending.Unlock()
	err := send()
	d.settled = err == nil
	return err
}

// stillOpen sends a heartbeat for the message. It skips a delivery that is being settled,
// so that other heartbeats are not delayed.
func (d *Delivery) stillOpen() error {
	if !d.sending.TryLock() {
		return nil
	}
	defer d.sending.Unlock()
	if d.settled || d.void.Load() {
		return nil
	}
	return d.msg.InProgress()
}
