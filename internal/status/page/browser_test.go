package page_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"greenlight/internal/ledger"
	"greenlight/internal/status"
	"greenlight/internal/status/page"
)

// TestBrowser reads the page in a headless Chromium. Without one it is skipped, unless
// GREENLIGHT_BROWSER is set. GREENLIGHT_SCREENSHOTS names a folder for screenshots; without
// it none are taken, which is faster.
func TestBrowser(t *testing.T) {
	t.Parallel()
	browser := startBrowser(t)
	for name, test := range map[string]func(*testing.T, context.Context){
		"loads":                       browserLoads,
		"applies changes":             browserChanges,
		"announces the latest":        browserAnnouncements,
		"adds and removes rows":       browserRows,
		"filters":                     browserFilters,
		"pages through numbers":       browserPages,
		"shows a timeline":            browserShowsATimeline,
		"shows what is wrong":         browserShowsTrouble,
		"can be walked by keyboard":   browserKeyboard,
		"keeps markup inert":          browserMarkup,
		"works without JavaScript":    browserWithoutJavaScript,
		"falls back when not live":    browserFallsBack,
		"shows that NATS is away":     browserWithoutNATS,
		"can be read in both themes":  browserThemes,
		"fits a phone":                browserPhone,
		"is named for screen readers": browserNames,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, browser)
		})
	}
}

func startBrowser(t *testing.T) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		const reason = "no Chromium is on PATH; install it (Debian: apt-get install chromium) to run the tests of the page in a browser"
		if os.Getenv("GREENLIGHT_BROWSER") != "" {
			t.Fatal(reason)
		}
		t.Skip(reason)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.Flag("disable-gpu", true))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses to sandbox root
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	browser, stop := chromedp.NewContext(allocator)
	must(t, chromedp.Do(browser))
	t.Cleanup(func() {
		bounded, cancel := context.WithTimeout(browser, patience)
		defer cancel()
		if err := chromedp.Cancel(bounded); err != nil {
			t.Error(err)
		}
		stop()
	})
	return browser
}

// tab is one page in the browser. Its warnings and errors fail the test.
type tab struct {
	t     *testing.T
	ctx   context.Context
	world world
}

func open(t *testing.T, browser context.Context, w world, path string, before ...chromedp.Action[chromedp.Void]) tab {
	t.Helper()
	var mu sync.Mutex
	var complaints []string
	note := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		complaints = append(complaints, fmt.Sprintf(format, args...))
	}
	listen := func(event any) {
		switch e := event.(type) {
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning || e.Entry.Source == log.EntrySourceSecurity {
				note("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
			}
		case *runtime.EventConsoleAPICalled:
			note("console.%s", e.Type)
		case *runtime.EventExceptionThrown:
			note("exception: %s", e.ExceptionDetails.Text)
		}
	}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithListener(listen))
	b := tab{t: t, ctx: ctx, world: w}
	t.Cleanup(func() {
		cancel()
		mu.Lock()
		defer mu.Unlock()
		for _, complaint := range complaints {
			if !b.expected(complaint) {
				t.Errorf("the browser reports: %s", complaint)
			}
		}
	})
	must(t, chromedp.Do(ctx)) // the tab lives as long as the context that it was made under
	b.run(append([]chromedp.Action[chromedp.Void]{command(log.Enable, cdp.Empty{}), chromedp.EmulateViewport(1280, 900)}, before...)...)
	b.go_(path)
	return b
}

// expected reports whether the test itself caused the complaint.
func (b tab) expected(complaint string) bool {
	return strings.HasSuffix(b.t.Name(), "falls_back_when_not_live") && strings.Contains(complaint, "503")
}

func (b tab) run(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	bounded, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(bounded, actions...); err != nil {
		b.t.Fatal(err)
	}
}

func (b tab) go_(path string) {
	b.t.Helper()
	b.run(chromedp.Navigate(b.world.url + path))
}

// eval returns the value of an expression.
func eval[T any](b tab, expression string) T {
	b.t.Helper()
	bounded, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(bounded, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// js runs a statement.
func (b tab) js(statement string) {
	b.t.Helper()
	eval[bool](b, "{ "+statement+"; } true")
}

// until waits until an expression is true.
func (b tab) until(expression string) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		// While another page loads, an expression cannot be evaluated.
		if is, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](expression)); err == nil && is {
			return
		}
	}
	b.t.Fatalf("never true: %s\n%s", expression, eval[string](b, "document.body.innerText"))
}

func (b tab) untilLive() {
	b.t.Helper()
	b.until(`document.querySelector('#live')?.dataset.is === 'live'`)
}

func (b tab) text() string { return eval[string](b, "document.body.innerText") }

func (b tab) says(words ...string) {
	b.t.Helper()
	text := b.text()
	for _, w := range words {
		if !strings.Contains(text, w) {
			b.t.Errorf("the page does not say %q:\n%s", w, text)
		}
	}
}

// rows returns the heading of each row.
func (b tab) rows() []string {
	return eval[[]string](b, `[...document.querySelectorAll('#rows > li h3')].map(e => e.textContent)`)
}

// picture keeps a screenshot of the whole page.
func (b tab) picture(name string) {
	b.t.Helper()
	b.keep(name, chromedp.FullScreenshot(100))
}

func (b tab) keep(name string, take chromedp.Action[[]byte]) {
	b.t.Helper()
	dir := os.Getenv("GREENLIGHT_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, take)
	must(b.t, err)
	must(b.t, os.MkdirAll(dir, 0o755))
	must(b.t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644))
}

// command is an action that is a command of the protocol.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, c, params)
		return err
	})
}

func theme(name string) chromedp.Action[chromedp.Void] {
	return command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	})
}

func browserLoads(t *testing.T, browser context.Context) {
	w := mixed(t, page.Config{})
	b := open(t, browser, w, "/status", theme("light"))
	b.untilLive()
	b.says("23 of 39 numbers can send", "9 need a person", "3 are on their way", "What to do", "1 campaign: rejected",
		"1 number: not owned", "Order or port the number", "2 dead letters", "Next check: in ", "Live", "Times are of this browser;")
	want := []string{"autumn-sale-of-the-whole-catalogue-2026", "spring-promo", "summer-news", "winter-reminders", "No plan"}
	if got := b.rows(); !slices.Equal(got, want) {
		t.Errorf("rows: got %q, want %q", got, want)
	}
	if got := eval[string](b, "document.title"); got != "23 of 39 numbers can send · Greenlight" {
		t.Errorf("title: got %q", got)
	}
	// The screenshot for the README, without markup.
	w.putCampaign(t, ledger.Campaign{ID: autumnID, TCRID: autumnID, Planned: true, Plan: "autumn-sale", Phase: ledger.PhaseRejected, Status: "MNO_REJECTED", Detail: "Brand's website could not be reached (code 803)", Since: time.Now()})
	b.until(`document.querySelector('#c-` + autumnID + ` h3').textContent === 'autumn-sale'`)
	b.run(chromedp.EmulateViewport(1200, 1180, chromedp.EmulateScale(0.8)))
	b.keep("readme", chromedp.CaptureScreenshot())
}

func browserChanges(t *testing.T, browser context.Context) {
	w := mixed(t, page.Config{Coalesce: 50 * time.Millisecond})
	b := open(t, browser, w, "/status", chromedp.EmulateViewport(1000, 420))
	b.untilLive()
	const link = `document.querySelector('#c-` + springID + ` a')`
	b.js(`window.sameDocument = true; window.row = document.getElementById('c-` + springID + `');
		` + link + `.focus(); scrollTo(0, row.offsetTop - 100); document.querySelector('#q').value = 'typed'`)
	before := eval[float64](b, "scrollY")
	if before == 0 {
		t.Fatal("there is nothing to scroll")
	}
	w.putNumber(t, ledger.Number{Number: "+15551234574", CampaignID: springID, Plan: "spring-promo", State: ledger.Sendable, Since: time.Now()})
	b.until(`row.querySelector('[role=progressbar]').getAttribute('aria-valuenow') === '15'`)
	for name, expression := range map[string]string{
		"the document is the same":      `window.sameDocument === true && performance.getEntriesByType('navigation').length === 1`,
		"the row is the same element":   `document.getElementById('c-` + springID + `') === row`,
		"the focus is where it was":     `document.activeElement === ` + link,
		"the heading is up to date":     `document.querySelector('h1').textContent === '24 of 39 numbers can send'`,
		"the title is up to date":       `document.title === '24 of 39 numbers can send · Greenlight'`,
		"what was typed is still there": `document.querySelector('#q').value === 'typed'`,
		"it was announced":              `document.querySelector('#announce').textContent === '24 of 39 numbers can send'`,
	} {
		if !eval[bool](b, expression) {
			t.Errorf("not so: %s", name)
		}
	}
	if after := eval[float64](b, "scrollY"); after != before {
		t.Errorf("scrolled from %v to %v", before, after)
	}
}

// Of several changes in a short time the first is announced at once and the latest later.
// The test moves the page's clock.
func browserAnnouncements(t *testing.T, browser context.Context) {
	w := mixed(t, page.Config{Coalesce: 50 * time.Millisecond})
	b := open(t, browser, w, "/status")
	b.untilLive()
	b.js(`window.now = Date.now(); Date.now = () => window.now; window.timers = []; window.setTimeout = (f, ms) => { if (ms > 1000 && ms <= 10000) timers.push(f); return timers.length; };
		window.clearTimeout = (n) => { if (n > 0) timers[n - 1] = null; }`)
	send := func(e164 string) {
		w.putNumber(t, ledger.Number{Number: e164, CampaignID: springID, Plan: "spring-promo", State: ledger.Sendable, Since: time.Now()})
	}
	said := func(words string) string {
		return `document.querySelector('#announce').textContent === '` + words + `'`
	}
	send("+15551234574")
	b.until(said("24 of 39 numbers can send"))
	send("+15551234575")
	b.until(`document.querySelector('h1').textContent === '25 of 39 numbers can send'`)
	send("+15551234576")
	b.until(`document.querySelector('h1').textContent === '26 of 39 numbers can send'`)
	if !eval[bool](b, said("24 of 39 numbers can send")) || eval[int](b, `timers.filter(f => f).length`) != 1 {
		t.Errorf("announced %q, with %d announcements to come; want the first, and one", eval[string](b, `document.querySelector('#announce').textContent`), eval[int](b, `timers.filter(f => f).length`))
	}
	b.js(`window.now += 10000; timers.filter(f => f)[0]()`)
	if !eval[bool](b, said("26 of 39 numbers can send")) {
		t.Errorf("at last it announced %q", eval[string](b, `document.querySelector('#announce').textContent`))
	}
}

func browserRows(t *testing.T, browser context.Context) {
	w := mixed(t, page.Config{Coalesce: 50 * time.Millisecond})
	b := open(t, browser, w, "/status")
	b.untilLive()
	w.putCampaign(t, ledger.Campaign{ID: "C000002", Planned: true, Plan: "bargains", Phase: ledger.PhaseInReview, Since: time.Now()})
	entry, _, err := w.book.Campaign(t.Context(), strayID)
	must(t, err)
	must(t, w.book.DropCampaign(t.Context(), entry))
	b.until(`document.querySelectorAll('#rows > li h3').length === 5 && document.querySelector('#c-C000002') !== null`)
	want := []string{"autumn-sale-of-the-whole-catalogue-2026", "bargains", "spring-promo", "summer-news", "winter-reminders"}
	b.until(`document.querySelector('#c-` + strayID + `') === null`)
	if got := b.rows(); !slices.Equal(got, want) {
		t.Errorf("rows: got %q, want %q", got, want)
	}
}

func browserFilters(t *testing.T, browser context.Context) {
	w := mixed(t, page.Config{Coalesce: 50 * time.Millisecond})
	b := open(t, browser, w, "/status")
	b.run(chromedp.SendKeys(chromedp.CSS("#q"), "(555) 123-4573"+kb.Enter))
	b.until(`location.search.includes('q=') && document.querySelectorAll('#rows > li').length === 1`)
	if got := b.rows(); !slices.Equal(got, []string{"spring-promo"}) {
		t.Errorf("by number: got %q", got)
	}
	b.go_("/status")
	b.run(chromedp.SetValue(chromedp.CSS("#phase"), "rejected"), chromedp.Click(chromedp.CSS(".filter button")))
	b.until(`location.search.includes('phase=rejected') && document.querySelectorAll('#rows > li').length === 1`)
	if got := b.rows(); !slices.Equal(got, []string{"autumn-sale-of-the-whole-catalogue-2026"}) {
		t.Errorf("by phase: got %q", got)
	}
	b.untilLive()
	// The filter also applies to live changes.
	w.putCampaign(t, ledger.Campaign{ID: summerID, Planned: true, Plan: "summer-news", Phase: ledger.PhaseRejected, Since: time.Now()})
	b.until(`document.querySelectorAll('#rows > li').length === 2`)
	b.run(chromedp.Click(chromedp.CSS(".clear")))
	b.until(`document.querySelectorAll('#rows > li').length === 5`)
}

func browserPages(t *testing.T, browser context.Context) {
	w := start(t, startJetStream(t), page.Config{})
	w.putCampaign(t, ledger.Campaign{ID: "C1", Planned: true, Plan: "large", Phase: ledger.PhaseApproved, Since: time.Now()})
	for i := range 120 {
		w.putNumber(t, ledger.Number{Number: fmt.Sprintf("+15551230%03d", i), CampaignID: "C1", Plan: "large", State: ledger.Sendable, Since: time.Now()})
	}
	w.await(t, "/status", func(body string) bool { return strings.Contains(body, "All 120 numbers can send") })
	b := open(t, browser, w, "/status")
	b.run(chromedp.Click(chromedp.CSS("#c-C1 h3 a")))
	b.until(`document.querySelectorAll('#rows > li.number').length === 50`)
	b.says("1–50 of 120 numbers", "Page 1 of 3")
	b.run(chromedp.Click(chromedp.CSS("a[rel=next]")))
	b.until(`location.search === '?page=2'`)
	b.run(chromedp.Click(chromedp.CSS("a[rel=next]")))
	b.until(`location.search === '?page=3' && document.querySelectorAll('#rows > li.number').length === 20`)
	if got := b.rows(); got[0] != "+15551230100" || got[19] != "+15551230119" {
		t.Errorf("got %q to %q", got[0], got[19])
	}
}

func browserShowsATimeline(t *testing.T, browser context.Context) {
	w := mixed(t, page.Config{Coalesce: 50 * time.Millisecond})
	b := open(t, browser, w, "/status/campaigns/"+springID)
	b.says("+15551234571", "other campaign.", "Detach the number from the other campaign", "It is on campaign C000001")
	b.run(chromedp.Click(chromedp.CSS("#n-15551234571 h3 a")))
	b.until(`location.pathname === '/status/numbers/15551234571' && document.querySelectorAll('#rows > li').length > 0`)
	b.says("+15551234571", "conflict", "Timeline", "named the number for campaign")
	b.untilLive()
	before := eval[int](b, `document.querySelectorAll('#rows > li').length`)
	b.js(`window.sameDocument = true`)
	w.putNumber(t, ledger.Number{Number: "+15551234571", CampaignID: springID, Plan: "spring-promo", State: ledger.Attached, Since: time.Now()})
	b.until(fmt.Sprintf(`window.sameDocument && document.querySelectorAll('#rows > li').length > %d && document.querySelector('h1 .badge').textContent === 'attached'`, before))
	b.picture("timeline-light-1280")
}

func browserShowsTrouble(t *testing.T, browser context.Context) {
	full := status.Check{Name: "webhook", Ready: func(context.Context) error { return errors.New("stream EVENTS is full") }}
	late := status.Check{Name: "clock", Advisory: true, Ready: func(context.Context) error { return errors.New("the clock is late") }}
	fine := status.Check{Name: "nats", Ready: func(context.Context) error { return nil }}
	w := mixed(t, page.Config{}, status.ViewConfig{Checks: []status.Check{full, late, fine}, PlanFaults: planFaults})
	b := open(t, browser, w, "/status")
	b.says("Not ready: webhook", "stream EVENTS is full", "Warning: clock", "The plan files cannot be used", "plan.yaml:2:1:", "nats ok")
	b.picture("trouble-light-1280")
	b.run(chromedp.Click(chromedp.CSS(`#alerts a[href="/status/dead-letters"]`)))
	b.until(`document.querySelectorAll('#rows > li.dead-letter').length === 2`)
	b.says("2 dead letters", "not an event", "no JSON <img")
	b.picture("dead-letters-light-1280")
}

func browserKeyboard(t *testing.T, browser context.Context) {
	b := open(t, browser, mixed(t, page.Config{}), "/status")
	press := func(keys string) { t.Helper(); b.run(chromedp.KeyEvent(keys)) }
	at := func(want string) {
		t.Helper()
		if !eval[bool](b, `document.activeElement.matches(`+"`"+want+"`"+`)`) {
			t.Fatalf("focus is on %s, want %s", eval[string](b, "document.activeElement.outerHTML.slice(0,200)"), want)
		}
		// The focus must be visible.
		if !eval[bool](b, `document.activeElement.matches('main') || getComputedStyle(document.activeElement).outlineStyle === 'solid'`) {
			t.Errorf("no outline on %s", want)
		}
	}
	tabTo := func(want string) {
		t.Helper()
		for range 40 {
			press(kb.Tab)
			if eval[bool](b, `document.activeElement.matches(`+"`"+want+"`"+`)`) {
				at(want)
				return
			}
		}
		t.Fatalf("no number of tabs leads to %s", want)
	}
	press(kb.Tab)
	at(".skip")
	press(kb.Enter)
	b.until(`document.activeElement === document.querySelector('main')`)
	tabTo("#q")
	press("spring" + kb.Enter)
	b.until(`location.search.includes('q=spring') && document.querySelectorAll('#rows > li').length === 1`)
	tabTo("#c-" + springID + " a")
	press(kb.Enter)
	b.until(`location.pathname.endsWith('` + springID + `') && document.readyState === 'complete'`)
	tabTo("#n-15551234500 a")
	press(kb.Enter)
	b.until(`location.pathname === '/status/numbers/15551234500' && document.readyState === 'complete'`)
}

func browserMarkup(t *testing.T, browser context.Context) {
	w := mixed(t, page.Config{Coalesce: 50 * time.Millisecond})
	inert := func(b tab) {
		t.Helper()
		for name, expression := range map[string]string{
			"nothing ran":          `window.pwned === undefined`,
			"no element was made":  `document.querySelectorAll('main script, main img, main b b, .detail b, .detail script').length === 0`,
			"it is there as text":  `document.body.innerText.includes('<img src=x onerror="window.pwned=1"><script>')`,
			"no handler, no style": `![...document.querySelectorAll('*')].some(e => [...e.attributes].some(a => /^(on|style)/.test(a.name)))`,
			"only its own script":  `document.scripts.length === 1 && new URL(document.scripts[0].src).origin === location.origin`,
		} {
			if !eval[bool](b, expression) {
				t.Errorf("%s: not so: %s", eval[string](b, "location.pathname"), name)
			}
		}
	}
	b := open(t, browser, w, "/status")
	b.untilLive()
	inert(b)
	// The stream sends it too.
	w.putCampaign(t, ledger.Campaign{ID: winterID, Planned: true, Plan: "winter <i>" + markup, Phase: ledger.PhaseRejected, Detail: "refused: " + markup, Since: time.Now()})
	b.until(`document.querySelector('#c-` + winterID + ` .detail') !== null`)
	inert(b)
	for _, path := range []string{"/status/campaigns/" + springID, "/status/numbers/15551234573", "/status/dead-letters", "/status?" + url.Values{"q": {markup}}.Encode()} {
		b.go_(path)
		if strings.Contains(path, "q=") {
			if !eval[bool](b, `document.querySelector('#q').value.startsWith('<img') && window.pwned === undefined && document.querySelectorAll('main img').length === 0`) {
				t.Errorf("%s: what was looked for is not inert", path)
			}
			continue
		}
		inert(b)
		// The text of an event is from outside too, and another template shows it.
		if strings.Contains(path, "/numbers/") && !strings.Contains(b.text(), eventWords+`<img src=x onerror="window.pwned=1"><script>`) {
			t.Errorf("%s: the event's words are not there as text:\n%s", path, b.text())
		}
	}
}

func browserWithoutJavaScript(t *testing.T, browser context.Context) {
	b := open(t, browser, mixed(t, page.Config{}), "/status", command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	b.says("23 of 39 numbers can send", "What to do", "spring-promo", "As of loading", "UTC", "Times are in UTC;")
	b.run(chromedp.SetValue(chromedp.CSS("#phase"), "approved"), chromedp.SendKeys(chromedp.CSS("#q"), "spring"), chromedp.Click(chromedp.CSS(".filter button")))
	b.until(`location.search.includes('phase=approved') && document.querySelectorAll('#rows > li').length === 1`)
	b.run(chromedp.Click(chromedp.CSS("#rows h3 a")))
	b.until(`document.querySelectorAll('#rows > li.number').length === 20`)
	b.run(chromedp.Click(chromedp.CSS("#n-15551234573 h3 a")))
	b.until(`document.querySelectorAll('#rows > li.entry').length > 0`)
	b.says("Timeline", "rejected")
}

func browserFallsBack(t *testing.T, browser context.Context) {
	w := mixed(t, page.Config{MaxStreams: 1})
	first := open(t, browser, w, "/status")
	first.untilLive()
	second := open(t, browser, w, "/status")
	second.until(`document.querySelector('#live').dataset.is === 'broken'`)
	second.says("23 of 39 numbers can send", "Not live")
	w.stop()
	first.until(`document.querySelector('#live').dataset.is === 'broken'`)
	first.says("23 of 39 numbers can send", "Not live")
}

// A live page is not shown as live while the server cannot read NATS.
func browserWithoutNATS(t *testing.T, browser context.Context) {
	w := mixed(t, page.Config{Coalesce: 50 * time.Millisecond, Refresh: often})
	w.expectLog("the status lost its watch over the ledger")
	b := open(t, browser, w, "/status")
	b.untilLive()
	w.js.Conn().Close()
	b.until(`document.querySelector('#live-text').textContent === 'Not current'`)
	b.says("NATS does not answer", "Last read ", "23 of 39 numbers could send", "This is not current")
	for name, expression := range map[string]string{
		"the alarm is first": `document.querySelector('main').firstElementChild.id === 'alerts'`,
		"the rest is grey":   `getComputedStyle(document.querySelector('#summary')).filter === 'grayscale(1)'`,
	} {
		if !eval[bool](b, expression) {
			t.Errorf("not so: %s", name)
		}
	}
	b.picture("away-light-1280")
}

// everyPage is a page of each kind.
var everyPage = map[string]string{
	"overview": "/status", "campaign": "/status/campaigns/" + springID, "number": "/status/numbers/15551234573",
	"dead-letters": "/status/dead-letters",
}

// contrasts lists texts with a contrast below 4.5.
const contrasts = `(() => {
	const c = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
	const known = new Map();
	const channels = (color) => {
		if (!known.has(color)) {
			c.clearRect(0, 0, 1, 1); c.fillStyle = color; c.fillRect(0, 0, 1, 1);
			known.set(color, [...c.getImageData(0, 0, 1, 1).data]);
		}
		return known.get(color);
	};
	const light = ([r, g, b]) => {
		const [x, y, z] = [r, g, b].map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * x + 0.7152 * y + 0.0722 * z;
	};
	const behind = (e) => {
		for (; e; e = e.parentElement) {
			const c = channels(getComputedStyle(e).backgroundColor);
			if (c[3] === 255) return c;
		}
		return [255, 255, 255, 255];
	};
	const poor = [];
	let looked = 0;
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	const judge = (e, color, text) => {
		looked++;
		const [a, b] = [light(channels(color)), light(behind(e))].sort((x, y) => y - x);
		const ratio = (a + 0.05) / (b + 0.05);
		if (ratio < 4.5) poor.push(ratio.toFixed(2) + ' ' + e.tagName + '.' + e.className + ' ' + text.slice(0, 40));
	};
	for (let n = walker.nextNode(); n; n = walker.nextNode()) {
		const e = n.parentElement;
		if (!n.nodeValue.trim() || !e.checkVisibility()) continue;
		judge(e, getComputedStyle(e).color, n.nodeValue);
	}
	for (const e of document.querySelectorAll('input')) judge(e, getComputedStyle(e, '::placeholder').color, e.placeholder);
	if (looked < 8) poor.push('only ' + looked + ' texts were found');
	return poor;
})()`

func browserThemes(t *testing.T, browser context.Context) {
	w := mixed(t, page.Config{}, status.ViewConfig{Checks: []status.Check{{Name: "webhook", Ready: func(context.Context) error { return errors.New("stream EVENTS is full") }}}})
	b := open(t, browser, w, "/status")
	grounds := map[string]string{}
	for _, name := range []string{"light", "dark"} {
		for kind, path := range everyPage {
			b.run(theme(name))
			b.go_(path)
			for _, poor := range eval[[]string](b, contrasts) {
				t.Errorf("%s, %s: %s", name, kind, poor)
			}
			grounds[name] = eval[string](b, `getComputedStyle(document.body).backgroundColor`)
			b.picture(kind + "-" + name + "-1280")
		}
	}
	if grounds["light"] == grounds["dark"] {
		t.Errorf("both themes are %s", grounds["light"])
	}
}

func browserPhone(t *testing.T, browser context.Context) {
	w := mixed(t, page.Config{})
	b := open(t, browser, w, "/status", chromedp.EmulateViewport(390, 844, chromedp.EmulateScale(2), chromedp.EmulateMobile))
	for kind, path := range everyPage {
		b.go_(path)
		if wide := eval[int](b, "document.documentElement.scrollWidth"); wide > 390 {
			t.Errorf("%s: %d wide, want 390: %s", kind, wide, eval[string](b, `[...document.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > 390).map(e => e.tagName + '.' + e.className).join(', ')`))
		}
		for _, name := range []string{"light", "dark"} {
			b.run(theme(name))
			b.picture(kind + "-" + name + "-390")
		}
	}
}

func browserNames(t *testing.T, browser context.Context) {
	b := open(t, browser, mixed(t, page.Config{}), "/status")
	for kind, path := range everyPage {
		b.go_(path)
		for name, expression := range map[string]string{
			"a language":                   `document.documentElement.lang === 'en'`,
			"one of each landmark":         `['header', 'main', 'footer'].every(l => document.querySelectorAll('body > ' + l).length === 1) && document.querySelectorAll('header nav[aria-label]').length === 1`,
			"one first heading":            `document.querySelectorAll('h1').length === 1`,
			"headings without gaps":        `(() => { let last = 0; return [...document.querySelectorAll('h1, h2, h3, h4')].filter(h => h.checkVisibility()).every(h => { const n = +h.tagName[1], ok = n <= last + 1 || last === 0 && n === 2; last = n; return ok; }); })()`,
			"labels":                       `[...document.querySelectorAll('input, select')].every(e => e.labels.length === 1 && e.labels[0].textContent.trim())`,
			"named progress bars":          `[...document.querySelectorAll('[role=progressbar]')].every(e => e.getAttribute('aria-label') && e.hasAttribute('aria-valuenow') && e.hasAttribute('aria-valuemax'))`,
			"sections with names":          `[...document.querySelectorAll('section[aria-labelledby]')].every(e => document.getElementById(e.getAttribute('aria-labelledby')))`,
			"links with texts":             `[...document.querySelectorAll('a, button')].every(e => e.textContent.trim())`,
			"no id twice":                  `(() => { const ids = [...document.querySelectorAll('[id]')].map(e => e.id); return new Set(ids).size === ids.length; })()`,
			"drawings that are not read":   `[...document.querySelectorAll('svg')].every(e => e.getAttribute('aria-hidden') === 'true')`,
			"a place for announcements":    `document.querySelector('[role=status]') !== null`,
			"a current page in navigation": `document.querySelectorAll('nav [aria-current=page]').length <= 1`,
		} {
			if !eval[bool](b, expression) {
				t.Errorf("%s lacks %s", kind, name)
			}
		}
	}
	b.go_("/status")
	if n := eval[int](b, `document.querySelectorAll('[role=progressbar]').length`); n != 5 {
		t.Errorf("got %d progress bars, want 5", n)
	}
}
