package endtoend_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"greenlight/internal/ledger"
	"greenlight/internal/notice"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// notices returns all that were stored, the oldest first.
func (w *world) notices() (all []notice.Notice) {
	w.t.Helper()
	stream, err := w.js.Stream(w.t.Context(), notice.Stream)
	w.must(err)
	for sequence := range stream.CachedInfo().State.LastSeq {
		msg, err := stream.GetMsg(w.t.Context(), sequence+1)
		w.must(err)
		var n notice.Notice
		w.must(json.Unmarshal(msg.Data, &n))
		all = append(all, n)
	}
	return all
}

// noticesOf returns the kinds of the notices about a campaign.
func (w *world) noticesOf(campaignID string) (kinds []notice.Kind) {
	for _, n := range w.notices() {
		if n.CampaignID == campaignID {
			kinds = append(kinds, n.Kind)
		}
	}
	return kinds
}

// hasNotices waits until the notices about a campaign are of these kinds.
func (w *world) hasNotices(campaignID string, want ...notice.Kind) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("notices %v", want), func() (bool, string) {
		got := w.noticesOf(campaignID)
		return slices.Equal(got, want), fmt.Sprint(got)
	})
}

// Events are repeated, rechecks and resyncs reconcile again, assigners start and take over.
// A change is still reported once.
func TestNotices_ReportEachChangeOnceThroughRestarts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	w.stage(campaignID + ": " + numbers)
	w.campaign(campaignID, telnyx.CampaignMNOPending)
	metrics := prometheus.NewRegistry()
	w.config.Metrics = metrics
	stop := w.start()
	w.phase(campaignID, ledger.PhaseInReview)
	w.must(w.sim.Reject(campaignID, "no opt-in"))
	w.hasNotices(campaignID, notice.NeedsPerson)
	if text := w.notices()[0].Text; !strings.Contains(text, campaignID) || !strings.Contains(text, "plan-1") || !strings.Contains(text, "no opt-in") {
		t.Errorf("got %q, want the campaign, its name and Telnyx's words", text)
	}
	w.must(w.sim.Appeal(campaignID))
	w.phase(campaignID, ledger.PhaseInReview)
	approved := w.phase(campaignID, ledger.PhaseInReview).NoticedAt
	if !approved.IsZero() {
		t.Errorf("approved at %s, while it waits", approved)
	}
	stop()

	// A campaign approved while no assigner runs is reported by the next one.
	w.must(w.sim.Approve(campaignID))
	w.config.Metrics = nil
	stop = w.start()
	w.reaches(campaignID, ledger.Sendable)
	w.hasNotices(campaignID, notice.NeedsPerson, notice.Completed)
	stop()
	w.start()
	w.start()
	for range 3 {
		w.nudge(campaignID)
		w.idle()
	}
	w.hasNotices(campaignID, notice.NeedsPerson, notice.Completed)
	record := w.phase(campaignID, ledger.PhaseApproved)
	if record.AttachedAt.Before(record.NoticedAt) || record.NoticedAt.IsZero() {
		t.Errorf("approved %s, attached %s", record.NoticedAt, record.AttachedAt)
	}

	// The same problem a second time is new.
	w.must(w.sim.Reject(campaignID, "no opt-in"))
	w.hasNotices(campaignID, notice.NeedsPerson, notice.Completed, notice.NeedsPerson)
	w.must(w.sim.Appeal(campaignID))
	w.must(w.sim.Approve(campaignID))
	w.hasNotices(campaignID, notice.NeedsPerson, notice.Completed, notice.NeedsPerson, notice.Completed)
}

func TestNotices_ReportPartialCompletion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	const missing = "+15551234569"
	w.plan(`
version: 1
campaigns:
  - name: spring
    campaign_id: ` + campaignID + `
    numbers: ["+15551234567", "+15551234568", "` + missing + `"]
`)
	for _, number := range []string{"+15551234567", "+15551234568"} {
		w.sim.AddNumbers(telnyxsim.Number{PhoneNumber: number, MessagingProfileID: profileID})
	}
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	w.start()
	// At first the others are pending, then they are attached.
	w.eventually("partial", func() (bool, string) {
		kinds := w.noticesOf(campaignID)
		return len(kinds) > 0 && kinds[len(kinds)-1] == notice.Partial, fmt.Sprint(kinds)
	})
	all := w.notices()
	last := all[len(all)-1]
	if !strings.Contains(last.Text, "2 of 3 planned numbers attached") || !strings.Contains(last.Text, missing) || !strings.Contains(last.Text, "not_owned") {
		t.Errorf("got %q", last.Text)
	}
	w.sim.AddNumbers(telnyxsim.Number{PhoneNumber: missing, MessagingProfileID: profileID})
	w.nudge(campaignID)
	w.eventually("completed", func() (bool, string) {
		kinds := w.noticesOf(campaignID)
		return kinds[len(kinds)-1] == notice.Completed, fmt.Sprint(kinds)
	})
}

func TestNotices_ReportARefusedAccountOnceForAllCampaigns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	w.stage(campaignID+": +15551234567", "11111111-907b-43a9-8ada-ba1dc8335b07: +15551234568")
	w.campaign(campaignID, telnyx.CampaignMNOPending)
	client := *w.config.Telnyx
	client.APIKey = "another key"
	w.config.Telnyx = &client
	w.start()
	w.eventually("every campaign says so", func() (bool, string) {
		entries, err := w.book.Campaigns(t.Context())
		w.must(err)
		said := 0
		for _, entry := range entries {
			if entry.Campaign.Reason == ledger.Unauthorized {
				said++
			}
		}
		return said == 2, fmt.Sprint(said)
	})
	all := w.notices()
	if len(all) != 1 || all[0].Kind != notice.NeedsPerson || !strings.Contains(all[0].Text, "TELNYX_API_KEY") {
		t.Errorf("got %+v, want one notice about the key", all)
	}
}
