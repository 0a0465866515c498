package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"greenlight/internal/assigner"
	"greenlight/internal/plan"
)

// Assigner is what to attach and how often to look.
type Assigner struct {
	Plans           string `name:"plans" env:"PLANS" default:"config/plans" placeholder:"PATH" help:"Plan file, or folder of plan files (${default})."`
	Resync          string `name:"resync" env:"RESYNC" default:"15m" placeholder:"TIME" help:"Time between two looks at every planned campaign, whatever events say (${default})."`
	PruneLimit      string `name:"prune-limit" env:"PRUNE_LIMIT" default:"0" placeholder:"N" help:"How many numbers an entry with prune: true may have removed without a person, if more than a third of its numbers (${default})."`
	PendingDeadline string `name:"pending-deadline" env:"PENDING_DEADLINE" default:"72h" placeholder:"TIME" help:"How long Telnyx may take to attach a number before a person is told that it is stuck (${default})."`
}

// Config loads the plans and returns the assigner's configuration but for what
// is not a setting, and what watches the plan files; nil when they are at fault.
func (s Assigner) Config(faults *Faults, calls Telnyx) (assigner.Config, *Plans) {
	plans, err := WatchPlans(s.Plans)
	if _, missing := os.Stat(s.Plans); errors.Is(missing, fs.ErrNotExist) {
		faults.add("PLANS", "names "+plan.Printable(s.Plans)+", and nothing is there",
			"Make the folder and copy config/plan.example.yaml into it, or name your own plan file or folder.")
	} else if err != nil {
		*faults = append(*faults, fmt.Errorf("PLANS (--plans) %s cannot be used:\n%w", plan.Printable(s.Plans), err))
	}
	return assigner.Config{
		Telnyx:          calls.client(faults),
		Plans:           plans.Set,
		Resync:          span(faults, "RESYNC", s.Resync, time.Second, 24*time.Hour, "a second and a day", "15m or 1h30m"),
		PendingDeadline: span(faults, "PENDING_DEADLINE", s.PendingDeadline, time.Minute, 30*24*time.Hour, "a minute and 30 days (720h)", "72h"),
		PruneLimit:      count(faults, "PRUNE_LIMIT", s.PruneLimit, 0, 1_000_000),
		Concurrency:     count(faults, "TELNYX_CONCURRENCY", calls.Concurrency, 1, 100),
	}, plans
}
