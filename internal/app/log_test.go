package app_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"greenlight/internal/app"
	"greenlight/internal/telemetry"
)

func TestNewLogger_WritesJSONWithItsTime(t *testing.T) {
	var out bytes.Buffer
	log, err := app.NewLogger(&out, "info", app.FormatJSON)
	if err != nil {
		t.Fatal(err)
	}
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

func TestNewLogger_WritesForReading(t *testing.T) {
	var out bytes.Buffer
	log, err := app.NewLogger(&out, "info", app.FormatConsole)
	if err != nil {
		t.Fatal(err)
	}
	log.Warn().Msg("number is stuck")
	if got := out.String(); !strings.Contains(got, "WRN") || !strings.Contains(got, "number is stuck") || strings.Contains(got, "{") {
		t.Errorf("got %q, want a line to read", got)
	}
}

func TestNewLogger_LeavesOutWhatIsBelowItsLevel(t *testing.T) {
	levels := []string{"debug", "info", "warn", "error"}
	for i, level := range levels {
		var out bytes.Buffer
		log, err := app.NewLogger(&out, level, app.FormatJSON)
		if err != nil {
			t.Fatal(err)
		}
		log.Debug().Msg("")
		log.Info().Msg("")
		log.Warn().Msg("")
		log.Error().Msg("")
		if got, want := strings.Count(out.String(), "\n"), len(levels)-i; got != want {
			t.Errorf("%s: got %d lines, want %d", level, got, want)
		}
	}
}

func TestNewLogger_RefusesWhatItDoesNotKnow(t *testing.T) {
	for name, test := range map[string]struct{ level, format, want string }{
		"level":              {"loud", app.FormatJSON, `log level "loud": use debug, info, warn or error`},
		"level in capitals":  {"INFO", app.FormatJSON, `log level "INFO": use debug, info, warn or error`},
		"level of zerolog's": {"trace", app.FormatJSON, `log level "trace": use debug, info, warn or error`},
		"level as a number":  {"1", app.FormatJSON, `log level "1": use debug, info, warn or error`},
		"no level":           {"", app.FormatJSON, `log level "": use debug, info, warn or error`},
		"format":             {"info", "xml", `log format "xml": use json or console`},
		"no format":          {"info", "", `log format "": use json or console`},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			log, err := app.NewLogger(&out, test.level, test.format)
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if log.Error().Msg("x"); out.Len() > 0 {
				t.Errorf("the refused logger writes %q", out.String())
			}
		})
	}
}
