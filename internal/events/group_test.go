package events_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/events/embedded"
)

// together publishes the events at the same time and returns what came of each.
func together(t *testing.T, g *events.Group, batch []events.Event) ([]events.Receipt, []error) {
	t.Helper()
	receipts, errs := make([]events.Receipt, len(batch)), make([]error, len(batch))
	var all sync.WaitGroup
	for i, e := range batch {
		all.Go(func() { receipts[i], errs[i] = g.Publish(t.Context(), e) })
	}
	all.Wait()
	return receipts, errs
}

func manyVerified(prefix string, count int) []events.Event {
	batch := make([]events.Event, count)
	for i := range batch {
		batch[i] = verified(fmt.Sprint(prefix, i))
	}
	return batch
}

// Whatever shares a commit, each receipt tells where its own event is.
func TestGroup_StoresEachEventOnceAndTellsWhere(t *testing.T) {
	js, _ := startStreams(t)
	g := events.NewGroup(js)
	batch := manyVerified("id-", 500)
	receipts, errs := together(t, g, batch)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), events.StreamEvents)
	if err != nil {
		t.Fatal(err)
	}
	shared := 0
	for i, receipt := range receipts {
		msg, err := stream.GetMsg(t.Context(), receipt.Sequence)
		if err != nil {
			t.Fatal(err)
		}
		if got := msg.Header.Get(jetstream.MsgIDHeader); got != batch[i].ID || string(msg.Data) != string(batch[i].Body) ||
			msg.Header.Get(events.HeaderSignature) != batch[i].Signature {
			t.Errorf("event %s is said to be at %d, where %s is", batch[i].ID, receipt.Sequence, got)
		}
		if msg.Header.Get("Nats-Batch-Id") != "" {
			shared++
		}
	}
	if info := streamInfo(t, js, events.StreamEvents); info.State.Msgs != 500 {
		t.Errorf("%d messages are stored, want 500", info.State.Msgs)
	}
	if shared == 0 {
		t.Error("no two events shared a commit, so this shows nothing")
	}
}

func TestGroup_CopiesAreDuplicatesAndHarmNoOther(t *testing.T) {
	js, _ := startStreams(t)
	g := events.NewGroup(js)
	if _, err := g.Publish(t.Context(), verified("seen")); err != nil {
		t.Fatal(err)
	}
	batch := manyVerified("id-", 60)
	for range 3 {
		batch = append(batch, verified("seen"), verified("twin"))
	}
	receipts, errs := together(t, g, batch)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	duplicates := map[string]int{}
	for i, receipt := range receipts {
		if receipt.Duplicate {
			duplicates[batch[i].ID]++
		}
	}
	if len(duplicates) != 2 || duplicates["seen"] != 3 || duplicates["twin"] != 2 {
		t.Errorf("got duplicates %v, want three of seen and two of twin", duplicates)
	}
	if info := streamInfo(t, js, events.StreamEvents); info.State.Msgs != 62 {
		t.Errorf("%d messages are stored, want 62", info.State.Msgs)
	}
}

// What a stream has seen and a Group has not, as after a restart, by another process,
// or when a commit's acknowledgement was lost: the server refuses the whole commit, and
// what is new in it is stored all the same.
func TestGroup_CopiesThatOnlyTheServerKnowsHarmNoOther(t *testing.T) {
	js, _ := startStreams(t)
	batch := manyVerified("id-", 200)
	seen := map[string]bool{}
	for i := 20; i < len(batch); i += 40 {
		seen[batch[i].ID] = true
		if _, err := events.NewPublisher(js).Publish(t.Context(), batch[i]); err != nil {
			t.Fatal(err)
		}
	}
	wire, err := js.Conn().SubscribeSync("telnyx.event.>")
	if err != nil {
		t.Fatal(err)
	}
	receipts, errs := together(t, events.NewGroup(js), batch)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	duplicates := map[string]bool{}
	for i, receipt := range receipts {
		if receipt.Duplicate {
			duplicates[batch[i].ID] = true
		}
	}
	if !maps.Equal(duplicates, seen) {
		t.Errorf("got duplicates %v, want %v", duplicates, seen)
	}
	if refused := inBatches(t, js.Conn(), wire, seen); refused == 0 {
		t.Error("no copy was among the others of a commit, so this shows nothing")
	}
	if stored, shared := storedBy(t, js); stored != len(batch) || shared == 0 {
		t.Errorf("%d messages are stored, %d of them by commits of several; want %d, and some", stored, shared, len(batch))
	}
}

// After a restart Telnyx may send again what another process stored. Halving down to the
// last copy would have all others wait for commit after commit.
func TestGroup_ManyUnknownCopiesAreSoonStoredOneByOne(t *testing.T) {
	js, _ := startStreams(t)
	batch := manyVerified("id-", 128)
	if _, errs := together(t, events.NewGroup(js), batch); errors.Join(errs...) != nil {
		t.Fatal(errors.Join(errs...))
	}
	ids := map[string]bool{}
	for _, e := range batch {
		ids[e.ID] = true
	}
	wire, err := js.Conn().SubscribeSync("telnyx.event.>")
	if err != nil {
		t.Fatal(err)
	}
	receipts, errs := together(t, events.NewGroup(js), batch) // which knows none of them
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for i, receipt := range receipts {
		if !receipt.Duplicate {
			t.Errorf("%s was stored twice", batch[i].ID)
		}
	}
	const levels = 4 // the whole, and three halvings
	if sent := inBatches(t, js.Conn(), wire, ids); sent == 0 || sent > levels*len(batch) {
		t.Errorf("%d messages of batches for %d copies, want some, and %d at most", sent, len(batch), levels*len(batch))
	}
}

// inBatches counts the messages that came over the wire as part of a batch and have one
// of the ids.
func inBatches(t *testing.T, nc *nats.Conn, wire *nats.Subscription, ids map[string]bool) (count int) {
	t.Helper()
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	for {
		if waiting, _, err := wire.Pending(); err != nil || waiting == 0 {
			return count
		}
		msg, err := wire.NextMsg(time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if ids[msg.Header.Get(jetstream.MsgIDHeader)] && msg.Header.Get("Nats-Batch-Id") != "" {
			count++
		}
	}
}

// storedBy counts the stored events, and those of them that share a commit.
func storedBy(t *testing.T, js jetstream.JetStream) (stored, shared int) {
	t.Helper()
	stream, err := js.Stream(t.Context(), events.StreamEvents)
	if err != nil {
		t.Fatal(err)
	}
	for ; uint64(stored) < stream.CachedInfo().State.Msgs; stored++ {
		msg, err := stream.GetMsg(t.Context(), uint64(stored)+1)
		if err != nil {
			t.Fatal(err)
		}
		if msg.Header.Get("Nats-Batch-Id") != "" {
			shared++
		}
	}
	return stored, shared
}

// A stream that an older program made does not take batches.
func TestGroup_WorksWhereTheStreamTakesNoBatches(t *testing.T) {
	js, _ := startStreams(t)
	cfg := streamInfo(t, js, events.StreamEvents).Config
	cfg.AllowAtomicPublish = false
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	_, errs := together(t, events.NewGroup(js), manyVerified("id-", 100))
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if info := streamInfo(t, js, events.StreamEvents); info.State.Msgs != 100 {
		t.Errorf("%d messages are stored, want 100", info.State.Msgs)
	}
}

func TestGroup_FullStreamRefusesAndKeepsWhatItHas(t *testing.T) {
	js, _ := startStreams(t)
	cfg := streamInfo(t, js, events.StreamEvents).Config
	cfg.MaxBytes = 16 << 10
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	batch := manyVerified("id-", 500)
	receipts, errs := together(t, events.NewGroup(js), batch)
	stored := 0
	for i, err := range errs {
		if err == nil {
			stored++
			if receipts[i].Sequence == 0 {
				t.Errorf("event %s is stored nowhere", batch[i].ID)
			}
		}
	}
	if info := streamInfo(t, js, events.StreamEvents); stored == 0 || stored == 500 || info.State.Msgs != uint64(stored) {
		t.Errorf("%d events are said to be stored, %d are", stored, info.State.Msgs)
	}
}

func TestGroup_EndsWithItsCallersPatience(t *testing.T) {
	js, _ := startStreams(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := events.NewGroup(js).Publish(ctx, verified("id")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the caller's end", err)
	}
	if info := streamInfo(t, js, events.StreamEvents); info.State.Msgs != 0 {
		t.Error("an event that nobody waits for was stored")
	}
	if _, err := events.NewGroup(js).Publish(t.Context(), events.Event{ID: "x", Type: "a b"}); err == nil {
		t.Error("an event without a subject was stored")
	}
}

// The server goes away and comes back under load: every receipt is true, and
// nothing is left waiting.
func TestGroup_NoReceiptIsLostWithItsServer(t *testing.T) {
	dir := t.TempDir()
	server, err := embedded.Start(embedded.Options{Dir: dir, SyncAlways: true, Listen: true})
	if err != nil {
		t.Fatal(err)
	}
	nc, err := events.Connect(server.URL(), t.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := events.EnsureStreams(t.Context(), js, 1); err != nil {
		t.Fatal(err)
	}
	g := events.NewGroup(js)
	var serial, kept, refused atomic.Int64
	var mu sync.Mutex
	sequences := map[uint64]string{}
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for range 32 {
		load.Go(func() {
			for ctx.Err() == nil {
				e := verified(fmt.Sprint("event-", serial.Add(1)))
				patience, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
				receipt, err := g.Publish(patience, e)
				cancel()
				if err != nil {
					refused.Add(1)
					continue
				}
				kept.Add(1)
				mu.Lock()
				sequences[receipt.Sequence] = e.ID
				mu.Unlock()
			}
		})
	}
	reach := func(what string, counter *atomic.Int64, more int64) {
		t.Helper()
		goal := counter.Load() + more
		for deadline := time.Now().Add(20 * time.Second); counter.Load() < goal; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d more did not come", what, more)
			}
		}
	}
	reach("before", &kept, 500)
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	reach("while it is away", &refused, 50)
	stop()
	load.Wait()

	server, err = embedded.Start(embedded.Options{Dir: dir, SyncAlways: true})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	again, err := events.Connect("", t.Name(), server.InProcess()...)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if js, err = jetstream.New(again); err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), events.StreamEvents)
	if err != nil {
		t.Fatal(err)
	}
	for sequence, id := range sequences {
		msg, err := stream.GetMsg(t.Context(), sequence)
		if err != nil || msg.Header.Get(jetstream.MsgIDHeader) != id {
			t.Fatalf("event %s was acknowledged at %d: %v", id, sequence, err)
		}
	}
	t.Logf("%d kept, %d refused", kept.Load(), refused.Load())
	receipts, errs := together(t, events.NewGroup(js), manyVerified("after-", 20))
	if err := errors.Join(errs...); err != nil || receipts[0].Sequence == 0 {
		t.Errorf("after the restart: %v", err)
	}
}
