package page_test

import (
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/ledger"
	"greenlight/internal/status/page"
)

// scaleVariable is the number of campaigns in TestScale; make bench uses the supported 2,000.
const scaleVariable = "GREENLIGHT_SCALE"

// TestScale has a twentieth of the supported campaigns, with fifty numbers each. They must be
// read, paged, found and updated, in bounded memory.
func TestScale(t *testing.T) {
	campaigns := 100
	if text := os.Getenv(scaleVariable); text != "" {
		n, err := strconv.Atoi(text)
		must(t, err)
		campaigns = n
	}
	const each = 50
	w := start(t, startJetStream(t), page.Config{})
	w.stop() // so that what is measured is read at once
	load(t, w.js, campaigns, each)

	before := heap()
	began := time.Now()
	w = start(t, w.js, page.Config{})
	_, body := w.get(t, "/status")
	t.Logf("%d campaigns and %d numbers were read and shown in %v", campaigns, campaigns*each, time.Since(began).Round(time.Millisecond))
	index := heap() - before
	t.Logf("the view takes %.1f MB, %d bytes a number", float64(index)/1e6, index/int64(campaigns*each))
	if index > int64(campaigns*each)*1200 {
		t.Errorf("the view takes %d bytes for %d numbers, want at most 1,200 a number", index, campaigns*each)
	}
	total := campaigns * each
	if want := fmt.Sprintf("<h1>0 of %s numbers can send</h1>", grouped(total)); !strings.Contains(body, want) {
		t.Errorf("the page does not say %q", want)
	}
	last := campaigns / 50
	for path, want := range map[string]string{
		"/status":                                                       fmt.Sprintf("Page 1 of %d", last),
		fmt.Sprintf("/status?page=%d", last):                            fmt.Sprintf("Page %d of %d", last, last),
		"/status?q=" + e164(campaigns-1, each-1)[1:]:                    "1–1 of 1 campaign<",
		"/status?show=not_owned":                                        fmt.Sprintf("of %s campaigns", grouped(campaigns)),
		"/status/campaigns/" + campaignID(7):                            "1–50 of 50 numbers",
		"/status/campaigns/" + campaignID(7) + "?show=not_owned":        "1–5 of 5 numbers",
		"/status/numbers/" + strings.TrimPrefix(e164(7, 3), "+"):        "Timeline",
		"/status?show=not_owned&phase=approved&q=" + campaignID(7)[:20]: "campaign",
	} {
		began := time.Now()
		_, body := w.get(t, path)
		t.Logf("%-60s %6d bytes in %v", path, len(body), time.Since(began).Round(time.Microsecond*100))
		if !strings.Contains(body, want) {
			t.Errorf("%s does not say %q", path, want)
		}
		if len(body) > 200_000 {
			t.Errorf("%s has %d bytes, however many campaigns there are it should have no more than fifty rows", path, len(body))
		}
		if rows := strings.Count(body, `class="row campaign`) + strings.Count(body, `class="row number`); rows > 50 {
			t.Errorf("%s has %d rows", path, rows)
		}
	}
	began = time.Now()
	answer, body := w.get(t, "/status.json")
	t.Logf("/status.json has %.1f MB in %v", float64(len(body))/1e6, time.Since(began).Round(time.Millisecond))
	if answer.StatusCode != http.StatusOK || len(body) > total*700 {
		t.Errorf("/status.json: %d, %d bytes for %d numbers", answer.StatusCode, len(body), total)
	}
	// All live pages that there may be show a change: half the overview, half a campaign.
	var pages []*live
	for i := range 50 {
		pages = append(pages, listen(t, w, []string{"/status", "/status/campaigns/" + campaignID(0)}[i%2], ""))
		pages[i].next()
	}
	l := pages[0]
	began = time.Now()
	w.putNumber(t, ledger.Number{Number: e164(0, 0), CampaignID: campaignID(0), Plan: "plan-0000", State: ledger.Sendable, Since: time.Now()})
	if p, size, ok := l.next(); !ok || len(p.Rows) != 1 || size > 12_000 {
		t.Errorf("one change of a number sent %d rows in %d bytes", len(p.Rows), size)
	} else {
		t.Logf("one change of a number sent %d bytes", size)
	}
	for i, l := range pages[1:] {
		if p, _, ok := l.next(); !ok || len(p.Rows) == 0 {
			t.Errorf("live page %d got no rows", i+1)
		}
	}
	t.Logf("%d live pages had the change after %v", len(pages), time.Since(began).Round(time.Millisecond))
	for _, l := range pages {
		l.cancel()
	}
	if os.Getenv(scaleVariable) != "" { // it only prints
		t.Run("in a browser", func(t *testing.T) { scaleInBrowser(t, w) })
	}
}

// scaleInBrowser prints when a browser paints the overview, and when it shows a change.
func scaleInBrowser(t *testing.T, w world) {
	b := open(t, w, "/status")
	b.untilLive()
	b.go_("/status") // the server and the browser's cache are warm
	b.until(`performance.getEntriesByName('first-contentful-paint').length > 0`)
	t.Logf("the first paint was after %d ms", eval[int](b, `Math.round(performance.getEntriesByName('first-contentful-paint')[0].startTime)`))
	b.untilLive()
	began := time.Now()
	w.putNumber(t, ledger.Number{Number: e164(0, 1), CampaignID: campaignID(0), Plan: "plan-0000", State: ledger.Sendable, Since: time.Now()})
	b.until(`document.querySelector('h1').textContent.startsWith('2 of')`)
	t.Logf("a change was shown after %v", time.Since(began).Round(time.Millisecond))
}

func campaignID(i int) string { return fmt.Sprintf("751c6a5c-907b-43a9-8ada-%012d", i) }

func e164(campaign, i int) string { return fmt.Sprintf("+1212%07d", campaign*50+i) }

// load writes records with the history of a day: campaigns were approved one after the other,
// and their numbers attached one by one. None can send yet.
func load(t *testing.T, js jetstream.JetStream, campaigns, each int) {
	t.Helper()
	publish := recordWriter(t, js)
	now := time.Now()
	named := now.Add(-23 * time.Hour)
	for i := range campaigns {
		id, name := campaignID(i), fmt.Sprintf("plan-%04d", i)
		approved := named.Add(22 * time.Hour * time.Duration(i) / time.Duration(campaigns))
		publish("CAMPAIGNS."+id, ledger.Campaign{
			Version: 2, ID: id, TelnyxID: id, TCRID: "C" + id[30:], Planned: true, Plan: name, PlanHash: "a1b2", Phase: ledger.PhaseApproved, Status: "MNO_PROVISIONED",
			Since: approved, ApprovedAt: approved, NoticedAt: approved,
		})
		for j := range each {
			requested := approved.Add(time.Duration(j+1) * time.Minute)
			n := ledger.Number{
				Version: 2, Number: e164(i, j), CampaignID: id, Plan: name, PlanHash: "a1b2", EntryHash: "c3d4", State: ledger.Attached, Status: "ASSIGNED",
				Since: requested.Add(time.Second), Firsts: ledger.Firsts{Named: named, Requested: requested, Attached: requested.Add(time.Second)}, NextAt: now.Add(time.Hour),
			}
			if j%10 == 0 {
				n.State, n.Reason, n.NeedsPerson, n.Detail = ledger.Failed, ledger.NotOwned, true, fmt.Sprintf("Telnyx's own words about this very number %s, which are as long as such words are", n.Number)
				n.Firsts.Attached = time.Time{}
			}
			publish("NUMBERS."+id+"."+n.Number[1:], n)
		}
	}
	written(t, js)
}

// heap returns the bytes in use.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func grouped(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}
