package ledger_test

import (
	"encoding/json"
	"testing"

	"greenlight/internal/ledger"
)

// The mark is written again when a fault of the plan files comes or goes, and after a restart.
func TestPlans_KeepWhenTheyWereLoaded(t *testing.T) {
	t.Parallel()
	book, js := start(t)
	loaded := func(plans ledger.Plans) (ledger.Plans, bool) {
		t.Helper()
		must(t, book.PutPlans(t.Context(), plans))
		got, known, err := book.Plans(t.Context())
		must(t, err)
		return got, known && !got.LoadedAt.IsZero()
	}
	if _, dated := loaded(ledger.Plans{Fault: "no"}); dated {
		t.Error("a fault without plans has a time")
	}
	first, dated := loaded(ledger.Plans{Hash: "a"})
	if !dated {
		t.Error("the first plans have no time")
	}
	for _, same := range []ledger.Plans{{Hash: "a", Fault: "no"}, {Hash: "a"}} {
		if got, _ := loaded(same); !got.LoadedAt.Equal(first.LoadedAt) {
			t.Errorf("%+v: got %v, want %v", same, got.LoadedAt, first.LoadedAt)
		}
	}
	if got, _ := loaded(ledger.Plans{Hash: "b"}); !got.LoadedAt.After(first.LoadedAt) {
		t.Errorf("other plans: got %v, want after %v", got.LoadedAt, first.LoadedAt)
	}
	// An earlier version did not write it.
	state, err := js.KeyValue(t.Context(), "LOOKS")
	must(t, err)
	data, err := json.Marshal(map[string]string{"hash": "old"})
	must(t, err)
	_, err = state.Put(t.Context(), "_plans", data)
	must(t, err)
	if got, dated := loaded(ledger.Plans{Hash: "old", Fault: "no"}); dated {
		t.Errorf("an old mark: got %v, want no time", got.LoadedAt)
	}
}
