package status_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/status"
	"greenlight/internal/testkit"
)

// following starts to follow and returns the updates and a function that stops it.
func following(t *testing.T, follow func(context.Context, func(status.Snapshot) error) error) (updates <-chan status.Snapshot, end func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	snapshots, ended := make(chan status.Snapshot), make(chan error, 1)
	go func() {
		ended <- follow(ctx, func(s status.Snapshot) error {
			select {
			case snapshots <- s:
			case <-ctx.Done():
			}
			return nil
		})
	}()
	return snapshots, func() error { cancel(); return <-ended }
}

// until receives snapshots until one matches.
func until(t *testing.T, updates <-chan status.Snapshot, what string, wanted func(status.Snapshot) bool) {
	t.Helper()
	patience := time.After(30 * time.Second)
	for {
		select {
		case s := <-updates:
			if wanted(s) {
				return
			}
		case <-patience:
			t.Fatalf("no update with: %s", what)
		}
	}
}

func TestFollow_ReportsEveryChange(t *testing.T) {
	t.Parallel()
	js := testkit.JetStream(t, testkit.Embedded(t))
	updates, end := following(t, func(ctx context.Context, changed func(status.Snapshot) error) error {
		return status.Follow(ctx, js, func() time.Time { return noon }, changed, func(why string) { t.Error(why) })
	})
	until(t, updates, "that there is nothing yet", func(s status.Snapshot) bool { return len(s.Campaigns) == 0 })

	must(t, events.EnsureStreams(t.Context(), js, 1))
	_, err := events.NewConsumer(t.Context(), js, events.Timing{}, func(err error) { t.Log(err) })
	must(t, err)
	book, err := ledger.Create(t.Context(), js, 1)
	must(t, err)
	campaign, err := book.PutCampaign(t.Context(), ledger.CampaignEntry{}, ledger.Campaign{ID: springID, Planned: true, Phase: ledger.PhaseInReview})
	must(t, err)
	number := ledger.Number{Number: "+15551234567", CampaignID: springID, State: ledger.Planned}
	entry, err := book.PutNumber(t.Context(), ledger.NumberEntry{}, number)
	must(t, err)
	until(t, updates, "the planned number", func(s status.Snapshot) bool { return s.Totals[ledger.Planned] == 1 })

	number.State = ledger.Attached
	entry, err = book.PutNumber(t.Context(), entry, number)
	must(t, err)
	until(t, updates, "that it is attached", func(s status.Snapshot) bool { return s.Totals[ledger.Attached] == 1 && len(s.Totals) == 1 })

	next := campaign.Campaign
	next.NextAt = noon.Add(time.Hour)
	_, err = book.PutCampaign(t.Context(), campaign, next)
	must(t, err)
	until(t, updates, "the next check", func(s status.Snapshot) bool {
		return len(s.Campaigns) == 1 && s.Campaigns[0].NextAt.Equal(next.NextAt)
	})

	must(t, book.PutPlans(t.Context(), ledger.Plans{Hash: "new", Entries: "new"}))
	until(t, updates, "that the plan has changed", func(s status.Snapshot) bool { return s.PlanPending })

	must(t, book.Hold(t.Context(), nil, ledger.HeldBy{By: "ann@ops", At: noon}))
	until(t, updates, "the hold", func(s status.Snapshot) bool { return s.Held.All != nil })
	_, err = book.Resume(t.Context(), nil)
	must(t, err)
	until(t, updates, "the resumption", func(s status.Snapshot) bool { return s.Held.IsZero() })

	must(t, book.DropNumber(t.Context(), entry))
	until(t, updates, "that it is off the plan", func(s status.Snapshot) bool { return len(s.Totals) == 0 })
	if err := end(); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

func TestFollow_ReturnsTheErrorOfTheCallback(t *testing.T) {
	t.Parallel()
	js := mixedLedger(t)
	enough := errors.New("enough")
	err := status.Follow(t.Context(), js, time.Now, func(s status.Snapshot) error {
		if len(s.Campaigns) != 4 || s.Planned() != 15 {
			t.Errorf("the first is not whole: %+v", s.Totals)
		}
		return enough
	}, nil)
	if !errors.Is(err, enough) {
		t.Errorf("got %v, want %v", err, enough)
	}
}
