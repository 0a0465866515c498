//go:build unix

package endtoend_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// worker is an assigner in a separate process. It calls Telnyx through its own proxy, which
// shows whether it is active.
type worker struct {
	command *exec.Cmd
	calls   atomic.Int64
}

func (w *world) worker(plans string) *worker {
	w.t.Helper()
	k := &worker{}
	proxy := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		k.calls.Add(1)
		w.sim.ServeHTTP(answer, r)
	}))
	w.t.Cleanup(proxy.Close)
	// Slow enough that most of the work is left when the process stops.
	k.command = w.process(plans, "TELNYX_BASE_URL="+proxy.URL+"/v2", "TELNYX_RATE=10")
	return k
}

// working returns the one worker that has called Telnyx since the last count, and fails if
// several have.
func working(t testing.TB, workers []*worker, before []int64) *worker {
	t.Helper()
	var active *worker
	for i, k := range workers {
		if k.calls.Load() == before[i] {
			continue
		}
		if active != nil {
			t.Error("two assigners are active")
		}
		active = k
	}
	return active
}

func callsOf(workers []*worker) []int64 {
	calls := make([]int64, len(workers))
	for i, k := range workers {
		calls[i] = k.calls.Load()
	}
	return calls
}

// stopCase is a way to stop the active assigner.
type stopCase struct {
	workers int
	// signal is sent to the active assigner, and after is sent to it once another has
	// taken over.
	signal, after syscall.Signal
	// pin is how long the server waits before it gives the consumer to another, if
	// not by default (10 s).
	pin time.Duration
}

// gentle reports whether the active assigner can finish its requests.
func (b stopCase) gentle() bool { return b.signal == syscall.SIGTERM }

// One of several assigners is active. However it stops, another takes over, and no number
// gets two effective requests.
func (b stopCase) test(t *testing.T) {
	t.Helper()
	w := newWorld(t, telnyxsim.Options{})
	workers := w.startWorkers(b.workers)
	if b.pin > 0 {
		w.setPin(b.pin)
	}
	first := w.inTheMiddle(workers)
	w.must(first.command.Process.Signal(b.signal))
	w.anotherTakesOver(first, workers)
	if b.after != 0 {
		w.must(first.command.Process.Signal(b.after))
	}
	w.endsSendable(b.gentle())
	w.oneWorks(workers)
}

func TestProcesses_AnotherTakesOverFromOneThatIsKilled(t *testing.T) {
	t.Parallel()
	stopCase{workers: 2, signal: syscall.SIGKILL}.test(t)
}

func TestProcesses_AnotherTakesOverFromOneThatIsFrozen(t *testing.T) {
	t.Parallel()
	stopCase{workers: 3, signal: syscall.SIGSTOP, after: syscall.SIGCONT}.test(t)
}

func TestProcesses_AnotherTakesOverFromOneThatStops(t *testing.T) {
	t.Parallel()
	// Waiting for the pin to expire would take far too long.
	stopCase{workers: 3, signal: syscall.SIGTERM, pin: time.Hour}.test(t)
}

// startWorkers stages 45 numbers on a campaign that is not approved yet, and starts that
// many assigners.
func (w *world) startWorkers(size int) []*worker {
	w.t.Helper()
	var staged strings.Builder
	for i := range 45 {
		fmt.Fprintf(&staged, " +1212555%04d", i)
	}
	w.stage(campaignID + ":" + staged.String())
	w.campaign(campaignID, telnyx.CampaignMNOPending)
	plans := w.planFile()
	workers := make([]*worker, size)
	for i := range workers {
		// One after the other: when several update the streams concurrently, the race
		// detector reports the NATS server, which runs in this process.
		workers[i] = w.worker(plans)
		w.eventually("it is up", func() (bool, string) {
			running := strings.Count(w.log.String(), "assigner runs")
			return running == i+1, fmt.Sprint(running)
		})
	}
	return workers
}

// inTheMiddle approves the campaign and returns the active assigner as soon as it has
// requested some of the numbers.
func (w *world) inTheMiddle(workers []*worker) *worker {
	w.t.Helper()
	w.phase(campaignID, ledger.PhaseInReview)
	w.idle()
	before := callsOf(workers)
	w.must(w.sim.Approve(campaignID))
	w.eventually("some numbers are requested", func() (bool, string) {
		return len(w.posts()) >= 5, fmt.Sprint(len(w.posts()))
	})
	return working(w.t, workers, before)
}

// anotherTakesOver waits until another assigner than the first calls Telnyx.
func (w *world) anotherTakesOver(first *worker, workers []*worker) {
	w.t.Helper()
	gone := time.Now()
	others := func() (calls int64) {
		for _, k := range workers {
			if k != first {
				calls += k.calls.Load()
			}
		}
		return calls
	}
	before := others()
	w.eventually("another takes over", func() (bool, string) {
		return others() > before, fmt.Sprint(others() - before)
	})
	w.t.Logf("another took over %s after, with %d of 45 requested", time.Since(gone).Round(10*time.Millisecond), len(w.posts()))
}

// endsSendable waits until every number is sendable, each by one request that took effect.
// An assigner that stopped gently has finished its requests, so none is repeated.
func (w *world) endsSendable(gentle bool) {
	w.t.Helper()
	w.sendable(campaignID, w.planned(campaignID))
	w.attachedOnce(w.planned(campaignID)...)
	if gentle {
		w.onePost(campaignID)
	}
}

// oneWorks fails unless exactly one of them handles a new request.
func (w *world) oneWorks(workers []*worker) {
	w.t.Helper()
	w.idle()
	before := callsOf(workers)
	for range 3 {
		w.nudge(campaignID)
		w.idle()
	}
	if working(w.t, workers, before) == nil {
		w.t.Error("no assigner works any more")
	}
}

// setPin changes how long the server keeps the consumer for a process that no
// longer pulls. Assigners set the default when they start.
func (w *world) setPin(ttl time.Duration) {
	w.t.Helper()
	stream, err := w.js.Stream(w.t.Context(), events.StreamEvents)
	w.must(err)
	consumer, err := stream.Consumer(w.t.Context(), events.ConsumerAssigner)
	w.must(err)
	config := consumer.CachedInfo().Config
	config.PinnedTTL = ttl
	_, err = stream.UpdateConsumer(w.t.Context(), config)
	w.must(err)
}
