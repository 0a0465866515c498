package status_test

import (
	"errors"
	"strings"
	"testing"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/status"
	"greenlight/internal/testkit"
)

func TestSnapshot_KnowsWhetherThePlanWasChecked(t *testing.T) {
	t.Parallel()
	js := testkit.JetStream(t, testkit.Embedded(t))
	must(t, events.EnsureStreams(t.Context(), js, 1))
	book, err := ledger.Create(t.Context(), js, 1)
	must(t, err)
	set, err := plan.LoadBytes("plan.yaml", []byte("version: 1\ncampaigns:\n- name: spring\n  campaign_id: "+springID+"\n  numbers: [\"+15551234567\"]\n"))
	must(t, err)
	hash := set.EntryHashes()[springID]
	_, err = book.PutCampaign(t.Context(), ledger.CampaignEntry{}, ledger.Campaign{ID: springID, Planned: true, Phase: ledger.PhaseApproved, EntryHash: hash})
	must(t, err)
	_, err = book.PutNumber(t.Context(), ledger.NumberEntry{}, ledger.Number{Number: "+15551234567", CampaignID: springID, State: ledger.Attached})
	must(t, err)
	_, err = book.PutCampaign(t.Context(), ledger.CampaignEntry{}, ledger.Campaign{ID: strayID, Phase: ledger.PhaseApproved})
	must(t, err)
	other := &plan.Set{Hash: "other"}

	if got := read(t, js); got.Progress() != status.AllAttached {
		t.Errorf("without a mark, as an older assigner leaves it: %s", got.Progress())
	}
	if got := read(t, js).Against(set, nil); got.Progress() != status.AllAttached {
		t.Errorf("with the same plan at hand: %s", got.Progress())
	}
	if got := read(t, js).Against(other, nil); got.Progress() != status.NotYet {
		t.Errorf("with another plan at hand: %s", got.Progress())
	}
	if got := read(t, js).Against(nil, errors.New("no plan")); got.Progress() != status.NeedsPerson {
		t.Errorf("with a faulty plan at hand: %s", got.Progress())
	}
	same := ledger.DigestEntries(set.EntryHashes())
	for _, test := range []struct {
		mark ledger.Plans
		want status.Progress
		says string
	}{
		{ledger.Plans{Hash: set.Hash, Entries: same}, status.AllAttached, ""},
		{ledger.Plans{Hash: "new", Entries: "new"}, status.NotYet, "not all of its campaigns have been checked yet"},
		{ledger.Plans{Hash: set.Hash, Entries: same, Fault: "plan.yaml:3:1: no"}, status.NeedsPerson, "Detail: plan.yaml:3:1: no"},
		{ledger.Plans{Hash: "new", Entries: "new", Fault: "plan.yaml:3:1: no"}, status.NeedsPerson, "cannot be used"},
	} {
		must(t, book.PutPlans(t.Context(), test.mark))
		s := read(t, js)
		one, _ := s.About("+15551234567")
		for _, s := range []status.Snapshot{s, one} {
			var text strings.Builder
			must(t, s.WriteText(&text, status.TextOptions{}))
			if s.Progress() != test.want || !strings.Contains(text.String(), test.says) {
				t.Errorf("%+v: got %s, want %s and %q in\n%s", test.mark, s.Progress(), test.want, test.says, &text)
			}
			if test.says == "" && strings.Contains(text.String(), "not all of its") {
				t.Errorf("%+v: it says that the plan is pending:\n%s", test.mark, &text)
			}
		}
	}
}
