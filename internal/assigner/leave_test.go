package assigner

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// attachAll has the assigner attach what is planned until nothing changes any more.
func attachAll(r *rig, entry string) {
	r.Helper()
	r.plan(entry)
	r.reconcile(testCampaign)
	r.eventually("all are attached", func() bool {
		r.advance(time.Minute)
		r.reconcile(testCampaign)
		for _, n := range r.plans.Load().Campaigns[0].Numbers {
			if r.number(string(n)).State != ledger.Sendable {
				return false
			}
		}
		return true
	})
}

// pruning is an entry that lists numbers and has numbers removed.
func pruning(numbers ...string) string {
	return listed("spring", testCampaign, numbers...) + "  prune: true\n"
}

// onCampaign lists the numbers that are on the test's campaign at Telnyx.
func onCampaign(r *rig) (numbers []string) {
	for _, record := range r.sim.Assignments() {
		if record.CampaignID == testCampaign && record.Status == telnyx.Assigned {
			numbers = append(numbers, record.PhoneNumber)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// aboutToPrune returns a rig whose entry attached six numbers and has not named the first
// few of them for a whole resync interval.
func aboutToPrune(t *testing.T, dropped int) (*rig, []string) {
	t.Helper()
	numbers := numbered(6)
	r := newRig(t, telnyxsim.Options{}, 6)
	attachAll(r, pruning(numbers...))
	r.plan(pruning(numbers[dropped:]...))
	r.reconcile(testCampaign)
	r.advance(r.a.config.Resync + time.Second)
	return r, numbers
}

// leaves reconciles for so many resync intervals.
func leaves(r *rig, resyncs int) {
	r.Helper()
	for range resyncs {
		r.advance(r.a.config.Resync)
		for range 4 {
			if err := r.tryReconcile(r.Context(), testCampaign); err != nil && !errors.Is(err, ledger.ErrChanged) {
				r.Fatal(err)
			}
			r.advance(time.Minute)
		}
	}
}

func wantOn(r *rig, when string, want []string) {
	r.Helper()
	if got := onCampaign(r); !slices.Equal(got, want) {
		r.Errorf("%s: %d numbers are on the campaign %v, want %d %v", when, len(got), got, len(want), want)
	}
}

func TestPrune_RemovesWhatTheEntryAttachedAfterOneResync(t *testing.T) {
	t.Parallel()
	numbers := numbered(9)
	r := newRig(t, telnyxsim.Options{}, 9)
	attachAll(r, pruning(numbers...))
	r.plan(pruning(numbers[2:]...))
	r.reconcile(testCampaign)
	r.advance(r.a.config.Resync - time.Second)
	r.reconcile(testCampaign)
	wantOn(r, "before a resync interval has passed", numbers)
	if n := r.number(numbers[0]); n.State != ledger.Leaving || n.NextAt.IsZero() {
		t.Errorf("the record is %+v, want it leaving, with a time", n)
	}
	leaves(r, 1)
	wantOn(r, "after it", numbers[2:])
	r.eventually("the records end", func() bool {
		leaves(r, 1)
		return r.number(numbers[0]).Number == "" && r.number(numbers[1]).Number == ""
	})
}

func TestPrune_RemovesNothing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		numbers int
		plan    func(r *rig, numbers []string)
		before  func(r *rig, number string)
	}{
		"without prune": {6, func(r *rig, n []string) { r.plan(listed("spring", testCampaign, n[1:]...)) }, nil},
		"when the entry is gone": {6, func(r *rig, n []string) {
			r.plan(listed("other", otherCampaign, "+13125550199"))
		}, nil},
		"when another entry has the campaign": {6, func(r *rig, n []string) {
			r.plan(listed("another", testCampaign, n[1:]...) + "  prune: true\n")
		}, nil},
		"that was on the campaign before": {6, func(r *rig, n []string) { r.plan(pruning(n[1:]...)) }, func(r *rig, number string) {
			r.must(r.sim.AttachNumber(number, testCampaign, telnyx.Assigned))
		}},
		"that is named again in time": {6, func(r *rig, n []string) {
			r.plan(pruning(n[1:]...))
			r.reconcile(testCampaign)
			r.advance(time.Minute)
			r.plan(pruning(n...))
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			numbers := numbered(tt.numbers)
			r := newRig(t, telnyxsim.Options{}, tt.numbers)
			if tt.before != nil {
				tt.before(r, numbers[0])
			}
			attachAll(r, pruning(numbers...))
			tt.plan(r, numbers)
			leaves(r, 3)
			wantOn(r, "after three resyncs", numbers)
		})
	}
}

// More than a third would go: a third goes, and a person is asked about the rest.
func TestPrune_RemovesAThirdAndAsks(t *testing.T) {
	t.Parallel()
	numbers := numbered(10)
	r := newRig(t, telnyxsim.Options{}, 10)
	attachAll(r, pruning(numbers...))
	r.plan(pruning(numbers[6:]...))
	r.reconcile(testCampaign)
	leaves(r, 5)
	wantOn(r, "after five resyncs", numbers[3:])
	if n := r.number(numbers[3]); n.State != ledger.Leaving || n.Reason != ledger.PruneLimit || !n.NeedsPerson {
		t.Errorf("the record is %+v, want it to need a person for %s", n, ledger.PruneLimit)
	}
	r.config.PruneLimit = 5
	r.restart()
	leaves(r, 2)
	wantOn(r, "with a limit of five", numbers[5:])
	r.config.PruneLimit = 6
	r.restart()
	leaves(r, 2)
	wantOn(r, "with a limit of six", numbers[6:])
}

// Between the last reading of the list and the DELETE, the number goes elsewhere.
func TestPrune_NeverRemovesFromAnotherCampaign(t *testing.T) {
	t.Parallel()
	r, numbers := aboutToPrune(t, 1)
	r.before = func(req *http.Request) {
		if req.Method == http.MethodGet && req.URL.Path == recordsPath+"/"+numbers[0] {
			r.check(r.sim.AttachNumber(numbers[0], otherCampaign, telnyx.Assigned))
		}
	}
	leaves(r, 2)
	for _, record := range r.sim.Assignments() {
		if record.PhoneNumber == numbers[0] && record.CampaignID == otherCampaign {
			return
		}
	}
	t.Errorf("%s was removed from the campaign that it had moved to", numbers[0])
}

// The plan names the number again while its removal waits for the limiter.
func TestPrune_StopsWhenThePlanNamesTheNumberAgain(t *testing.T) {
	t.Parallel()
	r, numbers := aboutToPrune(t, 1)
	r.before = func(req *http.Request) {
		if req.Method == http.MethodGet && req.URL.Path == recordsPath+"/"+numbers[0] {
			r.plan(pruning(numbers...))
		}
		if req.Method == http.MethodDelete {
			t.Errorf("%s %s was sent", req.Method, req.URL.Path)
		}
	}
	leaves(r, 2)
	wantOn(r, "in the end", numbers)
}

// What a command or another entry attached is not this entry's, though it names it later.
func TestPrune_RemovesOnlyWhatItsOwnRequestAttached(t *testing.T) {
	t.Parallel()
	for name, attach := range map[string]func(r *rig, numbers []string){
		"but not what a command attached": func(r *rig, numbers []string) {
			r.plan(pruning(numbers[1:]...))
			m := r.manual()
			if got := one2(r)(m.Assign(t.Context(), naming(testCampaign, numbers[0]), false)); !got.Sent {
				t.Fatalf("assign: %+v, want it sent", got)
			}
			r.must(m.Close(t.Context())) // its record stays until the request is over
		},
		"but not what an entry with another name attached": func(r *rig, numbers []string) {
			attachAll(r, listed("earlier", testCampaign, numbers...)+"  prune: true\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			numbers := numbered(6)
			r := newRig(t, telnyxsim.Options{}, 6)
			attach(r, numbers)
			attachAll(r, pruning(numbers...))
			r.plan(pruning(numbers[1:]...))
			leaves(r, 3)
			wantOn(r, "after three resyncs", numbers)
		})
	}
}

// The plan moves a number to an entry whose campaign is in review: until it is approved the
// number stays where it is.
func TestPrune_KeepsWhatAnotherEntryNames(t *testing.T) {
	t.Parallel()
	numbers := numbered(6)
	r := newRig(t, telnyxsim.Options{}, 6)
	attachAll(r, pruning(numbers...))
	r.must(r.sim.SetCampaignStatus(otherCampaign, telnyx.CampaignMNOPending))
	next := listed("next", otherCampaign, numbers[0]) + "  move_from: [" + testCampaign + "]\n"
	r.plan(pruning(numbers[1:]...), next)
	leaves(r, 3)
	r.reconcile(otherCampaign)
	wantOn(r, "while another entry waits for it", numbers)
	r.plan(pruning(numbers[1:]...), listed("next", otherCampaign, "+13125550199"))
	leaves(r, 1)
	wantOn(r, "directly after no entry names it", numbers)
}

// The clock was ahead when the number left the plan: of another assigner, or of this one.
func TestPrune_RemovesAlthoughTheClockWasSetBack(t *testing.T) {
	t.Parallel()
	numbers := numbered(6)
	r := newRig(t, telnyxsim.Options{}, 6)
	attachAll(r, pruning(numbers...))
	r.advance(10 * time.Hour)
	r.plan(pruning(numbers[1:]...))
	r.reconcile(testCampaign)
	r.advance(-10 * time.Hour)
	leaves(r, 2)
	wantOn(r, "two resyncs later", numbers[1:])
}

// A list that does not show the number yet does not prove that it has left.
func TestPrune_RemovesWhatListsDoNotShowYet(t *testing.T) {
	t.Parallel()
	numbers := numbered(6)
	r := newRig(t, telnyxsim.Options{Dialect: telnyxsim.Dialect{ListLag: time.Hour}}, 6)
	attachAll(r, pruning(numbers...))
	r.plan(pruning(numbers[1:]...))
	leaves(r, 2)
	wantOn(r, "after two resyncs", numbers[1:])
}
