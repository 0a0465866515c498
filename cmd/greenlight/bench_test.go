package main

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"greenlight/internal/events"
	"greenlight/internal/telnyx"
	"greenlight/internal/webhook"
)

// BenchmarkUp posts signed events, each unique, to a separate `greenlight up`,
// with the disk synced before each answer. Sub-benchmarks: as fast as 64
// connections go; twice as many a second, over up to 900; and 200 a second, of which
// it takes no more than 2,000. The times of the latter two count from when an event
// was due, whether or not there was a connection for it. What was stored and what was
// refused are counted separately. Metrics of memory are the process's own. Run it with
// -benchtime 40000x.
func BenchmarkUp(b *testing.B) {
	up := startUp(b, build(b))
	rest := up.megabytes("VmRSS")
	var sustained float64
	b.Run("64 connections", func(b *testing.B) {
		got := up.load(b, b.N, 64, 0)
		got.report(b)
		sustained = float64(len(got.stored)) / b.Elapsed().Seconds()
		b.ReportMetric(rest, "MB-before")
		b.ReportMetric(up.megabytes("VmHWM"), "MB-peak")
		b.ReportMetric(up.megabytes("VmRSS"), "MB-after")
	})
	b.Run("twice as much", func(b *testing.B) {
		if sustained == 0 {
			b.Skip("what it sustains is measured by the benchmark before this one: run all of Up")
		}
		up.load(b, b.N, 900, int(2*sustained)).report(b)
		b.ReportMetric(2*sustained, "offered/s")
		b.ReportMetric(up.megabytes("VmHWM"), "MB-peak")
	})
	b.Run("200 a second", func(b *testing.B) {
		up.load(b, min(b.N, 2000), 64, 200).report(b)
	})
}

// BenchmarkMemory posts b.N events to a `greenlight up` as fast as 64 connections go,
// and waits until all of them have left the dedupe window: what an event costs while it
// is there, and whether the process comes back to rest. It takes a third of an
// hour, so it runs only when GREENLIGHT_MEMORY is set; use -benchtime 1000000x.
func BenchmarkMemory(b *testing.B) {
	if os.Getenv("GREENLIGHT_MEMORY") == "" {
		b.Skip("it takes a third of an hour; make memory runs it")
	}
	if b.N == 1 {
		return // the testing package's trial
	}
	const portion = 20_000
	up := startUp(b, build(b))
	rest := up.megabytes("VmRSS")
	for left := b.N; left > 0; left -= portion {
		if got := up.load(b, min(left, portion), 64, 0); len(got.refused) > 0 {
			b.Errorf("%d of a portion were refused", len(got.refused))
		}
	}
	full, peak := up.megabytes("VmRSS"), up.megabytes("VmHWM")
	b.Logf("after %d events: %.0f MB, at most %.0f MB", b.N, full, peak)
	ended := time.Now()
	for time.Since(ended) < events.DedupeWindow+8*time.Minute {
		time.Sleep(30 * time.Second) // it measures what time does
		b.Logf("%v later: %.0f MB", time.Since(ended).Round(time.Second), up.megabytes("VmRSS"))
	}
	b.ReportMetric(rest, "MB-before")
	b.ReportMetric(peak, "MB-peak")
	b.ReportMetric((full-rest)*(1<<20)/float64(b.N), "bytes/event")
	b.ReportMetric(up.megabytes("VmRSS"), "MB-after")
	b.ReportMetric(0, "ns/op")
}

// answers are how long events took, apart by what became of them: a refusal comes at
// once, and would make those that are stored look quick.
type answers struct{ stored, refused []time.Duration }

// report reports how many a second were stored and how long each kind took.
func (a answers) report(b *testing.B) {
	b.ReportMetric(float64(len(a.stored))/b.Elapsed().Seconds(), "stored/s")
	for kind, took := range map[string][]time.Duration{"stored": a.stored, "refused": a.refused} {
		if len(took) == 0 {
			continue
		}
		slices.Sort(took)
		for name, share := range map[string]float64{"p50": .5, "p99": .99, "p99.9": .999} {
			at := took[int(float64(len(took)-1)*share)]
			b.ReportMetric(float64(at.Microseconds())/1000, kind+"-"+name+"-ms")
		}
	}
	b.ReportMetric(float64(len(a.refused)), "refused")
	b.ReportMetric(0, "ns/op")
}

// upProcess is a `greenlight up` that runs.
type upProcess struct {
	b       testing.TB
	key     ed25519.PrivateKey
	address string
	pid     int
	serial  atomic.Int64
}

// build builds the program, for figures of what users run.
func build(b testing.TB) (binary string) {
	b.Helper()
	binary = filepath.Join(b.TempDir(), "greenlight")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// thisProgram returns the program of this test binary, for tests that need no figures.
// TestMain puts it into PATH.
func thisProgram(t testing.TB) (binary string) {
	t.Helper()
	binary, err := exec.LookPath("greenlight")
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// startUp runs the program with a plan, and without a Telnyx to call.
func startUp(b testing.TB, binary string) *upProcess {
	b.Helper()
	dir := b.TempDir()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		b.Fatal(err)
	}
	plans := filepath.Join(dir, "plans")
	if err := os.Mkdir(plans, 0o700); err != nil {
		b.Fatal(err)
	}
	plan := "version: 1\ncampaigns:\n- {name: a, campaign_id: a, numbers: [+12125550142]}\n"
	if err := os.WriteFile(filepath.Join(plans, "plan.yaml"), []byte(plan), 0o600); err != nil {
		b.Fatal(err)
	}
	command := exec.Command(binary, "up")
	command.Env = append(os.Environ(), "DATA="+filepath.Join(dir, "data"), "PLANS="+plans, "LISTEN=127.0.0.1:0", "ADMIN_LISTEN=127.0.0.1:0",
		"TELNYX_API_KEY=KEY0123456789", "TELNYX_BASE_URL=http://127.0.0.1:9/v2", "LOG_FORMAT=json",
		"TELNYX_PUBLIC_KEY="+telnyx.PublicKeyOf(key).String())
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
	up := &upProcess{b: b, key: key, pid: command.Process.Pid}
	log := bufio.NewScanner(lines)
	for up.address == "" && log.Scan() {
		var line struct{ Address, Part string }
		if json.Unmarshal(log.Bytes(), &line) == nil && line.Part == "webhook" {
			up.address = line.Address
		}
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	if up.address == "" {
		b.Fatal("it does not log its address")
	}
	return up
}

// load posts so many events, at the given rate a second unless that is 0.
func (u *upProcess) load(b *testing.B, count, connections, rate int) answers {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	took, stored := make([]time.Duration, count), make([]bool, count)
	requests := make([]*http.Request, count)
	for i := range requests {
		requests[i] = u.request()
	}
	var next atomic.Int64
	var load sync.WaitGroup
	b.ResetTimer()
	started := time.Now()
	for range connections {
		load.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= count {
					return
				}
				due := time.Now()
				if rate > 0 {
					due = started.Add(time.Duration(i) * time.Second / time.Duration(rate))
					time.Sleep(time.Until(due))
				}
				stored[i] = u.post(client, requests[i])
				took[i] = time.Since(due) // waiting for a connection counts
			}
		})
	}
	load.Wait()
	b.StopTimer()
	var all answers
	for i, kept := range stored {
		if kept {
			all.stored = append(all.stored, took[i])
		} else {
			all.refused = append(all.refused, took[i])
		}
	}
	return all
}

// request returns a delivery of a unique event.
func (u *upProcess) request() *http.Request {
	body := fmt.Appendf(nil, `{"data":{"event_type":"10dlc.campaign.update","id":"0b7f5c1a-52b6-4a0e-9d53-%012d","occurred_at":"2026-08-07T17:22:37.328+00:00",`+
		`"payload":{"brandId":"97091164-e814-435c-9c1b-14ab2d18e987","campaignId":"751c6a5c-907b-43a9-8ada-ba1dc8335b07","type":"VERIFIED"},`+
		`"record_type":"event"},"meta":{"attempt":1,"delivered_to":"https://example.com/webhooks/telnyx"}}`, u.serial.Add(1))
	request, err := http.NewRequest(http.MethodPost, "http://"+u.address+webhook.Path, bytes.NewReader(body))
	if err != nil {
		u.b.Fatal(err)
	}
	request.Header = telnyx.Sign(u.key, time.Now(), body)
	return request
}

func (u *upProcess) post(client *http.Client, request *http.Request) (stored bool) {
	answer, err := client.Do(request)
	if err != nil {
		u.b.Error(err)
		return false
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	again := answer.Header.Get("Retry-After")
	if answer.StatusCode != http.StatusOK && (answer.StatusCode != http.StatusServiceUnavailable || again != "1") {
		u.b.Errorf("answered %d, Retry-After %q", answer.StatusCode, again)
	}
	return answer.StatusCode == http.StatusOK
}

// megabytes reads a figure of the process from Linux.
func (u *upProcess) megabytes(name string) float64 {
	u.b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", u.pid))
	if err != nil {
		u.b.Skip("the memory of a process is only read on Linux: ", err)
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, name+":"); found {
			kilobytes, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			if err != nil {
				u.b.Fatal(err)
			}
			return float64(kilobytes) / 1024
		}
	}
	u.b.Fatalf("no %s in /proc", name)
	return 0
}
