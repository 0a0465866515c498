package main

import (
	"net/http"
	"strings"
	"testing"

	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

const newHook = "https://hooks.example.com/webhooks/telnyx"

// point runs greenlight campaigns point beside nothing, on the campaigns that a plan names.
func point(t *testing.T, sim account, args ...string) result {
	t.Helper()
	plans := planFile(t, "+15551234567")
	return sim.run(t, append([]string{"campaigns", "point", "--data", t.TempDir(), "--plans", plans, "--url", newHook, "--standalone", "--yes"}, args...)...)
}

// puts counts the requests that change a campaign.
func puts(sim account) int { return sim.Calls()["PUT /10dlc/campaign/{campaignId}"] }

func TestCampaignsPoint_KeepsRenewalAsItWasRead(t *testing.T) {
	sim := simulated(t)
	sim.AddCampaign(telnyxsim.Campaign{ID: preflightID, CampaignStatus: telnyx.CampaignMNOProvisioned, NoRenewal: true})
	got := point(t, sim)
	if c, _ := sim.Campaign(preflightID); got.code != 0 || !c.NoRenewal || c.WebhookURL != newHook {
		t.Errorf("got %+v and %+v, want the URL alone to be changed", got, c)
	}
	if strings.Contains(got.stdout, "changed") {
		t.Errorf("got %q, want no other change", got.stdout)
	}
}

func TestCampaignsPoint_ReportsWhatElseChanged(t *testing.T) {
	sim := simulated(t)
	sim.Inject(telnyxsim.Fault{Method: "PUT", OnApplied: func() {
		c, _ := sim.Campaign(preflightID)
		c.Usecase, c.NoRenewal = "LOW_VOLUME", true
		sim.AddCampaign(c)
	}})
	got := point(t, sim)
	for _, want := range []string{"autoRenewal changed from true to false", `usecase changed from "MARKETING" to "LOW_VOLUME"`} {
		if got.code != 0 || !strings.Contains(got.stdout, want) {
			t.Errorf("got %+v, want %q", got, want)
		}
	}
}

func TestCampaignsPoint_JudgesAgainDirectlyBeforeItSends(t *testing.T) {
	sim := simulated(t)
	sim.Inject(telnyxsim.Fault{Method: "GET", PathPrefix: "/10dlc/campaign/", OnApplied: func() {
		if err := sim.Reject(preflightID, "samples"); err != nil {
			t.Error(err)
		}
	}})
	got := point(t, sim)
	if got.code != 3 || puts(sim) != 0 || !strings.Contains(got.stdout, "left out  It is rejected") {
		t.Errorf("got %+v and %d requests, want none for a campaign that was rejected meanwhile", got, puts(sim))
	}
}

func TestCampaignsPoint_LeavesOutWhatDoesNotSayWhetherItRenews(t *testing.T) {
	sim := simulated(t)
	sim.Inject(telnyxsim.Fault{Method: "GET", PathPrefix: "/10dlc/campaign/", Times: -1,
		Kind: telnyxsim.StatusFault(200, `{"campaignId":"`+preflightID+`","campaignStatus":"MNO_PROVISIONED"}`)})
	got := point(t, sim)
	if got.code != 3 || puts(sim) != 0 || !strings.Contains(got.stdout, "does not report its autoRenewal") {
		t.Errorf("got %+v and %d requests, want none", got, puts(sim))
	}
}

func TestCampaignsPoint_LeavesExpiredOnesOut(t *testing.T) {
	sim := simulated(t)
	if err := sim.Expire(preflightID); err != nil {
		t.Fatal(err)
	}
	if got := point(t, sim, "--resubmit"); got.code != 3 || puts(sim) != 0 || !strings.Contains(got.stdout, "It has expired.") {
		t.Errorf("got %+v and %d requests, want none", got, puts(sim))
	}
}

func TestCampaignsPoint_ReadsAfterAnAnswerThatWasLost(t *testing.T) {
	for name, tc := range map[string]struct {
		kind telnyxsim.FaultKind
		code int
		says string
	}{
		"it worked":           {telnyxsim.EffectThenLost(), 0, "  set  "},
		"unreadable":          {telnyxsim.UnreadableJSON(), 0, "  set  "},
		"it did not work":     {telnyxsim.Reset(), 1, "  failed  "},
		"a gateway":           {telnyxsim.HTML502(), 1, "  failed  "},
		"refused":             {telnyxsim.StatusFault(http.StatusBadRequest, `{"errors":[{"code":"10015","title":"Bad"}]}`), 1, "  failed  "},
		"accepted, not shown": {telnyxsim.StatusFault(http.StatusOK, `{"campaignId":"`+preflightID+`"}`), 1, "still shows the old URL"},
	} {
		t.Run(name, func(t *testing.T) {
			sim := simulated(t)
			sim.Inject(telnyxsim.Fault{Method: "PUT", Kind: tc.kind})
			got := point(t, sim)
			if got.code != tc.code || !strings.Contains(got.stdout, tc.says) || puts(sim) != 1 {
				t.Errorf("got %+v after %d requests, want code %d and %q after one", got, puts(sim), tc.code, tc.says)
			}
		})
	}
}
