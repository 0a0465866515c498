package webhook_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"greenlight/internal/app"
	"greenlight/internal/events"
	"greenlight/internal/telnyx"
	"greenlight/internal/webhook"
)

// Strangers flood the door over real connections while deliveries that Telnyx signed keep
// coming. Each of those gets its 200 within as many tries as Telnyx makes. Every request
// is counted under the code of its answer, and only signed events are stored.
func TestFlood_DoesNotStarveSignedDeliveries(t *testing.T) {
	for name, crowd := range crowds(t) {
		t.Run(name, func(t *testing.T) {
			if crowd.slow {
				t.Parallel()
			}
			d := open(t)
			f := &flood{t: t, over: make(chan struct{}), answered: map[answer]int{}}
			if crowd.secure {
				f.address, f.tls = d.serveTLS(crowd.options)
			} else {
				f.address = d.serve(crowd.options)
			}
			if crowd.replays != nil {
				f.letThemCatch(crowd.replays)
			}
			leave := f.come(crowd)
			delivered := f.deliverAll(func() bool {
				return f.visits.Load() >= int64(crowd.visits) && (crowd.until == answer{} || f.saw(crowd.until))
			})
			leave()

			t.Logf("%d visits by strangers, %d cut off; %d signed, %d of them at the second try or later; %v",
				f.visits.Load(), f.cut, len(delivered), f.again.Load(), f.answered)
			f.assertCounted(d, crowd.codes)
			maps.Copy(delivered, crowd.caught)
			f.assertStored(d, delivered, crowd.letters)
		})
	}
}

// crowd is a kind of flood.
type crowd struct {
	options   app.ServerOptions
	strangers int
	visit     func(*stranger)
	// The flood lasts for at least so many visits, and until an answer was given, if any
	// is named here.
	visits int
	until  answer
	// The codes that strangers may be answered.
	codes string
	// Over TLS.
	secure bool
	// It takes little of the processor, and lasts until a timeout.
	slow bool
	// The delivery that strangers caught, which arrived before them; and how it is stored,
	// as an event by its id or as a dead letter.
	replays []byte
	caught  map[string]bool
	letters int
}

func crowds(t *testing.T) map[string]crowd {
	const body = `{"data":{"event_type":"10dlc.campaign.update"}}`
	caught, noEvent := verified(t, "caught"), []byte("no event")
	large := strings.Repeat("x", 20<<10)
	return map[string]crowd{
		"without headers or a body": {strangers: 64, visits: 600, codes: "signature_missing", visit: func(s *stranger) {
			s.ask(nil, "")
		}},
		"with a stranger's signature": {strangers: 64, visits: 400, codes: "signature_mismatch", visit: func(s *stranger) {
			s.ask(s.claim, body)
		}},
		// More than there are places. A slow machine may need longer to verify them all than
		// a delivery has.
		"with a signed delivery that they caught": {strangers: 300, visits: 1, codes: "duplicate not_stored", replays: caught, caught: map[string]bool{"caught": true}, visit: func(s *stranger) {
			s.ask(signed(caught), string(caught))
		}},
		"with a signed body that is not an event": {strangers: 300, visits: 1, codes: "not_stored", replays: noEvent, letters: 1, visit: func(s *stranger) {
			s.ask(signed(noEvent), string(noEvent))
		}},
		"over TLS, with a connection for each request": {strangers: 16, visits: 64, codes: "signature_missing", secure: true, visit: func(s *stranger) {
			s.ask(nil, body)
			s.hangUp()
		}},
		"with bodies that arrive slowly": {slow: true, strangers: 400, until: answer{503, "body_too_slow"}, codes: "body_too_slow signature_mismatch", visit: func(s *stranger) {
			s.askSlowly(s.claim, "", strings.Repeat("x", 1000))
		}},
		// Until they hold all slots for large bodies.
		"with large bodies that arrive slowly": {slow: true, strangers: 200, until: answer{503, "overloaded"}, codes: "body_too_slow signature_mismatch", visit: func(s *stranger) {
			s.askSlowly(s.claim, large, large)
		}},
		// Until one of them is cut off.
		"with no request or half of one": {slow: true, strangers: 1000, visits: 1, visit: func(s *stranger) {
			half := "POST " + webhook.Path + " HTTP/1.1\r\nHost: x\r\nX: "
			s.hold(half[:rand.IntN(2)*len(half)])
		}},
		// Strangers lose their connection with each answer, so that all wait in the same queue.
		"with more requests at once than connections": {
			options: app.ServerOptions{MaxConnections: 40}, strangers: 80, visits: 200, codes: "signature_missing signature_mismatch ok",
			visit: func(s *stranger) { s.ask(s.claim, body) },
		},
	}
}

// tries is how often Telnyx sends an event.
const tries = 5

// flood is the state of one flood.
type flood struct {
	t       *testing.T
	address string
	tls     *tls.Config // nil for none
	over    chan struct{}
	// visits that strangers made, and deliveries that were tried again.
	visits, again atomic.Int64

	mu       sync.Mutex
	answered map[answer]int // to all, signed or not
	cut      int            // requests without an answer, and connections that were closed
}

func (f *flood) isOver() bool {
	select {
	case <-f.over:
		return true
	default:
		return false
	}
}

func (f *flood) count(got answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answered[got]++
}

func (f *flood) saw(a answer) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.answered[a] > 0
}

func (f *flood) countCut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut++
}

// letThemCatch delivers what strangers will replay.
func (f *flood) letThemCatch(body []byte) {
	f.t.Helper()
	got, err := f.attempt(&http.Transport{DisableKeepAlives: true}, body)
	if got.Status != http.StatusOK {
		f.t.Fatalf("the delivery that they will replay: answered %v, %v", got, err)
	}
	f.count(got)
}

// come starts the crowd's visits, which end when leave is called.
func (f *flood) come(c crowd) (leave func()) {
	var strangers sync.WaitGroup
	for range c.strangers {
		strangers.Go(func() {
			s := &stranger{flood: f, claim: telnyx.Sign(strangerKey, now, nil)}
			defer s.hangUp()
			for !f.isOver() {
				c.visit(s)
				f.visits.Add(1)
			}
		})
	}
	return func() {
		close(f.over)
		strangers.Wait()
	}
}

// assertStored compares the streams with the ids of events and a count of dead letters.
func (f *flood) assertStored(d *door, ids map[string]bool, letters int) {
	f.t.Helper()
	stored := map[string]bool{}
	for _, m := range d.stored(events.StreamEvents) {
		stored[m.Header.Get("Nats-Msg-Id")] = true
	}
	if !maps.Equal(stored, ids) {
		f.t.Errorf("%d events are stored, and %d were delivered", len(stored), len(ids))
	}
	if n := len(d.stored(events.StreamDeadLetters)); n != letters {
		f.t.Errorf("%d dead letters are stored, want %d", n, letters)
	}
}

// signedAtLeast is how many signed events are delivered during a flood.
const signedAtLeast = 8

// deliverAll delivers signed events from four senders, two of which open a connection for
// each, until there were signedAtLeast and the flood lasted long enough. It returns their
// ids.
func (f *flood) deliverAll(enough func() bool) map[string]bool {
	var next atomic.Int64
	delivered := map[string]bool{}
	var mu sync.Mutex
	var senders sync.WaitGroup
	for i := range 4 {
		senders.Go(func() {
			transport := &http.Transport{DisableKeepAlives: i%2 == 0, TLSClientConfig: f.tls}
			defer transport.CloseIdleConnections()
			for {
				n := next.Add(1)
				if f.t.Failed() || n > signedAtLeast && enough() {
					return
				}
				id := fmt.Sprint("flood-", n)
				if f.deliver(transport, verified(f.t, id)) {
					mu.Lock()
					delivered[id] = true
					mu.Unlock()
				}
			}
		})
	}
	senders.Wait()
	return delivered
}

// deliver tries as often as Telnyx does, but without pauses.
func (f *flood) deliver(transport http.RoundTripper, body []byte) bool {
	var last string
	for try := range tries {
		if try == 1 {
			f.again.Add(1)
		}
		got, err := f.attempt(transport, body)
		if err != nil {
			f.countCut()
			last = err.Error()
			continue
		}
		f.count(got)
		if got == accepted || got == duplicate && try > 0 {
			return true
		}
		last = fmt.Sprint(got)
		if got.Status != http.StatusServiceUnavailable {
			break
		}
	}
	f.t.Errorf("a signed delivery was not accepted: %s", last)
	return false
}

func (f *flood) scheme() string {
	if f.tls != nil {
		return "https://"
	}
	return "http://"
}

func (f *flood) attempt(transport http.RoundTripper, body []byte) (answer, error) {
	// Far over Telnyx's two seconds, since this machine may be slow.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.scheme()+f.address+webhook.Path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	maps.Copy(request.Header, signed(body))
	response, err := transport.RoundTrip(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	return readAnswer(response.StatusCode, response.Header, text)
}

// assertCounted compares the counters with the answers. A request that was cut off may
// have been counted before.
func (f *flood) assertCounted(d *door, codes string) {
	f.t.Helper()
	counters := d.counters()
	total, asked := 0.0, f.cut
	refused := map[string]float64{} // by code, all causes together
	for name, counted := range counters {
		if labels, found := strings.CutPrefix(name, "greenlight_webhook_refused_total{"); found {
			_, code, _ := strings.Cut(labels, `code="`)
			refused[strings.TrimSuffix(code, `"}`)] += counted
		}
	}
	for word, counted := range refused {
		seen := 0
		for got, n := range f.answered {
			if got.Status != http.StatusOK && got.Word == word {
				seen += n
			}
		}
		if counted < float64(seen) || counted > float64(seen+f.cut) {
			f.t.Errorf("%s: %v were counted and %d answered, with %d cut off", word, counted, seen, f.cut)
		}
		total += counted
	}
	for got, n := range f.answered {
		if got.Status == http.StatusOK {
			total += float64(n)
		} else if !strings.Contains(codes+" overloaded", got.Word) {
			f.t.Errorf("%d were answered %v", n, got)
		}
		asked += n
	}
	if total < float64(asked-f.cut) || total > float64(asked) {
		f.t.Errorf("%v were counted in all, and %d asked", total, asked)
	}
}

// stranger is one client of a flood, with one connection at a time.
type stranger struct {
	flood  *flood
	claim  http.Header // a well-formed signature by another key
	conn   net.Conn
	reader *bufio.Reader
}

// dial makes sure that there is a connection. It returns false if there is none, for
// example because the kernel's queue is full.
func (s *stranger) dial() bool {
	if s.conn != nil {
		return true
	}
	conn, err := net.DialTimeout("tcp", s.flood.address, 10*time.Second)
	if err != nil {
		return false
	}
	if s.flood.tls != nil {
		conn = tls.Client(conn, s.flood.tls)
	}
	s.conn, s.reader = conn, bufio.NewReader(conn)
	return true
}

func (s *stranger) hangUp() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

func head(claim http.Header, length int) string {
	text := post
	if claim != nil {
		text += headerLines(claim)
	}
	return text + fmt.Sprintf("Content-Length: %d\r\n\r\n", length)
}

// ask makes a request and reads the answer.
func (s *stranger) ask(claim http.Header, body string) {
	if !s.dial() {
		return
	}
	_, _ = io.WriteString(s.conn, head(claim, len(body))+body) // the answer shows whether it arrived
	s.take()
}

// askSlowly sends the first part of the body at once, and then a byte now and then until
// it is answered. When the flood is over it sends the rest.
func (s *stranger) askSlowly(claim http.Header, first, body string) {
	if !s.dial() {
		return
	}
	_, _ = io.WriteString(s.conn, head(claim, len(first)+len(body))+first)
	for len(body) > 1 && !s.flood.isOver() {
		_ = s.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := s.reader.Peek(1); err == nil {
			break
		} else if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() {
			break
		}
		_, _ = io.WriteString(s.conn, body[:1])
		body = body[1:]
	}
	_ = s.conn.SetReadDeadline(time.Time{})
	if s.flood.isOver() {
		_, _ = io.WriteString(s.conn, body)
	}
	s.take()
}

// take reads an answer and counts it.
func (s *stranger) take() {
	_ = s.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	response, err := http.ReadResponse(s.reader, nil)
	if err == nil {
		var text []byte
		if text, err = io.ReadAll(response.Body); err == nil {
			var got answer
			if got, err = readAnswer(response.StatusCode, response.Header, text); err != nil {
				s.flood.t.Error(err)
			}
			s.flood.count(got)
			if response.Close {
				s.hangUp()
			}
			return
		}
	}
	s.flood.countCut()
	s.hangUp()
}

// hold sends less than a request and keeps the connection until it is closed or the flood
// is over.
func (s *stranger) hold(text string) {
	s.hangUp()
	if !s.dial() {
		return
	}
	_, _ = io.WriteString(s.conn, text)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_, _ = s.reader.ReadByte()
	}()
	select {
	case <-closed:
		s.flood.countCut()
	case <-s.flood.over:
	}
	s.hangUp()
	<-closed
}

// costs are kinds of deliveries, from the cheapest refusal to an accepted one.
var costs = []struct {
	name string
	sign func(body []byte) http.Header
	want int
}{
	{"unsigned", func([]byte) http.Header { return http.Header{} }, http.StatusUnauthorized},
	{"stranger", func(body []byte) http.Header { return telnyx.Sign(strangerKey, now, body) }, http.StatusUnauthorized},
	{"signed", signed, http.StatusOK},
}

// BenchmarkCost measures the handler on a request without headers, on one that a stranger
// signed, and on one that it stores. of-signed is the share of the last one's time.
func BenchmarkCost(b *testing.B) {
	took := map[string]float64{}
	for i := range costs {
		kind := costs[len(costs)-1-i] // the signed one first, so that the others have their share
		b.Run(kind.name, func(b *testing.B) {
			d := open(b)
			handler := d.hook.Handler()
			requests := d.requests(b.N, kind.sign)
			b.ReportAllocs()
			b.ResetTimer()
			for _, request := range requests {
				recorder := httptest.NewRecorder()
				if handler.ServeHTTP(recorder, request); recorder.Code != kind.want {
					b.Fatalf("answered %d", recorder.Code)
				}
			}
			took[kind.name] = float64(b.Elapsed().Nanoseconds()) / float64(b.N)
			b.ReportMetric(took[kind.name]/took["signed"], "of-signed")
		})
	}
}

// BenchmarkConnection measures a connection with one request that is refused by its
// headers, without and with TLS. It includes the client's part, about half of a handshake.
func BenchmarkConnection(b *testing.B) {
	for _, secure := range []bool{false, true} {
		b.Run(map[bool]string{false: "clear", true: "TLS"}[secure], func(b *testing.B) {
			d := open(b)
			f := &flood{answered: map[answer]int{}}
			if secure {
				f.address, f.tls = d.serveTLS(app.ServerOptions{})
			} else {
				f.address = d.serve(app.ServerOptions{})
			}
			s := &stranger{flood: f}
			for b.Loop() {
				s.ask(nil, "")
				s.hangUp()
			}
			if got := f.answered[answer{401, "signature_missing"}]; got != b.N {
				b.Errorf("%d of %d were answered", got, b.N)
			}
		})
	}
}

// A refusal must cost less than an accepted delivery, and a refusal by the headers least
// of all: its body is neither read nor verified.
func TestCost_OfARefusalIsLessThanOfADelivery(t *testing.T) {
	d := open(t)
	handler := d.hook.Handler()
	allocations := map[string]float64{}
	for _, kind := range costs {
		const runs = 200
		requests := d.requests(runs+1, kind.sign) // one more, to warm up
		allocations[kind.name] = testing.AllocsPerRun(runs, func() {
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, requests[0])
			requests = requests[1:]
			if recorder.Code != kind.want {
				t.Errorf("%s: answered %d", kind.name, recorder.Code)
			}
		})
	}
	t.Log(allocations)
	// This includes the recorder, NATS' client and the server. It is today's number and a
	// few more.
	const most = 85
	if allocations["signed"] > most && !raced {
		t.Errorf("a delivery takes %v allocations, want %d at most", allocations["signed"], most)
	}
	if a := allocations; a["unsigned"] >= a["stranger"] || a["stranger"] >= a["signed"] {
		t.Errorf("allocations: %v, want them to rise", a)
	}
}

// requests returns n requests with an event each.
func (d *door) requests(n int, sign func([]byte) http.Header) []*http.Request {
	all := make([]*http.Request, n)
	for i := range all {
		body := verified(d.t, fmt.Sprint("cost-", i))
		all[i] = httptest.NewRequest(http.MethodPost, webhook.Path, bytes.NewReader(body))
		maps.Copy(all[i].Header, sign(body))
	}
	return all
}
