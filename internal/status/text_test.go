package status_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"greenlight/internal/ledger"
	"greenlight/internal/status"
)

func writeText(t *testing.T, s status.Snapshot) string {
	t.Helper()
	var out bytes.Buffer
	must(t, s.WriteText(&out))
	return out.String()
}

func TestWriteText_TellsEverythingAboutAMixedLedger(t *testing.T) {
	text := writeText(t, read(t, mixedLedger(t)))
	golden(t, "mixed.txt", []byte(text))
	readable(t, text)
	for _, words := range []string{
		"2 sendable", "1 conflict", "Approved by the carriers, but", "7 held", "2 unplanned", "(no plan)", "and 2 more; --json has them all", "2 dead letters",
		"The number is in use on another campaign", "422 10015 Bad Request",
	} {
		if !strings.Contains(text, words) {
			t.Errorf("the text does not say %q", words)
		}
	}
}

func TestWriteText_FitsWhateverItIsTold(t *testing.T) {
	long := strings.Repeat("x", 64)
	s := status.Snapshot{At: noon, DeadLetters: 1}
	for _, phase := range []ledger.Phase{ledger.Waiting, ledger.Ready, ledger.OnHold, ledger.Blocked, ledger.Ended, ledger.Missing, ledger.Unread} {
		c := status.Campaign{
			Campaign: ledger.Campaign{ID: long, Planned: true, Plan: long, Phase: phase, Detail: strings.Repeat("é", 500), Extras: 12345},
			Sentence: phase.Sentence(), Counts: map[ledger.State]int{ledger.Attaching: 12345},
		}
		for _, reason := range ledger.Reasons() {
			for _, state := range ledger.States() {
				c.Numbers = append(c.Numbers, status.Number{Number: ledger.Number{
					Number: "+15551234567", State: state, Reason: reason, Detail: "\x1b[2J\r\a\u202e" + strings.Repeat(long+" 電話 ", 5),
					Since: noon.Add(-36500 * 24 * time.Hour), NextAt: noon.Add(999 * time.Hour),
				}})
			}
		}
		s.Campaigns = append(s.Campaigns, c)
	}
	readable(t, writeText(t, s))
}

// readable fails for lines that are too long for 80 columns, or that would do
// something to a terminal.
func readable(t *testing.T, text string) {
	t.Helper()
	if !strings.HasSuffix(text, "\n") || strings.HasSuffix(text, "\n\n") {
		t.Errorf("the text ends with %q, want one line end", text[max(0, len(text)-10):])
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if utf8.RuneCountInString(line) > 80 {
			t.Errorf("over 80 columns: %q", line)
		}
		if strings.TrimRight(line, " ") != line {
			t.Errorf("blanks at the end: %q", line)
		}
		if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("a terminal would take orders from %q", line)
		}
	}
}

func TestWriteText_SaysThatNothingIsPlanned(t *testing.T) {
	for name, test := range map[string]struct {
		deadLetters uint64
		want        string
	}{
		"nothing at all":     {0, nothingPlanned},
		"only a dead letter": {1, nothingPlanned + "\n1 dead letter: a person should look at what could not be handled, with\ngreenlight deadletters list.\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got := writeText(t, status.Snapshot{At: noon, DeadLetters: test.deadLetters})
			if got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
			readable(t, got)
		})
	}
}

const nothingPlanned = "Nothing is planned yet, or no assigner has run. Put a plan file into\nconfig/plans and start greenlight up.\n"

func TestWriteText_SaysWhenInAWord(t *testing.T) {
	for name, test := range map[string]struct {
		since, next time.Time
		want        string
	}{
		"seconds":                          {noon.Add(-59 * time.Second), noon.Add(59 * time.Second), "59s    in 59s"},
		"minutes":                          {noon.Add(-time.Minute), noon.Add(59*time.Minute + 59*time.Second), "1m     in 59m"},
		"hours":                            {noon.Add(-47 * time.Hour), noon.Add(time.Hour), "47h    in 1h"},
		"days":                             {noon.Add(-49 * time.Hour), noon.Add(30 * 24 * time.Hour), "2d     in 30d"},
		"now":                              {noon, noon, "0s     now"},
		"overdue":                          {noon, noon.Add(-time.Hour), "0s     now"},
		"next unknown":                     {noon, time.Time{}, "0s     resync"},
		"since unknown":                    {time.Time{}, noon, "  now"},
		"written by a clock that is ahead": {noon.Add(time.Minute), noon, "0s     now"},
	} {
		t.Run(name, func(t *testing.T) {
			n := status.Number{Number: ledger.Number{Number: "+15551234567", State: ledger.Pending, Since: test.since, NextAt: test.next}}
			text := writeText(t, status.Snapshot{At: noon, Campaigns: []status.Campaign{{
				Campaign: ledger.Campaign{ID: springID, Planned: true, Plan: "p", Phase: ledger.Ready}, Numbers: []status.Number{n},
			}}})
			for line := range strings.Lines(text) {
				if strings.Contains(line, "+15551234567") && strings.HasSuffix(line, test.want+"\n") {
					return
				}
			}
			t.Errorf("no line of the number ends with %q:\n%s", test.want, text)
		})
	}
}

func TestWriteText_ReturnsTheWritersError(t *testing.T) {
	r, w := io.Pipe()
	broken := errors.New("broken")
	r.CloseWithError(broken)
	for name, s := range map[string]status.Snapshot{"empty": {}, "with a campaign": {Campaigns: []status.Campaign{{}}}} {
		if err := s.WriteText(w); !errors.Is(err, broken) {
			t.Errorf("%s: got %v, want the pipe's error", name, err)
		}
	}
}
