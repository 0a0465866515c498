// Package logging makes the program's logger and names the keys of its lines,
// so that every part writes the same thing under the same key.
package logging

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"
)

// The keys of log lines. Messages are plain sentences; what varies stands under
// one of these.
const (
	// KeyPart is the part of the program that speaks: webhook, assigner, status.
	KeyPart = "part"
	// KeyEvent is Telnyx's id of an event, KeyType its event_type.
	KeyEvent = "event_id"
	KeyType  = "event_type"
	// KeyAnswer is what the webhook answered: accepted, duplicate, and so on.
	KeyAnswer = "answer"
	// KeySequence is a message's sequence in the stream EVENTS.
	KeySequence = "sequence"
	// KeyCampaign is a campaign's id, KeyPlan the name that its plan gives it.
	KeyCampaign = "campaign_id"
	KeyPlan     = "plan"
	// KeyPlanHash identifies the plan set.
	KeyPlanHash = "plan_hash"
	// KeyNumber is a phone number in E.164 form.
	KeyNumber = "number"
	// KeyPhase, KeyState and KeyReason are words of the ledger.
	KeyPhase  = "phase"
	KeyState  = "state"
	KeyReason = "reason"
	// KeyCause is what made the assigner look.
	KeyCause = "cause"
	// KeyAddress is where a listener listens.
	KeyAddress = "address"
	// KeyRemote is the address of an HTTP client.
	KeyRemote = "remote"
	// KeyElapsed is a duration in milliseconds.
	KeyElapsed = "elapsed_ms"
	// KeyUnlogged is how many lines of the kind were left out before this one.
	KeyUnlogged = "unlogged"
	// KeyKeys are the fingerprints of the public keys in use.
	KeyKeys = "public_keys"
)

// Formats of log lines.
const (
	FormatJSON    = "json"
	FormatConsole = "console"
)

// New returns a logger that writes lines of at least the given level (debug,
// info, warn, error) to w, as JSON or for reading on a terminal.
func New(w io.Writer, level, format string) (zerolog.Logger, error) {
	parsed, err := ParseLevel(level)
	if err != nil {
		return zerolog.Nop(), err
	}
	switch format {
	case FormatJSON:
	case FormatConsole:
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: !wantsColour(w)}
	default:
		return zerolog.Nop(), fmt.Errorf("log format %q: use %s or %s", format, FormatJSON, FormatConsole)
	}
	return zerolog.New(w).Level(parsed).With().Timestamp().Logger(), nil
}

// wantsColour reports whether w is a terminal of somebody who has not said no, see
// https://no-color.org.
func wantsColour(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) && os.Getenv("NO_COLOR") == ""
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
