package ledger_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"greenlight/internal/ledger"
)

// firstNumber returns a number's record as version 1 wrote it.
func firstNumber(state, reason string) string {
	return fmt.Sprintf(`{"v":1,"number":"+15551234567","campaign_id":"C6X6M95","plan":"spring-promo","plan_hash":"a1b2","entry_hash":"c3d4",`+
		`"plan_place":"plans/spring.yaml:7","state":%q,"reason":%q,"detail":"words of Telnyx","attempts":3,"busy_until":"2026-03-02T12:05:00Z",`+
		`"request":{"sent":"POST /10dlc/phone_number_campaigns","campaign":"C6X6M95","at":"2026-03-02T11:59:00Z","outcome":"refused","answered_at":"2026-03-02T11:59:01Z"},`+
		`"firsts":{"named":"2026-03-01T12:00:00Z","requests":3},"since":"2026-03-02T12:00:00Z","cause":"resync (message 1)"}`, state, reason)
}

func TestNumber_OfVersionOneIsConverted(t *testing.T) {
	t.Parallel()
	book, js := start(t)
	for _, test := range []struct {
		state, reason string
		wantState     ledger.State
		wantReason    ledger.Reason
		wantPerson    bool
	}{
		{"planned", "", ledger.Planned, "", false},
		{"planned", "campaign_not_ready", ledger.Planned, ledger.CampaignInReview, false},
		{"planned", "dormant_retry", ledger.Planned, ledger.DormantRetry, false},
		{"planned", "carrier_failed", ledger.Planned, ledger.CarrierFailed, false},
		{"planned", "campaign_full", ledger.Planned, ledger.CampaignFull, true},
		{"planned", "unauthorized", ledger.Planned, ledger.Unauthorized, true},
		{"held", "campaign_not_ready", ledger.Planned, ledger.CampaignUnknown, true},
		{"attaching", "telnyx_unavailable", ledger.Attaching, ledger.TelnyxUnavailable, false},
		{"pending", "stuck", ledger.Pending, ledger.Stuck, true},
		{"attached", "carrier_failed", ledger.Attached, ledger.CarrierFailed, true},
		{"attached", "campaign_not_ready", ledger.Attached, ledger.CampaignInReview, false},
		{"sendable", "", ledger.Sendable, "", false},
		{"conflict", "other_campaign", ledger.Conflict, ledger.OtherCampaign, true},
		{"failed", "rejected", ledger.Failed, ledger.Rejected, true},
		{"failed", "carrier_failed", ledger.Failed, ledger.CarrierFailed, true},
	} {
		t.Run(test.state+" "+test.reason, func(t *testing.T) {
			_, err := bucketOf(t, js, "NUMBERS").Put(t.Context(), tcrID+".15551234567", []byte(firstNumber(test.state, test.reason)))
			must(t, err)
			numbers, err := book.Numbers(t.Context(), tcrID)
			must(t, err)
			got := numbers["+15551234567"].Number
			if got.State != test.wantState || got.Reason != test.wantReason || got.NeedsPerson != test.wantPerson {
				t.Errorf("got %s, needs person %t; want %s (%s), %t", got.StateAndReason(), got.NeedsPerson, test.wantState, test.wantReason, test.wantPerson)
			}
			if got.Tries != (ledger.Tries{}) || got.Detail != "words of Telnyx" || got.Request.Outcome != ledger.Refused || got.Firsts.Requests != 3 || !got.Since.Equal(noon) {
				t.Errorf("the rest was not kept as it was: %+v", got)
			}
			history, err := book.NumberHistory(t.Context(), "+15551234567")
			must(t, err)
			if diff := cmp.Diff(got, history[len(history)-1].Record); diff != "" {
				t.Errorf("in the history (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCampaign_OfVersionOneIsConverted(t *testing.T) {
	t.Parallel()
	book, js := start(t)
	for phase, want := range map[string]ledger.Phase{
		"unread": ledger.PhaseUnread, "waiting": ledger.PhaseInReview, "ready": ledger.PhaseApproved, "held": ledger.PhaseSuspended,
		"blocked": ledger.PhaseRejected, "ended": ledger.PhaseExpired, "missing": ledger.PhaseMissing,
	} {
		record := fmt.Sprintf(`{"v":1,"id":"C6X6M95","planned":true,"plan":"spring-promo","phase":%q,"status":"MNO_PENDING","bulk":{"entry":"c3d4"},"told":"needs_person","approved_at":"2026-03-02T12:00:00Z","attempts":2,"since":"2026-03-02T12:00:00Z"}`, phase)
		_, err := bucketOf(t, js, "CAMPAIGNS").Put(t.Context(), tcrID, []byte(record))
		must(t, err)
		entry, _, err := book.Campaign(t.Context(), tcrID)
		must(t, err)
		if got := entry.Campaign; !got.ApprovedAt.IsZero() || got.NoticedAt.IsZero() {
			t.Errorf("got approved %s, noticed %s; the old time is ours", got.ApprovedAt, got.NoticedAt)
		}
		if got := entry.Campaign; got.Phase != want || got.Attempts != 2 || got.Status != "MNO_PENDING" || got.Reported != "needs_person" || got.Told != "" {
			t.Errorf("%s: got %+v, want phase %s and the rest as it was", phase, got, want)
		}
	}
}

// A record of version 1 is rewritten in the current version when something else changes.
func TestPutNumber_RewritesVersionOneWhenItChanges(t *testing.T) {
	book, js := start(t)
	_, err := bucketOf(t, js, "NUMBERS").Put(t.Context(), tcrID+".15551234567", []byte(firstNumber("failed", "rejected")))
	must(t, err)
	numbers, err := book.Numbers(t.Context(), tcrID)
	must(t, err)
	entry := numbers["+15551234567"]
	written, err := book.PutNumber(t.Context(), entry, entry.Number)
	must(t, err)
	if written.Revision != entry.Revision {
		t.Error("a record that says the same was written")
	}
	n := entry.Number
	n.Tries.Refused++
	_, err = book.PutNumber(t.Context(), entry, n)
	must(t, err)
	numbers, err = book.Numbers(t.Context(), tcrID)
	must(t, err)
	if got := numbers["+15551234567"].Number; got.Version != 2 || !got.NeedsPerson || got.Tries.Refused != 1 {
		t.Errorf("got %+v, want version 2 that needs a person", got)
	}
}
