package app

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"
)

// Formats of log lines.
const (
	FormatJSON    = "json"
	FormatConsole = "console"
)

// NewLogger returns a logger that writes lines of at least the given level (debug, info,
// warn, error) to w, in a format for programs or for people.
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

// ParseLevel parses the name of a level.
func ParseLevel(level string) (zerolog.Level, error) {
	switch level {
	case "debug", "info", "warn", "error":
		return zerolog.ParseLevel(level)
	default:
		return zerolog.NoLevel, fmt.Errorf("log level %q: use debug, info, warn or error", level)
	}
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
