package assigner

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
)

const (
	testCampaign = "751c6a5c-907b-43a9-8ada-ba1dc8335b07"
	testNumbers  = 40
)

// The pin makes one assigner active. If that fails, the ledger decides: here several
// assigners, each of which believes that it is active, reconcile one campaign at once.
func TestRivalAssigners_WriteEachNumberOnce(t *testing.T) {
	sim := telnyxsim.New(telnyxsim.Options{AssignDelay: telnyxsim.Never, Latency: 5 * time.Millisecond})
	defer sim.Close()
	api := httptest.NewServer(sim)
	defer api.Close()
	server := testkit.Embedded(t)
	set := stageForty(t, sim)

	var reconciles sync.WaitGroup
	for range 4 {
		rival, err := New(t.Context(), Config{
			Telnyx:    &telnyx.Client{APIKey: "key", BaseURL: api.URL + "/v2"},
			JetStream: testkit.JetStream(t, server),
			Plans:     func() *plan.Set { return set },
		})
		if err != nil {
			t.Fatal(err)
		}
		rival.isPinned = func(context.Context) bool { return true }
		reconciles.Go(func() {
			for range 5 {
				// A rival that loses the race for a number gets an error and stops.
				_ = rival.reconcile(t.Context(), request{key: testCampaign, cause: "a race", made: time.Now()})
			}
		})
	}
	reconciles.Wait()

	requests := map[string]int{}
	for _, write := range sim.Writes() {
		requests[write.PhoneNumber]++
	}
	if len(requests) != testNumbers {
		t.Errorf("%d numbers got a request, want all %d", len(requests), testNumbers)
	}
	for number, count := range requests {
		if count != 1 {
			t.Errorf("%s got %d requests, want 1", number, count)
		}
	}
}

func stageForty(t *testing.T, sim *telnyxsim.Simulator) *plan.Set {
	t.Helper()
	var numbers []string
	for i := range testNumbers {
		number := fmt.Sprintf("+1212555%04d", i)
		numbers = append(numbers, fmt.Sprintf("%q", number))
		sim.AddNumbers(telnyxsim.Number{PhoneNumber: number, MessagingProfileID: "4001776e-0000-4000-8000-000000000001"})
	}
	sim.AddCampaign(telnyxsim.Campaign{ID: testCampaign, CampaignStatus: telnyx.CampaignMNOProvisioned})
	set, err := plan.LoadBytes("plan.yaml", fmt.Appendf(nil,
		"version: 1\ncampaigns:\n- name: race\n  campaign_id: %s\n  numbers: [%s]\n", testCampaign, strings.Join(numbers, ", ")))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// Two processes with different plans both want to move one number, each to a campaign of
// its own. Whoever comes second must not take it from the first.
func TestRivalCampaigns_DoNotTakeFromEachOther(t *testing.T) {
	t.Parallel()
	const third = "951c6a5c-907b-43a9-8ada-ba1dc8335b07"
	rounds := testkit.Fewer(30)
	r := newRig(t, telnyxsim.Options{Latency: time.Millisecond}, rounds)
	r.sim.AddCampaign(telnyxsim.Campaign{ID: third, CampaignStatus: telnyx.CampaignMNOProvisioned})
	entry := func(to, number string) *plan.Set {
		return r.parsed(listed("x", to, number) + "  move_from: [" + otherCampaign + "]\n")
	}
	for round, number := range numbered(rounds) {
		r.must(r.sim.AttachNumber(number, otherCampaign, telnyx.Assigned))
		writes := len(r.sim.Writes())
		// All rivals read before any of them writes.
		var ready sync.WaitGroup
		var rivals sync.WaitGroup
		for _, to := range []string{testCampaign, third} {
			ready.Add(1)
			config := r.config
			set := entry(to, number)
			config.Plans = func() *plan.Set { return set }
			rival, err := New(t.Context(), config)
			r.must(err)
			once := sync.OnceFunc(ready.Done)
			rival.isPinned = func(context.Context) bool { once(); ready.Wait(); return true }
			rivals.Go(func() {
				_ = rival.reconcile(t.Context(), request{key: to, cause: "a race", made: time.Now()})
				once()
			})
		}
		rivals.Wait()
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
