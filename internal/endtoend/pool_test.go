package endtoend_test

import (
	"fmt"
	"testing"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// stagePool plans a messaging profile with that many numbers.
func (w *world) stagePool(count int) (numbers []string) {
	w.t.Helper()
	numbers = many(count)
	w.own(numbers...)
	w.sim.AddCampaign(telnyxsim.Campaign{
		ID: campaignID, CampaignStatus: telnyx.CampaignMNOProvisioned, MaxNumbers: 2 * count, WebhookURL: w.hook.URL + "/webhooks/telnyx",
	})
	w.plan(planOf("pool", "campaign_id: "+campaignID, "number_pool: "+profileID, fmt.Sprintf("max_numbers: %d", count)))
	return numbers
}

// sendable waits until all of the numbers are sendable on the campaign.
func (w *world) sendable(campaignID string, numbers []string) {
	w.t.Helper()
	w.eventually("all sendable", func() (bool, string) {
		known := w.numbersOf(campaignID)
		done, other := 0, ledger.Number{}
		for _, number := range numbers {
			if n := known[number]; n.State == ledger.Sendable {
				done++
			} else {
				other = n
			}
		}
		return done == len(numbers), fmt.Sprintf("%d of %d; %+v", done, len(numbers), other)
	})
}

// attachedOnce fails unless each of the numbers was attached exactly once and no other
// number was.
func (w *world) attachedOnce(numbers ...string) {
	w.t.Helper()
	effective := map[string]int{}
	for _, write := range w.sim.Writes() {
		if write.Effective {
			effective[write.PhoneNumber]++
		}
	}
	for _, number := range numbers {
		if effective[number] != 1 {
			w.t.Errorf("%s was attached %d times, want once", number, effective[number])
		}
	}
	if len(effective) != len(numbers) {
		w.t.Errorf("%d numbers were attached, want %d", len(effective), len(numbers))
	}
}

func TestPool_IsAttachedOnce(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]telnyxsim.Options{
		"lists are current":           {},
		"lists lag behind the number": {Dialect: telnyxsim.Dialect{ListLag: 500 * time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options)
			numbers := w.stagePool(60)
			w.start()
			w.sendable(campaignID, numbers)
			w.attachedOnce(numbers...)
		})
	}
}

func TestPool_DoesNotChangeOtherNumbers(t *testing.T) {
	t.Parallel()
	const other, taken = "11111111-907b-43a9-8ada-ba1dc8335b07", "+12125559999"
	for name, doubt := range map[string]func(w *world, numbers []string) (expected []string){
		"a number is on another campaign": func(w *world, numbers []string) []string {
			w.campaign(other, telnyx.CampaignMNOProvisioned)
			w.must(w.sim.AttachNumber(numbers[7], other, telnyx.Assigned))
			return append(append([]string{}, numbers[:7]...), numbers[8:]...)
		},
		"a toll-free number is on the profile": func(w *world, numbers []string) []string {
			w.sim.AddNumbers(telnyxsim.Number{PhoneNumber: "+18005551234", MessagingProfileID: profileID, Type: "tollfree"})
			return numbers
		},
		"another entry names one of them": func(w *world, numbers []string) []string {
			w.campaign(other, telnyx.CampaignMNOPending)
			w.plan(planOf("pool", "campaign_id: "+campaignID, "number_pool: "+profileID, "max_numbers: 60") +
				fmt.Sprintf("  - name: other\n    campaign_id: %s\n    numbers: [%q]\n", other, numbers[3]))
			return append(append([]string{}, numbers[:3]...), numbers[4:]...)
		},
		"the entry names numbers as well": func(w *world, numbers []string) []string {
			w.own(taken)
			w.plan(planOf("pool", "campaign_id: "+campaignID, "number_pool: "+profileID, "max_numbers: 60", fmt.Sprintf("numbers: [%q]", taken)))
			return append(numbers, taken)
		},
		"the campaign has too little room": func(w *world, numbers []string) []string {
			w.plan(planOf("pool", "campaign_id: "+campaignID, "number_pool: "+profileID, "max_numbers: 25"))
			return numbers[:25]
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, telnyxsim.Options{})
			numbers := w.stagePool(30)
			expected := doubt(w, numbers)
			w.start()
			w.sendable(campaignID, expected)
			w.attachedOnce(expected...)
			if name == "the campaign has too little room" {
				w.numberIs(campaignID, numbers[25], ledger.Planned, ledger.CampaignFull)
			}
			for _, write := range w.sim.Writes() {
				if write.PreviousCampaignID != "" {
					t.Errorf("a number was taken from another campaign: %+v", write)
				}
			}
		})
	}
}

// A number that joins the profile later is attached, unattended.
func TestPool_AttachesNumbersThatJoinLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	numbers := w.stagePool(30)
	w.plan(planOf("pool", "campaign_id: "+campaignID, "number_pool: "+profileID, "max_numbers: 60"))
	w.start()
	w.sendable(campaignID, numbers)
	all := many(31)
	w.own(all[30])
	w.nudge(campaignID)
	w.sendable(campaignID, all)
	w.attachedOnce(all...)
}
