package endtoend_test

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"greenlight/internal/assigner"
	"greenlight/internal/events"
	"greenlight/internal/events/embedded"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
	"greenlight/internal/webhook"
)

// binaries is the folder with the programs that tests start.
var binaries string

// sideBySide returns how many tests run side by side. Most of them wait. The race detector
// makes those that work several times slower.
func sideBySide() string {
	if testkit.UnderRace {
		return "8"
	}
	return "20"
}

// whole reports whether to run all rows of a table whose rows differ only in what Telnyx
// answers. With the race detector the first of each kind is enough.
func whole() bool { return testkit.Full || !testkit.UnderRace }

// sized returns n, or a third of it with the race detector, which such numbers only slow down.
func sized(n int) int {
	if whole() {
		return n
	}
	return n / 3
}

func TestMain(m *testing.M) {
	testkit.Main()
	runCommand()
	var err error
	if binaries, err = linkCommands(); err != nil {
		panic(err)
	}
	// Each world has its own server and small heap: collect less often, in processes too.
	debug.SetGCPercent(400)
	_ = os.Setenv("GOGC", "400")
	flag.Parse()
	if err := flag.Set("test.parallel", sideBySide()); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, append(testkit.ServerLeaks(), goleak.Cleanup(func(code int) {
		os.RemoveAll(binaries)
		os.Exit(code)
	}))...)
}

const (
	campaignID = "751c6a5c-907b-43a9-8ada-ba1dc8335b07"
	profileID  = "4001776e-0000-4000-8000-000000000001"
	apiKey     = "KEY0123456789_end_to_end_secret"
)

// world is a complete Greenlight with the simulated Telnyx that it calls.
type world struct {
	t      testing.TB
	sim    *telnyxsim.Simulator
	api    *httptest.Server
	hook   *httptest.Server
	nats   *embedded.Server
	js     jetstream.JetStream
	book   *ledger.Ledger
	log    *testkit.Buffer
	config assigner.Config
	// latest is the most recently started assigner.
	latest *assigner.Assigner
	mu     sync.Mutex
	set    *plan.Set
	read   numbersRead
}

// numbersRead has the ledger's records of all numbers, by campaign and number.
type numbersRead struct {
	lastWrite uint64 // when it was read
	numbers   map[string]map[string]ledger.Number
}

// newWorld starts NATS, the simulator and the webhook. The assigner waits for
// start, so that a test can seed the simulator first.
func newWorld(t testing.TB, options telnyxsim.Options) *world {
	t.Helper()
	w := &world{t: t, log: &testkit.Buffer{}, set: &plan.Set{}}
	options.RequiredAPIKey = apiKey
	options.RetryInterval = cmp.Or(options.RetryInterval, 50*time.Millisecond)
	w.sim = telnyxsim.New(options)
	t.Cleanup(w.sim.Close)
	w.api = httptest.NewServer(w.sim)
	t.Cleanup(w.api.Close)

	var err error
	w.nats, err = embedded.Start(embedded.Options{Dir: testkit.MemoryDir(t), Listen: true})
	w.must(err)
	t.Cleanup(func() { w.must(w.nats.Close()) })
	w.js = w.connect("test")
	w.must(events.EnsureStreams(t.Context(), w.js, 1))
	w.book, err = ledger.Create(t.Context(), w.js, 1)
	w.must(err)

	key, err := telnyx.ParsePublicKey(w.sim.PublicKey())
	w.must(err)
	verifier, err := telnyx.NewVerifier([]telnyx.PublicKey{key}, time.Now)
	w.must(err)
	hook, err := webhook.New(webhook.Config{Verifier: verifier, JetStream: w.connect("webhook"), Log: zerolog.New(w.log)})
	w.must(err)
	w.hook = httptest.NewServer(hook.Handler())
	t.Cleanup(w.hook.Close)

	w.config = assigner.Config{
		Telnyx:      &telnyx.Client{APIKey: apiKey, BaseURL: w.api.URL + "/v2"},
		Plans:       w.plans,
		Resync:      time.Hour,       // only events cause reconciles, unless a test says otherwise
		Settle:      5 * time.Second, // a busy machine must answer within two thirds of it
		Concurrency: 8,
		Timing:      events.Timing{AckWait: 1500 * time.Millisecond, PinnedTTL: 2 * time.Second, PullExpiry: time.Second},
		Log:         zerolog.New(w.log),
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log:\n%s", w.log.String())
		}
		if strings.Contains(w.log.String(), apiKey) {
			t.Error("the API key is in the log")
		}
	})
	return w
}

func (w *world) connect(name string) jetstream.JetStream {
	w.t.Helper()
	nc, err := events.Connect("", name, w.nats.InProcess()...)
	w.must(err)
	w.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	w.must(err)
	return js
}

func (w *world) plans() *plan.Set {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.set
}

// stage plans campaigns and adds them, with their numbers, to the simulator. A
// campaign is written "<id>: <number> <number>…".
func (w *world) stage(campaigns ...string) {
	w.t.Helper()
	var yaml strings.Builder
	yaml.WriteString("version: 1\ncampaigns:\n")
	for i, line := range campaigns {
		id, numbers, _ := strings.Cut(line, ": ")
		selector := "campaign_id"
		if strings.HasPrefix(id, "C") && len(id) < 10 {
			selector = "tcr_campaign_id"
		}
		fmt.Fprintf(&yaml, "  - name: plan-%d\n    %s: %q\n    numbers:\n", i+1, selector, id)
		for number := range strings.FieldsSeq(numbers) {
			fmt.Fprintf(&yaml, "      - %q\n", number)
			w.sim.AddNumbers(telnyxsim.Number{PhoneNumber: number, MessagingProfileID: profileID})
		}
	}
	w.plan(yaml.String())
}

// plan makes a plan the current one.
func (w *world) plan(yaml string) {
	w.t.Helper()
	set, err := plan.LoadBytes("plan.yaml", []byte(yaml))
	w.must(err)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.set = set
}

// campaign adds a campaign to the simulator, with notifications to the webhook.
func (w *world) campaign(id string, status telnyx.CampaignStatus) {
	w.sim.AddCampaign(telnyxsim.Campaign{ID: id, CampaignStatus: status, WebhookURL: w.hook.URL + webhook.Path})
}

// start runs an assigner until stop is called or the test ends.
func (w *world) start() (stop func()) {
	w.t.Helper()
	config := w.config
	config.JetStream = w.connect("assigner")
	return w.startOn(config)
}

// startOn is start with a connection of the test's choice.
func (w *world) startOn(config assigner.Config) (stop func()) {
	w.t.Helper()
	worker, err := assigner.New(w.t.Context(), config)
	w.must(err)
	w.latest = worker
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := worker.Run(ctx); err != nil {
			w.t.Errorf("assigner: %v", err)
		}
	}()
	stop = func() { cancel(); <-done }
	w.t.Cleanup(stop)
	return stop
}

// eventually waits until the condition holds, and fails the test with the last state that
// it returned if it does not.
func (w *world) eventually(what string, condition func() (ok bool, got string)) {
	w.t.Helper()
	var got string
	if !poll(func() (ok bool) { ok, got = condition(); return ok }) {
		w.t.Fatalf("%s: not within %s; got %s", what, patience, got)
	}
}

// patience bounds how long a test waits for something that takes milliseconds to a minute,
// on a machine that runs many tests in parallel. Only a failing test waits that long.
const patience = 5 * time.Minute

// poll waits until the condition holds, and reports whether it did within [patience].
// Checks take processor time from the system under test, so the pauses between them grow.
func poll(condition func() bool) bool {
	deadline := time.Now().Add(patience)
	for pause := 5 * time.Millisecond; !condition(); pause = min(pause*5/4, 100*time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(pause)
	}
	return true
}

// idle waits until every message was handled: none is waiting or pending, and the triggers
// were copied from their stream.
func (w *world) idle() {
	w.t.Helper()
	const long = 50 * time.Millisecond // a trigger is copied in much less
	var since time.Time
	w.eventually("idle", func() (bool, string) {
		consumer, err := w.js.Consumer(w.t.Context(), events.StreamEvents, events.ConsumerAssigner)
		if err != nil {
			return false, err.Error()
		}
		info := consumer.CachedInfo()
		if info.NumPending+uint64(info.NumAckPending) > 0 {
			since = time.Time{}
		} else if since.IsZero() {
			since = time.Now()
		}
		return !since.IsZero() && time.Since(since) >= long, fmt.Sprintf("%d waiting, %d open", info.NumPending, info.NumAckPending)
	})
}

// number returns the ledger's record.
func (w *world) number(campaignID, number string) ledger.Number {
	w.t.Helper()
	return w.numbersOf(campaignID)[number]
}

// numbersOf returns the ledger's records of a campaign's numbers. It reads the bucket only
// after a write: each read makes the server create and delete a consumer.
func (w *world) numbersOf(campaignID string) map[string]ledger.Number {
	w.t.Helper()
	if lastWrite := w.lastWrite(); w.read.numbers == nil || lastWrite != w.read.lastWrite {
		all, err := w.book.AllNumbers(w.t.Context())
		w.must(err)
		w.read = numbersRead{lastWrite, map[string]map[string]ledger.Number{}}
		for _, n := range all {
			if w.read.numbers[n.CampaignID] == nil {
				w.read.numbers[n.CampaignID] = map[string]ledger.Number{}
			}
			w.read.numbers[n.CampaignID][n.Number] = n
		}
	}
	return w.read.numbers[campaignID]
}

// lastWrite returns the sequence of the last write to the ledger's numbers.
func (w *world) lastWrite() uint64 {
	w.t.Helper()
	stream, err := w.js.Stream(w.t.Context(), "KV_NUMBERS")
	w.must(err)
	return stream.CachedInfo().State.LastSeq
}

// reaches waits until every planned number of the campaign is in the state.
func (w *world) reaches(campaignID string, state ledger.State) {
	w.t.Helper()
	want, planned := w.plans().Find(campaignID)
	if !planned {
		w.t.Fatalf("no plan names campaign %s", campaignID)
	}
	w.eventually(fmt.Sprintf("campaign %s %s", campaignID, state), func() (bool, string) {
		numbers := w.numbersOf(campaignID)
		reached := 0
		for _, n := range numbers {
			if n.State == state {
				reached++
			}
		}
		return reached == len(want.Numbers), fmt.Sprintf("%d of %d: %+v", reached, len(want.Numbers), numbers)
	})
}

// phase waits until the ledger has the campaign in the phase.
func (w *world) phase(campaignID string, phase ledger.Phase) ledger.Campaign {
	w.t.Helper()
	var record ledger.Campaign
	w.eventually(fmt.Sprintf("campaign %s %s", campaignID, phase), func() (bool, string) {
		record = w.campaignRecord(campaignID)
		return record.Phase == phase, fmt.Sprintf("%+v", record)
	})
	return record
}

// posts counts the attach requests by number.
func (w *world) posts() map[string]int {
	counts := map[string]int{}
	for _, write := range w.sim.Writes() {
		if write.Method == "POST" {
			counts[write.PhoneNumber]++
		}
	}
	return counts
}

// planned returns the planned numbers of a campaign.
func (w *world) planned(campaignID string) []string {
	var numbers []string
	campaign, _ := w.plans().Find(campaignID)
	for _, number := range campaign.Numbers {
		numbers = append(numbers, string(number))
	}
	return numbers
}

// planFile writes the plan into a file, for a process, and returns its path.
func (w *world) planFile() string {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "plan.yaml")
	text, err := w.plans().YAML()
	w.must(err)
	w.must(os.WriteFile(path, text, 0o600))
	return path
}

// onePost fails unless each planned number of the campaign got exactly one
// request to attach, and no other did.
func (w *world) onePost(campaignID string) {
	w.t.Helper()
	want, posts := w.planned(campaignID), w.posts()
	for _, number := range want {
		if posts[number] != 1 {
			w.t.Errorf("%s got %d requests to attach, want 1", number, posts[number])
		}
	}
	if len(posts) != len(want) {
		w.t.Errorf("requests for %v, want them for %v only", posts, want)
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// triesOf counts the failures of a number, of every kind.
func triesOf(n ledger.Number) int {
	return n.Tries.Refused + n.Tries.Failed + n.Tries.Busy + n.Tries.Unanswered
}
