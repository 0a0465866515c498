package events

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Delivery is one message in the hands of this process. It stays open, and the
// server is told so, until Done, Retry or DeadLetter is called. When that call
// fails the server delivers the message again after [Timing.AckWait]; when it
// succeeds, a later call does nothing. Safe for concurrent use.
type Delivery struct {
	// Kind, Type and About are read off the subject: why the message came, the
	// event's type, and the id of the campaign, brand or plan; empty when there
	// is none.
	Kind  Kind
	Type  string
	About string
	// Subject and Sequence are the message's place in the stream.
	Subject  string
	Sequence uint64
	// StoredAt is when the stream took the message.
	StoredAt time.Time
	// Attempt counts the deliveries of the message, this one included: 1 is the
	// first.
	Attempt int
	// Pin changes when the server has pinned the consumer anew: a process that
	// sees another one than before has taken over.
	Pin string
	// Header and Body are the message's own. Do not change them.
	Header map[string][]string
	Body   []byte

	msg      jetstream.Msg
	consumer *Consumer
	settling sync.Mutex
	settled  bool
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

// TraceParent returns the trace that the message belongs to, empty if there is none.
func (d *Delivery) TraceParent() string {
	if values := d.Header[HeaderTraceParent]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// Done acknowledges the message: what it asked for is done and stored.
func (d *Delivery) Done() error {
	return d.settle("acknowledge", d.msg.Ack)
}

// Retry gives the message back, to be delivered again after the delay.
func (d *Delivery) Retry(after time.Duration) error {
	return d.settle("give back", func() error { return d.msg.NakWithDelay(max(after, 0)) })
}

// DeadLetter stores the message among the dead letters and only then tells the
// server not to deliver it again. When storing fails the message stays open.
func (d *Delivery) DeadLetter(ctx context.Context, reason, detail string) error {
	return d.settle("dead-letter", func() error {
		err := d.consumer.publisher.DeadLetter(ctx, DeadLetter{
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
		if err != nil {
			return err
		}
		return d.msg.TermWithReason(reason)
	})
}

// settle runs the one call that ends the delivery. If the call fails the delivery
// is forgotten all the same: without signs of life the server delivers the message
// again, and whatever failed is tried again then.
func (d *Delivery) settle(what string, call func() error) error {
	d.settling.Lock()
	defer d.settling.Unlock()
	if d.settled {
		return nil
	}
	d.consumer.forget(d)
	if err := call(); err != nil {
		return fmt.Errorf("%s message %d (%s): %w", what, d.Sequence, d.Subject, err)
	}
	d.settled = true
	return nil
}

// stillOpen tells the server that the message is being worked on.
func (d *Delivery) stillOpen() error {
	d.settling.Lock()
	defer d.settling.Unlock()
	if d.settled {
		return nil
	}
	return d.msg.InProgress()
}
