package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"greenlight/internal/events"
	"greenlight/internal/events/embedded"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
	"greenlight/internal/testkit"
)

// capacityVariable says how large a ledger BenchmarkCapacity loads: campaigns and the
// numbers of each, for example 10000x50.
const capacityVariable = "GREENLIGHT_CAPACITY"

// BenchmarkCapacity fills a ledger as years of use would leave it, every number with
// its five states behind it, starts a `greenlight up` on it, and reports what that takes:
// disk, memory, the time to start and to look at everything, and calls to Telnyx.
// docs/capacity.md has the figures. It takes minutes, so it runs only when
// GREENLIGHT_CAPACITY is set.
func BenchmarkCapacity(b *testing.B) {
	size := os.Getenv(capacityVariable)
	if size == "" {
		b.Skip("it takes minutes; make capacity runs it")
	}
	c := capacity{binary: build(b), toRest: toRest, report: b.ReportMetric}
	if _, err := fmt.Sscanf(size, "%dx%d", &c.campaigns, &c.each); err != nil {
		b.Fatalf("%s: %q is not of the form 10000x50: %v", capacityVariable, size, err)
	}
	for b.Loop() {
		c.measure(b)
	}
	b.ReportMetric(0, "ns/op")
}

// The same with ten campaigns, so that it still runs when only the figures are wanted:
// each is measured, and is more than nothing.
func TestCapacity_IsMeasured(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the memory of a process is only read on Linux")
	}
	got := make(map[string]float64)
	c := capacity{campaigns: 10, each: 3, binary: thisProgram(t), report: func(value float64, unit string) { got[unit] = value }}
	c.measure(t)
	for _, unit := range []string{
		"MB-disk", "disk-bytes/number", "s-to-start", "s-first-resync", "calls/campaign", "MB-peak", "s-page", "s-campaign", "s-metrics",
		"s-status", "MB-rest", "memory-bytes/number",
	} {
		if got[unit] <= 0 {
			t.Errorf("%s: got %g, want more than nothing", unit, got[unit])
		}
	}
	// docs/capacity.md promises two; the first look may ask for more once.
	if calls := got["calls/campaign"]; calls < 1 || calls > 4 {
		t.Errorf("%g calls a campaign, want about two", calls)
	}
}

// capacity is a world of campaigns that are all approved and attached.
type capacity struct {
	campaigns, each int
	// binary is the program, toRest how long to wait before its memory at rest is
	// read, and report takes the figures.
	binary string
	toRest time.Duration
	report func(value float64, unit string)
	calls  atomic.Int64
}

func (c *capacity) measure(b testing.TB) {
	dir := b.TempDir()
	data, plans := filepath.Join(dir, "data"), filepath.Join(dir, "plans")
	c.writePlans(b, plans)
	set, err := plan.Load(plans)
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	c.fill(b, data, set)
	b.Logf("filled in %v", time.Since(began).Round(time.Second))
	numbers := float64(c.campaigns * c.each)
	disk := folderSize(b, data)
	c.report(disk/1e6, "MB-disk")
	c.report(disk/numbers, "disk-bytes/number")

	telnyx := httptest.NewServer(c)
	defer telnyx.Close()
	began = time.Now()
	private, up := c.start(b, data, plans, telnyx.URL)
	c.report(time.Since(began).Seconds(), "s-to-start")
	testkit.Within(b, 20*time.Minute, func() error { return c.reconciled(private, began) })
	c.report(time.Since(began).Seconds(), "s-first-resync")
	c.report(float64(c.calls.Load())/float64(c.campaigns), "calls/campaign")
	c.report(up.megabytes("VmHWM"), "MB-peak")
	for name, path := range map[string]string{"s-page": "/status", "s-campaign": "/status/campaigns/" + capacityID(7), "s-metrics": "/metrics"} {
		began := time.Now()
		if _, err := fetch(private + path); err != nil {
			b.Fatal(err)
		}
		c.report(time.Since(began).Seconds(), name)
	}
	began = time.Now()
	out, err := exec.Command(c.binary, "status", "--data", data, "--json", capacityID(7)).Output()
	if err != nil || !strings.Contains(string(out), capacityID(7)) {
		b.Fatalf("greenlight status: %v", err)
	}
	c.report(time.Since(began).Seconds(), "s-status")
	time.Sleep(c.toRest) // it measures what time does
	rest := up.megabytes("VmRSS")
	c.report(rest, "MB-rest")
	c.report(rest*(1<<20)/numbers, "memory-bytes/number")
}

// toRest is how long a process takes to give memory back that it has done with: Go's
// collector runs every two minutes when nothing happens, and frees in the second run
// what the first has found.
const toRest = 5 * time.Minute

func capacityID(i int) string { return fmt.Sprintf("751c6a5c-907b-43a9-8ada-%012d", i) }

// capacityNumber returns a number that may exist: each area code has 7,920,000 with
// exchanges that begin with 2 to 9.
func (c *capacity) number(campaign, i int) string {
	serial := campaign*c.each + i
	return fmt.Sprintf("+1%d%07d", 212+serial/7_000_000, 2_000_000+serial%7_000_000)
}

// writePlans writes a hundred campaigns a file.
func (c *capacity) writePlans(b testing.TB, dir string) {
	b.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		b.Fatal(err)
	}
	const perFile = 100
	for first := 0; first < c.campaigns; first += perFile {
		var text strings.Builder
		text.WriteString("version: 1\ncampaigns:\n")
		for i := first; i < min(first+perFile, c.campaigns); i++ {
			fmt.Fprintf(&text, "- name: plan-%05d\n  campaign_id: %s\n  max_numbers: %d\n  numbers:\n", i, capacityID(i), c.each)
			for n := range c.each {
				fmt.Fprintf(&text, "  - %q\n", c.number(i, n))
			}
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("plans-%05d.yaml", first)), []byte(text.String()), 0o600); err != nil {
			b.Fatal(err)
		}
	}
}

// fill writes the ledger through the package that writes it, without waiting for the
// disk: what is on it in the end is the same.
func (c *capacity) fill(b testing.TB, data string, set *plan.Set) {
	b.Helper()
	server, err := embedded.Start(embedded.Options{Dir: data})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := server.Close(); err != nil {
			b.Error(err)
		}
	}()
	nc, err := events.Connect("", "capacity", server.InProcess()...)
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	book, err := ledger.Create(b.Context(), js, 1)
	if err != nil {
		b.Fatal(err)
	}
	var group errgroup.Group
	group.SetLimit(32)
	for i := range c.campaigns {
		group.Go(func() error { return c.fillCampaign(b, book, set, i) })
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
}

func (c *capacity) fillCampaign(b testing.TB, book *ledger.Ledger, set *plan.Set, i int) error {
	want, _ := set.Find(capacityID(i))
	at := time.Now().UTC().Add(-24 * time.Hour)
	campaign := ledger.Campaign{
		ID: capacityID(i), TelnyxID: capacityID(i), TCRID: c.tcrID(i), BrandID: "brand", Planned: true, Plan: want.Name, PlanHash: set.Hash,
		EntryHash: want.Hash(), Phase: ledger.PhaseApproved, Status: string(telnyx.CampaignMNOProvisioned), Since: at, NoticedAt: at, AttachedAt: at,
		Reported: fmt.Sprintf("completed ready [] %s %d", want.Hash(), c.each), Cause: "event 10dlc.campaign.update (message 12)",
	}
	if _, err := book.PutCampaign(b.Context(), ledger.CampaignEntry{}, campaign); err != nil {
		return err
	}
	for n := range c.each {
		var entry ledger.NumberEntry
		for _, state := range []ledger.State{ledger.Planned, ledger.Attaching, ledger.Pending, ledger.Attached, ledger.Sendable} {
			record := ledger.Number{
				Number: c.number(i, n), CampaignID: campaign.ID, Plan: want.Name, PlanHash: set.Hash, EntryHash: want.Hash(),
				PlanPlace: "plans/plans.yaml:7", State: state, Since: at, ClaimedAt: at, Cause: campaign.Cause,
			}
			if state != ledger.Planned {
				record.Request = ledger.Request{Sent: "POST /10dlc/phone_number_campaigns", Campaign: campaign.ID, At: at, Outcome: ledger.Accepted, AnsweredAt: at}
			}
			if state == ledger.Attached || state == ledger.Sendable {
				record.Status, record.TMobile, record.NonTMobile = string(telnyx.Assigned), "PENDING", "PENDING"
			}
			if state == ledger.Sendable {
				record.TMobile, record.NonTMobile = "ADDED", "ADDED"
			}
			var err error
			if entry, err = book.PutNumber(b.Context(), entry, record); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *capacity) tcrID(i int) string { return fmt.Sprintf("C%07d", i) }

// ServeHTTP is a Telnyx on which everything is attached. It only reads, and counts.
func (c *capacity) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.calls.Add(1)
	w.Header().Set("Content-Type", "application/json")
	if id, isCampaign := strings.CutPrefix(r.URL.Path, "/v2/10dlc/campaign/"); isCampaign {
		i, err := strconv.Atoi(strings.TrimPrefix(id, capacityID(0)[:24]))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, `{"campaignId":%q,"tcrCampaignId":%q,"brandId":"brand","status":"ACTIVE","campaignStatus":"MNO_PROVISIONED","createdAt":"2026-01-01T00:00:00"}`, id, c.tcrID(i))
		return
	}
	if r.Method != http.MethodGet || r.URL.Path != "/v2/10dlc/phone_number_campaigns" {
		http.NotFound(w, r)
		return
	}
	first, end := 0, c.campaigns*c.each
	if id := r.URL.Query().Get("filter[telnyx_campaign_id]"); id != "" {
		i, err := strconv.Atoi(strings.TrimPrefix(id, capacityID(0)[:24]))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		first, end = i*c.each, (i+1)*c.each
	}
	page, perPage := max(intOf(r, "page"), 1), max(intOf(r, "recordsPerPage"), 1)
	var records []string
	for n := first + (page-1)*perPage; n < min(first+page*perPage, end); n++ {
		campaign := n / c.each
		id := capacityID(campaign)
		records = append(records, fmt.Sprintf(`{"phoneNumber":%q,"campaignId":%q,"telnyxCampaignId":%q,"tcrCampaignId":%q,"brandId":"brand",`+
			`"assignmentStatus":"ASSIGNED","tmobileNumberMappingStatus":"ADDED","nonTmobileNumberMappingStatus":"ADDED",`+
			`"createdAt":"2026-01-01T00:00:00","updatedAt":"2026-01-01T00:00:00"}`, c.number(campaign, n%c.each), id, id, c.tcrID(campaign)))
	}
	fmt.Fprintf(w, `{"records":[%s],"page":%d,"totalRecords":%d}`, strings.Join(records, ","), page, end-first)
}

func intOf(r *http.Request, name string) int {
	n, _ := strconv.Atoi(r.URL.Query().Get(name)) // absent counts as 0
	return n
}

// start starts it and returns when it serves its private listener.
func (c *capacity) start(b testing.TB, data, plans, api string) (private string, up *upProcess) {
	b.Helper()
	command := exec.Command(c.binary, "up")
	command.Env = append(os.Environ(), "DATA="+data, "PLANS="+plans, "LISTEN=127.0.0.1:0", "ADMIN_LISTEN=127.0.0.1:0", "LOG_FORMAT=json", "RESYNC=24h",
		"TELNYX_API_KEY=KEY0123456789", "TELNYX_BASE_URL="+api+"/v2", "TELNYX_RATE=1000", "TELNYX_CONCURRENCY=32",
		"TELNYX_PUBLIC_KEY=+7E99DXiiQXvceNX4nHm3Lbm5mqPWad5RhDr2ufuCik=")
	lines, err := command.StderrPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	log := bufio.NewScanner(lines)
	for private == "" && log.Scan() {
		var line struct{ Address, Part string }
		if json.Unmarshal(log.Bytes(), &line) == nil && line.Part == "status" {
			private = "http://" + line.Address
		}
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	if private == "" {
		b.Fatal("it does not log its address")
	}
	return private, &upProcess{b: b, pid: command.Process.Pid}
}

// reconciled returns nil when every campaign was reconciled since began, as the metrics say.
func (c *capacity) reconciled(private string, began time.Time) error {
	text, err := fetch(private + "/metrics")
	if err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		value, found := strings.CutPrefix(line, `greenlight_assigner_reconciles_total{outcome="done"} `)
		if !found {
			continue
		}
		if done, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err != nil || int(done) < c.campaigns {
			return fmt.Errorf("%s reconciles of %d campaigns after %v", strings.TrimSpace(value), c.campaigns, time.Since(began).Round(time.Second))
		}
		return nil
	}
	return errors.New("no reconciles yet")
}

func fetch(url string) (string, error) {
	answer, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %d", url, answer.StatusCode)
	}
	return string(text), err
}

func folderSize(b testing.TB, dir string) (bytes float64) {
	b.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			bytes += float64(info.Size())
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return bytes
}
