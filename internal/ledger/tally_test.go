package ledger_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"greenlight/internal/ledger"
)

// counted is what a reading of every record says, for comparison.
func counted(t *testing.T, book *ledger.Ledger) (numbers map[ledger.NumberKind]int, campaigns map[ledger.CampaignKind]int) {
	t.Helper()
	numbers, campaigns = map[ledger.NumberKind]int{}, map[ledger.CampaignKind]int{}
	all, err := book.AllNumbers(t.Context())
	must(t, err)
	for _, n := range all {
		numbers[ledger.NumberKind{State: n.State, Reason: n.Reason, NeedsPerson: n.NeedsPerson}]++
	}
	entries, err := book.Campaigns(t.Context())
	must(t, err)
	for _, entry := range entries {
		campaigns[ledger.CampaignKind{Phase: entry.Campaign.Phase, Planned: entry.Campaign.Planned}]++
	}
	return numbers, campaigns
}

// agrees waits until the tally says what a reading says.
func agrees(t *testing.T, tally *ledger.Tally, book *ledger.Ledger) {
	t.Helper()
	numbers, campaigns := counted(t, book)
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		gotNumbers, knowsNumbers := tally.Numbers()
		gotCampaigns, knowsCampaigns := tally.Campaigns()
		diff := cmp.Diff(numbers, gotNumbers) + cmp.Diff(campaigns, gotCampaigns)
		if knowsNumbers && knowsCampaigns && diff == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("known %t, %t (-want +got):\n%s", knowsNumbers, knowsCampaigns, diff)
		}
	}
}

func TestTally_SaysWhatAReadingOfEveryRecordSays(t *testing.T) {
	book, _ := start(t)
	random := rand.New(rand.NewPCG(1, 2))
	states, reasons := ledger.States(), append(ledger.Reasons(), "")
	entries := map[string]ledger.NumberEntry{}
	change := func(key string) {
		entry, known := entries[key]
		if known && random.IntN(5) == 0 {
			must(t, book.DropNumber(t.Context(), entry))
			delete(entries, key)
			return
		}
		n := number(telnyxID, key)
		n.State, n.Reason = states[random.IntN(len(states))], reasons[random.IntN(len(reasons))]
		n.NeedsPerson = random.IntN(2) == 0
		written, err := book.PutNumber(t.Context(), entry, n)
		must(t, err)
		entries[key] = written
	}
	several := func(n int) {
		for range n {
			change(fmt.Sprintf("+1555123%04d", random.IntN(40)))
		}
	}
	several(100) // before anybody counts

	var tally ledger.Tally
	if _, known := tally.Numbers(); known {
		t.Error("it knows before it has read anything")
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- tally.Follow(ctx, book) }()
	agrees(t, &tally, book)
	several(100)
	entry := putCampaign(t, book, campaign(telnyxID))
	agrees(t, &tally, book)
	waiting := entry.Campaign
	waiting.Phase, waiting.Planned = ledger.PhaseApproved, false
	entry, err := book.PutCampaign(t.Context(), entry, waiting)
	must(t, err)
	agrees(t, &tally, book)
	must(t, book.DropCampaign(t.Context(), entry))
	agrees(t, &tally, book)
	cancel()
	must(t, <-ended)

	several(100) // while nobody follows
	ctx, cancel = context.WithCancel(t.Context())
	go func() { ended <- tally.Follow(ctx, book) }()
	agrees(t, &tally, book)
	cancel()
	must(t, <-ended)
}
