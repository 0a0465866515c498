package page_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/events/embedded"
	"greenlight/internal/ledger"
	"greenlight/internal/status"
	"greenlight/internal/status/page"
	"greenlight/internal/testkit"
)

const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func TestPage_SetsSecurityHeaders(t *testing.T) {
	t.Parallel()
	w := mixed(t, page.Config{})
	for _, path := range []string{"/status", "/status/campaigns/" + springID, "/status/assets/page.js", "/status/nothing", "/status/events?of=x"} {
		answer, _ := w.get(t, path)
		for key, want := range map[string]string{
			"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
		} {
			if got := answer.Header.Get(key); got != want {
				t.Errorf("%s: %s: got %q, want %q", path, key, got, want)
			}
		}
	}
}

func TestPage_IsReadOnly(t *testing.T) {
	t.Parallel()
	w := mixed(t, page.Config{})
	for _, path := range []string{"/status", "/status/campaigns/" + springID, "/status/events", "/status/assets/page.css"} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			if answer, _ := ask(t, method, w.url+path); answer.StatusCode != http.StatusMethodNotAllowed || answer.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: got %d, allow %q", method, path, answer.StatusCode, answer.Header.Get("Allow"))
			}
		}
	}
	for _, path := range []string{"/status", "/status/events?of=/status"} {
		if answer, body := ask(t, http.MethodHead, w.url+path); answer.StatusCode != http.StatusOK || body != "" {
			t.Errorf("HEAD %s: got %d %q", path, answer.StatusCode, body)
		}
	}
}

func TestPage_IsNotFoundForUnknownAddresses(t *testing.T) {
	t.Parallel()
	w := mixed(t, page.Config{})
	for _, path := range []string{
		"/status/", "/status/campaigns/unknown", "/status/campaigns/", "/status/numbers/15559999999", "/status/numbers/+1555", "/status/numbers/",
		"/status/assets/unknown.js", "/status/assets/..%2fpage.go", "/status/x",
	} {
		if answer, body := w.get(t, path); answer.StatusCode != http.StatusNotFound {
			t.Errorf("%s: got %d, want 404: %s", path, answer.StatusCode, body)
		}
	}
}

func TestPage_SaysThatNothingIsPlanned(t *testing.T) {
	t.Parallel()
	w := show(t, startJetStream(t), page.Config{}) // no assigner ever ran
	_, body := w.get(t, "/status")
	for _, words := range []string{"<h1>No numbers are planned yet</h1>", "Put a plan file into config/plans.", "No campaigns to show"} {
		if !strings.Contains(body, words) {
			t.Errorf("the page does not say %q:\n%s", words, body)
		}
	}
	if strings.Contains(body, `class="chart"`) {
		t.Error("there is a chart of no numbers")
	}
	// The ledger is followed as soon as it exists.
	book, err := ledger.Create(t.Context(), w.js, 1)
	must(t, err)
	w.book = book
	w.putNumber(t, ledger.Number{Number: "+15551234567", CampaignID: "C1", State: ledger.Sendable, Since: time.Now()})
	w.await(t, "/status", func(body string) bool { return strings.Contains(body, "<h1>The number can send</h1>") })
}

func TestPage_OmitsDroppedRecords(t *testing.T) {
	t.Parallel()
	w := mixed(t, page.Config{})
	w.await(t, "/status", func(body string) bool { return strings.Contains(body, "23 of 39 numbers can send") })
	numbers, err := w.book.Numbers(t.Context(), springID)
	must(t, err)
	for _, entry := range numbers {
		must(t, w.book.DropNumber(t.Context(), entry))
	}
	entry, _, err := w.book.Campaign(t.Context(), springID)
	must(t, err)
	must(t, w.book.DropCampaign(t.Context(), entry))
	body := w.await(t, "/status", func(body string) bool {
		return strings.Contains(body, "9 of 19 numbers can send") && !strings.Contains(body, springID)
	})
	if strings.Contains(body, "Order or port") {
		t.Errorf("it still asks to do something about numbers that are gone:\n%s", body)
	}
	if answer, _ := w.get(t, "/status/campaigns/"+springID); answer.StatusCode != http.StatusNotFound {
		t.Errorf("the campaign: got %d, want 404", answer.StatusCode)
	}
}

func TestPage_Filters(t *testing.T) {
	t.Parallel()
	w := mixed(t, page.Config{})
	w.await(t, "/status", func(body string) bool { return strings.Contains(body, "23 of 39") })
	count := func(path, of string) int {
		_, body := w.get(t, path)
		return strings.Count(body, `class="row `+of)
	}
	for query, want := range map[string]int{
		"": 5, "?phase=approved": 3, "?phase=rejected": 1, "?phase=unknown": 0, "?phase=bogus": 5, "?q=PROMO": 1, "?q=c6x6m95": 1, "?q=%2B1555123": 1, "?q=555": 0, "?q=nothing": 0,
		"?show=person": 2, "?show=unfinished": 3, "?show=not_owned": 1, "?show=sendable": 2, "?show=bogus": 5, "?show=unplanned": 1, "?phase=approved&show=person&q=spring": 1,
		"?page=99": 5, "?page=-1": 5, "?page=x": 5,
	} {
		if got := count("/status"+query, "campaign"); got != want {
			t.Errorf("%q: got %d campaigns, want %d", query, got, want)
		}
	}
	for query, want := range map[string]int{
		"": 20, "?show=person": 3, "?show=unfinished": 6, "?show=sendable": 14, "?show=rejected": 1, "?q=4571": 1, "?q=dormant": 1, "?q=BAD+request": 1, "?q=zzz": 0,
	} {
		if got := count("/status/campaigns/"+springID+query, "number"); got != want {
			t.Errorf("%q: got %d numbers, want %d", query, got, want)
		}
	}
	if _, body := w.get(t, "/status/campaigns/"+springID); !strings.Contains(body, "provisioned at the carriers") || !strings.Contains(body, "<dd>AT&amp;T APPROVED, T-Mobile REVIEW</dd>") {
		t.Error("the page does not show the stage and the carriers")
	}
	if _, body := w.get(t, "/status/campaigns/"+springID+"?phase=rejected"); strings.Contains(body, ">Clear</a>") {
		t.Error("numbers are not filtered by phase, and the page offers to clear it")
	}
}

func TestPage_SaysWhatToDo(t *testing.T) {
	t.Parallel()
	w := mixed(t, page.Config{})
	w.putCampaign(t, ledger.Campaign{ID: "C000003", Planned: true, Plan: "refused", Phase: ledger.PhaseUnread, Reason: ledger.Unauthorized, Since: time.Now()})
	body := w.await(t, "/status", func(body string) bool { return strings.Contains(body, ">refused<") })
	for _, words := range []string{
		`<a href="/status/campaigns/C000003">Check the API key for 1 campaign</a>`, `<a href="/status/campaigns/` + autumnID + `">Appeal 1 rejected campaign</a>`,
		`<a href="/status/campaigns/` + strayID + `">Plan 1 approved campaign, or leave it</a>`, `<a href="/status/campaigns/` + springID + `">Order or port 1 number</a>`,
	} {
		if !strings.Contains(body, words) {
			t.Errorf("the page does not say %q:\n%s", words, body)
		}
	}
}

func TestPage_ShowsWhenANumberIsChecked(t *testing.T) {
	t.Parallel()
	w := start(t, startJetStream(t), page.Config{})
	since, next := time.Now().Add(-time.Hour).UTC().Truncate(time.Second), time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	w.putNumber(t, ledger.Number{Number: "+15551234567", CampaignID: "C1", State: ledger.Pending, Since: since, NextAt: next})
	w.await(t, "/status/campaigns/C1", func(body string) bool {
		return strings.Contains(body, `since <time datetime="`+since.Format(time.RFC3339)+`"`) && strings.Contains(body, `next check <time datetime="`+next.Format(time.RFC3339)+`"`)
	})
}

// A past time is shown as now.
func TestPage_ShowsAPastTimeAsNow(t *testing.T) {
	t.Parallel()
	w := start(t, startJetStream(t), page.Config{})
	w.putCampaign(t, ledger.Campaign{ID: "C1", Planned: true, Plan: "one", Phase: ledger.PhaseApproved, NextAt: time.Now().Add(-28 * time.Second), Since: time.Now()})
	w.putNumber(t, ledger.Number{Number: "+15551234567", CampaignID: "C1", State: ledger.Pending, Since: time.Now(), NextAt: time.Now().Add(-28 * time.Second)})
	w.await(t, "/status/campaigns/C1", func(body string) bool {
		return strings.Contains(body, "next check now</span>") && strings.Contains(body, "<dt>Next check</dt><dd>now</dd>")
	})
}

// Numbers whose campaign is approved wait for the rate limit, and the page says how long.
func TestPage_ShowsTheQueue(t *testing.T) {
	t.Parallel()
	w := start(t, startJetStream(t), page.Config{Refresh: often})
	w.putCampaign(t, ledger.Campaign{ID: "C1", Planned: true, Plan: "one", Phase: ledger.PhaseApproved, Since: time.Now()})
	for i := range 3 {
		w.putNumber(t, ledger.Number{
			Number: fmt.Sprint("+1212555014", i), CampaignID: "C1", State: ledger.Planned, Reason: ledger.Queued, Since: time.Now(),
			NextAt: time.Now().Add(time.Duration(i+1) * time.Hour),
		})
	}
	body := w.await(t, "/status", func(body string) bool { return strings.Contains(body, "<b>3 numbers</b>, about 3 h<") })
	if !strings.Contains(body, `fill="url(#queued)" width="12" height="12"/></svg><b>3</b> queued</li>`) || !strings.Contains(body, ">Queue: about 3 h</p>") {
		t.Errorf("the campaign does not show its queue:\n%s", body)
	}
	if _, body := w.get(t, "/status/campaigns/C1"); !strings.Contains(body, "next try place 3, about 3 h") {
		t.Errorf("the numbers do not show their places:\n%s", body)
	}
	// What is on hold has no place, and its time is not counted.
	w.putCampaign(t, ledger.Campaign{ID: "C2", Planned: true, Plan: "two", Phase: ledger.PhaseApproved, Since: time.Now()})
	w.putNumber(t, ledger.Number{Number: "+12125550150", CampaignID: "C2", State: ledger.Planned, Reason: ledger.Queued, Since: time.Now(), NextAt: time.Now().Add(9 * time.Hour)})
	must(t, w.book.Hold(t.Context(), []string{"C2"}, ledger.HeldBy{By: "ann@ops", At: time.Now()}))
	w.await(t, "/status", func(body string) bool {
		return strings.Contains(body, "<b>3 numbers</b>, about 3 h, and 1 on hold<")
	})
}

// A number that needs a person has a next try as well, and the page shows both.
func TestPage_ShowsThatANumberNeedsAPersonBesideItsNextTry(t *testing.T) {
	t.Parallel()
	w := start(t, startJetStream(t), page.Config{})
	next := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	at := `<time datetime="` + next.Format(time.RFC3339) + `"`
	w.putCampaign(t, ledger.Campaign{ID: "C1", Planned: true, Plan: "one", Phase: ledger.PhaseApproved, Since: time.Now()})
	w.putNumber(t, ledger.Number{Number: "+15551234567", CampaignID: "C1", State: ledger.Failed, Reason: ledger.Rejected, NeedsPerson: true, Since: time.Now(), NextAt: next})
	w.putNumber(t, ledger.Number{Number: "+15551234568", CampaignID: "C1", State: ledger.Planned, Reason: ledger.Rejected, Since: time.Now(), NextAt: next})
	body := w.await(t, "/status/campaigns/C1", func(body string) bool { return strings.Count(body, `class="row number"`) == 2 })
	if problem, other := strings.Index(body, ">Fix 1 number that Telnyx refuses</h3>"), strings.Index(body, ">1 number: rejected</h3>"); problem < 0 || other < problem {
		t.Errorf("want the number that needs a person first, under what to do:\n%s", body)
	}
	if !strings.Contains(body, "<b>1</b> needs a person</li>") {
		t.Errorf("the campaign does not count the number that needs a person:\n%s", body)
	}
	if got := strings.Count(body, "next try "+at); got != 2 {
		t.Errorf("%d numbers have their next try, want both:\n%s", got, body)
	}
	if _, body := w.get(t, "/status/campaigns/C1?show=person"); strings.Count(body, `class="row number"`) != 1 {
		t.Errorf("not one number needs a person:\n%s", body)
	}
	_, body = w.get(t, "/status/numbers/15551234567")
	for _, words := range []string{"<dt>Needs a person</dt>", "<dt>Next try</dt><dd>" + at} {
		if !strings.Contains(body, words) {
			t.Errorf("the number's page does not say %q:\n%s", words, body)
		}
	}
	if _, body := w.get(t, "/status/numbers/15551234568"); strings.Contains(body, "<dt>Needs a person</dt>") {
		t.Errorf("the other number's page asks for a person:\n%s", body)
	}
}

// Without NATS the page still shows what was last read, and says that it is not current.
func TestPage_SaysThatNATSDoesNotAnswer(t *testing.T) {
	t.Parallel()
	w := mixed(t, page.Config{Refresh: often})
	w.await(t, "/status", func(body string) bool { return strings.Contains(body, "23 of 39") })
	w.expectLog("the status lost its watch over the ledger", "a status page could not be read from NATS")
	w.js.Conn().Close()
	body := w.await(t, "/status/campaigns/"+springID, func(body string) bool { return strings.Contains(body, "NATS does not answer") })
	alarm, summary := strings.Index(body, "<h2>NATS does not answer</h2>"), strings.Index(body, `id="campaign-head"`)
	if alarm < 0 || summary < alarm || !strings.Contains(body, `id="alerts" data-stale`) || !strings.Contains(body, "14 of 20 numbers could send") {
		t.Errorf("want the alarm first, then what was true before, as stale:\n%s", body)
	}
	for _, words := range []string{"Last read <time", "Greenlight is not connected to the NATS server"} {
		if !strings.Contains(body, words) {
			t.Errorf("no %q in\n%s", words, body)
		}
	}
	if strings.Contains(body, "nats: ") {
		t.Errorf("the page quotes a library's error:\n%s", body)
	}
	if answer, body := w.get(t, "/status/numbers/15551234573"); answer.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "This page cannot be shown now") {
		t.Errorf("got %d %s, want 503 with a sentence", answer.StatusCode, body)
	}
}

// A server that hangs, or is behind a broken network, keeps the connection open but does
// not answer.
func TestPage_SaysThatNATSHangs(t *testing.T) {
	t.Parallel()
	var wire testkit.Wire
	server, err := embedded.Start(embedded.Options{Dir: t.TempDir(), Listen: true})
	must(t, err)
	t.Cleanup(func() { must(t, server.Close()) })
	nc, err := events.Connect(wire.Start(t, server.URL()), t.Name())
	must(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	must(t, err)
	must(t, events.EnsureStreams(t.Context(), js, 1))
	w := start(t, js, page.Config{Refresh: often}, status.ViewConfig{Timeout: 500 * time.Millisecond})
	w.putNumber(t, ledger.Number{Number: "+15551234567", CampaignID: "C1", State: ledger.Sendable, Since: time.Now()})
	w.await(t, "/status", func(body string) bool { return strings.Contains(body, "<h1>The number can send</h1>") })
	wire.Freeze()
	defer wire.Thaw()
	w.await(t, "/status", func(body string) bool {
		return strings.Contains(body, "NATS does not answer") && strings.Contains(body, "did not answer within") && !strings.Contains(body, "<h1>The number can send</h1>")
	})
}

func TestPage_SaysThatNoAssignerRuns(t *testing.T) {
	t.Parallel()
	w := start(t, startJetStream(t), page.Config{Refresh: often})
	stop := w.work(t)
	w.putCampaign(t, ledger.Campaign{ID: "C1", Planned: true, Plan: "one", Phase: ledger.PhaseApproved, Since: time.Now()})
	if body := w.await(t, "/status", func(body string) bool { return strings.Contains(body, ">one<") }); strings.Contains(body, "No assigner") {
		t.Errorf("an assigner runs, and the page says:\n%s", body)
	}
	stop()
	must(t, events.NewPublisher(w.js).Trigger(t.Context(), events.KindCampaign, "C1"))
	w.await(t, "/status/campaigns/C1", func(body string) bool {
		return strings.Contains(body, "<h2>No assigner is running</h2>") && strings.Contains(body, "Stored and waiting: 1 event.")
	})
}

// The check of the plan files repeats in one line the faults that the page lists.
func TestPage_ShowsAFaultOfThePlanFilesOnce(t *testing.T) {
	t.Parallel()
	plans := status.Check{Name: "plans", Advisory: true, Ready: func(context.Context) error { return planFaults() }}
	w := start(t, startJetStream(t), page.Config{}, status.ViewConfig{Checks: []status.Check{plans}, PlanFaults: planFaults})
	_, body := w.get(t, "/status")
	if !strings.Contains(body, "<h2>The plan files cannot be used, and no plan set is in force: nothing is checked or attached.</h2>") || !strings.Contains(body, "<li><code>plan.yaml:2:1:") || strings.Contains(body, "Warning: plans") {
		t.Errorf("got\n%s", body)
	}
}

// The assigner, which may be another process, recorded that the plan files have faults.
func TestPage_ShowsAFaultThatTheAssignerFound(t *testing.T) {
	t.Parallel()
	w := start(t, startJetStream(t), page.Config{Refresh: often})
	w.work(t)
	must(t, w.book.PutPlans(t.Context(), ledger.Plans{Hash: "3f9a41c07be2", Fault: "plan.yaml:3:1: no\nplan.yaml:9:1: no"}))
	body := w.await(t, "/status", func(body string) bool { return strings.Contains(body, "plan.yaml:3:1") })
	for _, words := range []string{"<h2>The plan files cannot be used; the last good set stays in force.</h2>", "<li><code>plan.yaml:9:1: no</code></li>", ", the last good set</dd>", "<dt>Loaded</dt>"} {
		if !strings.Contains(body, words) {
			t.Errorf("no %q in\n%s", words, body)
		}
	}
}

func TestDeadLetters_ArePagedFromTheLatest(t *testing.T) {
	t.Parallel()
	w := start(t, startJetStream(t), page.Config{})
	for i := range 30 {
		must(t, events.NewPublisher(w.js).DeadLetter(t.Context(), events.DeadLetter{
			Origin: "webhook", Reason: "not_an_event", Detail: fmt.Sprint("letter ", i), Key: fmt.Sprint(i), Body: []byte("?"),
		}))
	}
	stream, err := w.js.Stream(t.Context(), events.StreamDeadLetters)
	must(t, err)
	must(t, stream.DeleteMsg(t.Context(), 29)) // it was requeued
	_, body := w.get(t, "/status/dead-letters")
	if n := strings.Count(body, `class="row dead-letter"`); n != 25 || !strings.Contains(body, "letter 29<") || strings.Contains(body, "letter 28<") || strings.Contains(body, `aria-label="Dead letters"`) || !strings.Contains(body, `href="/status/dead-letters?before=5"`) {
		t.Errorf("the first page has %d:\n%s", n, body)
	}
	_, body = w.get(t, "/status/dead-letters?before=5")
	if n := strings.Count(body, `class="row dead-letter"`); n != 4 || !strings.Contains(body, "letter 0<") || strings.Contains(body, "Older") {
		t.Errorf("the second page has %d:\n%s", n, body)
	}
}

func TestAssets_AreCachedByBrowsers(t *testing.T) {
	t.Parallel()
	w := mixed(t, page.Config{})
	_, body := w.get(t, "/status")
	for _, name := range []string{"page.css", "page.js", "icon.svg"} {
		_, rest, found := strings.Cut(body, `"/status/assets/`+name)
		query, _, _ := strings.Cut(rest, `"`)
		answer, content := w.get(t, "/status/assets/"+name+query)
		if !found || answer.StatusCode != http.StatusOK || content == "" || !strings.Contains(answer.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s%s: got %d, %s", name, query, answer.StatusCode, answer.Header.Get("Cache-Control"))
		}
	}
}
