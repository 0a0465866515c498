package assigner

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
)

// manual returns a [Manual] beside the rig's assigner, as a command in another process is.
func (r *rig) manual() *Manual {
	r.Helper()
	m, err := NewManual(r.Context(), r.config, "greenlight numbers by ops@desk")
	r.must(err)
	return m
}

// naming is an entry for the test's campaign with these numbers.
func naming(campaign string, numbers ...string) plan.Campaign {
	want := plan.Campaign{CampaignID: telnyx.CampaignID(campaign)}
	for _, n := range numbers {
		want.Numbers = append(want.Numbers, plan.E164(n))
	}
	return want
}

// one is the result of one number.
func one(r *rig, results []ManualResult, err error) ManualResult {
	r.Helper()
	r.must(err)
	if len(results) != 1 {
		r.Fatalf("%d results, want one: %+v", len(results), results)
	}
	return results[0]
}

func TestManual_AssignsAndRemoves(t *testing.T) {
	t.Parallel()
	number := numbered(1)[0]
	r := newRig(t, telnyxsim.Options{}, 1)
	r.plan(listed("other", otherCampaign, "+13125550199"))
	m := r.manual()
	if got := one2(r)(m.Assign(t.Context(), naming(testCampaign, number), false)); !got.Sent || got.Done || got.Refused != "" {
		t.Fatalf("assign: %+v, want it sent", got)
	}
	r.eventually("it is attached", func() bool {
		r.advance(time.Minute)
		return one2(r)(m.Assign(t.Context(), naming(testCampaign, number), true)).Done
	})
	r.wantRequests("assign", number)

	if got := one2(r)(m.Remove(t.Context(), naming(testCampaign, number), false)); got.Done || got.Sent || got.Refused != "" || got.Before == nil {
		t.Fatalf("without sending: %+v, want that it would be sent", got)
	}
	r.wantRequests("only shown", number)
	if got := one2(r)(m.Remove(t.Context(), naming(testCampaign, number), true)); !got.Sent || got.Refused != "" {
		t.Fatalf("remove: %+v, want it sent", got)
	}
	r.eventually("it is gone", func() bool {
		r.advance(time.Minute)
		return one2(r)(m.Remove(t.Context(), naming(testCampaign, number), true)).Done
	})
	if n := r.requests()[number]; n != 2 {
		t.Errorf("%d requests, want one to attach and one to remove", n)
	}
	r.must(m.Close(t.Context()))
	if n := r.number(number); n.Number != "" {
		t.Errorf("the record %+v is left", n)
	}
}

// one2 is [one] for a call.
func one2(r *rig) func([]ManualResult, error) ManualResult {
	return func(results []ManualResult, err error) ManualResult { r.Helper(); return one(r, results, err) }
}

func TestManual_Refuses(t *testing.T) {
	t.Parallel()
	number := numbered(1)[0]
	const third = "951c6a5c-907b-43a9-8ada-ba1dc8335b07"
	assign := func(m *Manual, r *rig) ([]ManualResult, error) {
		return m.Assign(r.Context(), naming(testCampaign, number), false)
	}
	remove := func(m *Manual, r *rig) ([]ManualResult, error) {
		return m.Remove(r.Context(), naming(testCampaign, number), true)
	}
	for name, tt := range map[string]struct {
		before func(r *rig)
		do     func(m *Manual, r *rig) ([]ManualResult, error)
		want   string
	}{
		"to assign what another campaign uses": {func(r *rig) { onOther(r) }, assign, "It is in use on campaign " + otherCampaign},
		"to assign to a campaign in review": {func(r *rig) {
			r.must(r.sim.SetCampaignStatus(testCampaign, telnyx.CampaignMNOPending))
		}, assign, "in review"},
		"to assign what a plan names elsewhere": {func(r *rig) {
			attachElsewhere(r, number)
			r.sim.DetachNumber(number)
		}, assign, "Plan spring names it for campaign " + otherCampaign + " (plan.yaml:"},
		"to assign without a profile": {offProfile, assign, "no messaging profile"},
		"to remove what is on another campaign": {func(r *rig) {
			onOther(r)
		}, remove, "It is on campaign " + otherCampaign},
		"to remove what a plan names": {func(r *rig) {
			attachAll(r, listed("spring", testCampaign, number))
		}, remove, "Plan spring names it (plan.yaml:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, telnyxsim.Options{}, 1)
			r.plan(listed("other", third, "+13125550199"))
			tt.before(r)
			writes := len(r.sim.Writes())
			got := one2(r)(tt.do(r.manual(), r))
			if got.Done || got.Sent || !strings.Contains(got.Refused, tt.want) {
				t.Errorf("%+v, want it refused with %q", got, tt.want)
			}
			if n := len(r.sim.Writes()); n != writes {
				t.Errorf("%d requests were sent", n-writes)
			}
		})
	}
}

func TestEntryOf_SelectsTheCampaignOfARecord(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		record ledger.Campaign
		want   plan.Campaign
	}{
		"read":                   {ledger.Campaign{ID: "ref_promo-7", TelnyxID: testCampaign}, plan.Campaign{CampaignID: testCampaign}},
		"shared":                 {ledger.Campaign{ID: "C6X6M95", TCRID: "C6X6M95", Shared: true}, plan.Campaign{TCRCampaignID: "C6X6M95"}},
		"not found yet":          {ledger.Campaign{ID: testCampaign, Planned: true, MaxNumbers: 49}, plan.Campaign{CampaignID: testCampaign, MaxNumbers: 49}},
		"reference, not yet":     {ledger.Campaign{ID: "ref_promo-7", BrandID: "b1", Planned: true}, plan.Campaign{ReferenceID: "promo-7", BrandID: "b1"}},
		"not planned any longer": {ledger.Campaign{ID: "C6X6M95", MaxNumbers: 49}, plan.Campaign{TCRCampaignID: "C6X6M95"}},
	} {
		if got := EntryOf(tt.record); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, tt.want)
		}
	}
}

// attachElsewhere has a plan attach the number to the other campaign.
func attachElsewhere(r *rig, number string) {
	r.Helper()
	r.plan(listed("spring", otherCampaign, number))
	r.eventually("it is attached", func() bool {
		r.advance(time.Minute)
		r.reconcile(otherCampaign)
		return r.numberOn(otherCampaign, number).State == ledger.Sendable
	})
}

func TestManual_SendsNothingWhileHeld(t *testing.T) {
	t.Parallel()
	number := numbered(1)[0]
	r := newRig(t, telnyxsim.Options{}, 1)
	r.plan(listed("other", otherCampaign, "+13125550199"))
	m := r.manual()
	r.must(r.a.ledger.Hold(t.Context(), nil, ledger.HeldBy{By: "ops@desk", At: r.a.now()}))
	_, err := m.Assign(t.Context(), naming(testCampaign, number), false)
	if held, ok := errors.AsType[*HeldError](err); !ok || held.By.By != "ops@desk" {
		t.Errorf("got %v, want who holds it", err)
	}
	r.wantRequests("while held")
}

// A command and an assigner work on the same number at the same time.
func TestManual_BesideAnAssigner(t *testing.T) {
	t.Parallel()
	rounds := testkit.Fewer(200)
	numbers := numbered(rounds)
	r := newRig(t, telnyxsim.Options{MaxNumbersPerCampaign: rounds}, rounds)
	for round, number := range numbers {
		r.plan(listed("spring", testCampaign, number))
		writes := len(r.sim.Writes())
		commands := r.manual()
		var both sync.WaitGroup
		both.Go(func() {
			// One that loses the race gets an error; the queue would repeat it.
			if err := r.tryReconcile(t.Context(), testCampaign); err != nil && !errors.Is(err, ledger.ErrChanged) {
				t.Error(err)
			}
		})
		both.Go(func() {
			var err error
			if round%2 == 0 {
				_, err = commands.Assign(t.Context(), naming(testCampaign, number), false)
			} else {
				_, err = commands.Remove(t.Context(), naming(testCampaign, number), true)
			}
			if err != nil && !errors.Is(err, ledger.ErrChanged) {
				t.Error(err)
			}
		})
		both.Wait()
		r.must(commands.Close(t.Context()))
		for _, write := range r.sim.Writes()[writes:] {
			if write.Method == http.MethodDelete {
				t.Fatalf("round %d: %s was removed although the plan names it", round, number)
			}
		}
		r.reconcile(testCampaign)
		r.advance(time.Minute)
		r.reconcile(testCampaign)
		effective := 0
		for _, write := range r.sim.Writes()[writes:] {
			if write.Effective {
				effective++
			}
		}
		if effective != 1 {
			t.Fatalf("round %d: %d requests took effect, want one", round, effective)
		}
	}
}

// Two commands move one number to two campaigns.
func TestManual_TwoCommandsMoveOnce(t *testing.T) {
	t.Parallel()
	const third = "951c6a5c-907b-43a9-8ada-ba1dc8335b07"
	rounds := testkit.Fewer(30)
	r := newRig(t, telnyxsim.Options{Latency: time.Millisecond}, rounds)
	r.sim.AddCampaign(telnyxsim.Campaign{ID: third, CampaignStatus: telnyx.CampaignMNOProvisioned})
	for round, number := range numbered(rounds) {
		r.must(r.sim.AttachNumber(number, otherCampaign, telnyx.Assigned))
		writes := len(r.sim.Writes())
		var both sync.WaitGroup
		for _, to := range []string{testCampaign, third} {
			want := naming(to, number)
			want.MoveFrom = []string{otherCampaign}
			m := r.manual()
			both.Go(func() {
				if _, err := m.Assign(t.Context(), want, false); err != nil && !errors.Is(err, ledger.ErrChanged) {
					t.Error(err)
				}
			})
		}
		both.Wait()
		if n := slices.Collect(effectiveOnly(r.sim.Writes()[writes:])); len(n) != 1 {
			t.Fatalf("round %d: %d requests took effect, want one: %s", round, len(n), fmt.Sprint(n))
		}
	}
}

func effectiveOnly(writes []telnyxsim.Write) func(func(telnyxsim.Write) bool) {
	return func(yield func(telnyxsim.Write) bool) {
		for _, write := range writes {
			if write.Effective && !yield(write) {
				return
			}
		}
	}
}

// A command that waits for other numbers asks again about one that is done. A list that does
// not show it yet is not believed.
func TestManual_SendsOnceAlthoughListsLag(t *testing.T) {
	t.Parallel()
	number := numbered(1)[0]
	r := newRig(t, telnyxsim.Options{Dialect: telnyxsim.Dialect{ListLag: time.Hour}}, 1)
	r.plan(listed("other", otherCampaign, "+13125550199"))
	m := r.manual()
	r.eventually("it is attached", func() bool {
		r.advance(time.Minute)
		return one2(r)(m.Assign(t.Context(), naming(testCampaign, number), true)).Done
	})
	if got := one2(r)(m.Assign(t.Context(), naming(testCampaign, number), true)); !got.Done {
		t.Errorf("asked again: %+v, want it done", got)
	}
	if n := len(r.sim.Writes()); n != 1 {
		t.Errorf("%d requests, want one", n)
	}
	r.must(m.Close(t.Context()))
	if n := r.number(number); n.Number != "" {
		t.Errorf("the record %+v is left", n)
	}
}

// The last place of a campaign goes to one number, although lists do not show it yet.
func TestManual_SharesTheLastPlaceWithAnAssigner(t *testing.T) {
	t.Parallel()
	planned, typed := numbered(2)[0], numbered(2)[1]
	for name, commandFirst := range map[string]bool{"the command is first": true, "the assigner is first": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, telnyxsim.Options{}, 2)
			r.plan(strings.Replace(listed("spring", testCampaign, planned), "5000", "1", 1))
			want := naming(testCampaign, typed)
			want.MaxNumbers = 1
			command := func() {
				m := r.manual()
				_, err := m.Assign(t.Context(), want, false)
				r.check(errors.Join(err, m.Close(t.Context())))
			}
			first, second := func() { r.check(r.tryReconcile(t.Context(), testCampaign)) }, command
			if commandFirst {
				first, second = second, first
			}
			var begun atomic.Bool
			r.before = func(req *http.Request) {
				if req.Method == http.MethodPost && begun.CompareAndSwap(false, true) {
					second() // while the request is under way
				}
			}
			first()
			if n := len(r.sim.Writes()); n != 1 {
				t.Errorf("%d requests, want one", n)
			}
		})
	}
}

// A restore may begin while the command asks for consent, or waits. The ledger has no hold then.
func TestManual_WritesNothingOnceARestoreBegan(t *testing.T) {
	t.Parallel()
	number := numbered(1)[0]
	r := newRig(t, telnyxsim.Options{}, 1)
	r.plan(listed("other", otherCampaign, "+13125550199"))
	m := r.manual()
	_, err := r.config.JetStream.CreateStream(t.Context(), jetstream.StreamConfig{Name: events.RestoreStream})
	r.must(err)
	got := one2(r)(m.Assign(t.Context(), naming(testCampaign, number), false))
	if got.Done || got.Sent || len(r.sim.Writes()) > 0 {
		t.Errorf("got %+v and %d writes", got, len(r.sim.Writes()))
	}
}
