package page_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/status"
	"greenlight/internal/status/page"
	"greenlight/internal/testkit"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Most tests wait for the browser, or for something else to happen.
	_ = flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0)))
	goleak.VerifyTestMain(withBrowser{m}, testkit.ServerLeaks()...)
}

// withBrowser ends the browser after the tests.
type withBrowser struct{ tests *testing.M }

func (w withBrowser) Run() int {
	code := w.tests.Run()
	if err := chromium.end(); err != nil {
		fmt.Fprintln(os.Stderr, "end the browser:", err)
		return 1
	}
	return code
}

// often is a Refresh for tests that wait for a change of the surroundings. In others it would
// cause further changes, for example when the consumer is between two requests.
const often = 100 * time.Millisecond

// patience is how long a test waits for a condition.
const patience = 10 * time.Second

// The campaigns of the mixed ledger.
const (
	springID = "751c6a5c-907b-43a9-8ada-ba1dc8335b07"
	autumnID = "C6X6M95"
	summerID = "2f0d8c1a-63c5-4a1e-9c57-0b7c5d1e9a44"
	winterID = "4b300164-8c7a-4ad5-9b9c-6f3a35b9c1d2"
	strayID  = "9b6cf3a4-0d51-4b44-8f2c-3c6a2f2b7a10"
)

// markup must be shown as text, never become elements of a page.
const markup = `<img src=x onerror="window.pwned=1"><script>window.pwned=1</script><b>bold</b>`

// eventWords precede the markup in the text of an event.
const eventWords = "Telnyx reviews it "

// startJetStream starts a server that has the streams.
func startJetStream(t testing.TB) jetstream.JetStream {
	t.Helper()
	js := testkit.JetStream(t, testkit.Embedded(t))
	must(t, events.EnsureStreams(t.Context(), js, 1))
	return js
}

// world is a ledger and the private listener that shows it.
type world struct {
	js   jetstream.JetStream
	book *ledger.Ledger
	page *page.Page
	url  string
	stop func()
	log  *testkit.Buffer
	// expected are messages that may be logged.
	expected *[]string
}

// expectLog lets the log have these messages.
func (w world) expectLog(messages ...string) { *w.expected = messages }

// unexpected returns the lines of the log that were not expected.
func (w world) unexpected() (lines []string) {
	for line := range strings.Lines(w.log.String()) {
		if !slices.ContainsFunc(*w.expected, func(message string) bool { return strings.Contains(line, message) }) {
			lines = append(lines, line)
		}
	}
	return lines
}

// start shows what js has. Its log must stay empty.
func start(t testing.TB, js jetstream.JetStream, config page.Config, of ...status.ViewConfig) world {
	t.Helper()
	book, err := ledger.Create(t.Context(), js, 1)
	must(t, err)
	w := show(t, js, config, of...)
	w.book = book
	return w
}

func show(t testing.TB, js jetstream.JetStream, config page.Config, of ...status.ViewConfig) world {
	t.Helper()
	var log testkit.Buffer
	var viewed status.ViewConfig
	if len(of) > 0 {
		viewed = of[0]
	}
	viewed.JetStream, viewed.Log = js, zerolog.New(&log)
	view := status.NewView(viewed)
	config.JetStream, config.View, config.Log = js, view, viewed.Log
	shown := page.New(config)
	server := httptest.NewUnstartedServer(status.Handler(status.Config{
		View: view, Checks: viewed.Checks, Metrics: prometheus.NewRegistry(), Page: shown,
	}))
	// A client that does not read fills a small buffer soon. The full scale has answers of
	// 50 MB, which must not take long.
	server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if os.Getenv(scaleVariable) == "" {
			_ = c.(*net.TCPConn).SetWriteBuffer(4096)
		}
		return ctx
	}
	server.Start()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- view.Run(ctx) }()
	go func() { ended <- shown.Run(ctx) }()
	w := world{js: js, page: shown, url: server.URL, log: &log, expected: &[]string{}}
	w.stop = sync.OnceFunc(func() {
		cancel()
		must(t, <-ended)
		must(t, <-ended)
		server.Close()
		if lines := w.unexpected(); len(lines) > 0 {
			t.Errorf("logged:\n%s", strings.Join(lines, ""))
		}
	})
	t.Cleanup(w.stop)
	return w
}

// mixed has campaigns and numbers with every kind of problem, and dead letters.
func mixed(t testing.TB, config page.Config, of ...status.ViewConfig) world {
	t.Helper()
	w := start(t, startJetStream(t), config, of...)
	w.work(t)
	now := time.Now()
	for _, c := range []ledger.Campaign{
		{ID: springID, TelnyxID: springID, TCRID: "C6X6M94", BrandID: "b", Planned: true, Plan: "spring-promo", Phase: ledger.PhaseApproved, Status: "MNO_PROVISIONED", Carriers: []ledger.Carrier{{Name: "AT&T", Status: "APPROVED"}, {Name: "T-Mobile", Status: "REVIEW"}}, Extras: 2, NextAt: now.Add(4 * time.Minute), Since: now.Add(-90 * time.Minute)},
		{ID: autumnID, TCRID: autumnID, Shared: true, Planned: true, Plan: "autumn-sale-of-the-whole-catalogue-2026", Phase: ledger.PhaseRejected, Status: "MNO_REJECTED", Detail: "Brand's website " + markup + " could not be reached (code 803)", Since: now.Add(-50 * time.Hour)},
		{ID: summerID, TelnyxID: summerID, TCRID: "C0FFEE1", Planned: true, Plan: "summer-news", Phase: ledger.PhaseApproved, Status: "MNO_PROVISIONED", Since: now.Add(-26 * time.Hour)},
		{ID: winterID, Planned: true, Plan: "winter-reminders", Phase: ledger.PhaseInReview, Status: "MNO_PENDING", NextAt: now.Add(11 * time.Minute), Since: now.Add(-3 * 24 * time.Hour)},
		{ID: strayID, Phase: ledger.PhaseApproved, Status: "MNO_PROVISIONED", Since: now.Add(-time.Hour)},
	} {
		w.putCampaign(t, c)
	}
	number := func(e164, campaign, plan string, state ledger.State, reason ledger.Reason, detail string) {
		n := ledger.Number{Number: e164, CampaignID: campaign, Plan: plan, State: state, Reason: reason, Detail: detail, Since: now.Add(-20 * time.Minute)}
		n.NeedsPerson = state == ledger.Conflict || state == ledger.Failed || reason == ledger.CampaignRejected
		if reason == ledger.OtherCampaign {
			n.OtherCampaignID = "C000001"
		}
		w.putNumber(t, n)
	}
	for i := range 14 {
		number(fmt.Sprintf("+155512345%02d", i), springID, "spring-promo", ledger.Sendable, "", "")
	}
	number("+15551234571", springID, "spring-promo", ledger.Conflict, ledger.OtherCampaign, "ASSIGNED on campaign C000001")
	number("+15551234572", springID, "spring-promo", ledger.Failed, ledger.NotOwned, "")
	number("+15551234573", springID, "spring-promo", ledger.Failed, ledger.Rejected, "422 10015 Bad Request: The phone number "+markup+" cannot be used")
	number("+15551234574", springID, "spring-promo", ledger.Pending, "", "")
	number("+15551234575", springID, "spring-promo", ledger.Attached, "", "")
	number("+15551234576", springID, "spring-promo", ledger.Planned, ledger.DormantRetry, "The campaign was dormant")
	for i := range 6 {
		number(fmt.Sprintf("+1212555014%d", i), autumnID, "autumn-sale-of-the-whole-catalogue-2026", ledger.Planned, ledger.CampaignRejected, "")
	}
	for i := range 9 {
		number(fmt.Sprintf("+1646555017%d", i), summerID, "summer-news", ledger.Sendable, "", "")
	}
	for i := range 4 {
		number(fmt.Sprintf("+1415555012%d", i), winterID, "winter-reminders", ledger.Planned, ledger.CampaignInReview, "")
	}
	body, err := json.Marshal(map[string]any{"data": map[string]any{
		"event_type": "10dlc.campaign.update", "id": "e-1", "occurred_at": now, "payload": map[string]any{
			"campaignId": springID, "type": "TELNYX_REVIEW", "description": eventWords + markup,
		},
	}})
	must(t, err)
	_, err = events.NewPublisher(w.js).Publish(t.Context(), events.Event{ID: "e-1", Type: "10dlc.campaign.update", About: springID, ReceivedAt: now, Body: body})
	must(t, err)
	for i := range 2 {
		must(t, events.NewPublisher(w.js).DeadLetter(t.Context(), events.DeadLetter{
			Origin: "webhook", Reason: "not_an_event", Detail: "no JSON " + markup, Attempts: 1, Key: fmt.Sprint("key-", i), Body: []byte("?"),
		}))
	}
	// The surroundings must not change any more, so that only the test changes the page.
	w.untilBacklog(t, events.Backlog{DeadLetters: 2, Ran: true})
	settled(t, w)
	return w
}

// work runs a consumer, as an assigner does, until the test ends.
func (w world) work(t testing.TB) (stop func()) {
	t.Helper()
	consumer, err := events.NewConsumer(t.Context(), w.js, events.Timing{}, func(error) {})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = consumer.Run(ctx, func(d *events.Delivery) { _ = d.Done() }, func() {}) // a test may take its connection away
	}()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(stop)
	w.untilBacklog(t, events.Backlog{Ran: true})
	return stop
}

// untilBacklog waits until the backlog is the wanted one.
func (w world) untilBacklog(t testing.TB, want events.Backlog) {
	t.Helper()
	testkit.Within(t, patience, func() error {
		got, err := events.ReadBacklog(t.Context(), w.js)
		if err == nil && got != want {
			err = fmt.Errorf("the backlog is %+v, want %+v", got, want)
		}
		return err
	})
}

func (w world) putCampaign(t testing.TB, c ledger.Campaign) {
	t.Helper()
	entry, _, err := w.book.Campaign(t.Context(), c.ID)
	must(t, err)
	_, err = w.book.PutCampaign(t.Context(), entry, c)
	must(t, err)
}

func (w world) putNumber(t testing.TB, n ledger.Number) {
	t.Helper()
	var entry ledger.NumberEntry
	known, _, err := w.book.RecordsOf(t.Context(), []string{n.Number})
	must(t, err)
	for _, k := range known {
		if k.Number.CampaignID == n.CampaignID {
			entry = k
		}
	}
	_, err = w.book.PutNumber(t.Context(), entry, n)
	must(t, err)
}

// get returns the answer, redirects not followed, and its body.
func (w world) get(t testing.TB, path string) (*http.Response, string) {
	t.Helper()
	return ask(t, http.MethodGet, w.url+path)
}

func ask(t testing.TB, method, url string) (*http.Response, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, nil)
	must(t, err)
	answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	must(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	must(t, err)
	return answer, string(body)
}

// await requests a page until it matches.
func (w world) await(t testing.TB, path string, says func(body string) bool) string {
	t.Helper()
	var body string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, body = w.get(t, path); says(body) {
			return body
		}
	}
	t.Fatalf("%s never matched:\n%s", path, body)
	return ""
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
