package webhook_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"greenlight/internal/events"
	"greenlight/internal/events/embedded"
	"greenlight/internal/telnyx"
	"greenlight/internal/testkit"
	"greenlight/internal/webhook"
)

func TestMain(m *testing.M) {
	testkit.Main()
	flag.Parse()
	// Many parallel tests wait for a timeout of the webhook or of package http. Of fuzzing it
	// would be the number of processes.
	if flag.Lookup("test.fuzz").Value.String() == "" {
		if err := flag.Set("test.parallel", "8"); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m, testkit.ServerLeaks()...)
}

// The keys of the tests. The webhook knows telnyxKey unless a test says more.
var (
	telnyxKey   = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	nextKey     = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, ed25519.SeedSize))
	strangerKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, ed25519.SeedSize))
)

// now is what every clock of the webhook shows.
var now = time.Date(2024, 8, 7, 17, 22, 38, 5, time.UTC)

const campaign = "751c6a5c-907b-43a9-8ada-ba1dc8335b07"

// door is a webhook behind a real HTTP server, with its own streams. When the test ends it
// checks that the log holds no secret.
type door struct {
	t      testing.TB
	server *embedded.Server
	js     jetstream.JetStream
	hook   *webhook.Webhook
	// verifier is the hook's own.
	verifier *telnyx.Verifier
	url      string
	client   *http.Client
	metrics  *prometheus.Registry

	mu      sync.Mutex
	log     bytes.Buffer
	secrets []string // signatures and bodies that were sent
}

// setup holds what tests change.
type setup struct {
	config webhook.Config
	keys   []ed25519.PrivateKey
	// wrap wraps the webhook's handler.
	wrap func(http.Handler) http.Handler
	// connect makes the webhook's own connection.
	connect func(*embedded.Server) (*nats.Conn, error)
	listen  bool
}

func open(t testing.TB, changes ...func(*setup)) *door {
	t.Helper()
	s := setup{
		keys: []ed25519.PrivateKey{telnyxKey},
		wrap: func(h http.Handler) http.Handler { return h },
		connect: func(server *embedded.Server) (*nats.Conn, error) {
			return events.Connect("", "webhook", server.InProcess()...)
		},
	}
	for _, change := range changes {
		change(&s)
	}
	d := &door{t: t, metrics: prometheus.NewRegistry()}
	t.Cleanup(d.assertLogKeepsSecrets)
	d.startStreams(s)

	verifier, err := telnyx.NewVerifier(publicKeys(s.keys), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	d.verifier = verifier
	s.config.Verifier, s.config.Metrics = verifier, d.metrics
	s.config.Now = func() time.Time { return now }
	s.config.Log = zerolog.New(d).Level(zerolog.DebugLevel)
	s.config.JetStream = jetStream(t, s.connect, d.server)
	if d.hook, err = webhook.New(s.config); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.wrap(d.hook.Handler()))
	t.Cleanup(server.Close)
	d.url, d.client = server.URL, server.Client()
	return d
}

func (d *door) startStreams(s setup) {
	d.t.Helper()
	server, err := embedded.Start(embedded.Options{Dir: d.t.TempDir(), Listen: s.listen})
	if err != nil {
		d.t.Fatal(err)
	}
	d.server = server
	d.t.Cleanup(d.stopServer)
	d.js = jetStream(d.t, func(server *embedded.Server) (*nats.Conn, error) {
		return events.Connect("", "test", server.InProcess()...)
	}, server)
	d.ensureStreams()
}

// stopServer stops NATS while the webhook runs. The second time it does nothing.
func (d *door) stopServer() {
	if d.server == nil {
		return
	}
	if err := d.server.Close(); err != nil {
		d.t.Error(err)
	}
	d.server = nil
}

func (d *door) ensureStreams() {
	d.t.Helper()
	if err := events.EnsureStreams(context.Background(), d.js, 1); err != nil {
		d.t.Fatal(err)
	}
}

func jetStream(t testing.TB, connect func(*embedded.Server) (*nats.Conn, error), server *embedded.Server) jetstream.JetStream {
	t.Helper()
	nc, err := connect(server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func publicKeys(private []ed25519.PrivateKey) []telnyx.PublicKey {
	var public []telnyx.PublicKey
	for _, key := range private {
		public = append(public, telnyx.PublicKeyOf(key))
	}
	return public
}

// answer is the HTTP status, and the status word of a 200 or else the error's code.
type answer struct {
	Status int
	Word   string
}

var (
	accepted     = answer{200, "accepted"}
	duplicate    = answer{200, "duplicate"}
	ignored      = answer{200, "ignored"}
	deadLettered = answer{200, "dead_lettered"}
	notStored    = answer{503, "not_stored"}
	tooLarge     = answer{413, "body_too_large"}
)

// signed returns a delivery's headers as Telnyx would make them, now.
func signed(body []byte) http.Header { return telnyx.Sign(telnyxKey, now, body) }

// deliver posts the body as Telnyx would.
func (d *door) deliver(body []byte) answer {
	d.t.Helper()
	return d.post(signed(body), body)
}

// post posts the body with the headers.
func (d *door) post(h http.Header, body []byte) answer {
	d.t.Helper()
	d.remember(h, body)
	got, _ := d.do(d.request(http.MethodPost, webhook.Path, h, bytes.NewReader(body)))
	return got
}

func (d *door) request(method, path string, h http.Header, body io.Reader) *http.Request {
	d.t.Helper()
	// Long enough for a slow machine; an answer that never comes is a failure.
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	d.t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, method, d.url+path, body)
	if err != nil {
		d.t.Fatal(err)
	}
	for key, values := range h {
		request.Header[key] = values
	}
	return request
}

// do sends the request and checks the form that all answers share.
func (d *door) do(request *http.Request) (answer, http.Header) {
	d.t.Helper()
	response, err := d.client.Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	got, err := readAnswer(response.StatusCode, response.Header, body)
	if err != nil {
		d.t.Errorf("%s %s: %v", request.Method, request.URL.Path, err)
	}
	return got, response.Header
}

// readAnswer returns an error unless the answer has one of the two forms, and
// Retry-After if and only if it is a 503.
func readAnswer(status int, h http.Header, body []byte) (answer, error) {
	var shape struct {
		Status string
		Error  *struct{ Code, Message string }
	}
	strict := json.NewDecoder(bytes.NewReader(body))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&shape); err != nil {
		return answer{Status: status}, errors.New("answer " + string(body) + ": " + err.Error())
	}
	got, ok := answer{Status: status, Word: shape.Status}, shape.Status != "" && shape.Error == nil
	if status != http.StatusOK {
		ok = shape.Status == "" && shape.Error != nil && shape.Error.Code != "" && shape.Error.Message != ""
		if shape.Error != nil {
			got.Word = shape.Error.Code
		}
	}
	switch {
	case !ok:
		return got, errors.New("answer of another shape: " + string(body))
	case h.Get("Content-Type") != "application/json":
		return got, errors.New("answer of content type " + h.Get("Content-Type"))
	case (h.Get("Retry-After") == "1") != (status == http.StatusServiceUnavailable):
		return got, errors.New("Retry-After is " + h.Get("Retry-After"))
	}
	return got, nil
}

func assertAnswer(t testing.TB, got, want answer) {
	t.Helper()
	if got != want {
		t.Errorf("answered %d %s, want %d %s", got.Status, got.Word, want.Status, want.Word)
	}
}

// message is a stored message. The detail and time of a dead letter are checked
// separately; see wantLetter.
type message struct {
	Subject string
	Header  nats.Header
	Body    string
}

// stored returns what the stream holds, in order.
func (d *door) stored(stream string) []message {
	d.t.Helper()
	s, err := d.js.Stream(context.Background(), stream)
	if err != nil {
		d.t.Fatal(err)
	}
	state := s.CachedInfo().State
	var messages []message
	for seq := state.FirstSeq; state.Msgs > 0 && seq <= state.LastSeq; seq++ {
		raw, err := s.GetMsg(context.Background(), seq)
		if err != nil {
			d.t.Fatal(err)
		}
		for _, own := range []string{"Nats-Sequence", "Nats-Stream", "Nats-Subject", "Nats-Time-Stamp"} {
			raw.Header.Del(own) // the answer's, not the message's
		}
		messages = append(messages, message{raw.Subject, raw.Header, string(raw.Data)})
	}
	return messages
}

// assertStored compares everything in the streams with the wanted messages.
func (d *door) assertStored(want ...message) {
	d.t.Helper()
	var wantEvents, wantLetters []message
	for _, m := range want {
		if strings.HasPrefix(m.Subject, "deadletter.") {
			wantLetters = append(wantLetters, m)
		} else {
			wantEvents = append(wantEvents, m)
		}
	}
	if diff := cmp.Diff(wantEvents, d.stored(events.StreamEvents)); diff != "" {
		d.t.Errorf("EVENTS (-want +got):\n%s", clip(diff))
	}
	letters := d.stored(events.StreamDeadLetters)
	for i, letter := range letters {
		if _, err := time.Parse(time.RFC3339Nano, letter.Header.Get(events.HeaderDeadAt)); err != nil {
			d.t.Errorf("dead letter %d: %v", i, err)
		}
		letter.Header.Del(events.HeaderDeadAt)
		// The wanted detail is a part of it.
		if got := letter.Header.Get(events.HeaderDetail); i < len(wantLetters) {
			if words := wantLetters[i].Header.Get(events.HeaderDetail); words != "" && strings.Contains(got, words) {
				letter.Header.Set(events.HeaderDetail, words)
			}
		}
	}
	if diff := cmp.Diff(wantLetters, letters); diff != "" {
		d.t.Errorf("DEAD_LETTERS (-want +got):\n%s", clip(diff))
	}
}

func clip(text string) string { return text[:min(len(text), 4000)] }

// wantEvent is the stored message of a delivery.
func wantEvent(subject, id string, h http.Header, body []byte) message {
	return message{subject, nats.Header{
		"Nats-Msg-Id":           {id},
		telnyx.TimestampHeader:  {h.Get("telnyx-timestamp")},
		telnyx.SignatureHeader:  {h.Get("telnyx-signature-ed25519")},
		events.HeaderReceivedAt: {"2024-08-07T17:22:38.000000005Z"},
	}, string(body)}
}

// wantLetter is the dead letter of a delivery. Its detail must contain the words.
func wantLetter(reason, words string, h http.Header, body []byte) message {
	return message{"deadletter.webhook." + reason, nats.Header{
		"Nats-Msg-Id":          {"webhook-" + hexSHA256(body)},
		"Nats-Expected-Stream": {"DEAD_LETTERS"},
		telnyx.TimestampHeader: {h.Get("telnyx-timestamp")},
		telnyx.SignatureHeader: {h.Get("telnyx-signature-ed25519")},
		events.HeaderReason:    {reason},
		events.HeaderDetail:    {words},
		events.HeaderAttempts:  {"1"},
	}, string(body)}
}

func hexSHA256(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// Write takes the webhook's log lines.
func (d *door) Write(line []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.Write(line)
}

func (d *door) logged() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

// remember keeps what was sent; the log must not contain it.
func (d *door) remember(h http.Header, body []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, signature := range h.Values(telnyx.SignatureHeader) {
		if len(signature) > 20 {
			d.secrets = append(d.secrets, signature)
		}
	}
	// Ids and types may be in the log; a body or a long piece of one may not.
	const piece = 256
	switch text := string(body); {
	case len(text) > piece:
		d.secrets = append(d.secrets, text[:piece], text[len(text)-piece:])
	case len(text) > 40:
		d.secrets = append(d.secrets, text)
	}
}

func (d *door) assertLogKeepsSecrets() {
	log := d.logged()
	for _, key := range []ed25519.PrivateKey{telnyxKey, nextKey} {
		if strings.Contains(log, telnyx.PublicKeyOf(key).String()) {
			d.t.Error("the log contains a public key")
		}
	}
	for _, secret := range d.secrets {
		quoted, _ := json.Marshal(secret)
		for _, form := range []string{secret, strings.Trim(string(quoted), `"`)} {
			if strings.Contains(log, form) {
				d.t.Fatalf("the log contains what was posted: %.120q", form)
			}
		}
	}
}

// envelope returns an event of the type with the ids, in Telnyx's form.
func envelope(t testing.TB, eventType, id, campaignID string) []byte {
	t.Helper()
	body, err := json.MarshalIndent(map[string]any{
		"data": map[string]any{
			"event_type": eventType, "id": id, "occurred_at": "2024-08-07T17:22:37.328+00:00", "record_type": "event",
			"payload": map[string]any{"campaignId": campaignID, "type": "VERIFIED"},
		},
		"meta": map[string]any{"attempt": 1},
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// verified returns a VERIFIED event with the id, about the campaign.
func verified(t testing.TB, id string) []byte {
	t.Helper()
	return envelope(t, telnyx.EventCampaignUpdate, id, campaign)
}

const verifiedSubject = "telnyx.event.10dlc.campaign.update." + campaign

// fixtures returns the published events by name.
func fixtures(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("../telnyx/testdata/events/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	bodies := map[string][]byte{}
	for _, path := range paths {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bodies[strings.TrimSuffix(filepath.Base(path), ".json")] = body
	}
	return bodies
}

// signText signs a body with any text as the timestamp.
func signText(timestamp string, body []byte) string {
	return base64.StdEncoding.EncodeToString(ed25519.Sign(telnyxKey, append([]byte(timestamp+"|"), body...)))
}

// consume returns a function that returns the ids of further events, as many as arrive
// within the time.
func (d *door) consume() (take func(wait time.Duration) []string) {
	d.t.Helper()
	consumer, err := d.js.CreateConsumer(context.Background(), events.StreamEvents, jetstream.ConsumerConfig{AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		d.t.Fatal(err)
	}
	return func(wait time.Duration) (ids []string) {
		d.t.Helper()
		batch, err := consumer.Fetch(10, jetstream.FetchMaxWait(wait))
		if err != nil {
			d.t.Fatal(err)
		}
		for m := range batch.Messages() {
			ids = append(ids, m.Headers().Get("Nats-Msg-Id"))
			if err := m.DoubleAck(context.Background()); err != nil {
				d.t.Fatal(err)
			}
		}
		return ids
	}
}
