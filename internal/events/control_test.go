package events_test

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"greenlight/internal/events"
)

func TestHold_KeepsMessagesBackUntilResumeThroughANewConsumer(t *testing.T) {
	js, _ := startStreams(t)
	if err := events.Hold(t.Context(), js); !errors.Is(err, events.ErrNoAssigner) {
		t.Fatalf("hold before any assigner: got %v, want ErrNoAssigner", err)
	}
	_, stop := run(t, js) // makes the consumer
	stop()
	if err := events.Hold(t.Context(), js); err != nil {
		t.Fatal(err)
	}
	publish(t, js, "id-1")
	deliveries, _ := run(t, js) // a process that starts while it is held
	if held, err := events.IsHeld(t.Context(), js); err != nil || !held {
		t.Fatalf("got held %t, %v: the start of a process ended the hold", held, err)
	}
	select {
	case d := <-deliveries:
		t.Fatalf("message %d came through the hold", d.Sequence)
	case <-time.After(500 * time.Millisecond): // the claim is that nothing comes
	}
	if err := events.Resume(t.Context(), js); err != nil {
		t.Fatal(err)
	}
	if d := next(t, deliveries, 10*time.Second); d.Done() != nil || d.Sequence != 1 {
		t.Errorf("got message %d, want 1", d.Sequence)
	}
	if held, err := events.IsHeld(t.Context(), js); err != nil || held {
		t.Errorf("got held %t, %v", held, err)
	}
}

func TestRequeue_PutsAMessageBackWithATrace(t *testing.T) {
	js, _ := startStreams(t)
	publish(t, js, "id-1")
	deliveries, _ := run(t, js)
	if err := next(t, deliveries, 5*time.Second).DeadLetter(t.Context(), "look_failed", "why"); err != nil {
		t.Fatal(err)
	}
	var letters []events.StoredLetter
	if err := events.DeadLetters(t.Context(), js, func(l events.StoredLetter) { letters = append(letters, l) }); err != nil || len(letters) != 1 {
		t.Fatalf("got %v, %v; want one letter", letters, err)
	}
	if l := letters[0]; l.Reason != "look_failed" || l.Detail != "why" || l.Attempts != "1" {
		t.Errorf("got %+v", l)
	}
	if err := events.Requeue(t.Context(), js, letters[0], ""); err != nil {
		t.Fatal(err)
	}
	d := next(t, deliveries, 5*time.Second)
	if got := nats.Header(d.Header).Get(events.HeaderRequeued); got != "1" || d.About != verified("x").About || string(d.Body) != string(verified("x").Body) {
		t.Errorf("got %s %q, requeued from %q", d.Subject, d.Body, got)
	}
	if got := nats.Header(d.Header).Get(events.HeaderSignature); got != verified("x").Signature {
		t.Errorf("the signature was lost: %q", got)
	}
	if err := d.Done(); err != nil {
		t.Error(err)
	}
	if _, err := events.DeadLetterAt(t.Context(), js, 1); !errors.Is(err, events.ErrNoDeadLetter) {
		t.Errorf("the letter is still there: %v", err)
	}
}

func TestRequeue_OfANumberAsksForItsCampaign(t *testing.T) {
	js, _ := startStreams(t)
	publisher := events.NewPublisher(js)
	if err := publisher.DeadLetter(t.Context(), events.DeadLetter{Origin: "assigner", Reason: "rejected", Body: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	letter, err := events.DeadLetterAt(t.Context(), js, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := events.Requeue(t.Context(), js, letter, ""); err == nil {
		t.Error("requeued a letter that is about nothing")
	}
	if err := events.Requeue(t.Context(), js, letter, "C6X6M95"); err != nil {
		t.Fatal(err)
	}
	deliveries, _ := run(t, js)
	if d := next(t, deliveries, 5*time.Second); d.Kind != events.KindCampaign || d.About != "C6X6M95" || d.Done() != nil {
		t.Errorf("got %s %s", d.Kind, d.About)
	}
}
