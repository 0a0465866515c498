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
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"greenlight/internal/app"
	"greenlight/internal/events"
	"greenlight/internal/events/embedded"
	"greenlight/internal/telnyx"
	"greenlight/internal/testkit"
	"greenlight/internal/webhook"
)

// BenchmarkDeliver posts unique signed events over 64 connections to three handlers: ours
// as in a process, behind app.Serve, with metrics and a log; and two bare handlers behind
// package http that only verify and publish. One of these publishes the same message as
// ours, with an id and its proof, and gives the same answer. The other publishes the body
// alone, which could be neither deduplicated nor verified again, and answers nothing,
// which saves the client work.
//
// Each handler has its own NATS server. They take turns of a twentieth, so that changes in
// the machine's load affect all. The benchmark reports the ratios of our speed to theirs:
// with servers in this process that sync every message to disk, with servers in this
// process that do not, and with separate server processes that do not. Run it with
// -benchtime 40000x.
func BenchmarkDeliver(b *testing.B) {
	b.Run("fsync", func(b *testing.B) {
		benchmarkDeliver(b, true, func() jetstream.JetStream { return inside(b, true) })
	})
	b.Run("no fsync", func(b *testing.B) {
		benchmarkDeliver(b, false, func() jetstream.JetStream { return inside(b, false) })
	})
	b.Run("outside", func(b *testing.B) {
		benchmarkDeliver(b, false, func() jetstream.JetStream { return outside(b) })
	})
}

func benchmarkDeliver(b *testing.B, groups bool, start func() jetstream.JetStream) {
	const turns = 20
	verifier := benchVerifier(b)
	bare := newContender(b, start())
	bare.serve(bareHandler(verifier, bare.js, withProof, `{"status":"accepted"}`+"\n"))
	barest := newContender(b, start())
	barest.serve(bareHandler(verifier, barest.js, bodyAlone, ""))
	ours := newContender(b, start())
	ours.serveAsAProcess(ourHandler(b, verifier, ours.js, groups))
	deliveries := signedDeliveries(b.N)
	b.ResetTimer()
	for turn := range turns {
		share := deliveries[len(deliveries)*turn/turns : len(deliveries)*(turn+1)/turns]
		contenders := []*contender{bare, barest, ours}
		for i := range contenders {
			contenders[(turn+i)%len(contenders)].take(share) // in rotating order
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

func benchVerifier(b *testing.B) *telnyx.Verifier {
	verifier, err := telnyx.NewVerifier([]telnyx.PublicKey{telnyx.PublicKeyOf(telnyxKey)}, func() time.Time { return now })
	if err != nil {
		b.Fatal(err)
	}
	return verifier
}

// ourHandler has metrics and writes its default log.
func ourHandler(b *testing.B, verifier *telnyx.Verifier, js jetstream.JetStream, groups bool) http.Handler {
	hook, err := webhook.New(webhook.Config{
		Verifier: verifier, JetStream: js, GroupCommit: groups, Now: func() time.Time { return now },
		Metrics: prometheus.NewRegistry(), Log: zerolog.New(io.Discard).Level(zerolog.InfoLevel).With().Timestamp().Logger(),
	})
	if err != nil {
		b.Fatal(err)
	}
	return hook.Handler()
}

// inside starts a server in this process and connects as to the built-in one.
func inside(b *testing.B, syncAlways bool) jetstream.JetStream {
	server, err := embedded.Start(embedded.Options{Dir: b.TempDir(), SyncAlways: syncAlways})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { server.Close() })
	return withStreams(b, server.URL(), server.InProcess()...)
}

// outside starts a separate server process that syncs as NATS does by default.
func outside(b *testing.B) jetstream.JetStream {
	server := testkit.NewProcess(b)
	server.SyncLater = true
	server.Start()
	return withStreams(b, server.URL)
}

func withStreams(b *testing.B, url string, options ...nats.Option) jetstream.JetStream {
	nc, err := events.Connect(url, "bench", options...)
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
	return js
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

// contender is a handler with its own streams and HTTP server.
type contender struct {
	b      *testing.B
	js     jetstream.JetStream
	url    string
	client *http.Client
	took   []time.Duration
	busy   time.Duration
}

const connections = 64

func newContender(b *testing.B, js jetstream.JetStream) *contender {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}}
	b.Cleanup(client.CloseIdleConnections)
	return &contender{b: b, js: js, client: client}
}

// serve serves the handler as package http does.
func (c *contender) serve(handler http.Handler) {
	site := httptest.NewServer(handler)
	c.b.Cleanup(site.Close)
	c.url = site.URL + webhook.Path
}

// serveAsAProcess serves the handler as our processes do.
func (c *contender) serveAsAProcess(handler http.Handler) {
	listener, err := app.Listen("127.0.0.1:0")
	if err != nil {
		c.b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Serve(ctx, listener, handler) }()
	c.b.Cleanup(func() {
		c.client.CloseIdleConnections()
		stop()
		if err := <-ended; err != nil {
			c.b.Error(err)
		}
	})
	c.url = "http://" + listener.Addr().String() + webhook.Path
}

// take posts all deliveries, as fast as it can.
func (c *contender) take(deliveries []benchDelivery) {
	took := make([]time.Duration, len(deliveries))
	runtime.GC() // so that this contender does not collect the others' garbage
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

// report checks that all events are stored and reports the speed.
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

// bodyAlone returns a message with the body alone.
func bodyAlone(_ *http.Request, body []byte) *nats.Msg {
	return &nats.Msg{Subject: "telnyx.event.10dlc.campaign.update.c", Data: body}
}

// withProof returns a message like ours. Its id has the length of the event's id, which is in
// the body.
func withProof(r *http.Request, body []byte) *nats.Msg {
	msg := bodyAlone(r, body)
	msg.Header = nats.Header{
		jetstream.MsgIDHeader:   {r.Header.Get(telnyx.SignatureHeader)[:36]},
		telnyx.TimestampHeader:  {r.Header.Get(telnyx.TimestampHeader)},
		telnyx.SignatureHeader:  {r.Header.Get(telnyx.SignatureHeader)},
		events.HeaderReceivedAt: {time.Now().UTC().Format(time.RFC3339Nano)},
	}
	return msg
}

// bareHandler only verifies and publishes, one event at a time.
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

// BenchmarkHandle measures the handler alone, from the parsed request to the answer, one
// delivery at a time, with a server that does not sync. It includes reading, verifying,
// routing and publishing, but not HTTP.
func BenchmarkHandle(b *testing.B) {
	verifier := benchVerifier(b)
	for _, name := range []string{"bare", "ours"} {
		b.Run(name, func(b *testing.B) {
			js := inside(b, false)
			handler := bareHandler(verifier, js, withProof, `{"status":"accepted"}`+"\n")
			if name == "ours" {
				handler = ourHandler(b, verifier, js, false)
			}
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
