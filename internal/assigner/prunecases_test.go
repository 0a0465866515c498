package assigner

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
)

func deletes(r *rig) (n int) {
	for _, w := range r.sim.Writes() {
		if w.Method == http.MethodDelete {
			n++
		}
	}
	return n
}

// A pool loses 6 of 10 numbers: three may go without a person.
func TestPrune_OfAPoolRemovesAThird(t *testing.T) {
	t.Parallel()
	numbers := numbered(10)
	r := newRig(t, telnyxsim.Options{}, 10)
	r.plan(pooled() + "  prune: true\n")
	r.eventually("all are attached", func() bool {
		r.advance(time.Minute)
		r.reconcile(testCampaign)
		for _, n := range numbers {
			if r.number(n).State != ledger.Sendable {
				return false
			}
		}
		return true
	})
	const elsewhere = "4001776e-0000-4000-8000-000000000002"
	r.sim.AddMessagingProfiles(elsewhere)
	found, err := r.a.client.Numbers(r.Context(), numbers)
	r.must(err)
	for _, n := range numbers[:6] {
		_, err := r.a.client.SetMessagingProfile(r.Context(), found.Found[n], elsewhere)
		r.must(err)
	}
	leaves(r, 12)
	if n := len(onCampaign(r)); n != 7 {
		t.Errorf("%d numbers are on the campaign, want 7: no more than a third may go without a person", n)
	}
	c := r.campaign(testCampaign)
	t.Logf("base %d pruned %d", c.PruneBase, c.Pruned)
}

// Assign in one process, remove in another, much later.
func TestManual_RemovesWhatAnotherProcessAssigned(t *testing.T) {
	t.Parallel()
	number := numbered(1)[0]
	r := newRig(t, telnyxsim.Options{}, 1)
	r.plan(listed("other", otherCampaign, "+13125550199"))
	m := r.manual()
	if got := one2(r)(m.Assign(t.Context(), naming(testCampaign, number), false)); !got.Sent {
		t.Fatalf("assign: %+v", got)
	}
	r.must(m.Close(t.Context()))
	for range 3 {
		r.advance(24 * time.Hour)
		r.reconcile(otherCampaign)
		m = r.manual()
		got := one2(r)(m.Remove(t.Context(), naming(testCampaign, number), true))
		r.must(m.Close(t.Context()))
		if got.Sent && deletes(r) == 0 {
			t.Errorf("a day later: remove says that the request was accepted, and sent none: %+v", got.Record)
		}
	}
	if len(onCampaign(r)) != 0 {
		t.Error("it is still on the campaign")
	}
}

// The record cannot be read. cmd/greenlight's ask then takes Before.CampaignID of nil.
func TestManual_RefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	number := numbered(1)[0]
	r := newRig(t, telnyxsim.Options{}, 1)
	r.plan(listed("other", otherCampaign, "+13125550199"))
	r.must(r.sim.AttachNumber(number, testCampaign, telnyx.Assigned))
	m := r.manual()
	r.sim.Inject(telnyxsim.Fault{Method: http.MethodGet, PathPrefix: "/10dlc/phone_number_campaigns/" + number, Times: -1, Kind: telnyxsim.Reset()})
	got := one2(r)(m.Remove(t.Context(), naming(testCampaign, number), false))
	if !got.Done && got.Refused == "" && got.Before == nil {
		t.Errorf("neither done nor refused, and no record: %+v", got)
	}
}

// Attached by hand, then planned, then unplanned: not the entry's.
func TestPrune_LeavesWhatAPersonAttached(t *testing.T) {
	t.Parallel()
	numbers := numbered(6)
	r := newRig(t, telnyxsim.Options{}, 6)
	r.plan(listed("other", otherCampaign, "+13125550199"))
	m := r.manual()
	one2(r)(m.Assign(t.Context(), naming(testCampaign, numbers[0]), false))
	r.must(m.Close(t.Context()))
	attachAll(r, pruning(numbers...))
	r.plan(pruning(numbers[1:]...))
	leaves(r, 3)
	wantOn(r, "after three resyncs", numbers)
}

// Since the backup, a person may have removed a number and attached it again. So a restored
// ledger does not prove that a number is the entry's. What it attaches afterwards is.
func TestPrune_LeavesWhatWasAttachedBeforeARestore(t *testing.T) {
	t.Parallel()
	numbers := numbered(6)
	r := newRig(t, telnyxsim.Options{}, 6)
	attachAll(r, pruning(numbers[:5]...))
	r.must(r.a.ledger.ClearAttachedBy(t.Context()))
	attachAll(r, pruning(numbers...))
	r.plan(pruning(numbers[1:5]...))
	leaves(r, 3)
	wantOn(r, "after three resyncs", numbers[:5])
}

// Another entry attached them; the entry is renamed; then a number is taken out.
func TestPrune_LeavesWhatAnotherEntryAttached(t *testing.T) {
	t.Parallel()
	numbers := numbered(6)
	r := newRig(t, telnyxsim.Options{}, 6)
	attachAll(r, pruning(numbers...))
	renamed := func(n []string) string { return strings.Replace(pruning(n...), "spring", "summer", 1) }
	r.plan(renamed(numbers))
	r.reconcile(testCampaign)
	r.plan(renamed(numbers[1:]))
	leaves(r, 3)
	wantOn(r, "after three resyncs", numbers)
}

// Telnyx accepts each DELETE, and the carriers fail it.
func TestPrune_AsksWhenARemovalKeepsFailing(t *testing.T) {
	t.Parallel()
	r, numbers := aboutToPrune(t, 1)
	r.after = func(req *http.Request) {
		if req.Method == http.MethodDelete {
			r.check(r.sim.AttachNumber(numbers[0], testCampaign, telnyx.FailedUnassignment))
		}
	}
	for range 120 {
		r.advance(30 * time.Second)
		r.reconcile(testCampaign)
	}
	n := r.number(numbers[0])
	if d := deletes(r); d > 10 || !n.NeedsPerson {
		t.Errorf("%d DELETEs in an hour, needs a person: %v, tries %+v", d, n.NeedsPerson, n.Tries)
	}
}

// A number that is still being assigned is reported as accepted, and nothing is sent.
func TestManual_RefusesWhatIsStillBeingAttached(t *testing.T) {
	t.Parallel()
	number := numbered(1)[0]
	r := newRig(t, telnyxsim.Options{}, 1)
	r.plan(listed("other", otherCampaign, "+13125550199"))
	r.must(r.sim.AttachNumber(number, testCampaign, telnyx.PendingAssignment))
	got := one2(r)(r.manual().Remove(t.Context(), naming(testCampaign, number), true))
	if got.Sent && deletes(r) == 0 {
		t.Errorf("reported as sent, but nothing was: %+v", got)
	}
}

// The plan names the campaign by its TCR id, and the ledger does not have its other id.
func TestManual_KnowsThePlanByEveryID(t *testing.T) {
	t.Parallel()
	number := numbered(1)[0]
	r := newRig(t, telnyxsim.Options{}, 1)
	r.must(r.sim.AttachNumber(number, testCampaign, telnyx.Assigned))
	c, _ := r.sim.Campaign(testCampaign)
	r.plan(strings.Replace(listed("spring", testCampaign, number), "campaign_id: "+testCampaign, "tcr_campaign_id: "+c.TCRID, 1))
	r.sim.Inject(telnyxsim.Fault{Times: -1, Kind: telnyxsim.Reset()})
	r.check(r.tryReconcile(t.Context(), c.TCRID))
	r.sim.ClearFaults()
	if n := r.numberOn(c.TCRID, number); n.Plan != "spring" {
		t.Fatalf("record %+v", n)
	}
	got := one2(r)(r.manual().Remove(t.Context(), naming(testCampaign, number), true))
	if got.Refused == "" || deletes(r) > 0 {
		t.Errorf("removed although plan spring names it there: %+v", got)
	}
}

// A DELETE without an answer is in flight when the plan names the number again, and
// then moves it elsewhere.
func TestPrune_KeepsTheClaimOfAnUnansweredRemoval(t *testing.T) {
	t.Parallel()
	r, numbers := aboutToPrune(t, 1)
	r.sim.Inject(telnyxsim.Fault{Method: http.MethodDelete, Kind: telnyxsim.Reset()})
	r.reconcile(testCampaign)
	sent := r.number(numbers[0])
	if sent.ClaimedAt.IsZero() || sent.Request.Outcome != ledger.Unanswered {
		t.Fatalf("record %+v", sent)
	}
	r.advance(time.Second)
	r.plan(pruning(numbers...))
	r.reconcile(testCampaign)
	if n := r.number(numbers[0]); n.ClaimedAt.IsZero() {
		t.Errorf("a second after a DELETE without an answer its claim is gone: %+v", n)
	}
	r.plan(pruning(numbers[1:]...), listed("other", otherCampaign, numbers[0])+"  move_from: ["+testCampaign+"]\n")
	r.advance(time.Second)
	r.reconcile(otherCampaign)
	for _, w := range r.sim.Writes() {
		if w.Method == http.MethodPut {
			t.Errorf("PUT two seconds after a DELETE that may still take effect")
		}
	}
}

// After a failed removal the plan names the number again, and then drops it again: it
// has another whole resync.
func TestPrune_WaitsAgainAfterTheNumberWasNamedAgain(t *testing.T) {
	t.Parallel()
	r, numbers := aboutToPrune(t, 2)
	fail := true
	r.after = func(req *http.Request) {
		if req.Method == http.MethodDelete && fail {
			number := req.URL.Path[strings.LastIndex(req.URL.Path, "/")+1:]
			r.check(r.sim.AttachNumber(number, testCampaign, telnyx.FailedUnassignment))
		}
	}
	r.reconcile(testCampaign)
	fail = false
	before := deletes(r)
	r.plan(pruning(numbers...))
	r.advance(time.Minute)
	r.reconcile(testCampaign)
	r.advance(24 * time.Hour)
	r.reconcile(testCampaign)
	r.plan(pruning(numbers[2:]...))
	r.reconcile(testCampaign)
	if n := deletes(r) - before; n > 0 {
		t.Errorf("%d numbers were removed at once", n)
	}
}

// 429s never count.
func TestPrune_DoesNotCountRateLimits(t *testing.T) {
	t.Parallel()
	r, numbers := aboutToPrune(t, 1)
	r.sim.Inject(telnyxsim.Fault{Method: http.MethodDelete, Times: -1, Kind: telnyxsim.RateLimited(0)})
	for range 4 {
		if err := r.tryReconcile(r.Context(), testCampaign); err != nil && !errors.Is(err, ledger.ErrChanged) {
			t.Fatal(err)
		}
		r.advance(30 * time.Minute)
	}
	if n := r.number(numbers[0]); n.NeedsPerson || n.Tries.Refused > 0 {
		t.Errorf("429s count as refusals: %s %q %+v", n.StateAndReason(), n.Detail, n.Tries)
	}
}

// The plan does not name it any more, and its campaign is suspended.
func TestManual_RemovesFromASuspendedCampaign(t *testing.T) {
	t.Parallel()
	numbers := numbered(2)
	r := newRig(t, telnyxsim.Options{}, 2)
	attachAll(r, pruning(numbers...))
	r.must(r.sim.Suspend(testCampaign))
	r.reconcile(testCampaign)
	r.plan(pruning(numbers[1:]...))
	leaves(r, 2)
	got := one2(r)(r.manual().Remove(t.Context(), naming(testCampaign, numbers[0]), true))
	if got.Refused != "" {
		t.Errorf("no plan names it, but: %s", got.Refused)
	}
}

// The files do not load any more when the wait is over: nobody knows whether they still
// do not name the number.
func TestPrune_WaitsWhileThePlanDoesNotLoad(t *testing.T) {
	t.Parallel()
	numbers := numbered(6)
	var fault error
	r := newRig(t, telnyxsim.Options{}, 6, func(c *Config) { c.PlanFault = func() error { return fault } })
	attachAll(r, pruning(numbers...))
	r.plan(pruning(numbers[1:]...))
	r.reconcile(testCampaign)
	fault = errors.New("plan.yaml:9: broken")
	leaves(r, 3)
	wantOn(r, "while the file does not load", numbers)
}

// A person attaches by hand what the entry has pruned.
func TestPrune_LeavesWhatAPersonPutBack(t *testing.T) {
	t.Parallel()
	r, numbers := aboutToPrune(t, 1)
	r.reconcile(testCampaign) // DELETE; the record still says so
	wantOn(r, "pruned", numbers[1:])
	m := r.manual()
	r.advance(time.Minute)
	one2(r)(m.Assign(t.Context(), naming(testCampaign, numbers[0]), false))
	r.eventually("it is back", func() bool {
		r.advance(time.Minute)
		return one2(r)(m.Assign(t.Context(), naming(testCampaign, numbers[0]), true)).Done
	})
	r.must(m.Close(t.Context()))
	leaves(r, 3)
	wantOn(r, "after a person put it back", numbers)
}

// Another entry waits to move the number here, for its campaign's approval.
func TestPrune_LeavesWhatAnotherEntryWillMove(t *testing.T) {
	t.Parallel()
	numbers := numbered(6)
	r := newRig(t, telnyxsim.Options{}, 6)
	r.must(r.sim.SetCampaignStatus(otherCampaign, telnyx.CampaignMNOPending))
	attachAll(r, pruning(numbers...))
	r.plan(pruning(numbers[1:]...), listed("next", otherCampaign, numbers[0])+"  move_from: ["+testCampaign+"]\n")
	leaves(r, 3)
	wantOn(r, "while the other campaign is in review", numbers)
}

// The plan moves the number to a second entry of the same campaign, which does not count.
func TestPrune_LeavesWhatAnotherEntryOfTheCampaignNames(t *testing.T) {
	t.Parallel()
	numbers := numbered(6)
	r := newRig(t, telnyxsim.Options{}, 6)
	attachAll(r, pruning(numbers...))
	c, _ := r.sim.Campaign(testCampaign)
	r.plan(pruning(numbers[1:]...), fmt.Sprintf("- name: next\n  tcr_campaign_id: %s\n  numbers: [%q]\n", c.TCRID, numbers[0]))
	leaves(r, 3)
	wantOn(r, "while another entry of the campaign names it", numbers)
}

// Assign of a number that prune is about to remove.
func TestManual_RefusesToAssignWhatIsBeingRemoved(t *testing.T) {
	t.Parallel()
	numbers := numbered(6)
	r := newRig(t, telnyxsim.Options{}, 6)
	attachAll(r, pruning(numbers...))
	r.plan(pruning(numbers[1:]...))
	r.reconcile(testCampaign)
	got := one2(r)(r.manual().Assign(t.Context(), naming(testCampaign, numbers[0]), false))
	leaves(r, 3)
	if got.Done && len(onCampaign(r)) == 5 {
		t.Errorf("assign said that it is attached, and a resync later it was pruned")
	}
}

// Nothing is removed that a plan names: a plan comes into force that names an attached
// number while a command removes it.
func TestManual_RemovesNothingThatANewPlanNames(t *testing.T) {
	t.Parallel()
	rounds := testkit.Fewer(60)
	numbers := numbered(rounds)
	r := newRig(t, telnyxsim.Options{}, rounds)
	late := 0
	for _, number := range numbers {
		r.must(r.sim.AttachNumber(number, testCampaign, telnyx.Assigned))
		r.plan(listed("spring", testCampaign, number))
		r.a.markPlans(t.Context(), alwaysActive) // the ledger says that a new set is in force
		before := deletes(r)
		done := make(chan struct{})
		go func() {
			defer close(done)
			m := r.manual()
			_, err := m.Remove(t.Context(), naming(testCampaign, number), true)
			if err != nil && !errors.Is(err, ledger.ErrChanged) {
				t.Error(err)
			}
			_ = m.Close(t.Context())
		}()
		_ = r.tryReconcile(t.Context(), testCampaign)
		<-done
		if deletes(r) == before {
			continue
		}
		r.advance(10 * time.Second)
		_ = r.tryReconcile(t.Context(), testCampaign)
		if n := r.number(number); n.State == ledger.Sendable && n.NextAt.IsZero() {
			late++
		}
	}
	t.Logf("%d of %d removed, %d of them recorded as sendable with no next check", deletes(r), rounds, late)
	if deletes(r) > 0 {
		t.Errorf("%d numbers were removed that the plan in force names", deletes(r))
	}
}

// Two commands remove the same number: the second says what is true.
func TestManual_IsDoneWhenAnotherRemovedIt(t *testing.T) {
	t.Parallel()
	number := numbered(1)[0]
	r := newRig(t, telnyxsim.Options{}, 1)
	r.plan(listed("other", otherCampaign, "+13125550199"))
	r.must(r.sim.AttachNumber(number, testCampaign, telnyx.Assigned))
	reads := 0
	r.before = func(req *http.Request) {
		if req.Method == http.MethodGet && req.URL.Path == recordsPath+"/"+number {
			if reads++; reads == 2 {
				r.sim.DetachNumber(number)
			}
		}
	}
	got := one2(r)(r.manual().Remove(t.Context(), naming(testCampaign, number), true))
	if got.Refused != "" {
		t.Errorf("it has left, but: refused, %q", got.Refused)
	}
}

// Another entry may move the members of its pool, which it has not read, for its campaign is
// in review.
func TestPrune_LeavesWhatAnotherEntrysPoolHas(t *testing.T) {
	t.Parallel()
	const emptyProfile = "4001776e-0000-4000-8000-000000000002"
	numbers := numbered(6)
	for profile, want := range map[string][]string{testProfile: numbers, emptyProfile: numbers[1:]} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, telnyxsim.Options{}, 6)
			r.sim.AddMessagingProfiles(emptyProfile)
			r.must(r.sim.SetCampaignStatus(otherCampaign, telnyx.CampaignMNOPending))
			attachAll(r, pruning(numbers...))
			next := strings.NewReplacer(testCampaign, otherCampaign, testProfile, profile).Replace(pooled())
			r.plan(pruning(numbers[1:]...), next+"  move_from: ["+testCampaign+"]\n")
			leaves(r, 3)
			wantOn(r, "after the plan dropped one", want)
		})
	}
}
