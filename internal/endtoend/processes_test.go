//go:build unix

package endtoend_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
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

// takeover is how soon another assigner must go on when the one that works has gone
// without a word.
const takeover = 20 * time.Second

// worker is an assigner as a process of its own. It has a door to Telnyx to itself,
// so that it can be told from others whether it works.
type worker struct {
	command *exec.Cmd
	calls   atomic.Int64
}

func (w *world) worker(plans string) *worker {
	w.t.Helper()
	k := &worker{}
	door := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		k.calls.Add(1)
		w.sim.ServeHTTP(answer, r)
	}))
	w.t.Cleanup(door.Close)
	// Slow enough that much is left to do when something happens.
	k.command = w.process(plans, "TELNYX_BASE_URL="+door.URL+"/v2", "TELNYX_RATE=10")
	return k
}

// working returns the one worker that has called Telnyx since its calls were
// counted last, and fails if several have.
func working(t *testing.T, workers []*worker, before []int64) *worker {
	t.Helper()
	var active *worker
	for i, k := range workers {
		if k.calls.Load() == before[i] {
			continue
		}
		if active != nil {
			t.Error("two assigners work at once")
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

// Of several assigners one works. When it goes, in whichever way, another goes on
// soon enough, and no number gets two effective requests over it.
func TestProcesses_OneWorksAndAnotherGoesOn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		workers int
		// blow is what happens to the one that works, and after is what happens to
		// it when another has gone on.
		blow, after syscall.Signal
		// limit is how soon another must go on.
		limit time.Duration
		// pin is how long the server waits before it gives the consumer to another,
		// if not by default (10 s).
		pin time.Duration
	}{
		{name: "killed, of two", workers: 2, blow: syscall.SIGKILL, limit: takeover},
		{name: "frozen, of three", workers: 3, blow: syscall.SIGSTOP, after: syscall.SIGCONT, limit: takeover},
		// Whoever waited for the pin to run out would be far too late.
		{name: "told to stop, of two", workers: 2, blow: syscall.SIGTERM, limit: takeover, pin: time.Hour},
		{name: "told to stop, of three", workers: 3, blow: syscall.SIGTERM, limit: takeover, pin: time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, telnyxsim.Options{})
			var planned strings.Builder
			for i := range 45 {
				fmt.Fprintf(&planned, " +1212555%04d", i)
			}
			w.stage(campaignID + ":" + planned.String())
			w.campaign(campaignID, telnyx.CampaignMNOPending)
			plans := filepath.Join(t.TempDir(), "plan.yaml")
			yaml, err := w.plans().YAML()
			w.must(err)
			w.must(os.WriteFile(plans, yaml, 0o600))

			workers := make([]*worker, tt.workers)
			for i := range workers {
				// One after the other: when several update the streams at once, the race
				// detector finds the NATS server, which is in this process, at fault.
				workers[i] = w.worker(plans)
				w.eventually("it is up", func() (bool, string) {
					running := strings.Count(w.log.String(), "assigner runs")
					return running == i+1, fmt.Sprint(running)
				})
			}
			if tt.pin > 0 {
				w.setPin(tt.pin)
			}
			w.phase(campaignID, ledger.Waiting)
			w.idle()
			started := callsOf(workers)
			w.must(w.sim.Approve(campaignID))
			w.eventually("some numbers are requested", func() (bool, string) {
				return len(w.posts()) >= 5, fmt.Sprint(len(w.posts()))
			})
			first := working(t, workers, started)

			w.must(first.command.Process.Signal(tt.blow))
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
			w.eventuallyWithin(tt.limit, "another goes on", func() (bool, string) {
				return others() > before, fmt.Sprint(others() - before)
			})
			t.Logf("another goes on %s after, with %d of 45 requested", time.Since(gone).Round(10*time.Millisecond), len(w.posts()))
			if tt.after != 0 {
				w.must(first.command.Process.Signal(tt.after))
			}

			// A request that was under way may have to settle first, which takes half a
			// minute, but none that was let finish. A notification that had come and was
			// in nobody's hands yet comes again after the ack wait, 15 s.
			limit := 2 * time.Minute
			if tt.blow == syscall.SIGTERM {
				limit = 25 * time.Second
			}
			w.eventuallyWithin(limit, "every number is sendable", func() (bool, string) {
				numbers, err := w.book.Numbers(t.Context(), campaignID)
				w.must(err)
				done := 0
				for _, entry := range numbers {
					if entry.Number.State == ledger.Sendable {
						done++
					}
				}
				return done == 45, fmt.Sprint(done)
			})
			effects := map[string]int{}
			for _, write := range w.sim.Writes() {
				if write.Effective {
					effects[write.PhoneNumber]++
				}
			}
			for _, number := range w.plans().Campaigns[0].Numbers {
				if effects[string(number)] != 1 {
					t.Errorf("%s: %d requests took effect, want 1", number, effects[string(number)])
				}
			}
			if tt.blow == syscall.SIGTERM {
				w.onePost(campaignID) // nothing was cut off
			}

			w.idle()
			finished := callsOf(workers)
			for range 3 {
				w.nudge(campaignID)
				w.idle()
			}
			if working(t, workers, finished) == nil {
				t.Error("nobody works any more")
			}
		})
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
