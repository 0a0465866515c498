package doctor

import (
	"time"
)

// Level is how bad a finding is.
type Level string

// The levels, from good to bad.
const (
	OK Level = "ok"
	// Unknown: it could not be found out from here.
	Unknown Level = "unknown"
	// Warn: it works, and a person should look at it.
	Warn Level = "warn"
	// Fail: it does not work, or a 200 promises more than is kept.
	Fail Level = "fail"
)

var severity = map[Level]int{OK: 0, Unknown: 1, Warn: 2, Fail: 3}

// Check names what was looked at. The names are part of what scripts may rely on.
type Check string

// The checks, in the order in which they are told.
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
	CheckAssigner    Check = "assigner"
	CheckPublicKey   Check = "public_key"
	CheckTelnyx      Check = "telnyx"
	CheckTelnyxClock Check = "telnyx_clock"
	CheckPlans       Check = "plans"
)

// Checks are all of them, in that order.
var Checks = []Check{
	CheckNATS, CheckVersion, CheckStream, CheckStorage, CheckReplicas, CheckSync, CheckWrites, CheckDisk, CheckRoom, CheckDeadLetters,
	CheckSpeed, CheckNATSClock, CheckRights, CheckAssigner, CheckPublicKey, CheckTelnyx, CheckTelnyxClock, CheckPlans,
}

// Finding is what was found about one thing.
type Finding struct {
	Check Check `json:"check"`
	Level Level `json:"level"`
	// Says is a sentence, or a few.
	Says string `json:"says"`
	// Fix is how to fix it, or how to find out. Empty if there is nothing to.
	Fix string `json:"fix,omitempty"`
	// Facts are the figures behind the sentence, by name: numbers, texts and
	// booleans. Names that end in _ms are milliseconds, in _bytes bytes.
	Facts map[string]any `json:"facts,omitempty"`
}

// Report is all that was found. Its JSON form is what greenlight doctor --json
// prints.
type Report struct {
	At time.Time `json:"at"`
	// Means says in a sentence what a 200 means here.
	Means string `json:"a_200_means"`
	// Worst is the worst level among the findings.
	Worst    Level     `json:"worst"`
	Findings []Finding `json:"findings"`
	// Learned is what was found out about how Telnyx understands requests, see [Learn].
	// It is for information.
	Learned []string `json:"telnyx_learned"`
}

// NewReport returns a report without findings.
func NewReport(at time.Time) *Report {
	return &Report{At: at.UTC(), Means: Guarantee{}.String(), Worst: OK, Findings: []Finding{}, Learned: []string{}}
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

// Count returns how many findings have the level.
func (r *Report) Count(level Level) int {
	n := 0
	for _, f := range r.Findings {
		if f.Level == level {
			n++
		}
	}
	return n
}
