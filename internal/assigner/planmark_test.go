package assigner

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx/telnyxsim"
)

// pending reports whether the ledger says that the plans are not fully reconciled.
func (r *rig) pending() bool {
	r.Helper()
	entries, err := r.a.ledger.Campaigns(r.Context())
	r.must(err)
	mark, known, err := r.a.ledger.Plans(r.Context())
	r.must(err)
	if !known {
		r.Fatal("no mark was written")
	}
	return mark.Entries != ledger.Checked(entries)
}

func (r *rig) mark() {
	r.Helper()
	r.a.markPlans(r.Context(), alwaysActive)
}

func TestPlanMark_SaysWhetherAllOfThePlanWasReconciled(t *testing.T) {
	t.Parallel()
	r := newRig(t, telnyxsim.Options{}, 2)
	steps := []struct {
		what    string
		do      func()
		pending bool
	}{
		{"nothing was reconciled", r.mark, true},
		{"all was", func() { r.reconcile(testCampaign) }, false},
		{"a number more", func() { r.plan(listed("staged", testCampaign, numbered(1)...)); r.mark() }, true},
		{"it was reconciled", func() { r.reconcile(testCampaign) }, false},
		{"a campaign more", func() {
			r.plan(listed("staged", testCampaign, numbered(1)...), listed("other", otherCampaign, numbered(2)[1:]...))
			r.mark()
		}, true},
		{"the other one was reconciled", func() { r.reconcile(testCampaign) }, true},
		{"that one was", func() { r.reconcile(otherCampaign) }, false},
		{"one campaign fewer", func() { r.plan(listed("staged", testCampaign, numbered(1)...)); r.mark() }, true},
		{"it was reconciled once more", func() { r.reconcile(otherCampaign) }, false},
		{"it cannot be read under its new entry", func() {
			r.plan(listed("staged", testCampaign, numbered(2)...))
			r.mark()
			r.sim.Inject(telnyxsim.Fault{Times: -1, Kind: telnyxsim.HTML502()})
			r.reconcile(testCampaign)
		}, true},
		{"it was read", func() { r.sim.ClearFaults(); r.reconcile(testCampaign) }, false},
	}
	for _, step := range steps {
		step.do()
		if got := r.pending(); got != step.pending {
			t.Errorf("%s: pending %t, want %t", step.what, got, step.pending)
		}
	}
}

// A campaign is recorded as approved before its numbers are attached. Until then, numbers
// that were added to its entry have no record.
func TestPlanMark_WaitsForTheNumbersOfACampaignThatIsJustApproved(t *testing.T) {
	r := newRig(t, telnyxsim.Options{}, 1, oneAtATime)
	r.mark()
	seen := false
	r.before = func(req *http.Request) {
		if req.Method == http.MethodPost && r.campaign(testCampaign).Phase == ledger.PhaseApproved {
			seen = true
			if !r.pending() {
				r.Error("the entry counts as reconciled while its number is being attached")
			}
		}
	}
	r.reconcile(testCampaign)
	if !seen || r.pending() {
		t.Errorf("the campaign was approved before its number: %t; pending at the end: %t", seen, r.pending())
	}
}

func TestPlanMark_ReportsAFaultAndIsWrittenByTheOneThatWorks(t *testing.T) {
	var fault error
	r := newRig(t, telnyxsim.Options{}, 1, func(c *Config) { c.PlanFault = func() error { return fault } })
	written := func() string {
		mark, _, err := r.a.ledger.Plans(t.Context())
		r.must(err)
		return mark.Fault
	}
	r.mark()
	fault = errors.New("plan.yaml:3:1: no")
	r.a.markPlans(t.Context(), func(context.Context) bool { return false })
	if got := written(); got != "" {
		t.Errorf("an assigner that stands by wrote %q", got)
	}
	r.mark()
	if got := written(); got != fault.Error() {
		t.Errorf("got %q, want the fault", got)
	}
	fault = errors.New(strings.Repeat("é", maxRecordOfAnybody))
	r.mark()
	if got := written(); len(got) > maxRecordOfAnybody/2 || !strings.HasPrefix(got, "éé") || strings.ContainsRune(got, '\uFFFD') {
		t.Errorf("got %d bytes", len(got))
	}
	fault = nil
	r.mark()
	if got := written(); got != "" {
		t.Errorf("got %q after it was fixed", got)
	}
	// Another assigner was active in between.
	r.must(r.a.ledger.PutPlans(t.Context(), ledger.Plans{Hash: "other"}))
	r.a.plans.forget()
	r.mark()
	if mark, _, err := r.a.ledger.Plans(t.Context()); err != nil || mark.Hash != r.plans.Load().Hash {
		t.Error("the mark of another assigner stays")
	}
}

// maxRecordOfAnybody is larger than any record of the ledger.
const maxRecordOfAnybody = 20_000

// Another assigner begins to work while this one writes why it cannot.
func TestMarkFault_KeepsANewerMark(t *testing.T) {
	t.Parallel()
	newer := ledger.Plans{Hash: "newer"}
	r := newRig(t, telnyxsim.Options{}, 1, func(c *Config) {
		c.PlanFault = func() error { return errors.New("plan.yaml:3:1: no") }
	})
	r.must(r.a.ledger.PutPlans(t.Context(), ledger.Plans{Hash: "older"}))
	older, _, err := r.a.ledger.Plans(t.Context())
	r.must(err)
	r.must(r.a.ledger.PutPlans(t.Context(), newer))
	if err := r.a.ledger.ReplacePlans(t.Context(), older); !errors.Is(err, ledger.ErrChanged) {
		t.Errorf("got %v, want that it was changed", err)
	}
	r.a.markFault(t.Context())
	if mark, _, err := r.a.ledger.Plans(t.Context()); err != nil || mark.Hash != newer.Hash || mark.Fault == "" {
		t.Errorf("got %+v, %v, want the newer mark with the fault", mark, err)
	}
}
