package events_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/events/embedded"
)

// BenchmarkPublish stores events from 64 goroutines on a server that syncs, one by one and
// in batches.
func BenchmarkPublish(b *testing.B) {
	body := make([]byte, 600)
	for i := range body {
		body[i] = 'x'
	}
	server, err := embedded.Start(embedded.Options{Dir: b.TempDir(), SyncAlways: true})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	nc, err := events.Connect("", "bench", server.InProcess()...)
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	if err := events.EnsureStreams(b.Context(), js, 1); err != nil {
		b.Fatal(err)
	}
	var serial atomic.Int64
	run := func(b *testing.B, workers int, publish func(context.Context, events.Event) (events.Receipt, error)) {
		b.ReportAllocs()
		var left atomic.Int64
		left.Store(int64(b.N))
		var group sync.WaitGroup
		for range workers {
			group.Go(func() {
				for left.Add(-1) >= 0 {
					n := serial.Add(1)
					if _, err := publish(b.Context(), events.Event{
						ID: fmt.Sprintf("event-%d", n), Type: "10dlc.campaign.update", About: "c", ReceivedAt: time.Now(), Body: body,
					}); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		group.Wait()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	}
	one, many := events.NewPublisher(js), events.NewBatcher(js)
	b.Run("one by one/64", func(b *testing.B) { run(b, 64, one.Publish) })
	b.Run("in groups/64", func(b *testing.B) { run(b, 64, many.Publish) })
	// Every hundredth is a copy of an event before it.
	b.Run("in groups with copies/64", func(b *testing.B) {
		run(b, 64, func(ctx context.Context, e events.Event) (events.Receipt, error) {
			var n int
			if _, err := fmt.Sscanf(e.ID, "event-%d", &n); err == nil && n%100 == 0 {
				e.ID = fmt.Sprintf("event-%d", n-90)
			}
			return many.Publish(ctx, e)
		})
	})
	b.Run("one by one/1", func(b *testing.B) { run(b, 1, one.Publish) })
	b.Run("in groups/1", func(b *testing.B) { run(b, 1, many.Publish) })
}
