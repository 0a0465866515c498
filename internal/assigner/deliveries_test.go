package assigner

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// noWebhook is a webhook that cannot be reached.
type noWebhook struct{}

func (noWebhook) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("connection refused")
}

// queued returns the campaigns that wait for a reconcile.
func queued(a *Assigner) (keys []string) {
	a.queue.mu.Lock()
	defer a.queue.mu.Unlock()
	for key := range a.queue.waiting {
		keys = append(keys, key)
	}
	return keys
}

func TestReconcileFailures_QueuesThePlannedCampaignsOnce(t *testing.T) {
	r := newRig(t, telnyxsim.Options{DeliveryTransport: noWebhook{}, Attempts: 1}, 1)
	for _, id := range []string{testCampaign, otherCampaign} { // no plan names the other
		r.sim.AddCampaign(telnyxsim.Campaign{ID: id, CampaignStatus: telnyx.CampaignMNOProvisioned, WebhookURL: "https://hooks.example.com/"})
		r.must(r.sim.Suspend(id))
	}
	r.eventually("Telnyx gave up", func() bool {
		all := r.sim.Deliveries()
		return len(all) == 2 && all[0].Status == telnyxsim.DeliveryFailed && all[1].Status == telnyxsim.DeliveryFailed
	})
	f := failures{since: time.Now().Add(-time.Hour), handled: map[string]time.Time{}}
	r.must(r.a.reconcileFailures(r.Context(), &f))
	if got := queued(r.a); len(got) != 1 || got[0] != testCampaign {
		t.Errorf("queued: got %v, want %s", got, testCampaign)
	}
	req, _ := r.a.queue.take(prompt)
	r.a.queue.finish(req.key)
	if !req.changed || req.class != prompt {
		t.Errorf("got %+v, want a prompt request that reads the campaign again", req)
	}
	r.must(r.a.reconcileFailures(r.Context(), &f))
	if got := queued(r.a); len(got) != 0 {
		t.Errorf("the same failure again: got %v queued, want none", got)
	}
}

func TestReconcileFailures_KeepsTheTimeAfterAnError(t *testing.T) {
	t.Parallel()
	r := newRig(t, telnyxsim.Options{}, 1)
	r.sim.Inject(telnyxsim.Fault{PathPrefix: "/webhook_deliveries", Kind: telnyxsim.StatusFault(503, `{}`), Times: -1})
	since := r.a.now().Add(-time.Hour)
	f := failures{since: since, handled: map[string]time.Time{}}
	if err := r.a.reconcileFailures(r.Context(), &f); err == nil || !f.since.Equal(since) {
		t.Errorf("got %v, since %s; want an error and no later time", err, f.since)
	}
	if err := r.a.Ready(r.Context()); err != nil {
		t.Errorf("the assigner is not ready after it: %v", err)
	}
}

// While the webhook cannot be reached, Telnyx gives up on the event that says that a
// campaign was approved. The assigner finds it in Telnyx's log, and does not wait for the
// resync.
func TestRun_ReconcilesTheCampaignsOfFailedDeliveries(t *testing.T) {
	t.Parallel()
	r := newRig(t, telnyxsim.Options{DeliveryTransport: noWebhook{}, Attempts: 1}, 2, func(c *Config) { c.Now = time.Now })
	for _, id := range []string{testCampaign, otherCampaign} {
		r.sim.AddCampaign(telnyxsim.Campaign{ID: id, CampaignStatus: telnyx.CampaignMNOPending, WebhookURL: "https://hooks.example.com/"})
	}
	first, second := numbered(2)[0], numbered(2)[1]
	r.plan(listed("staged", testCampaign, first), listed("other", otherCampaign, second))
	r.a.failuresEvery = 20 * time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.a.Run(ctx) }()
	for _, id := range []string{testCampaign, otherCampaign} {
		r.eventually("the first resync", func() bool { return r.campaign(id).Phase == ledger.PhaseInReview })
	}

	r.must(r.sim.Approve(testCampaign))
	r.eventually("attached", func() bool { return r.number(first).State == ledger.Sendable })
	r.wantRequests("after the approval", first)
	if got := r.campaign(testCampaign).Cause; !strings.HasPrefix(got, "delivery of 10dlc.") || !strings.Contains(got, " failed (event ") {
		t.Errorf("got cause %q, want the failed delivery", got)
	}
	if got := r.campaign(otherCampaign).Cause; !strings.HasPrefix(got, "resync") {
		t.Errorf("got cause %q for the other campaign, want none but the first resync", got)
	}
	stop()
	r.must(<-done)
}

func TestReconcile_ReportsOnceThatACampaignEndsSoon(t *testing.T) {
	r := newRig(t, telnyxsim.Options{}, 1)
	soon := r.a.now().AddDate(0, 0, 10)
	r.sim.AddCampaign(telnyxsim.Campaign{ID: testCampaign, CampaignStatus: telnyx.CampaignMNOPending, NoRenewal: true, RenewalAt: soon})
	notices := 0
	r.logged = func(line string) {
		if strings.Contains(line, `"notice":"expires_soon"`) && strings.Contains(line, "staged ends on 2026-08-17 and is not renewed") {
			notices++
		}
	}
	for range 2 {
		r.reconcile(testCampaign)
	}
	r.restart()
	r.reconcile(testCampaign)
	if notices != 1 {
		t.Errorf("got %d notices, want 1", notices)
	}
	later := soon.AddDate(0, 0, 5) // another end is news
	r.sim.AddCampaign(telnyxsim.Campaign{ID: testCampaign, CampaignStatus: telnyx.CampaignMNOPending, NoRenewal: true, RenewalAt: later})
	r.logged = func(line string) {
		if strings.Contains(line, `"notice":"expires_soon"`) {
			notices++
		}
	}
	r.reconcile(testCampaign)
	if got := r.campaign(testCampaign); notices != 2 || !got.EndReported.Equal(got.EndsAt) {
		t.Errorf("got %d notices and %+v, want a second one", notices, got)
	}
}
