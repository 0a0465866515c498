package app

import (
	"io"
	"maps"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/rs/zerolog"

	"greenlight/internal/ledger"
	"greenlight/internal/notice"
	"greenlight/internal/status"
	"greenlight/internal/telemetry"
)

// Log is the log of the process.
type Log struct {
	Level  string `name:"log-level" env:"LOG_LEVEL" default:"info" placeholder:"LEVEL" help:"debug, info, warn or error (${default})."`
	Format string `name:"log-format" env:"LOG_FORMAT" placeholder:"FORMAT" help:"json or console. Default: console on a terminal, otherwise json."`
}

var logLevels = map[string]zerolog.Level{
	"debug": zerolog.DebugLevel, "info": zerolog.InfoLevel, "warn": zerolog.WarnLevel, "error": zerolog.ErrorLevel,
}

// Logger returns the process's logger, which writes to w.
func (s Log) Logger(faults *Faults, w io.Writer) zerolog.Logger {
	level, known := logLevels[s.Level]
	if !known {
		faults.addValue("LOG_LEVEL", s.Level, "debug, info, warn or error")
	}
	switch {
	case s.Format == "console", s.Format == "" && Width(w) > 0:
		w = console(w)
	case s.Format != "" && s.Format != "json":
		faults.addValue("LOG_FORMAT", s.Format, "json or console")
	default:
		w = Raw(w)
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}

// console returns a writer that formats JSON lines for people: no empty fields, and the
// name of a campaign in its plan before its id. What is completed is green. On a terminal a line is cut to
// its width.
func console(w io.Writer) io.Writer {
	out := zerolog.ConsoleWriter{
		Out: w, TimeFormat: time.TimeOnly, NoColor: !WantsColour(w),
		FieldsOrder: []string{telemetry.KeyPlan, telemetry.KeyNumber, telemetry.KeyReason, telemetry.KeyCause, telemetry.KeyCampaign},
		FormatPrepare: func(fields map[string]any) error {
			maps.DeleteFunc(fields, func(_ string, value any) bool {
				list, isList := value.([]any)
				return value == nil || value == "" || isList && len(list) == 0
			})
			if message, ok := fields[zerolog.MessageFieldName].(string); ok && fields[telemetry.KeyNotice] == string(notice.Completed) {
				fields[zerolog.MessageFieldName] = status.Paint(ledger.Number{State: ledger.Sendable}, message, WantsColour(w))
			}
			return nil
		},
	}
	if Width(w) > 0 {
		out.Out = cutLines{w}
	}
	return out
}

// maxLogColumns is the longest line of the log on a terminal.
const maxLogColumns = 120

// cutLines writes lines of at most maxLogColumns that fit the terminal. Each call of Write
// is one line.
type cutLines struct{ w io.Writer }

func (c cutLines) Write(line []byte) (int, error) {
	shown, columns := strings.TrimRight(string(line), "\n"), min(Width(c.w), maxLogColumns)
	if text.RuneWidthWithoutEscSequences(shown) > columns {
		shown = text.Trim(shown, columns-1) + "…"
	}
	_, err := io.WriteString(c.w, shown+"\n")
	return len(line), err
}
