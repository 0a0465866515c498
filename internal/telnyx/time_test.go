package telnyx

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTime_ReadsEveryFormAndFailsOnNone(t *testing.T) {
	for name, tt := range map[string]struct {
		raw  string
		want Time
	}{
		"RFC 3339":     {`"2024-08-07T17:22:37.328+00:00"`, Time{time.Date(2024, 8, 7, 17, 22, 37, 328e6, time.UTC), "2024-08-07T17:22:37.328+00:00"}},
		"other offset": {`"2024-08-07T19:22:37+02:00"`, Time{time.Date(2024, 8, 7, 17, 22, 37, 0, time.UTC), "2024-08-07T19:22:37+02:00"}},
		"no zone":      {`"2021-03-08T17:57:48.801186"`, Time{time.Date(2021, 3, 8, 17, 57, 48, 801186e3, time.UTC), "2021-03-08T17:57:48.801186"}},
		"no fraction":  {`"2021-03-08T17:57:48"`, Time{time.Date(2021, 3, 8, 17, 57, 48, 0, time.UTC), "2021-03-08T17:57:48"}},
		"words":        {`"soon"`, Time{Text: "soon"}},
		"Unix seconds": {`1720275757`, Time{Text: "1720275757"}},
		"null":         {`null`, Time{}},
		"empty":        {`""`, Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			var got Time
			if err := json.Unmarshal([]byte(tt.raw), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTime_WritesWhatWasReadOrElseTheTime(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, tt := range map[string]struct {
		time Time
		want string
	}{
		"as read":   {Time{at, "2026-01-02T03:04:05"}, `"2026-01-02T03:04:05"`},
		"made here": {Time{Time: at}, `"2026-01-02T03:04:05Z"`},
		"zero":      {Time{}, `""`},
	} {
		got, err := json.Marshal(tt.time)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: got %s, %v, want %s", name, got, err, tt.want)
		}
	}
}
