package page

import (
	"net/url"
	"strings"
	"testing"

	"greenlight/internal/ledger"
	"greenlight/internal/status"
)

func TestForemost_PrefersPersonsThenCounts(t *testing.T) {
	t.Parallel()
	kind := func(state ledger.State, reason ledger.Reason) ledger.NumberKind {
		return ledger.NumberKind{State: state, Reason: reason, NeedsPerson: state == ledger.Failed}
	}
	sendable, pending := kind(ledger.Sendable, ""), kind(ledger.Pending, "")
	dormant, limited := kind(ledger.Planned, ledger.DormantRetry), kind(ledger.Planned, ledger.RateLimited)
	rejected, notOwned := kind(ledger.Failed, ledger.Rejected), kind(ledger.Failed, ledger.NotOwned)
	for name, test := range map[string]struct {
		counts map[ledger.NumberKind]int
		want   ledger.NumberKind
		n      int
	}{
		"nothing":                        {nil, ledger.NumberKind{}, 0},
		"nothing with a reason":          {map[ledger.NumberKind]int{sendable: 5, pending: 3}, ledger.NumberKind{}, 0},
		"one that needs a person":        {map[ledger.NumberKind]int{dormant: 9, notOwned: 1, sendable: 20}, notOwned, 1},
		"the most that need a person":    {map[ledger.NumberKind]int{dormant: 9, notOwned: 1, rejected: 2}, rejected, 2},
		"the most where nobody is asked": {map[ledger.NumberKind]int{dormant: 2, limited: 3, pending: 7}, limited, 3},
		"the same one of two as often":   {map[ledger.NumberKind]int{notOwned: 2, rejected: 2}, notOwned, 2},
	} {
		if got, n := foremost(&status.Entry{Counts: test.counts}); got != test.want || n != test.n {
			t.Errorf("%s: got %d of %+v, want %d of %+v", name, n, got, test.n, test.want)
		}
	}
}

func TestQuery_IsBoundedAndRoundTrips(t *testing.T) {
	t.Parallel()
	read := func(address string) query {
		t.Helper()
		at, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		return parseQuery(at.Query())
	}
	if got := read("?q=" + strings.Repeat("é", maxQuery+1)).Text; got != strings.Repeat("é", maxQuery) {
		t.Errorf("got %d bytes, want %d letters", len(got), maxQuery)
	}
	for address, want := range map[string]string{
		"?q=+spring+%26&phase=approved&show=not_owned&page=3": "?page=3&phase=approved&q=spring+%26&show=not_owned",
		"?page=1": "", "?phase=bogus&show=bogus": "", "?show=person": "?show=person",
	} {
		if q := read(address); q.encode(q.Page) != want {
			t.Errorf("%s: got %s, want %s", address, q.encode(q.Page), want)
		}
	}
}
