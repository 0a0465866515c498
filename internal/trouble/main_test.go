package trouble

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"greenlight/internal/app"
	"greenlight/internal/events"
	"greenlight/internal/status"
	"greenlight/internal/telnyx"
	"greenlight/internal/testkit"
	"greenlight/internal/webhook"
)

const (
	// patience bounds how long a test waits for something that takes a second or a few on
	// a machine of its own. Only a test that fails waits that long.
	patience = 3 * time.Minute
	// connections is how many deliveries are in flight at once.
	connections = 32
	// spareHeap is by how many bytes the heap may grow while no event is stored: a few
	// copies of each event in flight.
	spareHeap = 96 << 20
)

func TestMain(m *testing.M) {
	testkit.Main()
	flag.Parse()
	// Each loads the machine. With more at once, deliveries are cut off by timeouts.
	atOnce := "6"
	if testkit.UnderRace {
		atOnce = "3"
	}
	if err := flag.Set("test.parallel", atOnce); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, testkit.ServerLeaks()...)
}

// varAlone has the name of the test that a process is for.
const varAlone = "GREENLIGHT_TROUBLE_TEST"

// alone runs a test that counts goroutines and memory in a separate process, so that it can
// run beside others. It returns true in that process, where the test continues, and otherwise when
// that has ended.
func alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv(varAlone) == t.Name() {
		return true
	}
	t.Parallel()
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.timeout=10m", "-test.run", "^"+t.Name()+"$")
	command.Env = append(os.Environ(), varAlone+"="+t.Name(), "GORACE=atexit_sleep_ms=0")
	out, err := command.CombinedOutput()
	switch {
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	case bytes.Contains(out, []byte("--- SKIP: "+t.Name()+" (")):
		t.Skipf("%s", out)
	case !bytes.Contains(out, []byte("--- PASS: "+t.Name()+" (")):
		t.Errorf("it did not run:\n%s", out)
	default:
		t.Logf("%s", out)
	}
	return false
}

// varLong asks for more rounds.
const varLong = "GREENLIGHT_TROUBLE"

func long() bool { return os.Getenv(varLong) != "" }

// rounds returns how often to repeat something: few times, or ten times as often with
// varLong.
func rounds(few int) int {
	if long() {
		return 10 * few
	}
	return few
}

// onlyInFull skips a test whose promises other tests of this package show on a smaller scale.
func onlyInFull(t *testing.T) {
	t.Helper()
	if !testkit.Full && !long() {
		t.Skip("a cluster that is loaded or loses its majority takes 20 s to a minute; make test runs this with GREENLIGHT_FULL=1")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var key = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))

// front is the webhook as a process runs it: with a public and a private listener, on a
// separate NATS connection.
type front struct {
	t               *testing.T
	name            string
	public, private string
	client          *http.Client
	// ready is the webhook's part of readiness.
	ready func(context.Context) error
	stop  func()
}

// fronts are two webhooks: one that stores events in groups, and one that does not.
type fronts []*front

// openFronts starts both, each on a separate connection.
func openFronts(t *testing.T, connect func() *nats.Conn, replicas int, checks ...status.Check) fronts {
	t.Helper()
	return fronts{
		openFront(t, "groups", connect(), replicas, true, checks...),
		openFront(t, "singly", connect(), replicas, false, checks...),
	}
}

func (fs fronts) becomeReady() {
	fs[0].t.Helper()
	fs.show("")
}

// becomeUnready waits until readiness is false for a reason that contains words.
func (fs fronts) becomeUnready(words string) {
	fs[0].t.Helper()
	fs.show(words)
}

// show waits until readiness of all is false for a reason that contains words, or true if
// words is empty. All are read at once, since an answer may take seconds.
func (fs fronts) show(words string) {
	t := fs[0].t
	t.Helper()
	testkit.Within(t, patience, func() error {
		errs := make([]error, len(fs))
		var all sync.WaitGroup
		for i, f := range fs {
			all.Go(func() {
				if says := f.readiness(); words == "" && says != "" || !strings.Contains(says, words) {
					errs[i] = fmt.Errorf("readiness of %s says %q, want %q", f.name, says, words)
				}
			})
		}
		all.Wait()
		return errors.Join(errs...)
	})
}

// findUnready is becomeUnready for a NATS server that does not answer. It runs the webhook's
// own check with a short timeout: /readyz would take 5 s for each answer.
func (fs fronts) findUnready(words string) {
	t := fs[0].t
	t.Helper()
	testkit.Within(t, patience, func() error {
		for _, f := range fs {
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			err := f.ready(ctx)
			cancel()
			if err == nil || !strings.Contains(err.Error(), words) {
				return fmt.Errorf("readiness of %s says %v, want %q", f.name, err, words)
			}
		}
		return nil
	})
}

func (fs fronts) stop() {
	for _, f := range fs {
		f.stop()
	}
}

// openFront starts a webhook. It is stopped when the test ends, or earlier by stop.
func openFront(t *testing.T, name string, nc *nats.Conn, replicas int, groups bool, checks ...status.Check) *front {
	t.Helper()
	verifier, err := telnyx.NewVerifier([]telnyx.PublicKey{telnyx.PublicKeyOf(key)}, time.Now)
	must(t, err)
	js, err := jetstream.New(nc)
	must(t, err)
	testkit.Within(t, patience, func() error { // a new cluster may not be able to create streams yet
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		return events.EnsureStreams(ctx, js, replicas)
	})
	p, err := app.New(t.Context(), nc, replicas, zerolog.Nop())
	must(t, err)
	for _, check := range checks {
		p.AddCheck(check)
	}
	public, err := app.Listen("127.0.0.1:0")
	must(t, err)
	private, err := app.Listen("127.0.0.1:0")
	must(t, err)
	must(t, p.AddWebhook(webhook.Config{Verifier: verifier, GroupCommit: groups}, public, app.Public{}))
	p.AddPrivate(private, "")
	asked, err := webhook.New(webhook.Config{Verifier: verifier, JetStream: js})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	f := &front{
		t: t, name: name, ready: asked.Ready, public: public.Addr().String(), private: private.Addr().String(),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * connections}, Timeout: 15 * time.Second},
	}
	f.stop = sync.OnceFunc(func() {
		f.client.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(f.stop)
	fronts{f}.becomeReady()
	return f
}

func connect(t *testing.T, url string, options ...nats.Option) *nats.Conn {
	t.Helper()
	// Without a handler nats.go prints errors of connections.
	nc, err := events.Connect(url, t.Name(), append(options, nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))...)
	must(t, err)
	t.Cleanup(nc.Close)
	return nc
}

// readiness returns the answer of /readyz, empty if that is 200.
func (f *front) readiness() string {
	answer, err := f.client.Get("http://" + f.private + "/readyz")
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		return err.Error()
	case answer.StatusCode == http.StatusOK:
		return ""
	}
	return string(text)
}

// errDuplicate is what deliver returns for an event that was stored before. The first try of
// an id must not get it.
var errDuplicate = errors.New("answered 200 duplicate")

// deliver posts one signed event with the id, and returns the answer's status.
func (f *front) deliver(id string, padding int) (int, error) {
	body := fmt.Appendf(nil, `{"data":{"event_type":"10dlc.campaign.update","id":%q,"payload":{"campaignId":"751c6a5c-907b-43a9-8ada-ba1dc8335b07","padding":"%s"}}}`,
		id, strings.Repeat("x", padding))
	request, err := http.NewRequest(http.MethodPost, "http://"+f.public+webhook.Path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	for name, values := range telnyx.Sign(key, time.Now(), body) {
		request.Header[name] = values
	}
	began := time.Now()
	answer, err := f.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	took := time.Since(began)
	var says struct{ Status string }
	switch {
	case err != nil:
		return 0, err
	case took > answerLimit:
		return 0, fmt.Errorf("answered %d after %s", answer.StatusCode, took)
	case answer.StatusCode == http.StatusServiceUnavailable && answer.Header.Get("Retry-After") == "1":
	case answer.StatusCode == http.StatusOK && json.Unmarshal(text, &says) == nil && says.Status == "duplicate":
		return 0, errDuplicate
	case answer.StatusCode != http.StatusOK || says.Status != "accepted":
		return 0, fmt.Errorf("answered %d %s, Retry-After %q", answer.StatusCode, text, answer.Header.Get("Retry-After"))
	}
	return answer.StatusCode, nil
}

// load posts events to a webhook over many connections at once until it is ended. Each has a
// new id and is posted only once.
type load struct {
	f             *front
	kept, refused atomic.Int64

	mu     sync.Mutex
	ids    []string // answered 200
	faults []error
}

// loads is one load for each webhook.
type loads struct {
	t     *testing.T
	all   []*load
	stop  func()
	users sync.WaitGroup
}

// serial numbers the events of all loads.
var serial atomic.Int64

// startLoads starts posting. Each event has padding more bytes than usual.
func startLoads(fs fronts, padding int) *loads {
	ctx, cancel := context.WithCancel(context.Background())
	ls := &loads{t: fs[0].t, stop: cancel}
	for _, f := range fs {
		l := &load{f: f}
		ls.all = append(ls.all, l)
		for range connections {
			ls.users.Go(func() {
				for ctx.Err() == nil {
					l.post(ctx, fmt.Sprintf("%s-%d", f.name, serial.Add(1)), padding)
				}
			})
		}
	}
	ls.t.Cleanup(func() { ls.end() })
	return ls
}

func (l *load) post(ctx context.Context, id string, padding int) {
	code, err := l.f.deliver(id, padding)
	l.note(id, code, err)
	if code == http.StatusOK && long() {
		return
	}
	// Either may come at once, and other tests run beside this one.
	select {
	case <-ctx.Done():
	case <-time.After(20 * time.Millisecond):
	}
}

func (l *load) note(id string, code int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
		l.faults = append(l.faults, fmt.Errorf("%s: %w", id, err))
	case code == http.StatusOK:
		l.ids = append(l.ids, id)
		l.kept.Add(1)
	default:
		l.refused.Add(1)
	}
}

// stored waits until each webhook has answered 200 to so many more.
func (ls *loads) stored(more int64) {
	ls.t.Helper()
	ls.reach("stored", more, func(l *load) int64 { return l.kept.Load() })
}

// refused waits until each webhook has answered 503 to so many more.
func (ls *loads) refused(more int64) {
	ls.t.Helper()
	ls.reach("refused", more, func(l *load) int64 { return l.refused.Load() })
}

func (ls *loads) reach(what string, more int64, counted func(*load) int64) {
	ls.t.Helper()
	before := make([]int64, len(ls.all))
	for i, l := range ls.all {
		before[i] = counted(l)
	}
	testkit.Within(ls.t, patience, func() error {
		for i, l := range ls.all {
			if now := counted(l) - before[i]; now < more {
				return fmt.Errorf("%s: %d more were %s, want %d", l.f.name, now, what, more)
			}
		}
		return nil
	})
}

// total returns how many were answered 200.
func (ls *loads) total() (kept int64) {
	for _, l := range ls.all {
		kept += l.kept.Load()
	}
	return kept
}

// end ends the load and fails the test if there was a wrong answer. It returns the ids that
// were answered 200.
func (ls *loads) end() (ids []string) {
	ls.t.Helper()
	ls.stop()
	ls.users.Wait()
	for _, l := range ls.all {
		for i, fault := range l.faults {
			if i == 5 {
				ls.t.Errorf("and %d more", len(l.faults)-i)
				break
			}
			ls.t.Error(fault)
		}
		l.faults = nil
		ids = append(ids, l.ids...)
	}
	return ids
}

// assertKept fails unless the stream has each of the ids, nothing twice, and of each commit
// of several events all or none.
func assertKept(t *testing.T, nc *nats.Conn, ids []string) {
	t.Helper()
	js, err := jetstream.New(nc)
	must(t, err)
	var copies, batches map[string]int
	var last map[string]string
	testkit.Within(t, patience, func() error { // a cluster that just came up refuses some requests
		copies, batches, last, err = readEvents(t.Context(), js)
		return err
	})
	missing := 0
	for _, id := range ids {
		if copies[id] == 0 {
			missing++
		}
	}
	if missing > 0 || len(ids) == 0 {
		t.Errorf("%d of %d events that were answered 200 are missing", missing, len(ids))
	}
	for id, n := range copies {
		if n > 1 {
			t.Errorf("event %s is stored %d times", id, n)
		}
	}
	for batch, n := range batches {
		if fmt.Sprint(n) != last[batch] {
			t.Errorf("of a commit of %q events %d are stored", last[batch], n)
		}
	}
	t.Logf("%d events answered 200, %d stored, %d commits of several", len(ids), len(copies), len(batches))
}

// readEvents reads the whole stream of events once: the copies of each message id, the
// messages of each batch, and the sequence that ended each batch.
func readEvents(ctx context.Context, js jetstream.JetStream) (copies, batches map[string]int, last map[string]string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience/6) // a request that an election loses is repeated
	defer cancel()
	stream, err := js.Stream(ctx, events.StreamEvents)
	if err != nil {
		return nil, nil, nil, err
	}
	info := stream.CachedInfo()
	reader, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		AckPolicy: jetstream.AckNonePolicy, HeadersOnly: true, MemoryStorage: true, Replicas: 1, InactiveThreshold: time.Minute,
	})
	if err != nil {
		return nil, nil, nil, err
	}
	copies, batches, last = map[string]int{}, map[string]int{}, map[string]string{}
	for read := uint64(0); read < info.State.Msgs; {
		fetched, err := reader.Fetch(int(min(info.State.Msgs-read, 500)), jetstream.FetchMaxWait(5*time.Second))
		if err != nil {
			return nil, nil, nil, err
		}
		before := read
		for msg := range fetched.Messages() {
			read++
			h := msg.Headers()
			if id := h.Get(jetstream.MsgIDHeader); id != "" { // triggers have none
				copies[id]++
			}
			if batch := h.Get("Nats-Batch-Id"); batch != "" {
				batches[batch]++
				if h.Get("Nats-Batch-Commit") != "" {
					last[batch] = h.Get("Nats-Batch-Sequence")
				}
			}
		}
		if err := fetched.Error(); err != nil {
			return nil, nil, nil, err
		}
		if read == before {
			return nil, nil, nil, fmt.Errorf("only %d of %d messages can be read", read, info.State.Msgs)
		}
	}
	return copies, batches, last, nil
}

// footprint is what the process uses. The heap is in bytes.
type footprint struct {
	goroutines int
	heap       uint64
}

// measure does not count the goroutines of NATS servers in this process.
func measure() footprint {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	stacks := make([]byte, 8<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	count := 0
	for stack := range bytes.SplitSeq(stacks, []byte("\n\n")) {
		if !bytes.Contains(stack, []byte("nats-server/v2/")) {
			count++
		}
	}
	return footprint{count, memory.HeapAlloc}
}

// assertBounded fails if more is used than the load explains.
func (before footprint) assertBounded(t *testing.T) {
	t.Helper()
	now := measure()
	// For each connection: one that posts, two of the client, one or two of the server,
	// and those that wait for the stream's answer.
	if most := before.goroutines + 2*8*connections; now.goroutines > most {
		t.Errorf("%d goroutines, want at most %d", now.goroutines, most)
	}
	if now.heap > before.heap+spareHeap {
		t.Errorf("the heap has %d MiB, and had %d before", now.heap>>20, before.heap>>20)
	}
}

// assertNothingLeft waits until no more is used than before.
func (before footprint) assertNothingLeft(fs fronts) {
	t := fs[0].t
	t.Helper()
	testkit.Within(t, patience, func() error {
		for _, f := range fs {
			f.client.CloseIdleConnections()
		}
		if now := measure(); now.goroutines > before.goroutines {
			return fmt.Errorf("%d goroutines, want the %d from before", now.goroutines, before.goroutines)
		} else if now.heap > before.heap+spareHeap/4 {
			return fmt.Errorf("the heap has %d MiB, and had %d before", now.heap>>20, before.heap>>20)
		}
		return nil
	})
}

// begin measures the process after each webhook has stored one event.
func begin(fs fronts) footprint {
	for _, f := range fs {
		f.t.Helper()
		if code, err := f.deliver("first-"+f.name, 0); code != http.StatusOK || err != nil {
			f.t.Fatalf("the first event: %d, %v", code, err)
		}
		f.client.CloseIdleConnections()
	}
	// Goroutines that were about to end have ended once the count stays the same.
	least, since := measure(), time.Now()
	for time.Since(since) < 100*time.Millisecond {
		if now := measure(); now.goroutines < least.goroutines {
			least, since = now, time.Now()
		}
	}
	return least
}
