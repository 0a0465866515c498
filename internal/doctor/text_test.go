package doctor_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"greenlight/internal/doctor"
)

func TestReport_TextFitsATerminal(t *testing.T) {
	r := doctor.NewReport(time.Now())
	r.Guarantee = doctor.Guarantee{Copies: 5, Sync: doctor.SyncAlways}.String()
	r.Add(
		doctor.Version("2.15.2", false, "n1"),
		doctor.Synced(doctor.SyncUnknown, 5, "only administrators of the server can read it"),
		doctor.PublishSpeed(doctor.Speed{P50: 70 * time.Millisecond, P99: 2 * time.Second}),
		doctor.Finding{Check: doctor.CheckTelnyx, Level: doctor.Fail, Message: "Telnyx said \x1b[31mno\x1b[0m\nand more."},
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
		t.Error("a foreign escape sequence got through")
	}
	if r.Worst != doctor.Fail || !strings.HasSuffix(b.String(), "\n4 checks: 2 fail, 1 unknown.\n") {
		t.Errorf("got worst %s and\n%s\nwant fail and the counts", r.Worst, b.String())
	}
}

func TestReport_ShowsEveryCheckOnceUnderATopic(t *testing.T) {
	source, err := os.ReadFile("finding.go")
	must(t, err)
	checks := []doctor.Check{"of_no_topic"}
	for _, declared := range regexp.MustCompile(`(?m)^\tCheck\w+ +Check = "(\w+)"$`).FindAllStringSubmatch(string(source), -1) {
		checks = append(checks, doctor.Check(declared[1]))
	}
	if len(checks) < 10 {
		t.Fatalf("got checks %v, want those declared in finding.go", checks)
	}
	for _, check := range checks {
		r := doctor.NewReport(time.Now())
		r.Add(doctor.Finding{Check: check, Level: doctor.Warn, Message: "Something is odd."})
		var b strings.Builder
		must(t, r.WriteText(&b))
		if strings.Count(b.String(), "Something is odd.") != 1 {
			t.Errorf("%s is not in the text once:\n%s", check, b.String())
		}
		if other := strings.Contains(b.String(), "\nOther\n"); other != (check == "of_no_topic") {
			t.Errorf("%s is printed under Other: %t", check, other)
		}
	}
}
