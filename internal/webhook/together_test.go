package webhook_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"greenlight/internal/events"
	"greenlight/internal/telnyx"
)

// Deliveries of every kind arrive at once, so that events share commits; copies and events
// that another process stored are among them. Each is answered as if it had come alone,
// each signed event is stored once, and nothing else is stored.
func TestDeliver_ManyAtOnceAreAnsweredAsIfEachCameAlone(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	d := open(t, func(s *setup) { s.config.GroupCommit = true })
	var b bag
	for n := range 300 {
		b.fill(t, chance, n)
	}
	for id := range b.elsewhere {
		if _, err := events.NewPublisher(d.js).Publish(t.Context(), events.Event{ID: id, Type: telnyx.EventCampaignUpdate, About: campaign, Body: verified(t, id)}); err != nil {
			t.Fatal(err)
		}
	}
	chance.Shuffle(len(b.deliveries), func(i, j int) { b.deliveries[i], b.deliveries[j] = b.deliveries[j], b.deliveries[i] })

	accepts := d.deliverTogether(b.deliveries)

	stored, shared := map[string]int{}, 0
	for _, m := range d.stored(events.StreamEvents) {
		stored[m.Header.Get("Nats-Msg-Id")]++
		if m.Header.Get("Nats-Batch-Id") != "" {
			shared++
		}
	}
	for id := range b.signed {
		want := 1
		if b.elsewhere[id] {
			want = 0
		}
		if stored[id] != 1 || accepts[id] != want && accepts[id] >= 0 {
			t.Errorf("event %s is stored %d times and was accepted %d times, want once and %d", id, stored[id], accepts[id], want)
		}
	}
	if len(stored) != len(b.signed) {
		t.Errorf("%d events are stored, want the %d that were signed", len(stored), len(b.signed))
	}
	if got := len(d.stored(events.StreamDeadLetters)); got != b.letters {
		t.Errorf("%d dead letters are stored, want %d", got, b.letters)
	}
	if shared == 0 {
		t.Error("no two events shared a commit, so this shows nothing")
	}
	t.Logf("%d deliveries, %d events of which %d shared commits", len(b.deliveries), len(stored), shared)
}

// oneOfMany is a delivery and the answers that it may get.
type oneOfMany struct {
	id     string
	header http.Header
	body   []byte
	want   []answer
}

// bag holds deliveries of every kind.
type bag struct {
	deliveries []oneOfMany
	signed     map[string]bool // ids that must be stored
	elsewhere  map[string]bool // those of them that another process stored before
	letters    int
}

// fill adds deliveries about one event: the event, copies, or a body that is not an event.
func (b *bag) fill(t *testing.T, chance *rand.Rand, n int) {
	if b.signed == nil {
		b.signed, b.elsewhere = map[string]bool{}, map[string]bool{}
	}
	id := fmt.Sprintf("together-%d", n)
	body := verified(t, id)
	put := func(h http.Header, body []byte, want ...answer) {
		b.deliveries = append(b.deliveries, oneOfMany{id, h, body, want})
	}
	switch kind := chance.IntN(64); kind {
	case 0:
		put(http.Header{}, body, answer{401, "signature_missing"})
	case 1:
		put(telnyx.Sign(strangerKey, now, body), body, answer{401, "signature_mismatch"})
	case 2:
		put(signed(body), append(body, ' '), answer{401, "signature_mismatch"})
	case 3:
		none := []byte(id + " is not an event")
		put(signed(none), none, deadLettered)
		b.letters++
	case 4:
		other := envelope(t, "message.received", id, campaign)
		put(signed(other), other, ignored)
	case 5: // sent again by Telnyx, which signs each attempt
		for attempt := range 3 {
			put(telnyx.Sign(telnyxKey, now.Add(time.Duration(attempt)*time.Second), body), body, accepted, duplicate)
		}
		b.signed[id] = true
	case 6: // replayed by a stranger
		for range 3 {
			put(signed(body), body, accepted, duplicate)
		}
		b.signed[id] = true
	case 7:
		put(signed(body), body, duplicate)
		b.signed[id], b.elsewhere[id] = true, true
	default:
		put(signed(body), body, accepted)
		b.signed[id] = true
	}
}

// deliverTogether posts them over many connections, and returns how often each id was
// accepted; less than 0 if that is not known.
func (d *door) deliverTogether(deliveries []oneOfMany) map[string]int {
	accepts := map[string]int{}
	var mu sync.Mutex
	var senders sync.WaitGroup
	queue := make(chan oneOfMany)
	for range connections {
		senders.Go(func() {
			for one := range queue {
				got := d.post(one.header, one.body)
				for try := 1; got == notStored && try < tries; try++ { // a slow machine may take too long
					mu.Lock()
					accepts[one.id] = math.MinInt32 // whether it was stored before is unknown
					mu.Unlock()
					if got = d.post(one.header, one.body); got == duplicate {
						got = one.want[0]
					}
				}
				if !slices.Contains(one.want, got) {
					d.t.Errorf("%s: answered %v, want %v", one.id, got, one.want)
				}
				if got == accepted {
					mu.Lock()
					accepts[one.id]++
					mu.Unlock()
				}
			}
		})
	}
	for _, one := range deliveries {
		queue <- one
	}
	close(queue)
	senders.Wait()
	return accepts
}
