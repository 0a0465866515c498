package doctor

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"greenlight/internal/status"
)

const (
	// width is how many columns the text takes. Only a word that is longer makes
	// it wider.
	width = 80
	// margin is where sentences begin, after the level.
	margin = 10
)

// topic is a heading and the checks that are told under it.
type topic struct {
	name   string
	checks []Check
}

var topics = []topic{
	{"How events are kept", []Check{CheckNATS, CheckVersion, CheckStream, CheckStorage, CheckReplicas, CheckSync, CheckWrites, CheckDisk}},
	{"Room, speed and rights", []Check{CheckRoom, CheckDeadLetters, CheckSpeed, CheckNATSClock, CheckRights}},
	{"Who works on them", []Check{CheckAssigner, CheckPlans}},
	{"Telnyx", []Check{CheckPublicKey, CheckTelnyx, CheckTelnyxClock}},
}

// headings are the topics, and under a last one the checks that none of them has: what
// fails must be told, wherever it stands.
func (r *Report) headings() []topic {
	rest := topic{name: "Besides"}
	for _, f := range r.Findings {
		known := slices.ContainsFunc(topics, func(t topic) bool { return slices.Contains(t.checks, f.Check) })
		if !known && !slices.Contains(rest.checks, f.Check) {
			rest.checks = append(rest.checks, f.Check)
		}
	}
	return append(slices.Clip(topics), rest)
}

// WriteText writes the report for people: what a 200 means, then each finding with
// its level and how to mend it.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	status.Wrap(&b, "", r.Means, width)
	for _, topic := range r.headings() {
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
		b.WriteString("\nHow Telnyx understands requests, as far as was seen\n")
	}
	for _, sentence := range r.Learned {
		status.Hang(&b, "  ", "    ", sentence, width)
	}
	b.WriteString("\n")
	status.Wrap(&b, "", r.Summary(), width)
	_, err := io.WriteString(w, b.String())
	return err
}

func (f Finding) write(b *strings.Builder) {
	indent := strings.Repeat(" ", margin)
	first := fmt.Sprintf("%-*s", margin, "  "+string(f.Level))
	for line := range strings.Lines(f.Says) {
		status.Hang(b, first, indent, line, width)
		first = indent
	}
	if f.Fix != "" {
		status.Hang(b, indent+"→ ", indent+"  ", f.Fix, width)
	}
}

// Summary counts what there is to mend.
func (r *Report) Summary() string {
	var counts []string
	for _, c := range []struct {
		level     Level
		one, more string
	}{{Fail, "fails", "fail"}, {Warn, "warns", "warn"}, {Unknown, "is unknown", "are unknown"}} {
		switch n := r.Count(c.level); n {
		case 0:
		case 1:
			counts = append(counts, "1 "+c.one)
		default:
			counts = append(counts, fmt.Sprintf("%d %s", n, c.more))
		}
	}
	if len(counts) == 0 {
		return fmt.Sprintf("Nothing to mend: all %d findings are ok.", len(r.Findings))
	}
	return fmt.Sprintf("Of %s %s.", status.Count(len(r.Findings), "finding"), listed(counts, "and"))
}
