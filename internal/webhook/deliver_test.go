package webhook_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/nats-io/nats.go"

	"greenlight/internal/events"
	"greenlight/internal/events/embedded"
	"greenlight/internal/telnyx"
	"greenlight/internal/testkit"
	"greenlight/internal/webhook"
)

func TestWebhook_StoresEveryPublishedEventOnce(t *testing.T) {
	d := open(t)
	var want []message
	for name, body := range fixtures(t) {
		h := signed(body)
		if got := d.post(h, body); got != accepted {
			t.Errorf("%s: answered %v", name, got)
		}
		// A retry has a new signature and a higher attempt.
		again := bytes.Replace(body, []byte(`"attempt": 1`), []byte(`"attempt": 2`), 1)
		if got := d.post(telnyx.Sign(telnyxKey, now.Add(time.Second), again), again); got != duplicate {
			t.Errorf("%s, second attempt: answered %v", name, got)
		}
		subject, id := route(t, name, body)
		want = append(want, wantEvent(subject, id, h, body))
	}
	d.assertStored(want...)
}

// route returns where a fixture must be stored, from its name and content.
func route(t *testing.T, name string, body []byte) (subject, id string) {
	t.Helper()
	type ids struct{ CampaignID, TCRCampaignID, BrandID string }
	var flat ids
	var event struct {
		Data struct {
			ID      string
			Payload ids
		}
	}
	if err := errors.Join(json.Unmarshal(body, &flat), json.Unmarshal(body, &event)); err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(name, "flat.") {
		return "telnyx.event.10dlc.campaign.update." + flat.CampaignID, "sha256-" + hexSHA256(body)
	}
	words := strings.Split(name, ".")
	about := event.Data.Payload.CampaignID
	if words[1] == "brand" {
		about = event.Data.Payload.BrandID
	}
	return "telnyx.event." + strings.Join(words[:3], ".") + "." + about, event.Data.ID
}

func TestWebhook_StoresConcurrentCopiesOnce(t *testing.T) {
	d := open(t)
	var want []message
	for _, id := range []string{"round-1", "round-2", "round-3", "round-4", "round-5"} {
		body := verified(t, id)
		h := signed(body)
		want = append(want, wantEvent(verifiedSubject, id, h, body))
		const copies = 3
		answers, start := make(chan answer, copies), make(chan struct{})
		var posts sync.WaitGroup
		for range copies {
			posts.Go(func() { <-start; answers <- d.post(h, body) })
		}
		close(start)
		posts.Wait()
		close(answers) // so that the loop ends without missing answers
		got := []answer{<-answers, <-answers, <-answers}
		slices.SortFunc(got, func(a, b answer) int { return strings.Compare(a.Word, b.Word) })
		if want := []answer{accepted, duplicate, duplicate}; !slices.Equal(got, want) {
			t.Errorf("%s: answered %v, want %v", id, got, want)
		}
	}
	d.assertStored(want...)
}

func TestWebhook_StoresWhatCanBeVerifiedAgain(t *testing.T) {
	d := open(t)
	assertAnswer(t, d.deliver(verified(t, "id-1")), accepted)
	assertAnswer(t, d.deliver([]byte("no event")), deadLettered)
	verifier, err := telnyx.NewVerifier(publicKeys([]ed25519.PrivateKey{telnyxKey}), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range append(d.stored(events.StreamEvents), d.stored(events.StreamDeadLetters)...) {
		if err := verifier.Verify(http.Header(m.Header), []byte(m.Body)); err != nil {
			t.Errorf("%s: %v", m.Subject, err)
		}
	}
}

// Every row is a valid delivery of the event id-1 with one unusual property.
func TestWebhook_AcceptsADeliveryThat(t *testing.T) {
	good := verified(t, "id-1")
	twice := signed(good)
	for _, header := range []string{telnyx.SignatureHeader, telnyx.TimestampHeader} {
		twice[header] = []string{twice.Get(header), twice.Get(header)}
	}
	tests := map[string]struct {
		header http.Header
		path   string
	}{
		"is signed now":                     {signed(good), webhook.Path},
		"is 300 s old":                      {telnyx.Sign(telnyxKey, now.Add(-300*time.Second), good), webhook.Path},
		"is 300 s ahead":                    {telnyx.Sign(telnyxKey, now.Add(300*time.Second), good), webhook.Path},
		"is signed with the second key":     {telnyx.Sign(nextKey, now, good), webhook.Path},
		"has its headers twice, both alike": {twice, webhook.Path},
		"has a query, which is not signed":  {signed(good), webhook.Path + "?attempt=1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := open(t, func(s *setup) { s.keys = append(s.keys, nextKey) })
			got, _ := d.do(d.request(http.MethodPost, tt.path, tt.header, bytes.NewReader(good)))
			assertAnswer(t, got, accepted)
			d.assertStored(wantEvent(verifiedSubject, "id-1", tt.header, good))
		})
	}
}

// Every row makes one thing of a valid delivery wrong.
func TestWebhook_RefusesADeliveryWith(t *testing.T) {
	good := verified(t, "id-1")
	with := func(header string, values ...string) http.Header {
		h := signed(good)
		h[header] = values
		return h
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, good); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		header http.Header
		body   []byte
		want   string
	}{
		"no headers":                    {http.Header{}, good, "signature_missing"},
		"no signature":                  {with(telnyx.SignatureHeader), good, "signature_missing"},
		"an empty signature":            {with(telnyx.SignatureHeader, ""), good, "signature_missing"},
		"no timestamp":                  {with(telnyx.TimestampHeader), good, "signature_missing"},
		"a timestamp that is a word":    {with(telnyx.TimestampHeader, "now"), good, "timestamp_malformed"},
		"two timestamps":                {with(telnyx.TimestampHeader, "1723051358", "1723051359"), good, "timestamp_malformed"},
		"a timestamp 301 s old":         {telnyx.Sign(telnyxKey, now.Add(-301*time.Second), good), good, "timestamp_stale"},
		"a timestamp 301 s ahead":       {telnyx.Sign(telnyxKey, now.Add(301*time.Second), good), good, "timestamp_future"},
		"a signature that is no base64": {with(telnyx.SignatureHeader, "!"+signed(good).Get(telnyx.SignatureHeader)[1:]), good, "signature_malformed"},
		"a signature of 63 bytes":       {with(telnyx.SignatureHeader, strings.Repeat("AAAA", 21)), good, "signature_malformed"},
		"a forged signature":            {with(telnyx.SignatureHeader, strings.Repeat("A", 86)+"=="), good, "signature_mismatch"},
		"a stranger's signature":        {telnyx.Sign(strangerKey, now, good), good, "signature_mismatch"},
		"another body's signature":      {signed([]byte("{}")), good, "signature_mismatch"},
		"another second's timestamp":    {with(telnyx.TimestampHeader, "1723051359"), good, "signature_mismatch"},
		"a body one byte off":           {signed(good), bytes.Replace(good, []byte("VERIFIED"), []byte("VERIFIEE"), 1), "signature_mismatch"},
		"a body one byte longer":        {signed(good), append(bytes.Clone(good), '\n'), "signature_mismatch"},
		"a body encoded anew":           {signed(good), compact.Bytes(), "signature_mismatch"},
		"an empty body":                 {signed(good), nil, "signature_mismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t)
			assertAnswer(t, d.post(tt.header, tt.body), answer{401, tt.want})
			d.assertStored()
			d.assertMetrics(map[string]float64{`greenlight_webhook_refused_total{code="` + tt.want + `"}`: 1})
		})
	}
}

// Every row is a signed body with unusual content.
func TestWebhook_TakesASignedBodyThat(t *testing.T) {
	long := strings.Repeat("a", 10_000)
	letter := func(reason, words string) func(http.Header, []byte) []message {
		return func(h http.Header, body []byte) []message { return []message{wantLetter(reason, words, h, body)} }
	}
	unroutable := func(words string) func(http.Header, []byte) []message { return letter("unroutable", words) }
	notEvent := func(words string) func(http.Header, []byte) []message { return letter("not_an_event", words) }
	event := func(subject string, id func(body []byte) string) func(http.Header, []byte) []message {
		return func(h http.Header, body []byte) []message {
			return []message{wantEvent(subject, id(body), h, body)}
		}
	}
	nothing := func(http.Header, []byte) []message { return nil }
	hashOf := func(text string) func([]byte) string {
		return func([]byte) string { return "sha256-" + hexSHA256([]byte(text)) }
	}
	hashOfBody := func(body []byte) string { return "sha256-" + hexSHA256(body) }

	for name, tt := range map[string]struct {
		body []byte
		want answer
		kept func(http.Header, []byte) []message
	}{
		"is empty":         {nil, deadLettered, notEvent("the body is not a JSON object")},
		"is no JSON":       {[]byte("campaignId=C6X6M95"), deadLettered, notEvent("the body is not a JSON object")},
		"is binary":        {[]byte("\x00\xff\r\n\r\n\x01"), deadLettered, notEvent("the body is not a JSON object")},
		"is cut off":       {verified(t, "id-1")[:100], deadLettered, notEvent("the body is not a JSON object")},
		"is a list":        {[]byte("[]"), deadLettered, notEvent("the body is not a JSON object")},
		"is JSON no event": {[]byte(`{"errors":[]}`), deadLettered, notEvent("neither data")},
		"has no type":      {[]byte(`{"data":{"id":"id-1"}}`), deadLettered, notEvent("event_type")},
		"is 100,000 levels deep": {
			[]byte(`{"data":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}"),
			deadLettered, notEvent("the body is not a JSON object"),
		},
		"is deep in its payload": {
			[]byte(`{"data":{"event_type":"10dlc.campaign.update","payload":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}}"),
			deadLettered, notEvent("the body is not a JSON object"),
		},

		"is flat": {[]byte(`{"campaignId":"C6X6M95","type":"VERIFIED"}`), accepted, event("telnyx.event.10dlc.campaign.update.C6X6M95", hashOfBody)},
		"has no id": {
			[]byte(`{"data":{"event_type":"10dlc.campaign.update","payload":{"campaignId":"C6X6M95"}}}`),
			accepted, event("telnyx.event.10dlc.campaign.update.C6X6M95", hashOfBody),
		},
		"is about nothing": {envelope(t, "10dlc.campaign.update", "id-1", ""), accepted, event("telnyx.event.10dlc.campaign.update._", func([]byte) string { return "id-1" })},
		"has a new type":   {envelope(t, "campaign.status_update", "id-1", "C6X6M95"), accepted, event("telnyx.event.campaign.status_update.C6X6M95", func([]byte) string { return "id-1" })},
		"has an id with dots and wildcards": {
			verified(t, "a.b.*.>"), accepted, event(verifiedSubject, hashOf("a.b.*.>")),
		},
		"has an id with line ends": {verified(t, "a\r\nNats-Msg-Id: b"), accepted, event(verifiedSubject, hashOfBody)},
		"has an id of 10 kB":       {verified(t, long), accepted, event(verifiedSubject, hashOfBody)},
		"has an id of 200 bytes":   {verified(t, long[:200]), accepted, event(verifiedSubject, hashOf(long[:200]))},

		"is a message":             {envelope(t, "message.received", "id-1", ""), ignored, nothing},
		"has a type with a prefix": {envelope(t, "x10dlc.campaign.update", "id-1", campaign), ignored, nothing},
		"has a wildcard for type":  {envelope(t, ">", "id-1", campaign), ignored, nothing},
		"has a type in capitals":   {envelope(t, "10DLC.CAMPAIGN.UPDATE", "id-1", campaign), ignored, nothing},

		"has a type with a star":         {envelope(t, "10dlc.*", "id-1", campaign), deadLettered, unroutable("event type")},
		"has a type with a tail":         {envelope(t, "10dlc.>", "id-1", campaign), deadLettered, unroutable("event type")},
		"has a type with an end only":    {envelope(t, "10dlc.", "id-1", campaign), deadLettered, unroutable("event type")},
		"has a type with two dots":       {envelope(t, "10dlc..update", "id-1", campaign), deadLettered, unroutable("event type")},
		"has a type with line ends":      {envelope(t, "10dlc.a\r\nPUB x 0", "id-1", campaign), deadLettered, unroutable("event type")},
		"has a type of 10 kB":            {envelope(t, "10dlc."+long, "id-1", campaign), deadLettered, unroutable("event type")},
		"has a type of 5,000 words":      {envelope(t, "10dlc"+strings.Repeat(".a", 5000), "id-1", campaign), deadLettered, unroutable("event type")},
		"has a campaign with a dot":      {envelope(t, "10dlc.campaign.update", "id-1", "a.b"), deadLettered, unroutable("id ")},
		"has a campaign with a star":     {envelope(t, "10dlc.campaign.update", "id-1", "*"), deadLettered, unroutable("id ")},
		"has a campaign with a tail":     {envelope(t, "10dlc.campaign.update", "id-1", ">"), deadLettered, unroutable("id ")},
		"has a campaign with line ends":  {envelope(t, "10dlc.campaign.update", "id-1", "a\r\nb"), deadLettered, unroutable("id ")},
		"has a campaign of 10 kB":        {envelope(t, "10dlc.campaign.update", "id-1", long), deadLettered, unroutable("id ")},
		"has a campaign that is no text": {[]byte(`{"data":{"event_type":"10dlc.campaign.update","id":"id-1","payload":{"campaignId":{"a":1}}}}`), accepted, event("telnyx.event.10dlc.campaign.update._", func([]byte) string { return "id-1" })},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t)
			h := signed(tt.body)
			assertAnswer(t, d.post(h, tt.body), tt.want)
			d.assertStored(tt.kept(h, tt.body)...)

			again := tt.want
			if again == accepted {
				again = duplicate
			}
			assertAnswer(t, d.post(h, tt.body), again)
			d.assertStored(tt.kept(h, tt.body)...)
		})
	}
}

func TestWebhook_KeepsTheConfiguredTypes(t *testing.T) {
	d := open(t, func(s *setup) { s.config.EventTypes = []string{"message.*", "10dlc.brand.update"} })
	assertAnswer(t, d.deliver(verified(t, "id-1")), ignored)
	body := envelope(t, "message.received", "id-2", "")
	assertAnswer(t, d.deliver(body), accepted)
	d.assertStored(wantEvent("telnyx.event.message.received._", "id-2", signed(body), body))
}

func TestWebhook_TakesABodyAsLargeAsTheCap(t *testing.T) {
	for name, most := range map[string]int64{
		"by default":         0,
		"at the smallest":    1,
		"at the largest":     webhook.MaxMaxBody,
		"at no round number": 1000,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // the server waits half a second before it closes over an unread body
			d := open(t, func(s *setup) { s.config.MaxBody = most })
			if most == 0 {
				most = 256 << 10
			}
			for _, chunked := range []bool{false, true} {
				full := bytes.Repeat([]byte("x"), int(most))
				assertAnswer(t, d.upload(full, chunked), deadLettered)
				assertAnswer(t, d.upload(append(full, 'x'), chunked), tooLarge)
				d.assertStored(wantLetter("not_an_event", "the body is not a JSON object", signed(full), full))
			}
		})
	}
}

// upload posts a signed body, with its length announced or in chunks.
func (d *door) upload(body []byte, chunked bool) answer {
	d.t.Helper()
	d.remember(signed(body), body)
	request := d.request(http.MethodPost, webhook.Path, signed(body), bytes.NewReader(body))
	if chunked {
		request.ContentLength = -1
	}
	got, _ := d.do(request)
	return got
}

// The client holds back a part of its body until it is answered, so that a webhook that
// waited for it would never answer.
func TestWebhook_RefusesALargeBodyBeforeTheRest(t *testing.T) {
	for name, tt := range map[string]struct {
		length, held int64 // what is announced, and sent before the answer
		most         int64
	}{
		"announced":                {1 << 40, 0, 0},
		"announced, one byte over": {256<<10 + 1, 0, 0},
		"announced, small cap":     {1 << 11, 0, 1 << 10},
		"in chunks":                {-1, 256<<10 + 1, 0},
		"in chunks, small cap":     {-1, 1<<10 + 1, 1 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // the server waits half a second before it closes over an unread body
			d := open(t, func(s *setup) { s.config.MaxBody = tt.most })
			body := &heldBody{left: tt.held, over: make(chan struct{})}
			defer body.Close()
			request := d.request(http.MethodPost, webhook.Path, signed([]byte("{}")), body)
			request.ContentLength = tt.length
			context.AfterFunc(request.Context(), func() { body.Close() })
			got, _ := d.do(request)
			assertAnswer(t, got, tooLarge)
			d.assertStored()
		})
	}
}

// heldBody returns so many bytes and then waits until it is closed, which the client does
// after the answer or its timeout.
type heldBody struct {
	left  int64
	close sync.Once
	over  chan struct{}
}

func (b *heldBody) Read(p []byte) (int, error) {
	if b.left > 0 {
		n := copy(p, bytes.Repeat([]byte("x"), int(b.left)))
		b.left -= int64(n)
		return n, nil
	}
	<-b.over
	return 0, io.ErrUnexpectedEOF
}

func (b *heldBody) Close() error {
	b.close.Do(func() { close(b.over) })
	return nil
}

func TestWebhook_StoresNothingOfAnIncompleteBody(t *testing.T) {
	d := open(t)
	body := verified(t, "id-1")
	conn, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	h := signed(body)
	head := "POST " + webhook.Path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 10000\r\n" +
		telnyx.TimestampHeader + ": " + h.Get(telnyx.TimestampHeader) + "\r\n" +
		telnyx.SignatureHeader + ": " + h.Get(telnyx.SignatureHeader) + "\r\n\r\n"
	if _, err := conn.Write(append([]byte(head), body...)); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(got), "HTTP/1.1 400 ") || !strings.Contains(string(got), `"code":"body_unreadable"`) {
		t.Errorf("answered %q, want 400 body_unreadable", got)
	}
	d.assertStored()
}

func TestWebhook_StoresTheEventOfAClientThatHangsUp(t *testing.T) {
	arrived, handled := make(chan struct{}), make(chan struct{})
	d := open(t, func(s *setup) {
		s.wrap = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(handled)
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				close(arrived)
				<-r.Context().Done() // the client has gone
				r.Body = io.NopCloser(bytes.NewReader(body))
				next.ServeHTTP(w, r)
			})
		}
	})
	body := verified(t, "id-1")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	request := d.request(http.MethodPost, webhook.Path, signed(body), bytes.NewReader(body)).WithContext(ctx)
	go func() { <-arrived; cancel() }()
	if response, err := d.client.Do(request); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v; want a client that gave up", response, err)
	}
	<-handled
	d.assertStored(wantEvent(verifiedSubject, "id-1", signed(body), body))
}

// Telnyx waits two seconds for an answer.
const patience = 2 * time.Second

func (d *door) assertNotStored(body []byte) {
	d.t.Helper()
	start := time.Now()
	assertAnswer(d.t, d.deliver(body), notStored)
	if took := time.Since(start); took > patience {
		d.t.Errorf("answered after %s, want at most %s", took, patience)
	}
}

// assertNotReady expects an error that contains the words.
func (d *door) assertNotReady(words string) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience/4)
	defer cancel()
	if err := d.hook.Ready(ctx); err == nil || !strings.Contains(err.Error(), words) {
		d.t.Errorf("Ready: %v, want a sentence with %q", err, words)
	}
}

func TestWebhook_RefusesWhileTheServerIsGone(t *testing.T) {
	t.Parallel()
	d := open(t)
	if err := d.hook.Ready(t.Context()); err != nil {
		t.Errorf("before: %v", err)
	}
	d.stopServer()
	d.assertNotStored(verified(t, "id-1"))
	d.assertNotStored([]byte("no event"))
	d.assertNotReady("stream EVENTS cannot be reached")
	assertAnswer(t, d.deliver(envelope(t, "message.received", "id-2", "")), ignored)
}

// A stream may exist with wrong settings, for example in memory: a 200 would then promise
// nothing.
func TestWebhook_RefusesWhileItIsHeld(t *testing.T) {
	t.Parallel()
	var held atomic.Pointer[error]
	why := errors.New("the streams are not as they must be")
	held.Store(&why)
	d := open(t, func(s *setup) { s.config.NotReady = func() error { return *held.Load() } })
	assertAnswer(t, d.deliver(verified(t, "id-1")), notStored)
	assertAnswer(t, d.deliver([]byte("no event")), notStored)
	assertAnswer(t, d.deliver(envelope(t, "message.received", "id-2", "")), ignored)
	d.assertNotReady(why.Error())
	held.Store(new(error))
	assertAnswer(t, d.deliver(verified(t, "id-1")), accepted)
	if err := d.hook.Ready(t.Context()); err != nil {
		t.Errorf("Ready: %v", err)
	}
}

func TestWebhook_RefusesWhileTheServerIsSilent(t *testing.T) {
	t.Parallel()
	var wire testkit.Wire
	d := open(t, func(s *setup) {
		s.listen = true
		s.connect = func(server *embedded.Server) (*nats.Conn, error) {
			return events.Connect(wire.Start(t, server.URL()), "webhook")
		}
	})
	assertAnswer(t, d.deliver(verified(t, "id-1")), accepted)
	wire.Freeze()
	d.assertNotStored(verified(t, "id-2"))
	d.assertNotReady("stream EVENTS cannot be reached")
	wire.Thaw()
	// It is unknown whether the first try was stored, but there must be one copy.
	if got := d.deliver(verified(t, "id-2")); got != accepted && got != duplicate {
		t.Errorf("sent again: answered %v", got)
	}
	d.assertStored(
		wantEvent(verifiedSubject, "id-1", signed(verified(t, "id-1")), verified(t, "id-1")),
		wantEvent(verifiedSubject, "id-2", signed(verified(t, "id-2")), verified(t, "id-2")))
}

func TestWebhook_RefusesWhileTheStreamIsGone(t *testing.T) {
	t.Parallel()
	d := open(t)
	if err := d.js.DeleteStream(t.Context(), events.StreamEvents); err != nil {
		t.Fatal(err)
	}
	body := verified(t, "id-1")
	d.assertNotStored(body)
	d.assertNotReady("stream EVENTS cannot be reached")
	d.ensureStreams()
	assertAnswer(t, d.deliver(body), accepted)
	d.assertStored(wantEvent(verifiedSubject, "id-1", signed(body), body))
}

func TestWebhook_RefusesWhileTheStreamIsFull(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.shrink(events.StreamEvents)
	body := verified(t, "id-1")
	d.assertNotStored(body)
	d.assertNotReady("stream EVENTS is full")
	d.assertStored()
	d.ensureStreams()
	assertAnswer(t, d.deliver(body), accepted)
	d.assertStored(wantEvent(verifiedSubject, "id-1", signed(body), body))
	if err := d.hook.Ready(t.Context()); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestWebhook_RefusesWhenADeadLetterCannotBeStored(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*door) error{
		"stream gone": func(d *door) error { return d.js.DeleteStream(context.Background(), events.StreamDeadLetters) },
		"stream full": func(d *door) error { d.shrink(events.StreamDeadLetters); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			if err := spoil(d); err != nil {
				t.Fatal(err)
			}
			noEvent, hostile := []byte("no event"), envelope(t, "10dlc.*", "id-1", campaign)
			d.assertNotStored(noEvent)
			d.assertNotStored(hostile)
			d.ensureStreams()
			d.assertStored()
			assertAnswer(t, d.deliver(noEvent), deadLettered)
			assertAnswer(t, d.deliver(hostile), deadLettered)
			d.assertStored(
				wantLetter("not_an_event", "the body is not a JSON object", signed(noEvent), noEvent),
				wantLetter("unroutable", "event type", signed(hostile), hostile))
		})
	}
}

// shrink leaves no room in the stream. EnsureStreams restores it.
func (d *door) shrink(name string) {
	d.t.Helper()
	stream, err := d.js.Stream(context.Background(), name)
	if err != nil {
		d.t.Fatal(err)
	}
	config := stream.CachedInfo().Config
	config.MaxBytes = 10
	if _, err := d.js.UpdateStream(context.Background(), config); err != nil {
		d.t.Fatal(err)
	}
}

// Telnyx's two seconds begin when it sends: time that the body took is not left for storing.
func TestWebhook_AnswersASlowBodyInTime(t *testing.T) {
	t.Parallel()
	var wire testkit.Wire
	d := open(t, func(s *setup) {
		s.listen = true
		s.connect = func(server *embedded.Server) (*nats.Conn, error) {
			return events.Connect(wire.Start(t, server.URL()), "webhook")
		}
	})
	body := verified(t, "id-1")
	wire.Freeze()
	got, took := d.deliverLate(body, time.Second)
	wire.Thaw()
	if got != notStored || took > 2300*time.Millisecond {
		t.Errorf("got %v after %s, want %v after 1.5 s", got, took, notStored)
	}
	for back := time.Now().Add(30 * time.Second); got != accepted && got != duplicate && time.Now().Before(back); {
		got, _ = d.deliverLate(body, time.Second)
	}
	if n := len(d.stored(events.StreamEvents)); n != 1 {
		t.Errorf("answered %v at last, and %d events are stored, want 1", got, n)
	}
}

// deliverLate sends the body so long after the headers.
func (d *door) deliverLate(body []byte, after time.Duration) (got answer, took time.Duration) {
	d.t.Helper()
	reader, writer := io.Pipe()
	go func() {
		time.Sleep(after) // the delay under test
		_, _ = writer.Write(body)
		writer.Close()
	}()
	began := time.Now()
	got, _ = d.do(d.request(http.MethodPost, webhook.Path, signed(body), reader))
	return got, time.Since(began)
}

// An event whose body took all the time can still be stored, and is a duplicate when Telnyx
// sends it again.
func TestWebhook_StoresABodyThatArrivesTooLateForItsAnswer(t *testing.T) {
	t.Parallel()
	d := open(t)
	body := verified(t, "id-1")
	got, _ := d.deliverLate(body, 1600*time.Millisecond)
	assertAnswer(t, got, accepted)
	assertAnswer(t, d.deliver(body), duplicate)
}

// A captured delivery is a duplicate for as long as its signature is accepted, from the
// first nanosecond to the last.
func TestReplay_IsADuplicateWhileItsSignatureIsAccepted(t *testing.T) {
	clock := now
	verifier, err := telnyx.NewVerifier([]telnyx.PublicKey{telnyx.PublicKeyOf(telnyxKey)}, func() time.Time { return clock })
	if err != nil {
		t.Fatal(err)
	}
	body := verified(t, "caught")
	headers := signed(body)
	passes := func(at time.Time) bool {
		clock = at
		return verifier.Verify(headers, body) == nil
	}
	second := now.Truncate(time.Second)
	first, last := second.Add(-telnyx.Tolerance), second.Add(telnyx.Tolerance+time.Second-1)
	if !passes(first) || passes(first.Add(-1)) || !passes(last) || passes(last.Add(1)) {
		t.Fatalf("it does not pass from %s to %s", first, last)
	}
	if events.DedupeWindow <= last.Sub(first) {
		t.Errorf("it passes for %s, and its id is remembered for %s", last.Sub(first), events.DedupeWindow)
	}
}

// Large bodies share a limited number of slots, which a body that breaks off gives back.
func TestWebhook_ReusesTheSlotOfALargeBodyThatBreaksOff(t *testing.T) {
	t.Parallel()
	d := open(t)
	handler := d.hook.Handler()
	for range 200 { // more than there are slots
		body := io.MultiReader(bytes.NewReader(make([]byte, 20<<10)), iotest.ErrReader(io.ErrUnexpectedEOF))
		request := httptest.NewRequest(http.MethodPost, webhook.Path, body)
		maps.Copy(request.Header, signed(nil))
		recorder := httptest.NewRecorder()
		if handler.ServeHTTP(recorder, request); recorder.Code != http.StatusBadRequest {
			t.Fatalf("got %d for a body that breaks off, want 400", recorder.Code)
		}
	}
	body := append(verified(t, "id-1"), bytes.Repeat([]byte(" "), 20<<10)...)
	assertAnswer(t, d.deliver(body), accepted)
}
