package assigner

import (
	"testing"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
)

func TestPhaseOf_OnlyProvisionedIsApproved(t *testing.T) {
	for status, want := range map[telnyx.CampaignStatus]ledger.Phase{
		telnyx.CampaignTCRPending:            ledger.PhaseInReview,
		telnyx.CampaignTCRAccepted:           ledger.PhaseInReview,
		telnyx.CampaignTelnyxAccepted:        ledger.PhaseInReview,
		telnyx.CampaignMNOPending:            ledger.PhaseInReview,
		telnyx.CampaignMNOAccepted:           ledger.PhaseInReview,
		telnyx.CampaignMNOProvisioned:        ledger.PhaseApproved,
		telnyx.CampaignTCRSuspended:          ledger.PhaseSuspended,
		telnyx.CampaignTCRFailed:             ledger.PhaseRejected,
		telnyx.CampaignTelnyxFailed:          ledger.PhaseRejected,
		telnyx.CampaignMNORejected:           ledger.PhaseRejected,
		telnyx.CampaignMNOProvisioningFailed: ledger.PhaseRejected,
		telnyx.CampaignTCRExpired:            ledger.PhaseExpired,
		"ACTIVE":                             ledger.PhaseUnknown,
		"mno_provisioned":                    ledger.PhaseUnknown,
		"":                                   ledger.PhaseUnknown,
		"A_WORD_OF_TOMORROW":                 ledger.PhaseUnknown,
	} {
		// Every campaign is ACTIVE from the day it is filed.
		got, _ := PhaseOf(telnyx.Campaign{Status: "ACTIVE", CampaignStatus: status})
		if got != want {
			t.Errorf("%q: got %s, want %s", status, got, want)
		}
	}
}

func TestPhaseOf_ThreeFieldsOverrule(t *testing.T) {
	approved := telnyx.Campaign{Status: "ACTIVE", CampaignStatus: telnyx.CampaignMNOProvisioned}
	for name, tt := range map[string]struct {
		spoil func(*telnyx.Campaign)
		want  ledger.Phase
	}{
		"nothing":            {func(*telnyx.Campaign) {}, ledger.PhaseApproved},
		"status EXPIRED":     {func(c *telnyx.Campaign) { c.Status = telnyx.StatusExpired }, ledger.PhaseExpired},
		"no status":          {func(c *telnyx.Campaign) { c.Status = "" }, ledger.PhaseApproved},
		"T-Mobile suspended": {func(c *telnyx.Campaign) { c.IsTMobileSuspended = true }, ledger.PhaseSuspended},
		"mock":               {func(c *telnyx.Campaign) { c.Mock = true }, ledger.PhaseUnknown},
		"expired and waiting": {func(c *telnyx.Campaign) {
			c.Status, c.CampaignStatus = telnyx.StatusExpired, telnyx.CampaignMNOPending
		}, ledger.PhaseExpired},
	} {
		t.Run(name, func(t *testing.T) {
			c := approved
			tt.spoil(&c)
			got, why := PhaseOf(c)
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if (got == ledger.PhaseSuspended || got == ledger.PhaseUnknown) && why == "" {
				t.Errorf("%s without a word why", got)
			}
		})
	}
}
