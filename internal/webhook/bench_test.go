package webhook_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
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

// BenchmarkDeliver takes unique signed events over 64 connections: by our handler, and
// by bare ones that verify, publish and do nothing else, each with a server of its own,
// in turns of a twentieth so that the machine's moods strike all. One of the bare ones
// publishes the message that we store, with an id and its proof, and gives the same
// answer; the other publishes the body alone, which nobody could tell from a copy or
// verify again, and answers nothing, which saves the client work. Reported are the
// ratios of our speed to theirs, on servers that sync every message to disk and on some
// that do not, of which the last are reached as one's own server is. Run it with -benchtime 40000x.
func BenchmarkDeliver(b *testing.B) {
	b.Run("fsync", func(b *testing.B) { benchmarkDeliver(b, true, false) })
	b.Run("no fsync", func(b *testing.B) { benchmarkDeliver(b, false, false) })
	b.Run("no fsync, over TCP", func(b *testing.B) { benchmarkDeliver(b, false, true) })
}

func benchmarkDeliver(b *testing.B, syncAlways, tcp bool) {
	const turns = 20
	verifier, err := telnyx.NewVerifier([]telnyx.PublicKey{telnyx.PublicKeyOf(telnyxKey)}, func() time.Time { return now })
	if err != nil {
		b.Fatal(err)
	}
	bare := newContender(b, syncAlways, tcp, func(js jetstream.JetStream) http.Handler {
		return bareHandler(verifier, js, withProof, `{"status":"accepted"}`+"\n")
	})
	barest := newContender(b, syncAlways, tcp, func(js jetstream.JetStream) http.Handler { return bareHandler(verifier, js, bodyAlone, "") })
	ours := newContender(b, syncAlways, tcp, func(js jetstream.JetStream) http.Handler {
		hook, err := webhook.New(webhook.Config{Verifier: verifier, JetStream: js, GroupCommit: syncAlways, Now: func() time.Time { return now }})
		if err != nil {
			b.Fatal(err)
		}
		return hook.Handler()
	})
	deliveries := signedDeliveries(b.N)
	b.ResetTimer()
	for turn := range turns {
		share := deliveries[len(deliveries)*turn/turns : len(deliveries)*(turn+1)/turns]
		contenders := []*contender{bare, barest, ours}
		for i := range contenders {
			contenders[(turn+i)%len(contenders)].take(share) // each first at times
		}
	}
	b.StopTimer()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(bare.busy)/float64(ours.busy), "ratio")
	b.ReportMetric(float64(barest.busy)/float64(ours.busy), "ratio-to-body-alone")
	bare.report("bare")
	barest.report("body-alone")
	ours.report("ours")
}

// benchDelivery is a body with its proof.
type benchDelivery struct {
	header http.Header
	body   []byte
}

func signedDeliveries(n int) []benchDelivery {
	deliveries := make([]benchDelivery, n)
	for i := range deliveries {
		body := fmt.Appendf(nil, `{"data":{"event_type":"10dlc.campaign.update","id":"0b7f5c1a-52b6-4a0e-9d53-%012d","occurred_at":"2024-08-07T17:22:37.328+00:00",`+
			`"payload":{"brandId":"97091164-e814-435c-9c1b-14ab2d18e987","campaignId":"751c6a5c-907b-43a9-8ada-ba1dc8335b07","type":"VERIFIED"},`+
			`"record_type":"event"},"meta":{"attempt":1,"delivered_to":"https://example.com/webhooks/telnyx"}}`, i)
		deliveries[i] = benchDelivery{telnyx.Sign(telnyxKey, now, body), body}
	}
	return deliveries
}

// contender is a handler with a NATS server and an HTTP server of its own.
type contender struct {
	b      *testing.B
	js     jetstream.JetStream
	url    string
	client *http.Client
	took   []time.Duration
	busy   time.Duration
}

const connections = 64

func newContender(b *testing.B, syncAlways, tcp bool, handler func(jetstream.JetStream) http.Handler) *contender {
	server, err := embedded.Start(embedded.Options{Dir: b.TempDir(), SyncAlways: syncAlways, Listen: tcp})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { server.Close() })
	options := server.InProcess()
	if tcp {
		options = nil
	}
	nc, err := events.Connect(server.URL(), "bench", options...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	if err := events.EnsureStreams(b.Context(), js, 1); err != nil {
		b.Fatal(err)
	}
	if err := server.StageInMemory(); err != nil {
		b.Fatal(err)
	}
	site := httptest.NewServer(handler(js))
	b.Cleanup(site.Close)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}}
	b.Cleanup(client.CloseIdleConnections)
	return &contender{b: b, js: js, url: site.URL + webhook.Path, client: client}
}

// take posts all deliveries, as fast as it can.
func (c *contender) take(deliveries []benchDelivery) {
	took := make([]time.Duration, len(deliveries))
	runtime.GC() // what others left is not for this one to clear away
	var next atomic.Int64
	var load sync.WaitGroup
	started := time.Now()
	for range connections {
		load.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(deliveries)); i = next.Add(1) - 1 {
				posted := time.Now()
				c.post(deliveries[i])
				took[i] = time.Since(posted)
			}
		})
	}
	load.Wait()
	c.busy += time.Since(started)
	c.took = append(c.took, took...)
}

func (c *contender) post(d benchDelivery) {
	request, err := http.NewRequest(http.MethodPost, c.url, bytes.NewReader(d.body))
	if err != nil {
		c.b.Error(err)
		return
	}
	request.Header = d.header
	answer, err := c.client.Do(request)
	if err != nil {
		c.b.Error(err)
		return
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	if answer.StatusCode != http.StatusOK {
		c.b.Errorf("answered %d", answer.StatusCode)
	}
}

// report reports the speed, after a look at whether all was stored.
func (c *contender) report(name string) {
	stream, err := c.js.Stream(c.b.Context(), events.StreamEvents)
	if err != nil {
		c.b.Fatal(err)
	}
	if stored := stream.CachedInfo().State.Msgs; stored != uint64(c.b.N) {
		c.b.Errorf("%s: %d events are stored, want %d", name, stored, c.b.N)
	}
	slices.Sort(c.took)
	c.b.ReportMetric(float64(c.b.N)/c.busy.Seconds(), name+"-events/s")
	c.b.ReportMetric(float64(c.took[len(c.took)*99/100].Microseconds())/1000, name+"-p99-ms")
}

// bodyAlone is the body as a message.
func bodyAlone(_ *http.Request, body []byte) *nats.Msg {
	return &nats.Msg{Subject: "telnyx.event.10dlc.campaign.update.c", Data: body}
}

// withProof is a message as we store it. Its id is not that of the event, which is in
// the body, but one as long.
func withProof(r *http.Request, body []byte) *nats.Msg {
	msg := bodyAlone(r, body)
	msg.Header = nats.Header{
		jetstream.MsgIDHeader:   {r.Header.Get(telnyx.SignatureHeader)[:36]},
		events.HeaderTimestamp:  {r.Header.Get(telnyx.TimestampHeader)},
		events.HeaderSignature:  {r.Header.Get(telnyx.SignatureHeader)},
		events.HeaderReceivedAt: {time.Now().UTC().Format(time.RFC3339Nano)},
	}
	return msg
}

// bareHandler verifies and publishes one event at a time, and nothing else.
func bareHandler(verifier *telnyx.Verifier, js jetstream.JetStream, message func(*http.Request, []byte) *nats.Msg, answer string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || verifier.Verify(r.Header, body) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), 1500*time.Millisecond)
		defer cancel()
		if _, err := js.PublishMsg(ctx, message(r, body)); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if answer != "" {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, answer)
		}
	})
}

// BenchmarkHandle is one delivery at a time through the handler alone, from the parsed
// request to the answer, on a server that does not sync: time and allocations of the
// whole path of reading, verifying, routing and publishing, without those of HTTP.
func BenchmarkHandle(b *testing.B) {
	verifier, err := telnyx.NewVerifier([]telnyx.PublicKey{telnyx.PublicKeyOf(telnyxKey)}, func() time.Time { return now })
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"bare", "ours"} {
		b.Run(name, func(b *testing.B) {
			var handler http.Handler
			newContender(b, false, false, func(js jetstream.JetStream) http.Handler {
				handler = bareHandler(verifier, js, withProof, `{"status":"accepted"}`+"\n")
				if name == "ours" {
					hook, err := webhook.New(webhook.Config{Verifier: verifier, JetStream: js, Now: func() time.Time { return now }})
					if err != nil {
						b.Fatal(err)
					}
					handler = hook.Handler()
				}
				return handler
			})
			deliveries := signedDeliveries(b.N)
			requests := make([]*http.Request, b.N)
			for i, d := range deliveries {
				requests[i] = httptest.NewRequest(http.MethodPost, webhook.Path, bytes.NewReader(d.body))
				requests[i].Header = d.header
			}
			answer := &discardAnswer{header: http.Header{}}
			b.ReportAllocs()
			b.ResetTimer()
			for _, request := range requests {
				handler.ServeHTTP(answer, request)
			}
		})
	}
}

// discardAnswer is an http.ResponseWriter that costs nothing.
type discardAnswer struct{ header http.Header }

func (a *discardAnswer) Header() http.Header         { return a.header }
func (a *discardAnswer) Write(b []byte) (int, error) { return len(b), nil }
func (a *discardAnswer) WriteHeader(int)             {}
