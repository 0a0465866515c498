package doctor

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"greenlight/internal/status"
)

const (
	// width is the width of the text in columns. Only a longer word exceeds it.
	width = 80
	// margin is the column in which messages begin, after the level.
	margin = 10
)

// topic is a heading and the checks that are printed under it.
type topic struct {
	name   string
	checks []Check
}

var topics = []topic{
	{"Storage", []Check{CheckNATS, CheckVersion, CheckStream, CheckStorage, CheckReplicas, CheckSync, CheckWrites, CheckDisk, CheckUpgrade}},
	{"Free space, speed and permissions", []Check{CheckRoom, CheckDeadLetters, CheckSpeed, CheckNATSClock, CheckRights}},
	{"Assigner and plans", []Check{CheckAssigner, CheckPlans}},
	{"Telnyx", []Check{CheckPublicKey, CheckTelnyx, CheckTelnyxClock, CheckWebhookURL, CheckDeliveries}},
}

// byTopic returns the topics and, as the last one, the checks that belong to none.
func (r *Report) byTopic() []topic {
	other := topic{name: "Other"}
	for _, f := range r.Findings {
		known := slices.ContainsFunc(topics, func(t topic) bool { return slices.Contains(t.checks, f.Check) })
		if !known && !slices.Contains(other.checks, f.Check) {
			other.checks = append(other.checks, f.Check)
		}
	}
	return append(slices.Clip(topics), other)
}

// WriteText writes the report as text: what a 200 means, then each finding with its level
// and how to fix it.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	status.Wrap(&b, "", r.Guarantee, width)
	for _, topic := range r.byTopic() {
		heading := "\n" + topic.name + "\n"
		for _, check := range topic.checks {
			for _, f := range r.Findings {
				if f.Check == check {
					b.WriteString(heading)
					heading = ""
					f.write(&b)
				}
			}
		}
	}
	if len(r.Learned) > 0 {
		b.WriteString("\nHow Telnyx understands requests\n")
	}
	for _, sentence := range r.Learned {
		status.Hang(&b, "  ", "    ", sentence, width)
	}
	b.WriteString("\n")
	status.Wrap(&b, "", r.summary(), width)
	_, err := io.WriteString(w, b.String())
	return err
}

func (f Finding) write(b *strings.Builder) {
	indent := strings.Repeat(" ", margin)
	first := fmt.Sprintf("%-*s", margin, "  "+string(f.Level))
	for line := range strings.Lines(f.Message) {
		status.Hang(b, first, indent, line, width)
		first = indent
	}
	if f.Fix != "" {
		status.Hang(b, indent+"→ ", indent+"  ", f.Fix, width)
	}
}

// summary counts the findings by level.
func (r *Report) summary() string {
	var counts []string
	for _, level := range []Level{Fail, Warn, Unknown} {
		if n := r.count(level); n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, level))
		}
	}
	if len(counts) == 0 {
		return fmt.Sprintf("All %d checks are ok.", len(r.Findings))
	}
	return status.Count(len(r.Findings), "check") + ": " + strings.Join(counts, ", ") + "."
}
