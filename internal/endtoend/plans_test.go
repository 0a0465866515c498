package endtoend_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"greenlight/internal/app"
	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/webhook"
)

// watchPlans applies the plan files of a new folder, like a process, and returns the
// folder.
func (w *world) watchPlans(files map[string]string) string {
	w.t.Helper()
	dir := w.t.TempDir()
	for name, text := range files {
		w.must(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	plans, err := app.WatchPlans(dir)
	w.must(err)
	plans.PollEvery(20 * time.Millisecond)
	publisher := events.NewPublisher(w.js)
	ctx, cancel := context.WithCancel(context.Background())
	plans.OnChange(func(_, new *plan.Set) {
		if err := publisher.Trigger(ctx, events.KindPlan, new.Hash); err != nil {
			w.t.Error(err)
		}
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		plans.Run(ctx)
	}()
	w.t.Cleanup(func() { cancel(); <-done })
	w.config.Plans = plans.Set
	return dir
}

// planOf returns a plan with one campaign. Rest has more lines of its entry.
func planOf(name, selector string, rest ...string) string {
	text := fmt.Sprintf("version: 1\ncampaigns:\n  - name: %s\n    %s\n", name, selector)
	for _, line := range rest {
		text += "    " + line + "\n"
	}
	return text
}

func (w *world) own(numbers ...string) {
	for _, number := range numbers {
		w.sim.AddNumbers(telnyxsim.Number{PhoneNumber: number, MessagingProfileID: profileID})
	}
}

func (w *world) numberReaches(campaignID, number string, state ledger.State) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%s on %s %s", number, campaignID, state), func() (bool, string) {
		n := w.number(campaignID, number)
		return n.State == state, fmt.Sprintf("%+v", n)
	})
}

func TestPlanStagedAfterApproval_IsAttachedWithinOneReload(t *testing.T) {
	t.Parallel()
	const later = "11111111-907b-43a9-8ada-ba1dc8335b07"
	w := newWorld(t, telnyxsim.Options{})
	w.own("+15551234567", "+15551234568")
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	w.campaign(later, telnyx.CampaignMNOPending)
	dir := w.watchPlans(map[string]string{"first.yaml": planOf("first", "campaign_id: "+campaignID, `numbers: ["+15551234567"]`)})
	w.start()
	w.numberReaches(campaignID, "+15551234567", ledger.Sendable)
	w.must(w.sim.Approve(later)) // it is in no plan yet
	w.phase(later, ledger.PhaseApproved)

	w.must(os.WriteFile(filepath.Join(dir, "later.yaml"), []byte(planOf("later", "campaign_id: "+later, `numbers: ["+15551234568"]`)), 0o600))
	w.numberReaches(later, "+15551234568", ledger.Sendable)
	if record := w.campaignRecord(later); !record.Planned || record.Plan != "later" || record.PlanHash == "" || !strings.HasPrefix(w.number(later, "+15551234568").Cause, "plan ") && !strings.HasPrefix(w.number(later, "+15551234568").Cause, "event ") {
		t.Errorf("got %+v", record)
	}
}

func TestReload_ReconcilesOnlyChangedCampaigns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	files := map[string]string{}
	ids := make([]string, 5)
	for i := range ids {
		ids[i] = fmt.Sprintf("%08d-907b-43a9-8ada-ba1dc8335b07", i)
		w.campaign(ids[i], telnyx.CampaignMNOProvisioned)
		w.own(fmt.Sprintf("+1555123000%d", i), fmt.Sprintf("+1555123100%d", i))
		files[fmt.Sprintf("%d.yaml", i)] = planOf(fmt.Sprintf("plan-%d", i), "campaign_id: "+ids[i], fmt.Sprintf(`numbers: ["+1555123000%d"]`, i))
	}
	dir := w.watchPlans(files)
	w.start()
	w.start() // a second assigner reads the same files, and must not repeat the work
	for i, id := range ids {
		w.numberReaches(id, fmt.Sprintf("+1555123000%d", i), ledger.Sendable)
	}
	w.idle()
	const reads = "GET /10dlc/campaign/{campaignId}"
	before := w.sim.Calls()[reads]

	changed := planOf("plan-2", "campaign_id: "+ids[2], `numbers: ["+15551230002", "+15551231002"]`)
	w.must(os.WriteFile(filepath.Join(dir, "2.yaml"), []byte(changed), 0o600))
	// The other assigner reports the change too.
	set, err := plan.Load(dir)
	w.must(err)
	w.must(events.NewPublisher(w.js).Trigger(t.Context(), events.KindPlan, set.Hash))
	w.numberReaches(ids[2], "+15551231002", ledger.Sendable)
	w.idle()
	for i, id := range ids {
		entry, _, err := w.book.Campaign(t.Context(), id)
		w.must(err)
		if changed := entry.Campaign.PlanHash == set.Hash; changed != (i == 2) {
			t.Errorf("campaign %d was reconciled under the new set: %v", i, changed)
		}
	}
	// One reconcile for the change, and those caused by the number's events.
	if got := w.sim.Calls()[reads] - before; got > 4 {
		t.Errorf("%d campaign reads for one changed entry", got)
	}
}

func TestBrokenPlan_DisturbsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	w.own("+15551234567")
	w.campaign(campaignID, telnyx.CampaignMNOPending)
	dir := w.watchPlans(map[string]string{"plan.yaml": planOf("plan", "campaign_id: "+campaignID, `numbers: ["+15551234567"]`)})
	w.start()
	w.phase(campaignID, ledger.PhaseInReview)
	w.must(os.WriteFile(filepath.Join(dir, "broken.yaml"), []byte("version: 1\ncampaigns: [oh dear"), 0o600))
	w.must(w.sim.Approve(campaignID))
	w.numberReaches(campaignID, "+15551234567", ledger.Sendable)
}

func TestReference_IsFoundOnceItIsFiled(t *testing.T) {
	t.Parallel()
	const brand = "97091164-e814-435c-9c1b-14ab2d18e987"
	w := newWorld(t, telnyxsim.Options{})
	w.own("+15551234567")
	w.sim.AddBrand(telnyxsim.Brand{ID: brand})
	w.watchPlans(map[string]string{"plan.yaml": planOf("plan", "reference_id: spring-2026", "brand_id: "+brand, `numbers: ["+15551234567"]`)})
	w.start()
	w.phase("ref_spring-2026", ledger.PhaseMissing)

	// It is filed and approved, and its events have an id that the plan does not name.
	w.sim.AddCampaign(telnyxsim.Campaign{
		ID: campaignID, BrandID: brand, ReferenceID: "spring-2026", CampaignStatus: telnyx.CampaignMNOPending,
		WebhookURL: w.hook.URL + webhook.Path,
	})
	w.must(w.sim.Approve(campaignID))
	w.numberReaches("ref_spring-2026", "+15551234567", ledger.Sendable)
	if writes := w.sim.Writes(); len(writes) != 1 || writes[0].CampaignID != campaignID {
		t.Errorf("got %+v", writes)
	}
}

func TestMessagingProfile_IsSetFirstAndNeverChanged(t *testing.T) {
	t.Parallel()
	const elsewhere = "5001776e-0000-4000-8000-000000000002"
	w := newWorld(t, telnyxsim.Options{})
	w.sim.AddMessagingProfiles(profileID)
	w.sim.AddNumbers(
		telnyxsim.Number{PhoneNumber: "+15551234567"},
		telnyxsim.Number{PhoneNumber: "+15551234568", MessagingProfileID: elsewhere})
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	w.watchPlans(map[string]string{"plan.yaml": planOf("plan", "campaign_id: "+campaignID,
		"messaging_profile_id: "+profileID, `numbers: ["+15551234567", "+15551234568"]`)})
	w.start()
	w.numberReaches(campaignID, "+15551234567", ledger.Sendable)
	w.eventually("the other profile is reported", func() (bool, string) {
		n := w.number(campaignID, "+15551234568")
		return n.State == ledger.Failed && n.Reason == ledger.OtherProfile, fmt.Sprintf("%+v", n)
	})
	for _, write := range w.sim.Writes() {
		if write.PhoneNumber == "+15551234568" {
			t.Errorf("the number on another profile got a request: %+v", write)
		}
	}
}

func TestMove_TakesANumberOnlyFromNamedCampaigns(t *testing.T) {
	t.Parallel()
	const from, third = "11111111-907b-43a9-8ada-ba1dc8335b07", "22222222-907b-43a9-8ada-ba1dc8335b07"
	w := newWorld(t, telnyxsim.Options{Dialect: telnyxsim.Dialect{StaleReadDelay: 1500 * time.Millisecond}})
	w.own("+15551234567", "+15551234568")
	for _, id := range []string{campaignID, from, third} {
		w.campaign(id, telnyx.CampaignMNOProvisioned)
	}
	w.must(w.sim.AttachNumber("+15551234567", from, telnyx.Assigned))
	w.must(w.sim.AttachNumber("+15551234568", third, telnyx.Assigned))
	w.watchPlans(map[string]string{"plan.yaml": planOf("plan", "campaign_id: "+campaignID,
		"move_from: ["+from+"]", `numbers: ["+15551234567", "+15551234568"]`)})
	clock := w.movableClock()
	w.start()
	w.numberReaches(campaignID, "+15551234568", ledger.Conflict)
	w.eventually("reads no longer lag", func() (bool, string) {
		clock.advance(time.Minute)
		w.reconcile(campaignID)
		n := w.number(campaignID, "+15551234567")
		return n.State == ledger.Sendable, fmt.Sprintf("%+v", n)
	})
	puts := 0
	for _, write := range w.sim.Writes() {
		if write.Method != "PUT" || write.PhoneNumber != "+15551234567" {
			t.Errorf("got %+v, want one PUT for the number of the named campaign only", write)
		}
		puts++
	}
	if puts != 1 {
		t.Errorf("%d PUTs, want 1, although reads lag behind", puts)
	}
}

// Many numbers are moved to two campaigns concurrently. Each move reads before it writes
// while it has a slot for calls in flight. This must not use up the slots, even if there is
// only one.
func TestMove_OfManyNumbersDoesNotStall(t *testing.T) {
	t.Parallel()
	const from, second = "11111111-907b-43a9-8ada-ba1dc8335b07", "22222222-907b-43a9-8ada-ba1dc8335b07"
	for _, concurrency := range []int{1, 8} {
		t.Run(fmt.Sprint(concurrency), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, telnyxsim.Options{})
			w.config.Concurrency = concurrency
			for _, id := range []string{campaignID, from, second} {
				w.campaign(id, telnyx.CampaignMNOProvisioned)
			}
			files := map[string]string{}
			for k, id := range []string{campaignID, second} {
				var list []string
				for i := range 20 {
					number := fmt.Sprintf("+1555123%d0%02d", k, i)
					w.own(number)
					w.must(w.sim.AttachNumber(number, from, telnyx.Assigned))
					list = append(list, number)
				}
				files[fmt.Sprintf("%d.yaml", k)] = planOf(fmt.Sprintf("plan-%d", k), "campaign_id: "+id,
					"move_from: ["+from+"]", "numbers: ["+strings.Join(list, ", ")+"]")
			}
			w.watchPlans(files)
			w.start()
			w.numberReaches(campaignID, "+15551230019", ledger.Sendable)
			w.numberReaches(second, "+15551231019", ledger.Sendable)
		})
	}
}

// Reads lag far behind a move. The move must not be repeated while it may still be in
// flight.
func TestMove_IsNotRepeatedWhileReadsLag(t *testing.T) {
	t.Parallel()
	const from = "11111111-907b-43a9-8ada-ba1dc8335b07"
	w := newWorld(t, telnyxsim.Options{Dialect: telnyxsim.Dialect{StaleReadDelay: time.Hour}})
	clock := w.movableClock()
	w.config.Settle = 30 * time.Second
	w.sim.DropDeliveries(true)
	w.own("+15551234567")
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	w.campaign(from, telnyx.CampaignMNOProvisioned)
	w.must(w.sim.AttachNumber("+15551234567", from, telnyx.Assigned))
	w.watchPlans(map[string]string{"plan.yaml": planOf("plan", "campaign_id: "+campaignID, "move_from: ["+from+"]", "numbers: [+15551234567]")})
	w.start()
	w.numberReaches(campaignID, "+15551234567", ledger.Pending)
	for range 3 {
		clock.advance(w.config.Settle + time.Second) // the claim alone would allow it now
		w.nudge(campaignID)
		w.idle()
	}
	if writes := w.sim.Writes(); len(writes) != 1 {
		t.Errorf("got %d requests, want the one PUT: %+v", len(writes), writes)
	}
}

func TestPool_SaysWhenItsCampaignIsSuspended(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	w.own("+15551234561")
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	w.watchPlans(map[string]string{"pool.yaml": planOf("pool", "campaign_id: "+campaignID, "number_pool: "+profileID)})
	w.start()
	w.numberReaches(campaignID, "+15551234561", ledger.Sendable)
	w.must(w.sim.SetCampaignStatus(campaignID, telnyx.CampaignTCRSuspended))
	w.nudge(campaignID)
	w.phase(campaignID, ledger.PhaseSuspended)
	w.idle()
	if n := w.number(campaignID, "+15551234561"); n.Reason != ledger.CampaignSuspended {
		t.Errorf("got %+v, want it to say that its campaign is not ready", n)
	}
}

// A number is removed from the plan while a reconcile of many numbers has not reached it
// yet. It must not be attached.
func TestNumberRemovedFromThePlan_IsNotAttachedByARunningReconcile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{Latency: 20 * time.Millisecond})
	w.config.Concurrency = 1
	var list []string
	for i := range 30 {
		number := fmt.Sprintf("+155512300%02d", i)
		w.own(number)
		list = append(list, number)
	}
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	entry := func(numbers []string) string {
		return planOf("plan", "campaign_id: "+campaignID, "numbers: ["+strings.Join(numbers, ", ")+"]")
	}
	dir := w.watchPlans(map[string]string{"plan.yaml": entry(list)})
	w.start()
	w.eventually("the reconcile is running", func() (bool, string) { return len(w.posts()) >= 3, fmt.Sprint(len(w.posts())) })
	w.must(os.WriteFile(filepath.Join(dir, "plan.yaml"), []byte(entry(list[:29])), 0o600))
	w.numberReaches(campaignID, list[28], ledger.Sendable)
	w.idle()
	if posts := w.posts()[list[29]]; posts != 0 {
		t.Errorf("the removed number got %d requests", posts)
	}
}

// The plan changes while Telnyx refuses the key. The change must not be forgotten.
func TestReload_DuringARefusedKeyIsApplied(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	w.own("+15551234561", "+15551234562")
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	dir := w.watchPlans(map[string]string{"plan.yaml": planOf("plan", "campaign_id: "+campaignID, "numbers: [+15551234561]")})
	var ahead atomic.Int64
	w.config.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	w.start()
	w.numberReaches(campaignID, "+15551234561", ledger.Sendable)
	w.idle()
	w.sim.Inject(telnyxsim.Fault{Method: "GET", Times: -1, Kind: telnyxsim.StatusFault(401, `{"errors":[{"code":"10009","title":"Authentication failed"}]}`)})
	changed := planOf("plan", "campaign_id: "+campaignID, "numbers: [+15551234561, +15551234562]")
	w.must(os.WriteFile(filepath.Join(dir, "plan.yaml"), []byte(changed), 0o600))
	w.eventually("the refusal is recorded", func() (bool, string) {
		return w.campaignRecord(campaignID).Reason == ledger.Unauthorized, fmt.Sprintf("%+v", w.campaignRecord(campaignID))
	})
	if n := w.number(campaignID, "+15551234562"); n.State != ledger.Planned || n.Reason != ledger.Unauthorized {
		t.Errorf("got %+v, want the new number to say why it waits", n)
	}
	w.sim.ClearFaults()
	ahead.Store(int64(2 * time.Minute)) // the pause is over
	w.must(events.NewPublisher(w.js).Trigger(t.Context(), events.KindPlan, w.config.Plans().Hash))
	w.numberReaches(campaignID, "+15551234562", ledger.Sendable)
}
