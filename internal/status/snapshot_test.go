package status_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/status"
	"greenlight/internal/testkit"
)

func TestSnapshot_IsPlainJSON(t *testing.T) {
	t.Parallel()
	text, err := json.MarshalIndent(read(t, mixedLedger(t)), "", "  ")
	must(t, err)
	testkit.Golden(t, "testdata/mixed.json", string(text)+"\n", *update, "-update")
}

func TestRead_IsEmptyBeforeAnAssignerRan(t *testing.T) {
	t.Parallel()
	const want = `{"at":"2026-03-02T12:00:00Z","campaigns":[],"totals":{},"dead_letters":0,"events_waiting":0,"idle":%t}`
	js := testkit.JetStream(t, testkit.Embedded(t))
	for i, when := range []string{"without streams", "with streams"} {
		got, err := json.Marshal(read(t, js))
		must(t, err)
		if want := fmt.Sprintf(want, i > 0); string(got) != want {
			t.Errorf("%s: got %s, want %s", when, got, want)
		}
		must(t, events.EnsureStreams(t.Context(), js, 1))
	}
}

func TestRead_CountsByState(t *testing.T) {
	t.Parallel()
	s := read(t, mixedLedger(t))
	want := map[ledger.State]int{ledger.Sendable: 2, ledger.Pending: 1, ledger.Attached: 1, ledger.Failed: 1, ledger.Conflict: 1, ledger.Planned: 9}
	if diff := cmp.Diff(want, s.Totals); diff != "" {
		t.Errorf("totals (-want +got):\n%s", diff)
	}
	if s.Planned() != 15 || s.DeadLetters != 2 {
		t.Errorf("got %d planned, %d dead letters; want 15 and 2", s.Planned(), s.DeadLetters)
	}
	var needPerson []string
	for _, c := range s.Campaigns {
		if c.WaitsForPerson() {
			needPerson = append(needPerson, c.ID)
		}
	}
	if diff := cmp.Diff([]string{autumnID, springID}, needPerson); diff != "" {
		t.Errorf("campaigns that wait for a person (-want +got):\n%s", diff)
	}
}

func TestRead_CountsWaitingEvents(t *testing.T) {
	t.Parallel()
	js := testkit.JetStream(t, testkit.Embedded(t))
	must(t, events.EnsureStreams(t.Context(), js, 1))
	_, err := events.NewConsumer(t.Context(), js, events.Timing{}, func(err error) { t.Log(err) })
	must(t, err)
	for _, id := range []string{"id-1", "id-2", "id-2"} {
		_, err := events.NewPublisher(js).Publish(t.Context(), events.Event{ID: id, Type: "10dlc.campaign.update", About: springID, ReceivedAt: noon, Body: []byte("{}")})
		must(t, err)
	}
	got := read(t, js)
	// The server counts a waiting message a moment after it is stored.
	for deadline := time.Now().Add(10 * time.Second); got.EventsWaiting != 2 && time.Now().Before(deadline); got = read(t, js) {
		time.Sleep(time.Millisecond)
	}
	if got.EventsWaiting != 2 || !got.Idle {
		t.Errorf("got %d, idle %t, want 2 without an assigner", got.EventsWaiting, got.Idle)
	}
	const want = "No assigner is running, so nothing is checked or attached. Stored and waiting: 2\nevents. Start one with greenlight up or assigner.\n"
	if text := writeText(t, got); !strings.Contains(text, want) {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	got.Idle = false
	if text := writeText(t, got); strings.Contains(text, "No assigner") {
		t.Errorf("an assigner runs, and the text says\n%s", text)
	}
}

func TestRead_HasTheLaterNextCheck(t *testing.T) {
	t.Parallel()
	js := testkit.JetStream(t, testkit.Embedded(t))
	must(t, events.EnsureStreams(t.Context(), js, 1))
	book, err := ledger.Create(t.Context(), js, 1)
	must(t, err)
	_, err = book.PutCampaign(t.Context(), ledger.CampaignEntry{}, ledger.Campaign{ID: springID, Planned: true, NextAt: noon.Add(time.Minute)})
	must(t, err)
	want := map[string]time.Time{}
	for number, test := range map[string]struct{ own, want time.Time }{
		"+15551234567": {noon.Add(-time.Minute), noon.Add(time.Minute)},
		"+15551234568": {noon.Add(time.Hour), noon.Add(time.Hour)},
		"+15551234569": {time.Time{}, time.Time{}},
	} {
		_, err := book.PutNumber(t.Context(), ledger.NumberEntry{}, ledger.Number{Number: number, CampaignID: springID, State: ledger.Pending, NextAt: test.own})
		must(t, err)
		want[number] = test.want
	}
	got := map[string]time.Time{}
	for _, n := range read(t, js).Campaigns[0].Numbers {
		got[n.Number.Number] = n.NextAt
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRead_FailsWithItsContext(t *testing.T) {
	t.Parallel()
	js := mixedLedger(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := status.Read(ctx, js, noon); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
