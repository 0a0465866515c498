package status_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"greenlight/internal/ledger"
	"greenlight/internal/status"
	"greenlight/internal/testkit"
)

// counts are the counts of a view or of a complete reading.
type counts struct {
	Numbers   map[ledger.NumberKind]int
	Campaigns map[ledger.Phase]int
}

func counted(t *testing.T, book *ledger.Ledger) counts {
	t.Helper()
	c := counts{map[ledger.NumberKind]int{}, map[ledger.Phase]int{}}
	all, err := book.AllNumbers(t.Context())
	must(t, err)
	for _, n := range all {
		c.Numbers[n.Kind()]++
	}
	entries, err := book.Campaigns(t.Context())
	must(t, err)
	for _, entry := range entries {
		c.Campaigns[entry.Campaign.Phase]++
	}
	return c
}

// agrees waits until the view agrees with a complete reading.
func agrees(t *testing.T, view *status.View, book *ledger.Ledger) {
	t.Helper()
	want := counted(t, book)
	for deadline := time.Now().Add(30 * time.Second); ; {
		got := counts{map[ledger.NumberKind]int{}, map[ledger.Phase]int{}}
		_, changed, loaded := view.Version()
		view.Read(func(x *status.Contents) {
			for kind, n := range x.Totals {
				got.Numbers[kind] += n
			}
			for _, e := range x.Campaigns() {
				if e.Recorded {
					got.Campaigns[e.Phase]++
				}
			}
		})
		diff := cmp.Diff(want, got)
		if loaded && diff == "" {
			return
		}
		select {
		case <-changed:
		case <-time.After(time.Until(deadline)):
			t.Fatalf("loaded %t (-want +got):\n%s", loaded, diff)
		}
	}
}

func TestView_AgreesWithACompleteReading(t *testing.T) {
	t.Parallel()
	js := testkit.JetStream(t, testkit.Embedded(t))
	book, err := ledger.Create(t.Context(), js, 1)
	must(t, err)
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
		n := ledger.Number{Number: key, CampaignID: springID, NeedsPerson: random.IntN(2) == 0}
		n.State, n.Reason = states[random.IntN(len(states))], reasons[random.IntN(len(reasons))]
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

	view := status.NewView(status.ViewConfig{JetStream: js})
	if _, _, loaded := view.Version(); loaded {
		t.Error("it is loaded before it has read anything")
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- view.Run(ctx) }()
	agrees(t, view, book)
	several(100)
	entry, err := book.PutCampaign(t.Context(), ledger.CampaignEntry{}, ledger.Campaign{ID: springID, Planned: true, Phase: ledger.PhaseInReview})
	must(t, err)
	agrees(t, view, book)
	next := entry.Campaign
	next.Phase, next.Planned = ledger.PhaseApproved, false
	entry, err = book.PutCampaign(t.Context(), entry, next)
	must(t, err)
	agrees(t, view, book)
	must(t, book.DropCampaign(t.Context(), entry))
	agrees(t, view, book)
	stop()
	must(t, <-ended)

	several(100) // while nobody follows
	ctx, stop = context.WithCancel(t.Context())
	go func() { ended <- view.Run(ctx) }()
	agrees(t, view, book)
	stop()
	must(t, <-ended)
}
