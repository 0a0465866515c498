package doctor

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Level is the severity of a finding.
type Level string

// The levels, from good to bad.
const (
	OK Level = "ok"
	// Unknown means that it could not be checked from here.
	Unknown Level = "unknown"
	// Warn means that it works, but a person should act.
	Warn Level = "warn"
	// Fail means that it does not work, or that a 200 promises more than is true.
	Fail Level = "fail"
)

var severity = map[Level]int{OK: 0, Unknown: 1, Warn: 2, Fail: 3}

// Check is the name of a check. Scripts may rely on the names.
type Check string

// The checks. [Report.WriteText] prints them by topic.
const (
	CheckNATS        Check = "nats"
	CheckVersion     Check = "nats_version"
	CheckStream      Check = "events_stream"
	CheckStorage     Check = "events_storage"
	CheckReplicas    Check = "events_replicas"
	CheckSync        Check = "sync_always"
	CheckWrites      Check = "events_writes"
	CheckDisk        Check = "disk"
	CheckRoom        Check = "events_room"
	CheckDeadLetters Check = "dead_letters_room"
	CheckSpeed       Check = "publish_speed"
	CheckNATSClock   Check = "nats_clock"
	CheckRights      Check = "permissions"
	CheckUpgrade     Check = "upgrade"
	CheckAssigner    Check = "assigner"
	CheckPlans       Check = "plans"
	CheckPublicKey   Check = "public_key"
	CheckTelnyx      Check = "telnyx"
	CheckTelnyxClock Check = "telnyx_clock"
	CheckWebhookURL  Check = "webhook_url"
	CheckDeliveries  Check = "deliveries"
)

// Finding is the result of one check.
type Finding struct {
	Check Check `json:"check"`
	Level Level `json:"level"`
	// Message is one sentence or several.
	Message string `json:"message"`
	// Fix says how to fix it, or how to find out. It is empty if there is nothing to do.
	Fix string `json:"fix,omitempty"`
	// Facts are the values behind the message, by name: numbers, strings and booleans.
	// Names that end in _ms are milliseconds, in _bytes bytes.
	Facts map[string]any `json:"facts,omitempty"`
}

// is returns the finding with a level, a message and how to fix it.
func (f Finding) is(level Level, message, fix string) Finding {
	f.Level, f.Message, f.Fix = level, message, fix
	return f
}

// unknown returns the finding for a check that failed with an error. What is a clause,
// for example "the speed of the disk is unknown".
func unknown(check Check, what string, err error, fix string) Finding {
	return Finding{Check: check}.is(Unknown, what+": "+sentenceEnd(cause(err)), fix)
}

// cause describes an error of NATS in plain words where Go's text says less.
func cause(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return "the NATS server did not answer in time"
	case errors.Is(err, nats.ErrConnectionClosed):
		return "the connection to NATS was closed"
	default:
		return err.Error()
	}
}

// sentenceEnd makes a text end with one full stop.
func sentenceEnd(text string) string { return strings.TrimRight(text, ". ") + "." }

// Report is the result of all checks, in the form that greenlight doctor --json prints.
type Report struct {
	At time.Time `json:"at"`
	// Guarantee says what a 200 means.
	Guarantee string `json:"guarantee"`
	// Worst is the worst level of all findings.
	Worst    Level     `json:"worst"`
	Findings []Finding `json:"findings"`
	// Learned says how Telnyx understands requests, for information. See [Learn].
	Learned []string `json:"telnyx_learned"`
}

// NewReport returns a report without findings.
func NewReport(at time.Time) *Report {
	return &Report{At: at.UTC(), Guarantee: Guarantee{}.String(), Worst: OK, Findings: []Finding{}, Learned: []string{}}
}

// Add adds findings.
func (r *Report) Add(findings ...Finding) {
	for _, f := range findings {
		r.Findings = append(r.Findings, f)
		if severity[f.Level] > severity[r.Worst] {
			r.Worst = f.Level
		}
	}
}

// count returns the number of findings with a level.
func (r *Report) count(level Level) int {
	n := 0
	for _, f := range r.Findings {
		if f.Level == level {
			n++
		}
	}
	return n
}
