package endtoend_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/timeline"
)

// The history of an ordinary day, from the plan to a sendable number, has every step in
// order.
func TestTimeline_ReportsAnOrdinaryDay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	w.stage(campaignID + ": " + reasonNumber)
	w.campaign(campaignID, telnyx.CampaignMNOPending)
	w.start()
	w.phase(campaignID, ledger.PhaseInReview)
	w.must(w.sim.Walk(t.Context(), campaignID, 0))
	w.reaches(campaignID, ledger.Sendable)
	w.delivered()
	w.phase(campaignID, ledger.PhaseApproved)

	story, err := timeline.OfNumber(t.Context(), w.js, reasonNumber)
	w.must(err)
	var lines []string
	for _, entry := range story.Entries {
		lines = append(lines, fmt.Sprintf("%s: %s", entry.Kind, entry.Text))
	}
	// The order of Telnyx's own events is not fixed.
	for _, want := range []string{"event: Telnyx reported on the campaign: VERIFIED", "event: Telnyx reported on the number: ASSIGNMENT, success"} {
		if !strings.Contains(strings.Join(lines, "\n"), want) {
			t.Errorf("no %q in\n%s", want, strings.Join(lines, "\n"))
		}
	}
	rest := lines
	for _, want := range []string{
		"plan: Plan plan-1 (plan.yaml:6) named the number for campaign " + campaignID + ", in plan set " + w.plans().Hash,
		"read: Greenlight read the campaign: MNO_PROVISIONED, so it is approved.",
		"decision: The campaign is approved and the number can be attached",
		"request: Sent: POST /10dlc/phone_number_campaigns, to attach it to campaign " + campaignID,
		"answer: Telnyx accepted the request; its record says PENDING_ASSIGNMENT.",
		"state: Its state is now pending.",
		"state: Its state is now sendable.",
	} {
		for len(rest) > 0 && !strings.HasPrefix(rest[0], want) {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			t.Fatalf("no %q, or in the wrong order, in\n%s", want, strings.Join(lines, "\n"))
		}
	}
}

// As soon as Greenlight has read that an assignment failed, the history says so, with
// Telnyx's words and the next try.
func TestTimeline_SaysAtOnceThatAnAssignmentFailed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	w.stage(campaignID + ": " + reasonNumber)
	w.own(reasonNumber)
	w.sim.FailAssignment(reasonNumber, "not in the carrier's inventory")
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	w.start()
	w.eventually("carrier_failed", func() (bool, string) {
		n := w.number(campaignID, reasonNumber)
		return n.Reason == ledger.CarrierFailed, n.StateAndReason()
	})
	story, err := timeline.OfNumber(t.Context(), w.js, reasonNumber)
	w.must(err)
	var lines strings.Builder
	for _, entry := range story.Entries {
		fmt.Fprintf(&lines, "%s: %s «%s»\n", entry.Kind, entry.Text, entry.Detail)
	}
	for _, want := range []string{"FAILED_ASSIGNMENT", "«not in the carrier's inventory", "carrier_failed", "Greenlight will retry in"} {
		if !strings.Contains(lines.String(), want) {
			t.Errorf("no %q in\n%s", want, lines.String())
		}
	}
	if story.Reason != ledger.CarrierFailed || story.NextAt.IsZero() || story.Next == "" {
		t.Errorf("got %s, next %q at %s", story.Reason, story.Next, story.NextAt)
	}
}

// An outage of days does not push older entries out of the history, because repeated
// waits and reconciles are not entries.
func TestTimeline_OutlastsAnOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	clock := w.movableClock()
	w.config.Telnyx.Limiter = telnyx.NewLimiter(telnyx.LimiterConfig{Ceiling: 1000, Concurrency: 8})
	w.stage(campaignID + ": " + reasonNumber)
	w.campaign(campaignID, telnyx.CampaignMNOPending)
	w.start()
	w.phase(campaignID, ledger.PhaseInReview)
	unreadable(refusal(418, "99999", "I am a pot", "of tea"))(w)
	const reconciles = 14
	var next time.Time
	for range reconciles {
		clock.advance(11 * time.Minute)
		w.reconcile(campaignID)
		record := w.campaignRecord(campaignID)
		if !record.NextAt.After(next) || !record.NextAt.After(clock.now()) {
			t.Fatalf("the next reconcile is at %s, want one after %s", record.NextAt, next)
		}
		next = record.NextAt
	}
	history, err := w.book.CampaignHistory(t.Context(), campaignID)
	w.must(err)
	if len(history) > 10 || history[0].Record.Phase != ledger.PhaseInReview || history[0].Record.Reason != "" {
		t.Errorf("got %d entries, the first %+v; want ten at most, the first from before", len(history), history[0])
	}
}
