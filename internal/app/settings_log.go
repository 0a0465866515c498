package app

import (
	"cmp"
	"fmt"
	"io"

	"github.com/rs/zerolog"
)

// Log is what is written while the program runs.
type Log struct {
	Level  string `name:"log-level" env:"LOG_LEVEL" default:"info" placeholder:"LEVEL" help:"debug, info, warn or error (${default})."`
	Format string `name:"log-format" env:"LOG_FORMAT" placeholder:"FORMAT" help:"json or console. Unset: console on a terminal, else json."`
}

// Logger returns the process's logger, which writes to w.
func (s Log) Logger(faults *Faults, w io.Writer) zerolog.Logger {
	if _, err := ParseLevel(s.Level); err != nil {
		faults.add("LOG_LEVEL", fmt.Sprintf("%q is no level", s.Level), "Write debug, info, warn or error.")
	}
	switch s.Format {
	case "", FormatJSON, FormatConsole:
	default:
		faults.add("LOG_FORMAT", fmt.Sprintf("%q is no format", s.Format), "Write json or console, or leave it out.")
	}
	byDefault := FormatJSON
	if Width(w) > 0 {
		byDefault = FormatConsole
	}
	log, _ := NewLogger(w, s.Level, cmp.Or(s.Format, byDefault)) // its error is one of the faults above
	return log
}
