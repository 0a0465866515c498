package endtoend_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// clock is the assigner's clock: real time plus the time by which a test advanced it.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// movableClock gives the assigner a clock that the test moves. The broker keeps
// real time, so what is due by this clock has to be requested: see reconcile.
func (w *world) movableClock() *clock {
	c := &clock{}
	w.config.Now = c.now
	return c
}

// reconcile makes the assigner reconcile a campaign, like its own rechecks, and waits
// until that is done and no other message is open.
func (w *world) reconcile(campaignID string) {
	w.t.Helper()
	before := w.lastRecheck(campaignID)
	w.recheck(campaignID)
	w.eventually("a reconcile of campaign "+campaignID, func() (bool, string) {
		trigger := w.lastRecheck(campaignID)
		info := w.consumer()
		return trigger > before && info.Delivered.Stream >= trigger && info.NumPending == 0 && info.NumAckPending == 0,
			fmt.Sprintf("trigger %d after %d, %d waiting, %d open", trigger, before, info.NumPending, info.NumAckPending)
	})
}

// recheck requests a reconcile as the assigner's own recheck does.
func (w *world) recheck(campaignID string) {
	w.t.Helper()
	w.must(events.NewPublisher(w.js).Trigger(w.t.Context(), events.KindRecheck, campaignID))
}

// lastRecheck returns the sequence of the latest recheck of a campaign in the events,
// 0 if there was none.
func (w *world) lastRecheck(campaignID string) uint64 {
	w.t.Helper()
	subject, err := events.TriggerSubject(events.KindRecheck, campaignID)
	w.must(err)
	stream, err := w.js.Stream(w.t.Context(), events.StreamEvents)
	w.must(err)
	msg, err := stream.GetLastMsgForSubject(w.t.Context(), subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0
	}
	w.must(err)
	return msg.Sequence
}

// consumer returns how far the assigner is.
func (w *world) consumer() *jetstream.ConsumerInfo {
	w.t.Helper()
	consumer, err := w.js.Consumer(w.t.Context(), events.StreamEvents, events.ConsumerAssigner)
	w.must(err)
	return consumer.CachedInfo()
}

// delivered waits until every event that was sent so far has arrived.
func (w *world) delivered() {
	w.t.Helper()
	w.eventually("all events have arrived", func() (bool, string) {
		for _, d := range w.sim.Deliveries() {
			if d.Status != telnyxsim.DeliveryDelivered {
				return false, fmt.Sprintf("%+v", d)
			}
		}
		return true, ""
	})
}

// replan applies another plan and announces it, like a process that watches files.
func (w *world) replan(yaml string) {
	w.t.Helper()
	w.plan(yaml)
	w.must(events.NewPublisher(w.js).Trigger(w.t.Context(), events.KindPlan, w.plans().Hash))
}

// numberIs waits until a number is in a state for a reason, and returns its record.
func (w *world) numberIs(campaignID, number string, state ledger.State, reason ledger.Reason) ledger.Number {
	w.t.Helper()
	var n ledger.Number
	w.eventually(fmt.Sprintf("%s on %s %s (%s)", number, campaignID, state, reason), func() (bool, string) {
		n = w.number(campaignID, number)
		return n.State == state && n.Reason == reason, fmt.Sprintf("%+v", n)
	})
	return n
}

// posted waits until so many requests to attach a number were made, and fails if
// there are more.
func (w *world) posted(number string, want int) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%d requests for %s", want, number), func() (bool, string) {
		got := w.posts()[number]
		return got >= want, fmt.Sprint(got)
	})
	if got := w.posts()[number]; got != want {
		w.t.Fatalf("%d requests for %s, want %d", got, number, want)
	}
}

// failedAtTelnyx waits until Telnyx has given up attaching a number.
func (w *world) failedAtTelnyx(number string) {
	w.t.Helper()
	w.eventually("Telnyx gives up on "+number, func() (bool, string) {
		var got telnyx.AssignmentStatus
		for _, a := range w.sim.Assignments() {
			if a.PhoneNumber == number {
				got = a.Status
			}
		}
		return got == telnyx.FailedAssignment, string(got)
	})
}

// attachedTo fails unless each of the numbers was attached exactly once, to the
// given campaign, no other number was, and Telnyx was never asked while the
// campaign was anything but provisioned.
func (w *world) attachedTo(campaignID string, numbers ...string) {
	w.t.Helper()
	for _, write := range w.sim.Writes() {
		if write.CampaignID != campaignID {
			w.t.Errorf("a request for campaign %s, want them for %s only: %+v", write.CampaignID, campaignID, write)
		}
	}
	w.attachedOnce(numbers...)
	w.provisionedOnly()
}

// provisionedOnly fails if Telnyx was asked to attach a number to a campaign that
// was anything but provisioned.
func (w *world) provisionedOnly() {
	w.t.Helper()
	for _, write := range w.sim.Writes() {
		if write.CampaignStatus != telnyx.CampaignMNOProvisioned {
			w.t.Errorf("a request while the campaign was %q: %+v", write.CampaignStatus, write)
		}
	}
}

// noRequest fails if there was any request for a change.
func (w *world) noRequest() {
	w.t.Helper()
	if writes := w.sim.Writes(); len(writes) > 0 {
		w.t.Errorf("%d requests, want none; the first is %+v", len(writes), writes[0])
	}
}

// logged counts the lines of the log that hold all of the words.
func (w *world) logged(words ...string) int {
	count := 0
lines:
	for line := range strings.Lines(w.log.String()) {
		for _, word := range words {
			if !strings.Contains(line, word) {
				continue lines
			}
		}
		count++
	}
	return count
}
