package logging_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"greenlight/internal/logging"
)

func TestNew_WritesJSONWithItsTime(t *testing.T) {
	var out bytes.Buffer
	log, err := logging.New(&out, "info", logging.FormatJSON)
	if err != nil {
		t.Fatal(err)
	}
	log.Info().Str(logging.KeyNumber, "+15551234567").Msg("number is sendable")
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

func TestNew_WritesForReading(t *testing.T) {
	var out bytes.Buffer
	log, err := logging.New(&out, "info", logging.FormatConsole)
	if err != nil {
		t.Fatal(err)
	}
	log.Warn().Msg("number is stuck")
	if got := out.String(); !strings.Contains(got, "WRN") || !strings.Contains(got, "number is stuck") || strings.Contains(got, "{") {
		t.Errorf("got %q, want a line to read", got)
	}
}

func TestNew_LeavesOutWhatIsBelowItsLevel(t *testing.T) {
	levels := []string{"debug", "info", "warn", "error"}
	for i, level := range levels {
		var out bytes.Buffer
		log, err := logging.New(&out, level, logging.FormatJSON)
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

func TestNew_RefusesWhatItDoesNotKnow(t *testing.T) {
	for name, test := range map[string]struct{ level, format, want string }{
		"level":              {"loud", logging.FormatJSON, `log level "loud": use debug, info, warn or error`},
		"level in capitals":  {"INFO", logging.FormatJSON, `log level "INFO": use debug, info, warn or error`},
		"level of zerolog's": {"trace", logging.FormatJSON, `log level "trace": use debug, info, warn or error`},
		"level as a number":  {"1", logging.FormatJSON, `log level "1": use debug, info, warn or error`},
		"no level":           {"", logging.FormatJSON, `log level "": use debug, info, warn or error`},
		"format":             {"info", "xml", `log format "xml": use json or console`},
		"no format":          {"info", "", `log format "": use json or console`},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			log, err := logging.New(&out, test.level, test.format)
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if log.Error().Msg("x"); out.Len() > 0 {
				t.Errorf("the refused logger writes %q", out.String())
			}
		})
	}
}

func TestKeys_AreWordsThatDiffer(t *testing.T) {
	parsed, err := parser.ParseFile(token.NewFileSet(), "logging.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	// zerolog's own fields; a key of the same name would stand there twice.
	seen := map[string]string{
		zerolog.LevelFieldName: "zerolog", zerolog.TimestampFieldName: "zerolog", zerolog.ErrorFieldName: "zerolog",
	}
	keys := 0
	for node := range ast.Preorder(parsed) {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Key") {
			continue
		}
		keys++
		name, word := spec.Names[0].Name, strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`)
		if other, twice := seen[word]; twice {
			t.Errorf("%s is %q, as %s is", name, word, other)
		}
		seen[word] = name
		if strings.Trim(word, "abcdefghijklmnopqrstuvwxyz_") != "" {
			t.Errorf("%s is %q, want small letters and underscores", name, word)
		}
	}
	if keys == 0 {
		t.Error("found no keys")
	}
}
