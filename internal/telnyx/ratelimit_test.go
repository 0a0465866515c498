package telnyx

import (
	"math"
	"net/http"
	"testing"
	"time"
)

func TestWaitAskedFor_ReadsEveryForm(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := map[string]struct {
		status       int
		after, reset string
		want         time.Duration
	}{
		"nothing":            {429, "", "", 0},
		"seconds":            {503, "7", "", 7 * time.Second},
		"fraction":           {429, "0.5", "", 500 * time.Millisecond},
		"date":               {429, "Fri, 02 Jan 2026 03:04:35 GMT", "", 30 * time.Second},
		"date gone by":       {429, "Fri, 02 Jan 2026 03:04:00 GMT", "9", 9 * time.Second},
		"reset":              {429, "", "12", 12 * time.Second},
		"Retry-After first":  {429, "3", "12", 3 * time.Second},
		"reset of a 200":     {200, "", "12", 0},
		"negative":           {429, "-1", "-5", 0},
		"words":              {429, "soon", "later", 0},
		"not a number":       {429, "NaN", "Inf", 0},
		"Unix time as reset": {429, "", "1767323045", 0},
	}
	for name, tt := range tests {
		h := http.Header{"Retry-After": {tt.after}, "X-Ratelimit-Reset": {tt.reset}}
		if got := waitAskedFor(tt.status, h, now); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}

func TestAllowanceIn_NeedsRemainingAndReset(t *testing.T) {
	tests := map[string]struct {
		remaining, reset string
		want             float64 // requests a second; -1: no allowance
	}{
		"both":               {"30", "60", 0.5},
		"none left":          {"0", "60", 0},
		"negative":           {"-3", "60", 0},
		"no reset":           {"30", "", -1},
		"reset now":          {"30", "0", -1},
		"no remaining":       {"", "60", -1},
		"not a number":       {"NaN", "60", -1},
		"Unix time as reset": {"30", "1767323045", -1},
	}
	for name, tt := range tests {
		a, ok := allowanceIn(http.Header{"X-Ratelimit-Remaining": {tt.remaining}, "X-Ratelimit-Reset": {tt.reset}})
		got := -1.0
		if ok {
			got = a.requests / a.reset.Seconds()
		}
		if got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

func TestWindow_KnowsItsEndAndWhatItAllows(t *testing.T) {
	// told is an answer: when it came, in seconds, what remained and the reset.
	type told struct{ at, remaining, reset float64 }
	tests := map[string]struct {
		answers   []told
		end, pace float64
	}{
		"the first answer": {
			[]told{{0, 24, 1}}, 1, 0.8 * 24,
		},
		"the reset is rounded up": {
			[]told{{0, 24, 1}, {0.5, 15, 1}}, 1, (15 - 4.8) / 0.5,
		},
		"near the end": {
			[]told{{0, 24, 1}, {0.9, 5, 1}}, 1, (5 - 4.8) / 0.1,
		},
		"nearer than is known": {
			[]told{{0, 24, 1}, {0.95, 6, 1}}, 1, (6 - 4.8) / 0.1,
		},
		"others have used the rest": {
			[]told{{0, 24, 1}, {0.5, 4, 1}}, 1, (4 - 4.8) / 0.5,
		},
		"an end that becomes clearer": {
			[]told{{0, 600, 60}, {0.9, 590, 59}}, 59.9, (590 - 120) / 59.0,
		},
		"an answer that was overtaken": {
			[]told{{0, 24, 1}, {0.2, 18, 1}, {0.25, 20, 1}}, 1, (18 - 4.8) / 0.75,
		},
		"a delay of a second": {
			[]told{{0, 600, 60}, {1.9, 590, 60}}, 60, (590 - 120) / 58.1,
		},
		"the end has come": {
			[]told{{0, 24, 1}, {0.8, 6, 1}, {1, 23, 1}}, 2, 0.8 * 23,
		},
		"more remains than before": {
			[]told{{0, 24, 1}, {0.8, 6, 1}, {0.9, 24, 1}}, 1.9, 0.8 * 24,
		},
		"more remains of few": {
			[]told{{0, 4, 1}, {0.8, 1, 1}, {0.9, 3, 1}}, 1.9, 0.8 * 3,
		},
		"a later end, and no more left": {
			[]told{{0, 100, 60}, {30, 95, 60}}, 90, 0.8 * 95 / 60,
		},
		"none remaining": {
			[]told{{0, 24, 1}, {0.5, 15, 1}, {0.7, 0, 1}}, 1, (15 - 4.8) / 0.5,
		},
	}
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var w window
			for _, a := range tt.answers {
				at := began.Add(time.Duration(a.at * float64(time.Second)))
				w.see(at, allowance{a.remaining, time.Duration(a.reset) * time.Second})
			}
			if got := w.end.Sub(began).Seconds(); got != tt.end {
				t.Errorf("ends at %v s, want %v s", got, tt.end)
			}
			if math.Abs(w.pace-tt.pace) > 1e-9 {
				t.Errorf("allows %v/s, want %v/s", w.pace, tt.pace)
			}
		})
	}
}
