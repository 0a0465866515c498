package ledger_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"greenlight/internal/ledger"
)

// reports receives what a Follower receives, as texts.
type reports struct {
	t     *testing.T
	words chan string
	end   func() error
}

func follow(t *testing.T, book *ledger.Ledger) reports {
	t.Helper()
	words := make(chan string, 100)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- book.Follow(ctx, ledger.Follower{
			Campaign:        func(c ledger.Campaign) { words <- "campaign " + c.ID + " " + c.NextAt.UTC().Format("15:04") },
			Number:          func(n ledger.Number) { words <- "number " + n.CampaignID + " " + n.Number + " " + string(n.State) },
			CampaignDropped: func(id string) { words <- "dropped " + id },
			NumberDropped:   func(id, number string) { words <- "dropped " + id + " " + number },
			Unreadable:      func(err error) { words <- "unreadable" },
			Current:         func() { words <- "current" },
		})
	}()
	return reports{t, words, func() error { cancel(); return <-ended }}
}

// until returns all reports up to the given one.
func (f reports) until(word string) (all []string) {
	f.t.Helper()
	for {
		select {
		case got := <-f.words:
			if all = append(all, got); got == word {
				return all
			}
		case <-time.After(patience):
			f.t.Fatalf("got no %q, but %q", word, all)
		}
	}
}

func TestFollow_ReportsWhatIsThereAndWhatChanges(t *testing.T) {
	t.Parallel()
	book, js := start(t)
	putCampaign(t, book, campaign("c1"))
	put(t, book, number("c1", "+15551234567"))
	f := follow(t, book)
	first := f.until("current")
	for _, want := range []string{"campaign c1 00:00", "number c1 +15551234567 planned"} {
		if !slices.Contains(first, want) {
			t.Errorf("got %q, want %q in it", first, want)
		}
	}
	entry := put(t, book, number("c1", "+15551234568"))
	f.until("number c1 +15551234568 planned")
	must(t, book.DropNumber(t.Context(), entry))
	f.until("dropped c1 +15551234568")

	// The time of the next check alone is stored outside the record.
	c, _, err := book.Campaign(t.Context(), "c1")
	must(t, err)
	later := c.Campaign
	later.NextAt = time.Date(2026, 3, 2, 12, 34, 0, 0, time.UTC)
	_, err = book.PutCampaign(t.Context(), c, later)
	must(t, err)
	f.until("campaign c1 12:34")

	// An unreadable record does not end the watch.
	_, err = bucketOf(t, js, "NUMBERS").Put(t.Context(), "c1.15551234569", []byte("{"))
	must(t, err)
	f.until("unreadable")
	c, _, err = book.Campaign(t.Context(), "c1")
	must(t, err)
	must(t, book.DropCampaign(t.Context(), c))
	f.until("dropped c1")
	if err := f.end(); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}
