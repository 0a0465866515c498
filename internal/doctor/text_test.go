package doctor_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"greenlight/internal/doctor"
)

func TestReport_TextFitsATerminal(t *testing.T) {
	r := doctor.NewReport(time.Now())
	r.Means = doctor.Guarantee{Copies: 5, Sync: doctor.SyncAlways}.String()
	r.Add(
		doctor.Version("2.15.2", false, "n1"),
		doctor.Synced(doctor.SyncUnknown, 5, "NATS tells it to its administrators alone"),
		doctor.PublishSpeed(doctor.Speed{P50: 70 * time.Millisecond, P99: 2 * time.Second}),
		doctor.Finding{Check: doctor.CheckTelnyx, Level: doctor.Fail, Says: "Telnyx said \x1b[31mno\x1b[0m\nand more."},
	)
	var b strings.Builder
	must(t, r.WriteText(&b))
	for line := range strings.Lines(b.String()) {
		line = strings.TrimSuffix(line, "\n")
		if utf8.RuneCountInString(line) > 80 || strings.TrimRight(line, " ") != line {
			t.Errorf("got line %q, want at most 80 columns and no blanks at the end", line)
		}
	}
	if strings.Contains(b.String(), "\x1b") {
		t.Error("an escape sequence of somebody else's got through")
	}
	if r.Worst != doctor.Fail || !strings.HasSuffix(b.String(), "\nOf 4 findings 2 fail and 1 is unknown.\n") {
		t.Errorf("got worst %s and\n%s\nwant fail and a sum", r.Worst, b.String())
	}
}

func TestReport_TellsEveryCheckOnceUnderATopic(t *testing.T) {
	for _, check := range append(slices.Clone(doctor.Checks), "of_no_topic") {
		r := doctor.NewReport(time.Now())
		r.Add(doctor.Finding{Check: check, Level: doctor.Warn, Says: "Something is odd."})
		var b strings.Builder
		must(t, r.WriteText(&b))
		if strings.Count(b.String(), "Something is odd.") != 1 {
			t.Errorf("%s is not in the text once:\n%s", check, b.String())
		}
		if other := strings.Contains(b.String(), "\nBesides\n"); other != (check == "of_no_topic") {
			t.Errorf("%s is told under the heading of what has no topic: %t", check, other)
		}
	}
}

// A check that is looked at and not in the list would be told to no test.
func TestChecks_AreAllThatAreLookedAt(t *testing.T) {
	source, err := os.ReadFile("finding.go")
	must(t, err)
	declared := regexp.MustCompile(`(?m)^\tCheck\w+ +Check = "(\w+)"$`).FindAllStringSubmatch(string(source), -1)
	var want []doctor.Check
	for _, d := range declared {
		want = append(want, doctor.Check(d[1]))
	}
	if !slices.Equal(doctor.Checks, want) {
		t.Errorf("got %v, want %v", doctor.Checks, want)
	}
}
