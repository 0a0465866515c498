package process

import (
	"context"
	"testing"

	"github.com/rs/zerolog"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/natstest"
)

// A hold outlives the bucket that has it.
func TestObjects_GiveABucketItsHoldBack(t *testing.T) {
	js := natstest.JetStream(t, natstest.Embedded(t))
	joined := newAttempt("join", makeTimeout, func(context.Context) error { return nil })
	o := &objects{js: js, publisher: events.NewPublisher(js), log: zerolog.Nop(), joined: joined}
	for _, step := range []func(context.Context) error{joined.once, o.make} {
		if err := step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	book, err := ledger.Open(t.Context(), js)
	if err != nil {
		t.Fatal(err)
	}
	if err := book.Hold(t.Context(), []string{"C6X6M95"}, ledger.HeldBy{By: "ann@ops"}); err != nil {
		t.Fatal(err)
	}
	if err := o.tend(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteKeyValue(t.Context(), "LOOKS"); err != nil {
		t.Fatal(err)
	}
	if err := o.make(t.Context()); err != nil {
		t.Fatal(err)
	}
	if hold, err := book.ReadHold(t.Context()); err != nil || hold.Campaigns["C6X6M95"].By != "ann@ops" {
		t.Errorf("got %+v, %v, want the hold as it was", hold, err)
	}
}
