package page_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"greenlight/internal/app"
	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/status/page"
)

// live reads a stream.
type live struct {
	t      *testing.T
	lines  *bufio.Scanner
	cancel context.CancelFunc
	code   int
}

func listen(t *testing.T, w world, of, since string) *live {
	t.Helper()
	return listenAgain(t, w, of, since, "")
}

// listenAgain is [listen] as a browser reconnects: with the first address and the id of the
// latest patch.
func listenAgain(t *testing.T, w world, of, since, latest string) *live {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	address := w.url + "/status/events?" + url.Values{"of": {of}, "since": {since}}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	must(t, err)
	if latest != "" {
		request.Header.Set("Last-Event-ID", latest)
	}
	answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	must(t, err)
	t.Cleanup(func() { answer.Body.Close() })
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	return &live{t: t, lines: lines, cancel: cancel, code: answer.StatusCode}
}

type patch struct {
	Title  string
	Blocks map[string]string
	Rows   map[string]string
	Order  []string
}

// next returns the next patch; ok is false when the stream has ended.
func (l *live) next() (p patch, size int, ok bool) {
	l.t.Helper()
	for l.lines.Scan() {
		if data, found := strings.CutPrefix(l.lines.Text(), "data: "); found && data != "{}" {
			must(l.t, json.Unmarshal([]byte(data), &p))
			return p, len(data), true
		}
	}
	return p, 0, false
}

// until reads patches until one matches.
func (l *live) until(wanted func(patch) bool) {
	l.t.Helper()
	var last patch
	for {
		p, _, ok := l.next()
		if !ok {
			l.t.Fatalf("no patch matches; the last was %+v", last)
		}
		if wanted(p) {
			return
		}
		last = p
	}
}

// beat waits for a heartbeat after the page was rendered once, and fails if a patch comes
// before it.
func (l *live) beat() {
	l.t.Helper()
	for beats := 0; beats < 2; { // the first is the greeting
		if !l.lines.Scan() {
			l.t.Fatalf("it ended after %d heartbeats: %v", beats, l.lines.Err())
		}
		switch line := l.lines.Text(); {
		case line == ": here", line == "event: here":
			beats++
		case strings.HasPrefix(line, "data: {\""):
			l.t.Errorf("sent, although the client has the page: %.500s", line)
		}
	}
}

var versionOf = regexp.MustCompile(`data-version="([^"]+)"`)

// settled returns the version of the page once it shows all records.
func settled(t testing.TB, w world) string {
	t.Helper()
	body := w.await(t, "/status", func(body string) bool {
		return strings.Contains(body, "23 of 39") && strings.Contains(body, "No plan</a>")
	})
	return versionOf.FindStringSubmatch(body)[1]
}

func TestStream_SendsOnlyChanges(t *testing.T) {
	t.Parallel()
	w := mixed(t, page.Config{Heartbeat: 20 * time.Millisecond})
	version := settled(t, w)
	l := listen(t, w, "/status", version)
	l.beat() // a change before the first rendering would be sent with the whole page
	w.putNumber(t, ledger.Number{Number: "+15551234574", CampaignID: springID, Plan: "spring-promo", State: ledger.Sendable, Since: time.Now()})
	p, size, ok := l.next()
	if !ok || p.Title != "Needs a person: 24 of 39 numbers can send" || len(p.Rows) != 1 || !strings.Contains(p.Rows["c-"+springID], "<b>15</b> of 20") {
		t.Errorf("got %+v", p)
	}
	if len(p.Blocks) != 2 || !strings.Contains(p.Blocks["summary"], "24 of 39") || !strings.Contains(p.Blocks["history"], "now 24 of 39") || p.Order != nil {
		t.Errorf("got blocks %v, order %v; want the summary and the history alone", p.Blocks, p.Order)
	}
	if size > 8000 {
		t.Errorf("got %d bytes for one change", size)
	}
}

func TestStream_SendsEverythingToAnotherVersion(t *testing.T) {
	t.Parallel()
	w := mixed(t, page.Config{})
	version := settled(t, w)
	for _, since := range []string{"", "other-1", version[:len(version)-1]} {
		if p, _, ok := listen(t, w, "/status", since).next(); !ok || len(p.Order) != 5 || len(p.Rows) != 5 {
			t.Errorf("since %q: got %d rows", since, len(p.Rows))
		}
	}
}

func TestStream_ContinuesAfterAReconnect(t *testing.T) {
	t.Parallel()
	w := mixed(t, page.Config{Heartbeat: 20 * time.Millisecond})
	listenAgain(t, w, "/status", "other-1", settled(t, w)).beat()
}

// The surroundings are read again and again while a page is live.
func TestStream_SendsHoldsAndDeadLetters(t *testing.T) {
	t.Parallel()
	w := mixed(t, page.Config{Heartbeat: 20 * time.Millisecond, Refresh: 5 * often})
	version := settled(t, w)
	l, letters := listen(t, w, "/status", version), listen(t, w, "/status/dead-letters", version)
	l.beat()
	letters.beat()
	book, err := ledger.Open(t.Context(), w.js)
	must(t, err)
	must(t, book.Hold(t.Context(), []string{springID}, ledger.HeldBy{By: "ann@ops", At: time.Now(), Reason: "carrier incident"}))
	must(t, events.NewPublisher(w.js).DeadLetter(t.Context(), events.DeadLetter{Origin: "webhook", Reason: "not_an_event", Key: "another", Body: []byte("?")}))
	// One refresh may fall between the two.
	l.until(func(p patch) bool {
		return strings.Contains(p.Blocks["alerts"], "<h2>On hold: spring-promo, since <time ")
	})
	letters.until(func(p patch) bool { return p.Title == "3 dead letters" && len(p.Rows) == 1 && len(p.Order) == 3 })
}

func TestStream_SendsTheTimelineOfANumber(t *testing.T) {
	t.Parallel()
	w := mixed(t, page.Config{Heartbeat: 20 * time.Millisecond})
	l := listen(t, w, "/status/numbers/15551234574", settled(t, w))
	l.beat()
	w.putNumber(t, ledger.Number{Number: "+15551234574", CampaignID: springID, Plan: "spring-promo", State: ledger.Attached, Since: time.Now()})
	p, _, ok := l.next()
	if !ok || p.Title != "+15551234574: attached" || !strings.Contains(p.Blocks["number-head"], ">attached</span>") {
		t.Errorf("got %+v", p)
	}
	if last := p.Rows[p.Order[len(p.Order)-1]]; len(p.Rows) != 1 || !strings.Contains(last, "Its state is now attached.") {
		t.Errorf("got rows %v in order %v", p.Rows, p.Order)
	}
}

// An open page of a number follows a hold, which changes no record.
func TestStream_SendsAHoldToTheNumbersPage(t *testing.T) {
	t.Parallel()
	w := mixed(t, page.Config{Refresh: often})
	settled(t, w)
	l := listen(t, w, "/status/numbers/15551234576", "")
	l.next()
	must(t, w.book.Hold(t.Context(), []string{springID}, ledger.HeldBy{By: "ann@ops", At: time.Now()}))
	l.until(func(p patch) bool {
		return strings.Contains(p.Blocks["number-head"], "On hold: nothing is sent until you run greenlight resume.")
	})
}

// Estimates and the chart move on with the time, without a change of the ledger.
func TestStream_MovesOnWithoutAChange(t *testing.T) {
	t.Parallel()
	w := start(t, startJetStream(t), page.Config{Renew: 50 * time.Millisecond})
	w.putNumber(t, ledger.Number{Number: "+15551234567", CampaignID: "C1", State: ledger.Planned, Reason: ledger.Queued, Since: time.Now(), NextAt: time.Now().Add(50 * time.Second)})
	w.await(t, "/status", func(body string) bool { return strings.Contains(body, "<b>1 number</b>, about ") })
	l := listen(t, w, "/status", "")
	first, _, _ := l.next()
	l.until(func(p patch) bool { return p.Blocks["next"] != "" && p.Blocks["next"] != first.Blocks["next"] })
}

// A burst of changes makes two patches: the first change, and all the others.
func TestStream_CoalescesChanges(t *testing.T) {
	t.Parallel()
	w := mixed(t, page.Config{Coalesce: 300 * time.Millisecond})
	l := listen(t, w, "/status/campaigns/"+summerID, "")
	if _, _, ok := l.next(); !ok {
		t.Fatal("no page")
	}
	for range 40 {
		for _, state := range []ledger.State{ledger.Pending, ledger.Attached} {
			w.putNumber(t, ledger.Number{Number: "+16465550170", CampaignID: summerID, Plan: "summer-news", State: state, Since: time.Now()})
		}
	}
	w.putNumber(t, ledger.Number{Number: "+16465550171", CampaignID: summerID, Plan: "summer-news", State: ledger.Failed, Reason: ledger.NotOwned, Since: time.Now()})
	patches := 0
	l.until(func(p patch) bool {
		patches++
		return strings.Contains(p.Rows["n-16465550171"], "failed")
	})
	if patches > 8 {
		t.Errorf("got %d patches for 81 changes", patches)
	}
}

func TestStream_LimitsTheNumberOfStreams(t *testing.T) {
	t.Parallel()
	w := mixed(t, page.Config{MaxStreams: 2})
	first, second := listen(t, w, "/status", ""), listen(t, w, "/status", "")
	first.next()
	second.next()
	if third := listen(t, w, "/status", ""); third.code != http.StatusServiceUnavailable {
		t.Errorf("got %d, want 503", third.code)
	}
	first.cancel() // makes room
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if listen(t, w, "/status", "").code == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a closed stream still counts")
		}
	}
}

func TestStream_RefusesOtherAddresses(t *testing.T) {
	t.Parallel()
	w := mixed(t, page.Config{})
	for _, of := range []string{"", "/metrics", "http://evil.example/", "/statusx", "%"} {
		if l := listen(t, w, of, ""); l.code != http.StatusBadRequest {
			t.Errorf("%q: got %d, want 400", of, l.code)
		}
	}
}

func TestStream_SaysThatThePageIsGone(t *testing.T) {
	t.Parallel()
	w := mixed(t, page.Config{})
	l := listen(t, w, "/status/campaigns/unknown", "")
	for l.lines.Scan() {
		if l.lines.Text() == "event: gone" {
			return
		}
	}
	t.Error("no event gone")
}

// served is the page on a server as the process has, with shorter timeouts.
func served(t *testing.T, w world, options app.ServerOptions) world {
	t.Helper()
	listener, err := app.Listen("127.0.0.1:0")
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- options.Serve(ctx, listener, w.page) }()
	t.Cleanup(func() { cancel(); must(t, <-ended) })
	w.url = "http://" + listener.Addr().String()
	return w
}

// The timeouts of the server are for short requests, not for streams.
func TestStream_OutlivesTheServersTimeouts(t *testing.T) {
	t.Parallel()
	const short = 50 * time.Millisecond
	w := mixed(t, page.Config{Heartbeat: 2 * short})
	settled(t, w)
	l := listen(t, served(t, w, app.ServerOptions{ReadTimeout: short, WriteTimeout: short}), "/status", "")
	beats := 0
	for beats < 4 && l.lines.Scan() {
		if l.lines.Text() == "event: here" {
			beats++
		}
	}
	if beats < 4 {
		t.Errorf("it ended after %d heartbeats: %v", beats, l.lines.Err())
	}
}

// A client that does not read is disconnected, and does not delay others.
func TestStream_DropsASlowReader(t *testing.T) {
	t.Parallel()
	w := mixed(t, page.Config{WriteTimeout: 50 * time.Millisecond, Coalesce: time.Millisecond, MaxStreams: 1})
	settled(t, w)
	address, err := url.Parse(w.url)
	must(t, err)
	conn, err := net.Dial("tcp", address.Host)
	must(t, err)
	defer conn.Close()
	must(t, conn.(*net.TCPConn).SetReadBuffer(4096))
	_, err = conn.Write([]byte("GET /status/events?of=/status HTTP/1.1\r\nHost: " + address.Host + "\r\n\r\n"))
	must(t, err)
	// Changes continue until another client gets a stream, because the slow one was dropped.
	// The buffers of both sockets must be full first.
	detail := strings.Repeat("words ", 60)
	for deadline := time.Now().Add(6 * patience); time.Now().Before(deadline); {
		for _, state := range []ledger.Phase{ledger.PhaseRejected, ledger.PhaseExpired} {
			for _, id := range []string{springID, autumnID, summerID, winterID} {
				w.putCampaign(t, ledger.Campaign{ID: id, Planned: true, Plan: "p-" + id, Phase: state, Detail: detail + string(state), Since: time.Now()})
			}
		}
		if listen(t, w, "/status", "").code == http.StatusOK {
			return
		}
	}
	t.Error("the slow reader was never dropped")
}

// Live pages do not delay the stop of the process.
func TestRun_EndsTheStreams(t *testing.T) {
	t.Parallel()
	w := mixed(t, page.Config{})
	l := listen(t, w, "/status", "")
	l.next()
	w.stop()
	for {
		if _, _, ok := l.next(); !ok {
			break
		}
	}
	if err := l.lines.Err(); err != nil {
		t.Errorf("got %v, want an end", err)
	}
}
