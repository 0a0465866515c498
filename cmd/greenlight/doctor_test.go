package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"greenlight/internal/app"
	"greenlight/internal/doctor"
	"greenlight/internal/events"
)

func TestDoctor_EndsWithTheWorst(t *testing.T) {
	for _, tt := range []struct {
		name    string
		reached bool
		worst   doctor.Level
		want    int
	}{
		{"all is well", true, doctor.OK, 0},
		{"something is unknown", true, doctor.Unknown, 2},
		{"something warns", true, doctor.Warn, 2},
		{"something fails", true, doctor.Fail, 3},
		{"NATS cannot be reached", false, doctor.Fail, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := doctorCode(tt.reached, tt.worst); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func TestDoctor_EndsWith1WhereNothingRuns(t *testing.T) {
	sim := simulated(t)
	got := sim.run(t, "doctor", "--telnyx-public-key", sim.PublicKey(), "--data", filepath.Join(t.TempDir(), "none"), "--plans", planFile(t, "+15551234567"))
	if got.code != 1 || got.stderr != "" || !strings.HasSuffix(got.stdout, " checks: 1 fail.\n") {
		t.Errorf("got %+v, want one finding that fails, and 1", got)
	}
}

func TestDoctor_TellsThatTheServerIsTooOld(t *testing.T) {
	err := &app.Fault{Setting: "NATS_URL", What: "cannot be used", Err: errors.Join(events.ErrServerTooOld)}
	got := notReached(err)
	if got.Check != doctor.CheckVersion || got.Level != doctor.Fail || !strings.Contains(got.Message, "too old") {
		t.Errorf("got %+v, want that the version fails", got)
	}
}
