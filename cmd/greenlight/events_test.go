package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"greenlight/internal/events"
	"greenlight/internal/telnyx"
	"greenlight/internal/testkit"
)

// hostile is an event whose text would control a terminal and fill it.
func hostile(t *testing.T) events.PastEvent {
	t.Helper()
	words := "\x1b]0;owned\a\x1b[2J\u202eevil\r\n" + strings.Repeat("x", 5000)
	body, err := json.Marshal(map[string]any{"data": map[string]any{
		"event_type": "10dlc.campaign.update", "id": "1",
		"payload": map[string]any{"type": words, "status": words, "phoneNumber": words, "campaignId": "c"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return events.PastEvent{Sequence: 7, StoredAt: time.Now(), Type: "10dlc.campaign.update", About: "c", Body: body}
}

func TestEventLine_IsHarmlessAndBounded(t *testing.T) {
	line := eventLine(hostile(t))
	if n := len([]rune(line)); n > 100 {
		t.Errorf("the line has %d characters", n)
	}
	for _, r := range line {
		if !unicode.IsPrint(r) {
			t.Errorf("the line holds %q: %q", r, line)
		}
	}
}

func TestStoredEvent_KeepsBodiesThatAreNotJSON(t *testing.T) {
	got, err := json.Marshal(newStoredEvent(events.PastEvent{Body: []byte("not JSON\x1b[2J")}))
	if err != nil || strings.ContainsRune(string(got), '\x1b') || !strings.Contains(string(got), `"raw":"`) {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestTestKey_CreatesOneAndReplacesNoOtherFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	first, made, err := testKey(file)
	if err != nil || !made {
		t.Fatalf("made %t, %v", made, err)
	}
	again, made, err := testKey(file)
	if err != nil || made || !first.Equal(again) {
		t.Errorf("the second time: made %t, %v, the same %t", made, err, first.Equal(again))
	}
	if other, _, _ := testKey(""); first.Equal(other) {
		t.Error("a key without a file is another one each time")
	}
	if _, _, err := testKey(planFile(t, "+15551234567")); err == nil {
		t.Error("a file that holds no key was taken")
	}
}

// TestTail_LeavesTheAssignerAlone reads events while the assigner's consumer has them
// waiting, and replays one.
func TestTail_LeavesTheAssignerAlone(t *testing.T) {
	t.Parallel()
	js := testkit.JetStream(t, testkit.Embedded(t))
	if err := events.PastEvents(t.Context(), js, time.Time{}, nil); err == nil {
		t.Error("no error where no event was ever stored")
	}
	if err := events.EnsureStreams(t.Context(), js, 1); err != nil {
		t.Fatal(err)
	}
	consumer, err := events.NewConsumer(t.Context(), js, events.Timing{}, func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	publisher := events.NewPublisher(js)
	for _, id := range []string{"e1", "e2", "e3"} {
		e := events.Event{ID: id, Type: "10dlc.campaign.update", About: "c-" + id, ReceivedAt: time.Now(), Timestamp: "1", Signature: "s", Body: []byte(id)}
		if _, err := publisher.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := publisher.Trigger(t.Context(), events.KindResync, ""); err != nil {
		t.Fatal(err)
	}
	waitFor(t, consumer, 4) // the trigger comes into the stream by itself
	var got []events.PastEvent
	if err := events.PastEvents(t.Context(), js, time.Time{}, func(e events.PastEvent) error { got = append(got, e); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[0].ID != "e1" || got[2].About != "c-e3" || string(got[1].Body) != "e2" {
		t.Fatalf("got %+v, want the three events", got)
	}
	if err := events.PastEvents(t.Context(), js, time.Now().Add(time.Hour), func(events.PastEvent) error { t.Error("an event of the future"); return nil }); err != nil {
		t.Error(err)
	}
	// The first copy is stored, the second is known, and both keep Telnyx's proof.
	for _, wantDuplicate := range []bool{false, true} {
		receipt, err := publisher.Replay(t.Context(), got[0])
		if err != nil || receipt.Duplicate != wantDuplicate {
			t.Errorf("replay: %+v, %v, want duplicate %t", receipt, err, wantDuplicate)
		}
	}
	var last events.PastEvent
	seen := 0
	if err := events.PastEvents(t.Context(), js, time.Time{}, func(e events.PastEvent) error { last = e; seen++; return nil }); err != nil {
		t.Fatal(err)
	}
	if seen != 4 {
		t.Errorf("%d events, want three and a replay, and no trigger", seen)
	}
	if last.ReplayOf != got[0].Sequence || last.ID == "e1" || last.About != "c-e1" || last.Header[telnyx.SignatureHeader][0] != "s" {
		t.Errorf("the replay is %+v", last)
	}
	state, err := consumer.State(t.Context())
	if err != nil || state.Waiting != 5 || state.Open != 0 || state.Pinned {
		t.Errorf("the assigner's consumer is %+v, %v; want all that was stored, waiting", state, err)
	}
}

// waitFor waits until the assigner's consumer has as many messages waiting.
func waitFor(t *testing.T, consumer *events.Consumer, want int) {
	t.Helper()
	const limit = 10 * time.Second
	for deadline := time.Now().Add(limit); ; time.Sleep(5 * time.Millisecond) {
		state, err := consumer.State(t.Context())
		if err == nil && state.Waiting == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v, %v; no %d messages within %s", state, err, want, limit)
		}
	}
}
