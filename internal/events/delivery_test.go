package events_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"greenlight/internal/events"
)

// Storing a dead letter that is not acknowledged lasts until its context ends. Both
// deliveries stay open meanwhile.
func TestConsumer_KeepsDeliveriesOpenWhileADeadLetterIsStored(t *testing.T) {
	t.Parallel()
	js, _ := startStreams(t)
	publish(t, js, "id-1")
	publish(t, js, "id-2")
	deliveries, _ := run(t, js)
	slow, other := next(t, deliveries), next(t, deliveries)
	if err := js.DeleteStream(t.Context(), events.StreamDeadLetters); err != nil {
		t.Fatal(err)
	}
	unanswered := subscribe(t, js.Conn(), "deadletter.>")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- slow.DeadLetter(ctx, "not_an_event", "nobody takes it") }()
	<-unanswered
	acks := subscribe(t, js.Conn(), "$JS.ACK.EVENTS.assigner.>")
	waiting := map[uint64]bool{slow.Sequence: true, other.Sequence: true}
	for deadline := time.After(patience); len(waiting) > 0; {
		select {
		case ack := <-acks:
			if string(ack.Data) != "+WPI" {
				t.Fatalf("%s: got %s, want signs of life alone", ack.Subject, ack.Data)
			}
			for sequence := range waiting {
				if strings.Split(ack.Subject, ".")[5] == string('0'+rune(sequence)) {
					delete(waiting, sequence)
				}
			}
		case <-deadline:
			t.Fatalf("no sign of life of messages %v", waiting)
		}
	}
	cancel()
	if err := <-ended; err == nil {
		t.Error("dead-lettered without an acknowledgement")
	}
	if err := other.Done(); err != nil {
		t.Error(err)
	}
}

func subscribe(t *testing.T, nc *nats.Conn, subject string) <-chan *nats.Msg {
	t.Helper()
	msgs := make(chan *nats.Msg, 100)
	sub, err := nc.ChanSubscribe(subject, msgs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Unsubscribe() }) // it fails only when the connection is closed
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return msgs
}

func TestDelivery_AgeUsesTheServersClock(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"right": 0, "an hour slow": -time.Hour, "an hour ahead": time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			js, _ := startStreams(t)
			publish(t, js, "id-1")
			deliveries, _ := run(t, js)
			d := next(t, deliveries)
			d.TestOnlyClock(func() time.Time { return time.Now().Add(off) })
			age, err := d.Age(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if age < 0 || age > time.Minute {
				t.Errorf("got an age of %s, want that of a message stored just now", age)
			}
		})
	}
}
