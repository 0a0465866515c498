package events_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
)

// depths waits until the server reports the wanted depths.
func depths(t *testing.T, js jetstream.JetStream, what string, want func(events.Depths) bool) events.Depths {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		d, err := events.ReadDepths(t.Context(), js)
		if err != nil {
			t.Fatal(err)
		}
		if want(d) {
			return d
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: got %+v", what, d)
		}
	}
}

func TestReadDepths_ReportsTheOldestOpenMessage(t *testing.T) {
	t.Parallel()
	js, _ := startStreams(t)
	publisher := events.NewPublisher(js)
	stored := func(id string) time.Time {
		t.Helper()
		receipt, err := publisher.Publish(t.Context(), events.Event{ID: id, Type: "10dlc.campaign.update", About: "c-1", Body: []byte("{}")})
		if err != nil {
			t.Fatal(err)
		}
		stream, err := js.Stream(t.Context(), events.StreamEvents)
		if err != nil {
			t.Fatal(err)
		}
		msg, err := stream.GetMsg(t.Context(), receipt.Sequence)
		if err != nil {
			t.Fatal(err)
		}
		return msg.Time
	}
	first := stored("one")
	second := stored("two")
	depths(t, js, "before any assigner", func(d events.Depths) bool {
		return d.Idle && d.Waiting == 0 && d.Room.Used > 0 && d.Room.Limit > d.Room.Used
	})
	deliveries, stop := run(t, js)
	one, two := <-deliveries, <-deliveries
	depths(t, js, "both open", func(d events.Depths) bool { return !d.Idle && d.Open == 2 && d.Oldest.Equal(first) })
	if err := two.Done(); err != nil { // out of order: the first is still the oldest
		t.Fatal(err)
	}
	depths(t, js, "the first open", func(d events.Depths) bool { return d.Open == 1 && d.Oldest.Equal(first) })
	third := stored("three")
	three := <-deliveries
	if err := one.Done(); err != nil {
		t.Fatal(err)
	}
	depths(t, js, "the third open", func(d events.Depths) bool { return d.Open == 1 && d.Oldest.Equal(third) })
	if second.Equal(first) || third.Equal(second) {
		t.Error("two messages have the same time, so this shows nothing")
	}
	if err := three.DeadLetter(t.Context(), "no_reason", ""); err != nil {
		t.Fatal(err)
	}
	depths(t, js, "all settled", func(d events.Depths) bool { return d.Open == 0 && d.Oldest.IsZero() && d.DeadLetters == 1 })
	stop()
	depths(t, js, "nobody there", func(d events.Depths) bool { return d.Idle })
	waiting := stored("four")
	depths(t, js, "one waits", func(d events.Depths) bool { return d.Waiting == 1 && d.Oldest.Equal(waiting) })
}

// The webhook's readiness depends on the stream of events, and a full stream of dead
// letters is reported beside it.
func TestRoom_ReportsAFullStreamAndWhatToDo(t *testing.T) {
	t.Parallel()
	js, _ := startStreams(t)
	for name, test := range map[string]struct {
		stream string
		check  func(context.Context, jetstream.JetStream) error
		says   []string
	}{
		"events":       {events.StreamEvents, events.RoomForEvents, []string{"stream EVENTS is full", "503"}},
		"dead letters": {events.StreamDeadLetters, events.RoomForDeadLetters, []string{"stream DEAD_LETTERS is full", "503", "greenlight deadletters list"}},
	} {
		if err := test.check(t.Context(), js); err != nil {
			t.Errorf("%s, empty: got %v, want nil", name, err)
		}
		stream, err := js.Stream(t.Context(), test.stream)
		if err != nil {
			t.Fatal(err)
		}
		config := stream.CachedInfo().Config
		config.MaxBytes = 1 << 20 // less than the largest message
		if _, err := js.UpdateStream(t.Context(), config); err != nil {
			t.Fatal(err)
		}
		err = test.check(t.Context(), js)
		for _, want := range test.says {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, full: got %v, want %q", name, err, want)
			}
		}
	}
}
