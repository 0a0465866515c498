package events_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/events/embedded"
	"greenlight/internal/telnyx"
)

// together publishes the events at the same time and returns the results.
func together(t *testing.T, g *events.Batcher, batch []events.Event) ([]events.Receipt, []error) {
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

// Each receipt has the sequence of its own event, also in a shared commit.
func TestBatcher_StoresEachEventOnceAndReportsItsSequence(t *testing.T) {
	t.Parallel()
	js, _ := startStreams(t)
	g := events.NewBatcher(js)
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
			msg.Header.Get(telnyx.SignatureHeader) != batch[i].Signature {
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

func TestBatcher_ReportsDuplicatesAndStoresTheOthers(t *testing.T) {
	t.Parallel()
	js, _ := startStreams(t)
	g := events.NewBatcher(js)
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

// A stream of an older program refuses batches.
func TestBatcher_WorksWithAStreamThatRefusesBatches(t *testing.T) {
	t.Parallel()
	js, _ := startStreams(t)
	cfg := streamInfo(t, js, events.StreamEvents).Config
	cfg.AllowAtomicPublish = false
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	_, errs := together(t, events.NewBatcher(js), manyVerified("id-", 100))
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if info := streamInfo(t, js, events.StreamEvents); info.State.Msgs != 100 {
		t.Errorf("%d messages are stored, want 100", info.State.Msgs)
	}
}

func TestBatcher_FullStreamRefusesAndLosesNothing(t *testing.T) {
	t.Parallel()
	js, _ := startStreams(t)
	cfg := streamInfo(t, js, events.StreamEvents).Config
	cfg.MaxBytes = 16 << 10
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	batch := manyVerified("id-", 500)
	receipts, errs := together(t, events.NewBatcher(js), batch)
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

func TestBatcher_StopsWaitingWhenTheContextEnds(t *testing.T) {
	t.Parallel()
	js, _ := startStreams(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := events.NewBatcher(js).Publish(ctx, verified("id")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the end of the context", err)
	}
	if info := streamInfo(t, js, events.StreamEvents); info.State.Msgs != 0 {
		t.Error("an event whose caller had gone was stored")
	}
	if _, err := events.NewBatcher(js).Publish(t.Context(), events.Event{ID: "x", Type: "a b"}); err == nil {
		t.Error("an event without a subject was stored")
	}
}

// The server restarts under load: every receipt is correct, and no caller keeps waiting.
func TestBatcher_ReceiptsAreCorrectAcrossARestart(t *testing.T) {
	t.Parallel()
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
	g := events.NewBatcher(js)
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
	receipts, errs := together(t, events.NewBatcher(js), manyVerified("after-", 20))
	if err := errors.Join(errs...); err != nil || receipts[0].Sequence == 0 {
		t.Errorf("after the restart: %v", err)
	}
}

// A 200 promises that the event is in the stream that the assigner reads, and not in
// another stream with the same subjects.
func TestPublish_RefusesTheAcknowledgementOfAnotherStream(t *testing.T) {
	t.Parallel()
	js, _ := startStreams(t)
	if err := js.DeleteStream(t.Context(), events.StreamEvents); err != nil {
		t.Fatal(err)
	}
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "OTHER", Subjects: []string{"telnyx.event.>"}, AllowAtomicPublish: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := events.NewPublisher(js).Publish(t.Context(), verified("id-1")); err == nil {
		t.Error("one event: got no error")
	}
	_, errs := together(t, events.NewBatcher(js), manyVerified("batch-", 20)) // enough to share a commit
	for i, err := range errs {
		if err == nil {
			t.Errorf("event %d of a batch: got no error", i)
		}
	}
}
