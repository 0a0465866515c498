package endtoend_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/webhook"
)

// rewritten changes the answers to the assigner's reads in transit.
func (w *world) rewritten(change func(path, body string) string) {
	w.t.Helper()
	proxy := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		w.sim.ServeHTTP(answer, r)
		body := answer.Body.String()
		if r.Method == http.MethodGet {
			body = change(r.URL.Path, body)
		}
		out.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
		out.WriteHeader(answer.Code)
		_, _ = io.WriteString(out, body)
	}))
	w.t.Cleanup(proxy.Close)
	w.config.Telnyx = &telnyx.Client{APIKey: apiKey, BaseURL: proxy.URL + "/v2"}
}

// Telnyx may use new words, or leave some out. The number then still has a known state.
// Greenlight sends no additional requests, and keeps checking at its usual pace.
func TestUnknownWords_GiveKnownStatesWithoutALoop(t *testing.T) {
	t.Parallel()
	const number = "+15551234567"
	const assigned, added = `"assignmentStatus":"ASSIGNED"`, `"tmobileNumberMappingStatus":"ADDED"`
	const provisioned, campaign = `"campaignStatus":"MNO_PROVISIONED"`, `"campaignId":"` + campaignID + `"`
	rows := map[string]struct {
		// free says that the number is on no campaign, else it is ASSIGNED to this one.
		free     bool
		old, new string
		phase    ledger.Phase
		state    ledger.State
		reason   ledger.Reason
		// reconciles is their number, and calls is how many calls each may take.
		reconciles, calls int
	}{
		"an assignmentStatus of tomorrow": {old: assigned, new: `"assignmentStatus":"ON_ITS_WAY"`, phase: ledger.PhaseApproved, state: ledger.Pending},
		"an empty assignmentStatus":       {old: assigned, new: `"assignmentStatus":""`, phase: ledger.PhaseApproved, state: ledger.Pending},
		"assignmentStatus null":           {old: assigned, new: `"assignmentStatus":null`, phase: ledger.PhaseApproved, state: ledger.Pending},
		"no assignmentStatus":             {old: assigned + ",", new: "", phase: ledger.PhaseApproved, state: ledger.Pending},
		"a mapping of tomorrow":           {old: added, new: `"tmobileNumberMappingStatus":"ALMOST"`, phase: ledger.PhaseApproved, state: ledger.Attached},
		"an empty mapping":                {old: added, new: `"tmobileNumberMappingStatus":""`, phase: ledger.PhaseApproved, state: ledger.Sendable},
		"a mapping that was deleted":      {old: added, new: `"tmobileNumberMappingStatus":"DELETED"`, phase: ledger.PhaseApproved, state: ledger.Attached},
		"reasons of another kind":         {old: assigned, new: assigned + `,"failureReasons":{"a":[1,[2,{}]]},"errors":[null,7]`, phase: ledger.PhaseApproved, state: ledger.Sendable},
		"a record that names no campaign": {old: `ampaignId":`,
			new: `ampaignOf":`, phase: ledger.PhaseApproved, state: ledger.Conflict, reason: ledger.OtherCampaign},

		"a campaignStatus of tomorrow": {free: true, old: provisioned, new: `"campaignStatus":"MNO_PROVISIONED_ALMOST"`, phase: ledger.PhaseUnknown, state: ledger.Planned, reason: ledger.CampaignUnknown},
		"an empty campaignStatus":      {free: true, old: provisioned, new: `"campaignStatus":""`, phase: ledger.PhaseUnknown, state: ledger.Planned, reason: ledger.CampaignUnknown},
		"no campaignStatus":            {free: true, old: provisioned + ",", new: "", phase: ledger.PhaseUnknown, state: ledger.Planned, reason: ledger.CampaignUnknown},
		"no status":                    {free: true, old: `"status":"ACTIVE",`, new: "", phase: ledger.PhaseApproved, state: ledger.Sendable},
		"no word of suspension":        {free: true, old: `"isTMobileSuspended":false,`, new: "", phase: ledger.PhaseApproved, state: ledger.Sendable},
		"no word of a mock":            {free: true, old: `"mock":false,`, new: "", phase: ledger.PhaseApproved, state: ledger.Sendable},
		"no id of the registry":        {free: true, old: `"tcrCampaignId"`, new: `"x"`, phase: ledger.PhaseApproved, state: ledger.Sendable},
		"no brand":                     {free: true, old: `"brandId"`, new: `"y"`, phase: ledger.PhaseApproved, state: ledger.Sendable},
		"failureReasons of any kind":   {free: true, old: provisioned, new: provisioned + `,"failureReasons":[[{"fields":"?"}],3]`, phase: ledger.PhaseApproved, state: ledger.Sendable},
		"no id of the campaign":        {free: true, old: campaign, new: `"z":1`, phase: ledger.PhaseUnread, state: ledger.Planned, reason: ledger.TelnyxUnavailable, reconciles: 1, calls: 3},
		"a status that is a number":    {free: true, old: provisioned, new: `"campaignStatus":7`, phase: ledger.PhaseUnknown, state: ledger.Planned, reason: ledger.CampaignUnknown},
	}
	for i, name := range slices.Sorted(maps.Keys(rows)) {
		if i%3 > 0 && !whole() {
			continue
		}
		tt := rows[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, telnyxsim.Options{})
			w.stage(campaignID + ": " + number)
			w.sim.AddCampaign(telnyxsim.Campaign{ID: campaignID, TCRID: "CWORDS1", CampaignStatus: telnyx.CampaignMNOProvisioned, WebhookURL: w.hook.URL + webhook.Path})
			if !tt.free {
				w.must(w.sim.AttachNumber(number, campaignID, telnyx.Assigned))
			}
			about, changed := "/10dlc/phone_number_campaigns", atomic.Int64{}
			if tt.free {
				about = "/10dlc/campaign/"
			}
			w.rewritten(func(path, body string) string {
				if !strings.Contains(path, about) {
					return body
				}
				changed.Add(int64(strings.Count(body, tt.old)))
				return strings.ReplaceAll(body, tt.old, tt.new)
			})
			w.start()
			w.phase(campaignID, tt.phase)
			n := w.numberIs(campaignID, number, tt.state, tt.reason)
			w.delivered()
			w.idle()
			if tt.reconciles == 0 {
				tt.reconciles, tt.calls = 5, 5
			}
			before := w.sim.Calls()
			for range tt.reconciles {
				w.reconcile(campaignID)
			}
			w.idle()
			byRoute, total := w.callsSince(before)
			reads := byRoute["GET /10dlc/campaign/{campaignId}"]
			most := tt.reconciles * tt.calls
			if tt.phase == ledger.PhaseUnread {
				most += tt.calls // a failed read is repeated after 5 s, perhaps now
			}
			if total > most || tt.phase != ledger.PhaseUnread && reads != tt.reconciles {
				t.Errorf("%d reconciles took %d calls: %v", tt.reconciles, total, byRoute)
			}
			if now := w.number(campaignID, number); now.State != n.State || now.Reason != n.Reason {
				t.Errorf("got %+v after more reconciles, want it as it was: %+v", now, n)
			}
			if tt.state == ledger.Sendable && tt.free {
				w.attachedTo(campaignID, number)
			} else {
				w.noRequest()
			}
			if surprises := w.logged("panic"); surprises != 0 || changed.Load() == 0 {
				t.Errorf("%d surprises, and %d words changed", surprises, changed.Load())
			}
		})
	}
}
