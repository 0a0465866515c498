package telnyx

import (
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
