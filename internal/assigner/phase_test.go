package assigner

import (
	"testing"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
)

func TestPhaseOf_OnlyProvisionedIsReady(t *testing.T) {
	for status, want := range map[telnyx.CampaignStatus]ledger.Phase{
		telnyx.CampaignTCRPending:            ledger.Waiting,
		telnyx.CampaignTCRAccepted:           ledger.Waiting,
		telnyx.CampaignTelnyxAccepted:        ledger.Waiting,
		telnyx.CampaignMNOPending:            ledger.Waiting,
		telnyx.CampaignMNOAccepted:           ledger.Waiting,
		telnyx.CampaignMNOProvisioned:        ledger.Ready,
		telnyx.CampaignTCRSuspended:          ledger.OnHold,
		telnyx.CampaignTCRFailed:             ledger.Blocked,
		telnyx.CampaignTelnyxFailed:          ledger.Blocked,
		telnyx.CampaignMNORejected:           ledger.Blocked,
		telnyx.CampaignMNOProvisioningFailed: ledger.Blocked,
		telnyx.CampaignTCRExpired:            ledger.Ended,
		"ACTIVE":                             ledger.OnHold,
		"mno_provisioned":                    ledger.OnHold,
		"":                                   ledger.OnHold,
		"A_WORD_OF_TOMORROW":                 ledger.OnHold,
	} {
		// ACTIVE is what every campaign says from the day it is filed.
		got, _ := PhaseOf(telnyx.Campaign{Status: "ACTIVE", CampaignStatus: status})
		if got != want {
			t.Errorf("%q: got %s, want %s", status, got, want)
		}
	}
}

func TestPhaseOf_ThreeFieldsOverrule(t *testing.T) {
	ready := telnyx.Campaign{Status: "ACTIVE", CampaignStatus: telnyx.CampaignMNOProvisioned, IsTMobileRegistered: true}
	for name, tt := range map[string]struct {
		spoil func(*telnyx.Campaign)
		want  ledger.Phase
	}{
		"nothing":            {func(*telnyx.Campaign) {}, ledger.Ready},
		"status EXPIRED":     {func(c *telnyx.Campaign) { c.Status = telnyx.StatusExpired }, ledger.Ended},
		"no status":          {func(c *telnyx.Campaign) { c.Status = "" }, ledger.Ready},
		"T-Mobile suspended": {func(c *telnyx.Campaign) { c.IsTMobileSuspended = true }, ledger.OnHold},
		"mock":               {func(c *telnyx.Campaign) { c.Mock = true }, ledger.OnHold},
		"expired and waiting": {func(c *telnyx.Campaign) {
			c.Status, c.CampaignStatus = telnyx.StatusExpired, telnyx.CampaignMNOPending
		}, ledger.Ended},
	} {
		t.Run(name, func(t *testing.T) {
			c := ready
			tt.spoil(&c)
			got, why := PhaseOf(c)
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if got == ledger.OnHold && why == "" {
				t.Error("on hold without a word why")
			}
		})
	}
}
