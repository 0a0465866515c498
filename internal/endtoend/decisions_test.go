package endtoend_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"greenlight/internal/ledger"
	"greenlight/internal/telemetry"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// The log has every decision, including those of operators, and why work waits or
// continues.
func TestLog_HasALineForEachDecision(t *testing.T) {
	t.Parallel()
	const fine, taken, other = "+15551234568", "+15551234567", "11111111-907b-43a9-8ada-ba1dc8335b07"
	w := newWorld(t, telnyxsim.Options{AssignDelay: 0})
	w.stage(campaignID+": "+fine+" "+taken+" +15551234569", other+": +12125550142")
	w.campaign(campaignID, telnyx.CampaignMNOPending)
	w.campaign(other, telnyx.CampaignMNOProvisioned)
	w.must(w.sim.AttachNumber(taken, other, telnyx.Assigned))
	about := func(number, campaign string) map[string]string {
		return map[string]string{telemetry.KeyNumber: number, telemetry.KeyCampaign: campaign}
	}
	stop := func() {}
	for _, step := range []struct {
		what    string
		do      func()
		message string
		with    map[string]string
	}{
		{"a start", func() { stop = w.start() }, "assigner runs", nil},
		{"a campaign in review", nil, "campaign is in_review", map[string]string{telemetry.KeyCampaign: campaignID}},
		{"a hold", func() { w.must(w.book.Hold(t.Context(), nil, ledger.HeldBy{By: "ann@ops"})) }, "everything is on hold: nothing is sent until greenlight resume; events are stored", nil},
		{"a start while it is held", func() { stop(); w.log.Reset(); stop = w.start() }, "everything is on hold: nothing is sent until greenlight resume; events are stored", nil},
		{"a resumption", func() { _, err := w.book.Resume(t.Context(), nil); w.must(err) }, "resumed: work continues", nil},
		{"a person's nudge", func() { w.must(w.sim.Approve(campaignID)); w.nudge(campaignID) },
			"a person requested a reconcile; waits end, and failed requests are retried", map[string]string{telemetry.KeyCampaign: campaignID}},
		{"an approval", nil, "campaign is approved", map[string]string{telemetry.KeyCampaign: campaignID}},
		{"a request", nil, "number is attaching", about(fine, campaignID)},
		{"a number that can send", nil, "number is sendable", about(fine, campaignID)},
		{"a number that stays elsewhere", nil, "number is conflict", about(taken, campaignID)},
		{"a notice", nil, "Partly done: 2 of 3 planned numbers attached", map[string]string{telemetry.KeyNotice: "partial"}},
		{"Telnyx refuses the account", func() {
			w.sim.Inject(telnyxsim.Fault{Times: -1, Kind: telnyxsim.StatusFault(401, `{"errors":[{"code":"10009","title":"Authentication failed"}]}`)})
			w.nudge(campaignID)
		}, "Telnyx refuses the API key.", map[string]string{telemetry.KeyReason: "unauthorized"}},
	} {
		if step.do != nil {
			step.do()
		}
		w.eventually(step.what+" is in the log", func() (bool, string) {
			return w.said(step.message, step.with), fmt.Sprintf("no line %q with %v", step.message, step.with)
		})
	}
}

// said reports whether a line of the log begins with a message and has these fields.
func (w *world) said(message string, with map[string]string) bool {
lines:
	for line := range strings.Lines(w.log.String()) {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) != nil || !strings.HasPrefix(fmt.Sprint(fields["message"]), message) {
			continue
		}
		for key, want := range with {
			if fields[key] != want {
				continue lines
			}
		}
		return true
	}
	return false
}
