package app

import (
	"io"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/rs/zerolog"
	"golang.org/x/term"

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
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}

// console returns a writer that formats JSON lines for people: no empty fields, and the
// name of a campaign in its plan before its id. On a terminal a line is cut at
// maxLogColumns.
func console(w io.Writer) io.Writer {
	out := zerolog.ConsoleWriter{
		Out: w, TimeFormat: time.TimeOnly, NoColor: !WantsColour(w),
		FieldsOrder: []string{telemetry.KeyPlan, telemetry.KeyNumber, telemetry.KeyReason, telemetry.KeyCause, telemetry.KeyCampaign},
		FormatPrepare: func(fields map[string]any) error {
			maps.DeleteFunc(fields, func(_ string, value any) bool {
				list, isList := value.([]any)
				return value == nil || value == "" || isList && len(list) == 0
			})
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

// cutLines writes lines of at most maxLogColumns. Each call of Write is one line.
type cutLines struct{ w io.Writer }

func (c cutLines) Write(line []byte) (int, error) {
	shown := strings.TrimRight(string(line), "\n")
	if text.RuneWidthWithoutEscSequences(shown) > maxLogColumns {
		shown = text.Trim(shown, maxLogColumns-1) + "…"
	}
	_, err := io.WriteString(c.w, shown+"\n")
	return len(line), err
}

// WantsColour reports whether text for w may have colours: on a terminal, unless NO_COLOR
// (https://no-color.org) is set.
func WantsColour(w io.Writer) bool { return Width(w) > 0 && os.Getenv("NO_COLOR") == "" }

// Width returns the columns of the terminal w, 0 if w is not a terminal.
func Width(w io.Writer) int {
	columns, _ := Size(w)
	return columns
}

// Size returns the columns and rows of the terminal w, 0 and 0 if w is not a terminal. If
// the size is unknown, it is 80 by 24.
func Size(w io.Writer) (columns, rows int) {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return 0, 0
	}
	columns, rows, err := term.GetSize(int(file.Fd()))
	if err != nil || columns <= 0 || rows <= 0 {
		return 80, 24
	}
	return columns, rows
}
