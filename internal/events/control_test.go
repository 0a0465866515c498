package events_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"greenlight/internal/events"
	"greenlight/internal/telnyx"
)

func TestTakeOverPause_StoresBeforeItResumes(t *testing.T) {
	t.Parallel()
	js, _ := startStreams(t)
	store := func(context.Context) error { t.Error("stored a hold for no pause"); return nil }
	if paused, err := events.MigratePause(t.Context(), js, store); paused || err != nil {
		t.Fatalf("before any assigner: got %t, %v", paused, err)
	}
	deliveries, _ := run(t, js)
	if _, err := js.PauseConsumer(t.Context(), events.StreamEvents, events.ConsumerAssigner, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	publish(t, js, "id-1")
	broken := errors.New("no room")
	if paused, err := events.MigratePause(t.Context(), js, func(context.Context) error { return broken }); !paused || !errors.Is(err, broken) {
		t.Errorf("a hold that cannot be stored: got %t, %v", paused, err)
	}
	store = func(ctx context.Context) error {
		consumer, err := js.Consumer(ctx, events.StreamEvents, events.ConsumerAssigner)
		if err != nil || !consumer.CachedInfo().Paused {
			t.Errorf("while it is stored: not paused, or %v", err)
		}
		return nil
	}
	if paused, err := events.MigratePause(t.Context(), js, store); !paused || err != nil {
		t.Errorf("a pause: got %t, %v", paused, err)
	}
	if d := next(t, deliveries); d.Done() != nil || d.Sequence != 1 {
		t.Errorf("got message %d, want 1", d.Sequence)
	}
}

func TestRequeue_StoresTheMessageAgainAndMarksIt(t *testing.T) {
	t.Parallel()
	js, _ := startStreams(t)
	publish(t, js, "id-1")
	deliveries, _ := run(t, js)
	if err := next(t, deliveries).DeadLetter(t.Context(), "look_failed", "why"); err != nil {
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
	d := next(t, deliveries)
	if got := nats.Header(d.Header).Get(events.HeaderRequeued); got != "1" || d.About != verified("x").About || string(d.Body) != string(verified("x").Body) {
		t.Errorf("got %s %q, requeued from %q", d.Subject, d.Body, got)
	}
	if got := nats.Header(d.Header).Get(telnyx.SignatureHeader); got != verified("x").Signature {
		t.Errorf("the signature was lost: %q", got)
	}
	if err := d.Done(); err != nil {
		t.Error(err)
	}
	if _, err := events.DeadLetterAt(t.Context(), js, 1); !errors.Is(err, events.ErrNoDeadLetter) {
		t.Errorf("the letter is still there: %v", err)
	}
}

func TestRequeue_OfANumberTriggersItsCampaign(t *testing.T) {
	t.Parallel()
	js, _ := startStreams(t)
	publisher := events.NewPublisher(js)
	if err := publisher.DeadLetter(t.Context(), events.DeadLetter{Origin: "assigner", Reason: "rejected", Body: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	letter, err := events.DeadLetterAt(t.Context(), js, 1)
	if err != nil {
		t.Fatal(err)
	}
	err = events.Requeue(t.Context(), js, letter, "")
	if !errors.Is(err, events.ErrNotRequeued) {
		t.Errorf("a letter that is about nothing: got %v, want %v", err, events.ErrNotRequeued)
	}
	if err := events.Requeue(t.Context(), js, letter, "C6X6M95"); err != nil {
		t.Fatal(err)
	}
	deliveries, _ := run(t, js)
	if d := next(t, deliveries); d.Kind != events.KindCampaign || d.About != "C6X6M95" || d.Done() != nil {
		t.Errorf("got %s %s", d.Kind, d.About)
	}
}

// A message whose dead letter could not be stored is delivered again.
func TestDeadLetter_ThatCannotBeStoredIsDeliveredAgain(t *testing.T) {
	t.Parallel()
	js, _ := startStreams(t)
	publish(t, js, "id-1")
	deliveries, _ := run(t, js)
	first := next(t, deliveries)
	if err := js.DeleteStream(t.Context(), events.StreamDeadLetters); err != nil {
		t.Fatal(err)
	}
	if err := first.DeadLetter(t.Context(), "look_failed", "why"); err == nil {
		t.Fatal("stored a dead letter without a stream for it")
	}
	again := next(t, deliveries)
	if again.Sequence != first.Sequence || again.Attempt != 2 {
		t.Errorf("got message %d, attempt %d, want message %d, attempt 2", again.Sequence, again.Attempt, first.Sequence)
	}
	if err := again.Done(); err != nil {
		t.Error(err)
	}
}

// A letter is deleted only after its message is stored again.
func TestRequeue_KeepsTheLetterWhenItsMessageCannotBeStored(t *testing.T) {
	t.Parallel()
	js, _ := startStreams(t)
	publish(t, js, "id-1")
	deliveries, stop := run(t, js)
	if err := next(t, deliveries).DeadLetter(t.Context(), "no_reason", "why"); err != nil {
		t.Fatal(err)
	}
	stop()
	letter, err := events.DeadLetterAt(t.Context(), js, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(t.Context(), events.StreamEvents); err != nil {
		t.Fatal(err)
	}
	if err := events.Requeue(t.Context(), js, letter, ""); err == nil {
		t.Error("got no error without a stream of events")
	}
	if _, err := events.DeadLetterAt(t.Context(), js, 1); err != nil {
		t.Errorf("got %v, want the letter to be kept", err)
	}
}
