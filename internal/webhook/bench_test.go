package webhook_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/events/embedded"
	"greenlight/internal/telnyx"
	"greenlight/internal/webhook"
)

// BenchmarkDeliver takes unique signed events over 64 connections, by our handler
// and by a bare one that verifies, publishes and does nothing else, side by side:
// on a server that syncs every message, and on one that does not.
func BenchmarkDeliver(b *testing.B) {
	for _, sync := range []bool{true, false} {
		for _, ours := range []bool{false, true} {
			b.Run(fmt.Sprintf("sync=%t/ours=%t", sync, ours), func(b *testing.B) { benchmarkDeliver(b, sync, ours) })
		}
	}
}

func benchmarkDeliver(b *testing.B, syncAlways, ours bool) {
	const connections = 64
	server, err := embedded.Start(embedded.Options{Dir: b.TempDir(), SyncAlways: syncAlways})
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
	verifier, err := telnyx.NewVerifier([]telnyx.PublicKey{telnyx.PublicKeyOf(telnyxKey)}, func() time.Time { return now })
	if err != nil {
		b.Fatal(err)
	}
	handler := bareHandler(verifier, js)
	if ours {
		hook, err := webhook.New(webhook.Config{Verifier: verifier, JetStream: js, GroupCommit: syncAlways, Now: func() time.Time { return now }})
		if err != nil {
			b.Fatal(err)
		}
		handler = hook.Handler()
	}
	site := httptest.NewServer(handler)
	defer site.Close()

	bodies := make([][]byte, b.N)
	headers := make([]http.Header, b.N)
	for i := range bodies {
		bodies[i] = fmt.Appendf(nil, `{"data":{"event_type":"10dlc.campaign.update","id":"bench-%d","occurred_at":"2024-08-07T17:22:37.328+00:00",`+
			`"payload":{"brandId":"97091164-e814-435c-9c1b-14ab2d18e987","campaignId":"751c6a5c-907b-43a9-8ada-ba1dc8335b07","type":"VERIFIED"},`+
			`"record_type":"event"},"meta":{"attempt":1,"delivered_to":"https://example.com/webhooks/telnyx"}}`, i)
		headers[i] = telnyx.Sign(telnyxKey, now, bodies[i])
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	took := make([]time.Duration, b.N)
	var next atomic.Int64
	var load sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range connections {
		load.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= b.N {
					return
				}
				started := time.Now()
				request, _ := http.NewRequest(http.MethodPost, site.URL+webhook.Path, bytes.NewReader(bodies[i]))
				request.Header = headers[i]
				answer, err := client.Do(request)
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
				if answer.StatusCode != http.StatusOK {
					b.Errorf("answered %d", answer.StatusCode)
				}
				took[i] = time.Since(started)
			}
		})
	}
	load.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	stream, err := js.Stream(b.Context(), events.StreamEvents)
	if err != nil {
		b.Fatal(err)
	}
	if stored := stream.CachedInfo().State.Msgs; stored != uint64(b.N) {
		b.Errorf("%d events are stored, want %d", stored, b.N)
	}
}

// bareHandler verifies and publishes one event at a time, and nothing else.
func bareHandler(verifier *telnyx.Verifier, js jetstream.JetStream) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || verifier.Verify(r.Header, body) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), 1500*time.Millisecond)
		defer cancel()
		if _, err := js.PublishMsg(ctx, &nats.Msg{Subject: "telnyx.event.10dlc.campaign.update.c", Data: body}); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
}
