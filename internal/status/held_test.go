package status_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/status"
)

func TestRead_ShowsAHoldFirst(t *testing.T) {
	t.Parallel()
	js := mixedLedger(t)
	book, err := ledger.Open(t.Context(), js)
	must(t, err)
	must(t, book.Hold(t.Context(), []string{springID, winterID}, ledger.HeldBy{By: "ann@ops", At: noon.Add(-time.Hour), Reason: "carrier incident"}))
	must(t, book.Hold(t.Context(), []string{autumnID}, ledger.HeldBy{By: "bob@ops", At: noon}))
	s := read(t, js)
	const first = "On hold: autumn-sale-of-the-whole-catalogue-2026, since 12:00 by bob@ops.\nOn hold: spring-promo, winter, since 11:00 by ann@ops: carrier incident.\nNo new write request"
	if text := writeText(t, s); !strings.HasPrefix(text, first) {
		t.Errorf("got\n%s\nwant it to begin with\n%s", text, first)
	}
	data, err := json.Marshal(s)
	must(t, err)
	var keys map[string]json.RawMessage
	must(t, json.Unmarshal(data, &keys))
	if held, campaigns := strings.Index(string(data), `"held":{"campaigns"`), strings.Index(string(data), `"campaigns":[`); held < 0 || held > campaigns {
		t.Errorf("got %.200s, want the hold before the campaigns", data)
	}
	part, ok := s.About("winter")
	if text := writeText(t, part); !ok || !strings.HasPrefix(text, "On hold: winter, since 11:00 by ann@ops: carrier incident.\n") {
		t.Errorf("got\n%s\nwant the hold of what is shown first", text)
	}
	part, _ = s.About(strayID)
	if text := writeText(t, part); strings.Contains(text, "On hold") {
		t.Errorf("got\n%s\nwant nothing of other campaigns' holds", text)
	}
}

// A campaign may be held by one of its ids and planned by another.
func TestAbout_ShowsAHoldByAnotherIDOfTheCampaign(t *testing.T) {
	t.Parallel()
	s := status.Snapshot{At: noon, Campaigns: []status.Campaign{{
		Campaign: ledger.Campaign{ID: springID, TelnyxID: springID, TCRID: "C6X6M94", Planned: true, Plan: "spring", Phase: ledger.PhaseApproved},
		Numbers:  []status.Number{{Number: ledger.Number{Number: "+15551234567", State: ledger.Planned}}},
	}}}
	s.Held.Campaigns = map[string]ledger.HeldBy{"C6X6M94": {By: "ann@ops", At: noon}}
	for _, what := range []string{"spring", "+15551234567"} {
		part, _ := s.About(what)
		if text := writeText(t, part); !strings.HasPrefix(text, "On hold: spring, since 12:00 by ann@ops.\n") {
			t.Errorf("%s: got\n%s\nwant the hold first", what, text)
		}
	}
}

func TestHoldSentences_NameTheFirstOfMany(t *testing.T) {
	t.Parallel()
	by := ledger.HeldBy{By: "ann@ops", At: noon}
	hold := ledger.Hold{All: &by, Campaigns: map[string]ledger.HeldBy{"C1": by, "C2": by, "C3": by, "C4": by, "C5": by}}
	want := []string{"On hold: everything, since 12:00 by ann@ops.", "On hold: C2, C3, C4 and 2 more, since 12:00 by ann@ops."}
	got := status.HoldSentences(hold, map[string]string{"C1": "spring"}, noon)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// When a bucket is lost, the plans are unknown, so the text must not say that there are none.
func TestRead_SaysThatTheLedgerIsIncomplete(t *testing.T) {
	t.Parallel()
	for _, lost := range [][]string{{"CAMPAIGNS"}, {"NUMBERS"}, {"LOOKS"}, {"CAMPAIGNS", "NUMBERS", "LOOKS"}} {
		t.Run(strings.Join(lost, ","), func(t *testing.T) {
			js := mixedLedger(t)
			_, err := events.NewConsumer(t.Context(), js, events.Timing{}, func(err error) { t.Log(err) })
			must(t, err)
			for _, bucket := range lost {
				must(t, js.DeleteKeyValue(t.Context(), bucket))
			}
			s := read(t, js)
			if !slices.Equal(s.LedgerMissing, lost) || s.Progress() == status.AllAttached {
				t.Errorf("got %v missing, progress %q, want %v", s.LedgerMissing, s.Progress(), lost)
			}
			if text := strings.Join(strings.Fields(writeText(t, s)), " "); !strings.HasPrefix(text, "The ledger is incomplete. Missing on the NATS server: "+strings.Join(lost, ", ")+". ") || strings.Contains(text, "Nothing is planned") {
				t.Errorf("got\n%s", text)
			}
			_, err = ledger.Create(t.Context(), js, 1)
			must(t, err)
			if text := writeText(t, read(t, js)); strings.Contains(text, "Nothing is planned") {
				t.Errorf("made again, not read yet: got\n%s", text)
			}
		})
	}
}
