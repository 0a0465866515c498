package app

import (
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"
)

// Formats of log lines.
const (
	FormatJSON    = "json"
	FormatConsole = "console"
)

// NewLogger returns a logger that writes lines of at least the given level (debug,
// info, warn, error) to w, as JSON or for reading on a terminal.
func NewLogger(w io.Writer, level, format string) (zerolog.Logger, error) {
	parsed, err := ParseLevel(level)
	if err != nil {
		return zerolog.Nop(), err
	}
	switch format {
	case FormatJSON:
	case FormatConsole:
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: !WantsColour(w)}
	default:
		return zerolog.Nop(), fmt.Errorf("log format %q: use %s or %s", format, FormatJSON, FormatConsole)
	}
	return zerolog.New(w).Level(parsed).With().Timestamp().Logger(), nil
}

// ParseLevel reads the name of a level.
func ParseLevel(level string) (zerolog.Level, error) {
	switch level {
	case "debug", "info", "warn", "error":
		return zerolog.ParseLevel(level)
	default:
		return zerolog.NoLevel, fmt.Errorf("log level %q: use debug, info, warn or error", level)
	}
}
