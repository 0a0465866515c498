package endtoend_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// noDeadLetters are ways in which dead letters cannot be stored for a while.
var noDeadLetters = map[string]func(w *world) (mend func()){
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

// A number is called failed only when the dead letter about it is stored: nobody
// would come back to write it.
func TestNumber_IsNotFailedBeforeItsDeadLetterIsStored(t *testing.T) {
	t.Parallel()
	const number = "+15551234567"
	for name, breakLetters := range noDeadLetters {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, telnyxsim.Options{})
			clock := w.movableClock()
			w.stage(campaignID + ": " + number)
			w.campaign(campaignID, telnyx.CampaignMNOPending)
			w.sim.Inject(telnyxsim.Fault{Method: http.MethodPost, Times: -1, Kind: refusal(400, "10015", "Bad Request", "no such luck")})
			w.start()
			w.phase(campaignID, ledger.PhaseInReview)
			w.idle()
			mend := breakLetters(w)
			w.must(w.sim.Approve(campaignID))
			w.posted(number, 1)
			w.eventually("the trouble is told", func() (bool, string) {
				return w.logged(`"level":"warn"`, campaignID, "store dead letter") > 0, w.log.String()
			})
			if w.consumer().NumAckPending == 0 {
				t.Error("the event was settled although what came of it could not be kept")
			}
			if n := w.number(campaignID, number); n.State == ledger.Failed || n.Reason == ledger.Rejected {
				t.Errorf("got %+v, want it not to be called failed yet", n)
			}
			// The event comes again by itself. Time passes, and it is no better.
			clock.pass(time.Hour)
			w.recheck(campaignID)
			w.eventually("it is tried again", func() (bool, string) { return w.posts()[number] >= 2, fmt.Sprint(w.posts()) })
			if n := w.number(campaignID, number); n.State == ledger.Failed {
				t.Errorf("got %+v, want it not to be called failed yet", n)
			}

			mend()
			clock.pass(time.Hour)
			w.recheck(campaignID)
			n := w.numberIs(campaignID, number, ledger.Failed, ledger.Rejected)
			if letters := w.deadLetters(); len(letters) != 1 || letters[0].Subject != "deadletter.assigner.rejected" {
				t.Errorf("got dead letters %v, want one about the number", letters)
			}
			if !strings.Contains(n.Detail, "no such luck") {
				t.Errorf("got %+v, want Telnyx's words", n)
			}
			w.idle()
			posts := w.posts()[number]
			w.look(campaignID)
			w.posted(number, posts) // it failed for good
		})
	}
}

// A message that cannot be handled stays where it is until it is stored among the
// dead letters.
func TestMessage_StaysUntilItsDeadLetterIsStored(t *testing.T) {
	t.Parallel()
	for name, breakLetters := range noDeadLetters {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, telnyxsim.Options{})
			w.start()
			w.idle()
			mend := breakLetters(w)
			w.post([]byte(`{"data":{"event_type":"10dlc.campaign.update","id":"about-nothing","payload":{"type":"VERIFIED"}}}`), http.StatusOK)
			w.eventually("it comes again", func() (bool, string) {
				again := w.logged("could not be settled and will come again")
				return again >= 2, fmt.Sprint(again)
			})
			if open := w.consumer().NumAckPending; open != 1 {
				t.Errorf("%d messages open, want the one that nobody could keep", open)
			}
			mend()
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
