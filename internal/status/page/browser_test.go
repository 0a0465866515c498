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
	cdppage "github.com/chromedp/cdproto/page"
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
	chromium.start(t)
	for name, test := range map[string]func(*testing.T){
		"loads":                     browserLoads,
		"applies changes":           browserChanges,
		"announces the latest":      browserAnnouncements,
		"adds and removes rows":     browserRows,
		"filters":                   browserFilters,
		"pages through numbers":     browserPages,
		"shows a timeline":          browserShowsATimeline,
		"shows what is wrong":       browserShowsTrouble,
		"can be walked by keyboard": browserKeyboard,
		"keeps markup inert":        browserMarkup,
		"works without JavaScript":  browserWithoutJavaScript,
		"falls back when not live":  browserFallsBack,
		"shows that NATS is away":   browserWithoutNATS,
		"is accessible":             browserAccessible,
		"shows five states":         browserStates,
		"copies an id":              browserCopies,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// chromium is the browser of all tests. [TestMain] ends it.
var chromium browser

type browser struct {
	mu   sync.Mutex
	ctx  context.Context // nil until a test needs it
	stop func() error
}

// withoutPopups are features of Chromium that it has by default. Each window of a headless
// browser loads the popup of the address bar, which nobody sees, and takes longer to do so
// than a test in it. It also starts a process that may be of use later.
const withoutPopups = "Translate,BlinkGenPropertyTrees,WebUIOmniboxPopup,WebUIOmniboxAimPopup,SpareRendererForSitePerProcess"

// start returns the browser, which it starts for the first test. It skips the test if there
// is none.
func (b *browser) start(t *testing.T) context.Context {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ctx != nil {
		return b.ctx
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromiumPath(t)),
		chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-features", withoutPopups))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses to sandbox root
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stop := chromedp.NewContext(allocator)
	if err := chromedp.Do(ctx); err != nil {
		cancel()
		t.Fatal(err)
	}
	b.ctx, b.stop = ctx, func() error {
		defer cancel()
		defer stop()
		bounded, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		return chromedp.Cancel(bounded)
	}
	return b.ctx
}

func chromiumPath(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const reason = "no Chromium is on PATH; install it (Debian: apt-get install chromium) to run the tests of the page in a browser"
	if os.Getenv("GREENLIGHT_BROWSER") != "" {
		t.Fatal(reason)
	}
	t.Skip(reason)
	return ""
}

// end ends the browser if it was started.
func (b *browser) end() error {
	if b.stop == nil {
		return nil
	}
	return b.stop()
}

// tab is one page in the browser. Its warnings and errors fail the test.
type tab struct {
	t     *testing.T
	ctx   context.Context
	world world
}

func open(t *testing.T, w world, path string, before ...chromedp.Action[chromedp.Void]) tab {
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
	ctx, cancel := chromedp.NewContext(chromium.start(t), chromedp.WithListener(listen))
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
	b.run(append([]chromedp.Action[chromedp.Void]{command(log.Enable, cdp.Empty{}), onScreen}, before...)...)
	b.go_(path)
	return b
}

// expected reports whether the test itself caused the complaint.
func (b tab) expected(complaint string) bool {
	return strings.HasSuffix(b.t.Name(), "falls_back_when_not_live") && (strings.Contains(complaint, "503") || strings.Contains(complaint, "ERR_CONNECTION_REFUSED"))
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
	return eval[[]string](b, `[...document.querySelectorAll('#rows > .campaign h3, #rows > .number > a')].map(e => e.textContent)`)
}

// screenshots is the folder for screenshots. Without one none are taken.
var screenshots = os.Getenv("GREENLIGHT_SCREENSHOTS")

var (
	onScreen = chromedp.EmulateViewport(1280, 900)
	onPhone  = chromedp.EmulateViewport(390, 844, chromedp.EmulateScale(2), chromedp.EmulateMobile)
)

// pictures keeps screenshots of the page in both colors, of a screen and of a phone.
func (b tab) pictures(name string) {
	b.t.Helper()
	if screenshots == "" {
		return
	}
	for _, color := range []string{"dark", "light"} {
		b.run(theme(color), onPhone)
		b.picture(name + "-" + color + "-390")
		b.run(onScreen)
		b.picture(name + "-" + color + "-1280")
	}
}

// picture keeps a screenshot of the whole page.
func (b tab) picture(name string) {
	b.t.Helper()
	b.keep(name, chromedp.FullScreenshot(100))
}

func (b tab) keep(name string, take chromedp.Action[[]byte]) {
	b.t.Helper()
	if screenshots == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, take)
	must(b.t, err)
	must(b.t, os.MkdirAll(screenshots, 0o755))
	must(b.t, os.WriteFile(filepath.Join(screenshots, name+".png"), png, 0o644))
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

func browserLoads(t *testing.T) {
	w := mixed(t, page.Config{})
	b := open(t, w, "/status", theme("light"))
	b.untilLive()
	b.says("23 of 39 numbers can send", "9 need a person", "4 in review", "What to do", "Appeal 1 rejected campaign",
		"Order or port 1 number", "2 dead letters", "What comes next", "Live", "Times are of this browser.")
	// Problems are first, and what is done is last.
	want := []string{"autumn-sale-of-the-whole-catalogue-2026", "spring-promo", "winter-reminders", "No plan", "summer-news"}
	if got := b.rows(); !slices.Equal(got, want) {
		t.Errorf("rows: got %q, want %q", got, want)
	}
	if got := eval[string](b, "document.title"); got != "Needs a person: 23 of 39 numbers can send · Greenlight" {
		t.Errorf("title: got %q", got)
	}
	// The legend has the parts of the bar, in its order.
	classes := func(of string) []string {
		return eval[[]string](b, `[...document.querySelectorAll('#summary `+of+` rect')].map(e => e.getAttribute('class'))`)
	}
	if bar, legend := classes(".bar"), classes(".legend"); len(bar) != 5 || !slices.Equal(bar, legend) {
		t.Errorf("the bar has %q, its legend %q", bar, legend)
	}
}

func browserChanges(t *testing.T) {
	w := mixed(t, page.Config{Coalesce: 50 * time.Millisecond})
	b := open(t, w, "/status", chromedp.EmulateViewport(1000, 420))
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
		"the title is up to date":       `document.title === 'Needs a person: 24 of 39 numbers can send · Greenlight'`,
		"what was typed is still there": `document.querySelector('#q').value === 'typed'`,
		"it was announced":              `/^Dead letters\. Needs a person: 24 of 39 numbers can send\. .* to do/.test(document.querySelector('#announce').textContent)`,
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
// Relative times are of the same moment as the clock. The test moves the page's clock.
func browserAnnouncements(t *testing.T) {
	w := mixed(t, page.Config{Coalesce: 50 * time.Millisecond})
	b := open(t, w, "/status")
	b.untilLive()
	b.js(`window.now = Date.now(); Date.now = () => window.now; window.timers = []; window.setTimeout = (f, ms) => { if (ms > 1000 && ms <= 10000) timers.push(f); return timers.length; };
		window.clearTimeout = (n) => { if (n > 0) timers[n - 1] = null; }`)
	send := func(e164 string) {
		w.putNumber(t, ledger.Number{Number: e164, CampaignID: springID, Plan: "spring-promo", State: ledger.Sendable, Since: time.Now()})
	}
	said := func(words string) string {
		return `document.querySelector('#announce').textContent.includes('` + words + `')`
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
	const check = `document.querySelector('#next time[data-rel=next], #next dd:has(> time)').textContent`
	b.js(`window.now += 3600000; window.checked = ` + check)
	send("+15551234572")
	b.until(`document.querySelector('h1').textContent === '27 of 39 numbers can send'`)
	if clock, next := eval[bool](b, `new Date(document.querySelector('#updated').dateTime) >= window.now - 1000`), eval[string](b, check); !clock || next != "now" {
		t.Errorf("the clock is at the last update: %t; then the check of 56 minutes before is shown as %q, want now", clock, next)
	}
}

func browserRows(t *testing.T) {
	w := mixed(t, page.Config{Coalesce: 50 * time.Millisecond})
	b := open(t, w, "/status")
	b.untilLive()
	w.putCampaign(t, ledger.Campaign{ID: "C000002", Planned: true, Plan: "bargains", Phase: ledger.PhaseInReview, Since: time.Now()})
	entry, _, err := w.book.Campaign(t.Context(), strayID)
	must(t, err)
	must(t, w.book.DropCampaign(t.Context(), entry))
	b.until(`document.querySelectorAll('#rows > li h3').length === 5 && document.querySelector('#c-C000002') !== null`)
	want := []string{"autumn-sale-of-the-whole-catalogue-2026", "spring-promo", "bargains", "winter-reminders", "summer-news"}
	b.until(`document.querySelector('#c-` + strayID + `') === null`)
	if got := b.rows(); !slices.Equal(got, want) {
		t.Errorf("rows: got %q, want %q", got, want)
	}
	// When the first campaign is done, it moves to the end. The focus stays where it is.
	b.js(`document.querySelector('#c-` + springID + ` a').focus()`)
	for i := range 6 {
		w.putNumber(t, ledger.Number{Number: fmt.Sprintf("+1212555014%d", i), CampaignID: autumnID, Plan: want[0], State: ledger.Sendable, Since: time.Now()})
	}
	w.putCampaign(t, ledger.Campaign{ID: autumnID, Planned: true, Plan: want[0], Phase: ledger.PhaseApproved, Since: time.Now()})
	b.until(`document.querySelector('#rows > :first-child').id === 'c-` + springID + `'`)
	if !eval[bool](b, `document.activeElement === document.querySelector('#c-`+springID+` a')`) {
		t.Errorf("the focus moved to %s", eval[string](b, "document.activeElement.outerHTML.slice(0, 200)"))
	}
}

func browserFilters(t *testing.T) {
	w := mixed(t, page.Config{Coalesce: 50 * time.Millisecond})
	b := open(t, w, "/status")
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

func browserPages(t *testing.T) {
	w := start(t, startJetStream(t), page.Config{})
	w.putCampaign(t, ledger.Campaign{ID: "C1", Planned: true, Plan: "large", Phase: ledger.PhaseApproved, Since: time.Now()})
	put := recordWriter(t, w.js)
	for i := range 120 {
		put(fmt.Sprintf("NUMBERS.C1.15551230%03d", i), ledger.Number{Version: 2, Number: fmt.Sprintf("+15551230%03d", i), CampaignID: "C1", Plan: "large", State: ledger.Sendable, Since: time.Now()})
	}
	written(t, w.js)
	w.await(t, "/status", func(body string) bool { return strings.Contains(body, "All 120 numbers can send") })
	b := open(t, w, "/status")
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

func browserShowsATimeline(t *testing.T) {
	w := mixed(t, page.Config{Coalesce: 50 * time.Millisecond})
	b := open(t, w, "/status/campaigns/"+springID)
	b.says("+15551234571", "Detach 1 number from another campaign", "Detach the number from the other campaign", "C000001", "approved", "T-Mobile")
	b.run(chromedp.Click(chromedp.CSS("#n-15551234571 > a")))
	b.until(`location.pathname === '/status/numbers/15551234571' && document.querySelectorAll('#rows > li').length > 0`)
	b.says("+15551234571", "conflict", "Timeline", "named the number for campaign")
	b.untilLive()
	before := eval[int](b, `document.querySelectorAll('#rows > li').length`)
	b.js(`window.sameDocument = true`)
	w.putNumber(t, ledger.Number{Number: "+15551234571", CampaignID: springID, Plan: "spring-promo", State: ledger.Attached, Since: time.Now()})
	b.until(fmt.Sprintf(`window.sameDocument && document.querySelectorAll('#rows > li').length > %d && document.querySelector('#number-head .badge').textContent === 'attached'`, before))
	b.picture("timeline-light-1280")
}

func browserShowsTrouble(t *testing.T) {
	full := status.Check{Name: "webhook", Ready: func(context.Context) error { return errors.New("stream EVENTS is full") }}
	late := status.Check{Name: "clock", Advisory: true, Ready: func(context.Context) error { return errors.New("the clock is late") }}
	fine := status.Check{Name: "nats", Ready: func(context.Context) error { return nil }}
	w := mixed(t, page.Config{}, status.ViewConfig{Checks: []status.Check{full, late, fine}, PlanFaults: planFaults})
	b := open(t, w, "/status")
	b.says("Not ready: webhook", "stream EVENTS is full", "Warning: clock", "The plan files cannot be used; the last good set stays in force.", "plan.yaml:2:1:", "nats ok")
	b.picture("trouble-light-1280")
	b.run(chromedp.Click(chromedp.CSS(`#alerts a[href="/status/dead-letters"]`)))
	b.until(`document.querySelectorAll('#rows > li.dead-letter').length === 2`)
	b.says("2 dead letters", "not an event", "no JSON <img")
	b.picture("dead-letters-light-1280")
}

func browserKeyboard(t *testing.T) {
	b := open(t, mixed(t, page.Config{}), "/status")
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

func browserMarkup(t *testing.T) {
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
	b := open(t, w, "/status")
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

func browserWithoutJavaScript(t *testing.T) {
	b := open(t, mixed(t, page.Config{}), "/status", command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	b.says("23 of 39 numbers can send", "What to do", "spring-promo", "As of", "UTC", "Times are in UTC.", springID)
	if eval[bool](b, `document.querySelector('button.id') !== null`) {
		t.Error("a button does nothing without JavaScript")
	}
	b.run(chromedp.SetValue(chromedp.CSS("#phase"), "approved"), chromedp.SendKeys(chromedp.CSS("#q"), "spring"), chromedp.Click(chromedp.CSS(".filter button")))
	b.until(`location.search.includes('phase=approved') && document.querySelectorAll('#rows > li').length === 1`)
	b.run(chromedp.Click(chromedp.CSS("#rows h3 a")))
	b.until(`document.querySelectorAll('#rows > li.number').length === 20`)
	b.run(chromedp.Click(chromedp.CSS("#n-15551234573 > a")))
	b.until(`document.querySelectorAll('#rows > li.entry').length > 0`)
	b.says("Timeline", "rejected")
}

// hurried lets the page wait a fiftieth of the time, and the test set its clock.
const hurried = `const every = setInterval, later = setTimeout;
	window.setInterval = (f, ms) => every(f, ms / 50);
	window.setTimeout = (f, ms) => later(f, ms / 50);
	window.now = Date.now();
	Date.now = () => window.now;`

func browserFallsBack(t *testing.T) {
	w := mixed(t, page.Config{MaxStreams: 1})
	first := open(t, w, "/status", command(cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: hurried}))
	first.untilLive()
	// A connection can end without a sign; then nothing arrives any more.
	first.js(`window.opened = 0; const real = EventSource; window.EventSource = class extends real { constructor(url) { super(url); window.opened++; } };
		window.now += 60000`)
	first.until(`window.opened > 0`)
	first.untilLive()
	first.until(`document.querySelector('#lost') === null`)
	if opened := eval[int](first, `window.opened`); opened > 3 {
		t.Errorf("%d connections were opened, want one, and few more on a busy machine", opened)
	}
	second := open(t, w, "/status")
	second.until(`document.querySelector('#live').dataset.is === 'broken'`)
	second.says("23 of 39 numbers can send", "Not live")
	first.run(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
	first.js(`window.updated = document.querySelector('#updated').textContent`)
	w.stop()
	first.until(`document.querySelector('#live').dataset.is === 'broken'`)
	first.says("23 of 39 numbers can send", "Not live", "Not current since ")
	for name, expression := range map[string]string{
		"the alarm is first":       `document.querySelector('main').firstElementChild.innerText.startsWith('Not current since ' + window.updated.slice(0, 5))`,
		"the rest is grey":         `[...document.querySelector('main').children].slice(1).every(e => getComputedStyle(e).filter === 'grayscale(1)')`,
		"the time is still there":  `document.querySelector('#updated').checkVisibility() && document.querySelector('#updated').textContent === window.updated`,
		"the title is not good":    `document.title.startsWith('Not live: ')`,
		"a screen reader hears it": `document.querySelector('#announce').textContent.startsWith('Not live')`,
		"the alarm is there once":  `document.querySelectorAll('#lost').length === 1`,
	} {
		if !eval[bool](first, expression) {
			t.Errorf("not so: %s", name)
		}
	}
	first.fitsPhone("without a server")
	first.accessible("without a server", everyRule)
	first.picture("lost-390")
}

// A live page is not shown as live while the server cannot read NATS.
func browserWithoutNATS(t *testing.T) {
	w := mixed(t, page.Config{Coalesce: 50 * time.Millisecond, Refresh: often})
	w.expectLog("the status lost its watch over the ledger")
	b := open(t, w, "/status")
	b.untilLive()
	w.js.Conn().Close()
	b.until(`document.querySelector('#live-text').textContent === 'Not current'`)
	b.says("NATS does not answer", "Last read ", "23 of 39 numbers could send", "This is not current")
	for name, expression := range map[string]string{
		"the alarm is first": `document.querySelector('main').firstElementChild.id === 'alerts'`,
		"the rest is grey":   `getComputedStyle(document.querySelector('#summary')).filter === 'grayscale(1)'`,
		"the title says it":  `document.title.startsWith('Not current: 23 of 39')`,
		"it was announced":   `document.querySelector('#announce').textContent.startsWith('NATS does not answer. ')`,
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
	"dead-letters": "/status/dead-letters", "found": "/status?phase=rejected",
}

// browserStates keeps screenshots of five states; the README has two of them. On a phone the
// overview of eleven campaigns is short, and all that can be touched is large enough.
func browserStates(t *testing.T) {
	for name, stages := range map[string][]stage{"well": fleetWell, "working": fleetWorking, "person": fleetPerson, "held": fleetWorking, "away": fleetWorking} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := page.Config{}
			if name == "away" {
				config.Refresh = often
			}
			w := fleet(t, stages, config)
			if name == "held" {
				must(t, w.book.Hold(t.Context(), nil, ledger.HeldBy{By: "ann@ops", At: time.Now().Add(-12 * time.Minute), Reason: "T-Mobile incident"}))
			}
			b := open(t, w, "/status")
			b.untilLive()
			if name == "away" {
				w.expectLog("the status lost its watch over the ledger")
				w.js.Conn().Close()
			}
			want := map[string]string{"well": "All well", "working": "Working", "person": "Needs a person", "held": "On hold", "away": "Not current"}[name]
			b.until(`document.querySelector('#summary .state').textContent === '` + want + `'`)
			if !eval[bool](b, `/^\d+ (hour|minute)s ago [\d,]+ could send, now [\d,]+ of 490$/.test(document.querySelector('figcaption').textContent)`) {
				t.Errorf("the chart's caption is %q", eval[string](b, `document.querySelector('figcaption').textContent`))
			}
			if name == "held" && !eval[bool](b, `/since \S+ \(12 min ago\) by ann@ops: T-Mobile incident\.$/.test(document.querySelector('#alerts h2').textContent)`) {
				t.Errorf("the hold is shown as %q", eval[string](b, `document.querySelector('#alerts h2').textContent`))
			}
			b.accessible("overview, "+name, everyRule) // the dark one is in browserAccessible
			b.pictures("state-" + name)
			b.run(onPhone)
			b.fitsPhone("overview, " + name)
			if color, ok := map[string]string{"person": "light", "working": "dark"}[name]; ok {
				b.run(theme(color), chromedp.EmulateViewport(1200, 920, chromedp.EmulateScale(0.8)))
				b.keep("readme-"+color, chromedp.CaptureScreenshot())
				b.run(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
			}
			if tall := eval[int](b, "document.documentElement.scrollHeight"); tall > 2100 {
				t.Errorf("the overview is %d tall on a phone, want at most 2,100", tall)
			}
		})
	}
}

// fitsPhone checks the width of the page, and the height of what can be touched.
func (b tab) fitsPhone(what string) {
	b.t.Helper()
	if wide := eval[int](b, "document.documentElement.scrollWidth"); wide > 390 {
		b.t.Errorf("%s: %d wide, want 390: %s", what, wide, eval[string](b, `[...document.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > 390).map(e => e.tagName + '.' + e.className).join(', ')`))
	}
	for _, small := range eval[[]string](b, `[...document.querySelectorAll('a, button, input, select')].filter(e => e.checkVisibility()).map(e => [e, e.getBoundingClientRect()])
		.filter(([e, r]) => r.height < 43.5 || r.width < 43.5).map(([e, r]) => Math.round(r.width) + 'x' + Math.round(r.height) + ' ' + e.outerHTML.slice(0, 80))`) {
		b.t.Errorf("%s: smaller than 44 px: %s", what, small)
	}
}

// browserAccessible has a page of each kind, and one with every problem, on a screen in both
// colors and on a phone.
func browserAccessible(t *testing.T) {
	full := status.Check{Name: "webhook", Ready: func(context.Context) error { return errors.New("stream EVENTS is full") }}
	w := mixed(t, page.Config{}, status.ViewConfig{Checks: []status.Check{full}, PlanFaults: planFaults})
	b := open(t, w, "/status")
	for kind, path := range everyPage {
		b.run(theme("light"), onScreen)
		b.go_(path)
		b.pictures(kind)
		b.accessible(kind, everyRule)
		b.run(theme("dark"))
		b.accessible(kind+", dark", onlyContrast)
		b.run(onPhone)
		b.fitsPhone(kind)
		b.accessible(kind+" on a phone", notContrast)
	}
	needAxe(t)
}

func browserCopies(t *testing.T) {
	w := mixed(t, page.Config{Coalesce: 50 * time.Millisecond})
	b := open(t, w, "/status")
	b.untilLive()
	const row, id = `document.querySelector('#c-` + springID + `')`, `document.querySelector('#c-` + springID + ` .id')`
	change := func(detail string) {
		t.Helper()
		w.putCampaign(t, ledger.Campaign{ID: springID, TelnyxID: springID, Planned: true, Plan: "spring-promo", Phase: ledger.PhaseApproved, Detail: detail, Since: time.Now()})
		b.until(row + `.textContent.includes('` + detail + `')`)
	}
	b.js(`window.timers = []; const later = setTimeout; window.setTimeout = (f, ms) => ms === 2000 ? timers.push(f) : later(f, ms);
		navigator.clipboard.writeText = async (text) => { window.copied = text; }; ` + id + `.click()`)
	b.until(`window.copied === '` + springID + `' && ` + id + `.textContent === 'Copy copied'`)
	b.until(`document.querySelector('#announce').textContent === 'Copied ` + springID + `'`)
	// A change before the short id is back must not remove it.
	change("first change")
	b.js(`timers.forEach(f => f())`)
	b.until(id + `.textContent === 'Copy 751c6a…5b07'`)
	// What cannot be copied stays in full.
	b.js(`timers = []; navigator.clipboard.writeText = async () => { throw new Error('refused'); }; ` + id + `.click()`)
	b.until(id + `.textContent === 'Copy ` + springID + `'`)
	change("second change")
	b.js(`timers.forEach(f => f())`)
	b.until(id + `.textContent === 'Copy ` + springID + `'`)
}
