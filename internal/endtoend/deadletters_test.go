package endtoend_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/telnyx/telnyxsim"
)

// noDeadLetters are faults that temporarily prevent storing dead letters.
var noDeadLetters = map[string]func(w *world) (fix func()){
	"the stream is gone": func(w *world) func() {
		w.must(w.js.DeleteStream(w.t.Context(), events.StreamDeadLetters))
		return func() { w.must(events.EnsureStreams(w.t.Context(), w.js, 1)) }
	},
	"the stream is full": func(w *world) func() {
		stream, err := w.js.Stream(w.t.Context(), events.StreamDeadLetters)
		w.must(err)
		small := stream.CachedInfo().Config
		before := small
		small.MaxBytes = 1
		_, err = w.js.UpdateStream(w.t.Context(), small)
		w.must(err)
		return func() {
			_, err := w.js.UpdateStream(w.t.Context(), before)
			w.must(err)
		}
	},
}

// A message that cannot be handled stays in its stream until it is stored as a dead
// letter.
func TestMessage_IsKeptUntilItsDeadLetterIsStored(t *testing.T) {
	t.Parallel()
	for name, breakLetters := range noDeadLetters {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, telnyxsim.Options{})
			w.start()
			w.idle()
			fix := breakLetters(w)
			w.post([]byte(`{"data":{"event_type":"10dlc.campaign.update","id":"about-nothing","payload":{"type":"VERIFIED"}}}`), http.StatusOK)
			w.eventually("it comes again", func() (bool, string) {
				again := w.logged("could not be acknowledged and will be delivered again")
				return again >= 2, fmt.Sprint(again)
			})
			if open := w.consumer().NumAckPending; open != 1 {
				t.Errorf("%d messages open, want the one that could not be stored", open)
			}
			fix()
			var letters []*jetstream.RawStreamMsg
			w.eventually("it is kept", func() (bool, string) {
				letters = w.deadLetters()
				open := w.consumer().NumAckPending
				return len(letters) == 1 && open == 0, fmt.Sprintf("%d letters, %d open", len(letters), open)
			})
			if letters[0].Subject != "deadletter.assigner.no_campaign" || !strings.Contains(string(letters[0].Data), "about-nothing") {
				t.Errorf("got %s %s, want the message itself", letters[0].Subject, letters[0].Data)
			}
		})
	}
}
