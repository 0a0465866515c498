package app_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"greenlight/internal/app"
	"greenlight/internal/telemetry"
)

func TestLogger_WritesJSONWithItsTime(t *testing.T) {
	var out bytes.Buffer
	var faults app.Faults
	log := app.Log{Level: "info", Format: "json"}.Logger(&faults, &out)
	log.Info().Str(telemetry.KeyNumber, "+15551234567").Msg("number is sendable")
	var got map[string]string
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v in %q", err, out.String())
	}
	if _, err := time.Parse(time.RFC3339, got["time"]); err != nil {
		t.Errorf("the time of the line: %v", err)
	}
	if got["level"] != "info" || got["message"] != "number is sendable" || got["number"] != "+15551234567" {
		t.Errorf("got %v", got)
	}
}

func TestLogger_LeavesOutWhatIsBelowItsLevel(t *testing.T) {
	levels := []string{"debug", "info", "warn", "error"}
	for i, level := range levels {
		var out bytes.Buffer
		var faults app.Faults
		log := app.Log{Level: level}.Logger(&faults, &out)
		log.Debug().Msg("")
		log.Info().Msg("")
		log.Warn().Msg("")
		log.Error().Msg("")
		if got, want := strings.Count(out.String(), "\n"), len(levels)-i; got != want {
			t.Errorf("%s: got %d lines, want %d", level, got, want)
		}
	}
}

// A line for people has no empty fields, and names a campaign before it gives its id.
func TestLogger_WritesForPeople(t *testing.T) {
	var out bytes.Buffer
	var faults app.Faults
	log := app.Log{Level: "info", Format: "console"}.Logger(&faults, &out)
	log.Warn().Str(telemetry.KeyCampaign, "751c6a5c").Str(telemetry.KeyCommit, "").Strs(telemetry.KeyChanged, nil).
		Str(telemetry.KeyPlan, "spring-promo").Int(telemetry.KeyCampaigns, 0).Msg("number is stuck")
	if got, want := out.String(), "WRN number is stuck plan=spring-promo campaign_id=751c6a5c campaigns=0\n"; !strings.HasSuffix(got, want) {
		t.Errorf("got %q, want %q at the end", got, want)
	}
}

func TestLogger_RefusesUnknownLevelsAndFormats(t *testing.T) {
	for name, log := range map[string]app.Log{
		"level":             {Level: "loud"},
		"level in capitals": {Level: "INFO"},
		"level of zerolog":  {Level: "trace"},
		"level as a number": {Level: "1"},
		"empty level":       {},
		"format":            {Level: "info", Format: "xml"},
	} {
		var faults app.Faults
		log.Logger(&faults, io.Discard)
		if len(faults) != 1 || !strings.HasPrefix(faults[0].Error(), "LOG_") {
			t.Errorf("%s: got %v, want one fault", name, faults)
		}
	}
}
