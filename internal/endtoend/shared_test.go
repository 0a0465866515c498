package endtoend_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/webhook"
)

// A campaign that is shared with us has only a TCR id. Our own are read and written by
// Telnyx's id, whichever id the plan and the events have. Similar ids must not be confused.
func TestSharedCampaign_IsNotConfusedWithOwnOnes(t *testing.T) {
	t.Parallel()
	const (
		shared   = "CSHARE1"
		ownTCR   = "CSHARE10" // planned by its TCR id
		ownID    = "11111111-907b-43a9-8ada-ba1dc8335b07"
		alikeID  = "CSHARE1-907b-43a9-8ada-ba1dc8335b07" // planned by Telnyx's id
		alikeTCR = "CSHARE2"

		sharedNumber, ownNumber, alikeNumber = "+15551234567", "+15551234568", "+15551234569"
	)
	w := newWorld(t, telnyxsim.Options{})
	hook := w.hook.URL + webhook.Path
	w.stage(shared+": "+sharedNumber, ownTCR+": "+ownNumber, alikeID+": "+alikeNumber)
	for _, c := range []telnyxsim.Campaign{
		{TCRID: shared, Shared: true}, {ID: ownID, TCRID: ownTCR}, {ID: alikeID, TCRID: alikeTCR},
	} {
		c.CampaignStatus, c.WebhookURL = telnyx.CampaignMNOPending, hook
		w.sim.AddCampaign(c)
	}
	reads := w.spy("GET", "/10dlc/")
	w.start()
	keys := []string{shared, ownTCR, alikeID}
	for _, key := range keys {
		w.phase(key, ledger.PhaseInReview)
	}
	// notify posts an approval under any id, without approving the campaign.
	notify := func(ids ...string) {
		for _, id := range ids {
			w.post(verified(fmt.Sprintf("%s-%d", id, len(reads())), id), http.StatusOK)
		}
		w.idle()
	}
	notify(shared, ownTCR, ownID, alikeID, alikeTCR)
	w.noRequest()
	w.knowsOnly(keys...)
	if record := w.campaignRecord(shared); !record.Shared || record.TelnyxID != "" || record.TCRID != shared {
		t.Errorf("got %+v, want a shared campaign", record)
	}

	// They are approved in turn. Each event has the id that the plan does not have, if there
	// is one. Only the campaign's own number may get a request.
	for _, step := range []struct {
		id, posted, key, number, writtenBy string
	}{
		{shared, shared, shared, sharedNumber, shared},
		{ownID, ownID, ownTCR, ownNumber, ownID},
		{alikeID, alikeTCR, alikeID, alikeNumber, alikeID},
	} {
		before := len(w.sim.Writes())
		w.must(w.sim.SetCampaignStatus(step.id, telnyx.CampaignMNOProvisioned))
		notify(step.posted)
		w.numberReaches(step.key, step.number, ledger.Sendable)
		w.idle()
		writes := w.sim.Writes()[before:]
		if len(writes) != 1 || writes[0].CampaignID != step.writtenBy || writes[0].PhoneNumber != step.number || !writes[0].Effective {
			t.Errorf("campaign %s was approved: got %+v, want one request, for %s on %s", step.id, writes, step.number, step.writtenBy)
		}
	}
	notify(shared, ownTCR, ownID, alikeID, alikeTCR)
	w.attachedOnce(sharedNumber, ownNumber, alikeNumber)
	w.knowsOnly(keys...)

	for _, path := range reads() {
		// After the id there may be what is read of the campaign: operationStatus, mnoMetadata.
		_, id, _ := strings.Cut(strings.TrimPrefix(path, "/v2/10dlc/"), "/")
		id, _, _ = strings.Cut(id, "/")
		partner := strings.Contains(path, "/partner_campaigns/")
		if partner && id != shared && id != ownTCR || !partner && strings.Contains(path, "/campaign/") && id != ownID && id != alikeID {
			t.Errorf("GET %s: a campaign was read by the wrong id", path)
		}
	}
	if !slices.Contains(reads(), "/v2/10dlc/partner_campaigns/"+shared) {
		t.Error("the shared campaign was not read as a partner campaign")
	}
}

// A shared campaign is treated like our own: it can be suspended, and its planned number
// that is on one of ours stays there.
func TestSharedCampaign_IsSuspendedAndTakesNothing(t *testing.T) {
	t.Parallel()
	const shared, free, taken = "CSHARE1", "+15551234567", "+15551234568"
	w := newWorld(t, telnyxsim.Options{})
	w.stage(shared + ": " + free + " " + taken)
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	w.must(w.sim.AttachNumber(taken, campaignID, telnyx.Assigned))
	w.sim.AddCampaign(telnyxsim.Campaign{TCRID: shared, Shared: true, CampaignStatus: telnyx.CampaignTCRSuspended, WebhookURL: w.hook.URL + webhook.Path})
	w.start()
	w.phase(shared, ledger.PhaseSuspended)
	w.reaches(shared, ledger.Planned)
	w.noRequest()
	w.must(w.sim.Unsuspend(shared))
	w.numberReaches(shared, free, ledger.Sendable)
	n := w.numberIs(shared, taken, ledger.Conflict, ledger.OtherCampaign)
	if n.OtherCampaignID != campaignID {
		t.Errorf("got %+v, want it to name our own campaign", n)
	}
	w.attachedTo(shared, free)
}

// spy records the paths of the calls to Telnyx from now on.
func (w *world) spy(method, prefix string) (paths func() []string) {
	var mu sync.Mutex
	var seen []string
	w.sim.Inject(telnyxsim.Fault{Method: method, PathPrefix: prefix, Times: -1, Match: func(r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.URL.Path)
		return false
	}})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(seen)
	}
}
