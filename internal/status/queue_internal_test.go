package status

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"greenlight/internal/ledger"
)

// queueOf returns contents with one campaign, of which three numbers are queued and the
// given requests were sent so long ago.
func queueOf(now time.Time, sent ...time.Duration) *Contents {
	x := &Contents{}
	x.clear()
	x.putCampaign(ledger.Campaign{ID: "C1", TCRID: "CTCR1", Planned: true, Plan: "one", Phase: ledger.PhaseApproved})
	for i := range 3 {
		x.putNumber(ledger.Number{
			Number: fmt.Sprint("+1212555014", i), CampaignID: "C1", State: ledger.Planned, Reason: ledger.Queued, NextAt: now.Add(time.Duration(3-i) * time.Minute),
		})
	}
	for i, ago := range sent {
		x.putNumber(ledger.Number{Number: fmt.Sprint("+1646555010", i), CampaignID: "C1", State: ledger.Pending, Request: ledger.Request{At: now.Add(-ago)}})
	}
	return x
}

func TestQueue_HasPlacesAndEstimates(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		sent []time.Duration
		want Turn // of the last number in the queue
		pace string
	}{
		"by the assigner's estimate":   {nil, Turn{3, 180}, "about 3 min"},
		"by the rate":                  {[]time.Duration{time.Second, 20 * time.Second}, Turn{3, 30}, "about 30 s, 6/min"},
		"old requests do not count":    {[]time.Duration{time.Hour}, Turn{3, 180}, "about 3 min"},
		"a burst in the last second":   {[]time.Duration{time.Millisecond, 2 * time.Millisecond}, Turn{3, 2}, "about 2 s, 120/min"},
		"one request some seconds ago": {[]time.Duration{40 * time.Second}, Turn{3, 120}, "about 2 min, 2/min"},
	} {
		s := queueOf(now, test.sent...).snapshot(now)
		c := s.Campaigns[0]
		if got := c.Numbers[0].Turn; got != test.want {
			t.Errorf("%s: got %+v, want %+v", name, got, test.want)
		}
		if got := c.Pace.Words(); got != test.pace || c.Queued != 3 {
			t.Errorf("%s: got %d queued, %q, want 3, %q", name, c.Queued, got, test.pace)
		}
	}
}

// An estimate that has passed is not shown as one that is to come.
func TestQueue_DoesNotEstimateTimesInThePast(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	s := queueOf(now.Add(-time.Hour)).snapshot(now)
	if got, want := s.Campaigns[0].Numbers[0].Turn.Words(), "place 3"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := s.Campaigns[0].Pace.Words(), "time not known yet"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestQueue_LeavesOutWhatIsOnHold(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	x := queueOf(now)
	x.Hold.Campaigns = map[string]ledger.HeldBy{"CTCR1": {By: "ann@ops", At: now}}
	s := x.snapshot(now)
	if got := s.Campaigns[0].Numbers[0].Turn; got != (Turn{}) || s.Campaigns[0].Queued != 0 || x.Queue(now).Held() != 3 {
		t.Errorf("got %+v, %d queued, want none", got, s.Campaigns[0].Queued)
	}
}

func TestQueue_IsShownInTextAndJSON(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	s := queueOf(now, time.Second, 20*time.Second).snapshot(now)
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{`"position":3,"estimated_seconds":30`, `"queued":3,"requests_per_minute":6,"estimated_seconds":30`} {
		if !strings.Contains(string(data), words) {
			t.Errorf("no %s in %s", words, data)
		}
	}
	for what, want := range map[string]string{
		"":             "The last one is due in about 30 s.",
		"one":          "place 3, about 30 s",
		"212-555-0140": "Its turn: place 3, about 30 s.",
	} {
		part := s
		if what != "" {
			part, _ = s.About(what)
		}
		var text strings.Builder
		if err := part.WriteText(&text, TextOptions{}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(strings.Fields(text.String()), " "); !strings.Contains(got, want) {
			t.Errorf("%q: no %q in\n%s", what, want, text.String())
		}
	}
}
