package app

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/notice"
	"greenlight/internal/testkit"
)

// startObjects returns the objects of a process with an assigner, with all of them there.
func startObjects(t *testing.T) (*objects, *ledger.Ledger) {
	t.Helper()
	js := testkit.JetStream(t, testkit.Embedded(t))
	joined := newAttempt("join", createTimeout, func(ctx context.Context) error {
		if err := events.EnsureStreams(ctx, js, 1); err != nil {
			return err
		}
		_, err := events.NewConsumer(ctx, js, events.Timing{}, func(error) {})
		return err
	})
	o := &objects{js: js, publisher: events.NewPublisher(js), log: zerolog.Nop(), joined: joined, resync: 15 * time.Minute}
	must(t, joined.once(t.Context()))
	must(t, o.create(t.Context()))
	must(t, o.publisher.ScheduleResync(t.Context(), o.resync))
	tick(t, o)
	book, err := ledger.Open(t.Context(), js)
	must(t, err)
	return o, book
}

// tick does what run does every second.
func tick(t *testing.T, o *objects) {
	t.Helper()
	now, err := o.check(t.Context())
	must(t, err)
	must(t, o.repair(t.Context(), now))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A hold outlives the bucket that has it, whoever makes that again.
func TestObjects_GiveABucketItsHoldBack(t *testing.T) {
	t.Parallel()
	ann := ledger.HeldBy{By: "ann@ops", At: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)}
	create := func(t *testing.T, o *objects) {
		_, err := ledger.Create(t.Context(), o.js, 1)
		must(t, err)
	}
	for name, again := range map[string]func(*testing.T, *objects, *ledger.Ledger){
		"by this process": func(t *testing.T, o *objects, _ *ledger.Ledger) { tick(t, o) },
		// So it is as well when this process made it and could not restore the hold.
		"by another process": func(t *testing.T, o *objects, _ *ledger.Ledger) { create(t, o) },
		"by another process, after it was missed": func(t *testing.T, o *objects, _ *ledger.Ledger) {
			now, err := o.check(t.Context())
			must(t, err)
			create(t, o)
			must(t, o.repair(t.Context(), now))
		},
		"between the check and reading the hold": func(t *testing.T, o *objects, book *ledger.Ledger) {
			create(t, o)
			o.readHold(t.Context())
		},
		"and one campaign was put on hold meanwhile": func(t *testing.T, o *objects, book *ledger.Ledger) {
			create(t, o)
			must(t, book.Hold(t.Context(), []string{"C6X6M95"}, ann))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, book := startObjects(t)
			must(t, book.Hold(t.Context(), nil, ann))
			tick(t, o)
			must(t, o.js.DeleteKeyValue(t.Context(), "LOOKS"))
			again(t, o, book)
			tick(t, o)
			if hold, err := book.ReadHold(t.Context()); err != nil || hold.All == nil || *hold.All != ann {
				t.Errorf("got %+v, %v, want everything held", hold, err)
			}
			must(t, o.ready(t.Context()))

			_, err := book.Resume(t.Context(), nil)
			must(t, err)
			tick(t, o)
			if hold, err := book.ReadHold(t.Context()); err != nil || !hold.IsZero() {
				t.Errorf("after a resumption: got %+v, %v, want nothing held", hold, err)
			}
		})
	}
}

// What was resumed since its bucket was made again remains resumed.
func TestObjects_DoNotUndoAResumption(t *testing.T) {
	t.Parallel()
	o, book := startObjects(t)
	must(t, book.Hold(t.Context(), nil, ledger.HeldBy{By: "ann@ops"}))
	tick(t, o)
	must(t, o.js.DeleteKeyValue(t.Context(), "LOOKS"))
	_, err := ledger.Create(t.Context(), o.js, 1)
	must(t, err)
	_, err = book.Resume(t.Context(), nil)
	must(t, err)
	tick(t, o)
	if hold, err := book.ReadHold(t.Context()); err != nil || !hold.IsZero() {
		t.Errorf("got %+v, %v, want nothing held", hold, err)
	}
}

// A stream that another process made again was lost all the same.
func TestObjects_FillWhatAnotherProcessCreated(t *testing.T) {
	t.Parallel()
	for _, stream := range []string{"TRIGGERS", events.StreamDeadLetters, notice.Stream, "KV_CAMPAIGNS"} {
		t.Run(stream, func(t *testing.T) {
			t.Parallel()
			o, _ := startObjects(t)
			filled := 0
			o.recreated = func(context.Context) { filled++ }
			must(t, o.js.DeleteStream(t.Context(), stream))
			if o.ready(t.Context()) == nil {
				t.Errorf("ready while %s is missing", stream)
			}
			_, err := ledger.Create(t.Context(), o.js, 1)
			must(t, err)
			_, err = notice.NewPublisher(t.Context(), o.js, 1)
			must(t, err)
			hook := &objects{js: o.js, publisher: o.publisher, log: zerolog.Nop()}
			tick(t, hook)
			tick(t, hook)

			if err := o.ready(t.Context()); err == nil {
				t.Error("ready before the resync is ordered")
			}
			tick(t, o)
			tick(t, o)
			must(t, o.ready(t.Context()))
			if filled != 1 {
				t.Errorf("filled %d times, want once", filled)
			}
			triggers, err := o.js.Stream(t.Context(), "TRIGGERS")
			must(t, err)
			for _, subject := range []string{"assigner.schedule.resync", "assigner.trigger.resync"} {
				if _, err := triggers.GetLastMsgForSubject(t.Context(), subject); err != nil {
					t.Errorf("%s: %v", subject, err)
				}
			}
		})
	}
}

// What is lost while the assigner joins is filled once it has joined: it may have been
// there when the assigner ordered its resync.
func TestObjects_FillWhatIsLostWhileTheAssignerJoins(t *testing.T) {
	t.Parallel()
	o, _ := startObjects(t)
	joined := o.joined
	o.joined = newAttempt("join", createTimeout, func(context.Context) error { return nil })
	tick(t, o)
	must(t, o.js.DeleteStream(t.Context(), "TRIGGERS"))
	tick(t, o)
	tick(t, o)
	o.joined = joined
	tick(t, o)
	triggers, err := o.js.Stream(t.Context(), "TRIGGERS")
	must(t, err)
	if _, err := triggers.GetLastMsgForSubject(t.Context(), "assigner.schedule.resync"); errors.Is(err, jetstream.ErrMsgNotFound) {
		t.Errorf("the schedule of resyncs: %v", err)
	}
}

// A loss that only one check saw is filled: the consumer's reader was fast.
func TestObjects_FillWhatOneCheckMissed(t *testing.T) {
	t.Parallel()
	o, _ := startObjects(t)
	var log testkit.Buffer
	o.log, o.every = zerolog.New(&log), 50*time.Millisecond
	must(t, o.js.DeleteConsumer(t.Context(), events.StreamEvents, events.ConsumerAssigner))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- o.run(ctx) }()
	says := func(words string) {
		t.Helper()
		testkit.Within(t, createTimeout, func() error {
			if !strings.Contains(log.String(), words) {
				return errors.New("the log says only\n" + log.String())
			}
			return nil
		})
	}
	says("missing on the NATS server")
	_, err := events.NewConsumer(t.Context(), o.js, events.Timing{}, func(error) {})
	must(t, err)
	says("everything on the NATS server exists again")
	stop()
	must(t, <-ended)
}
