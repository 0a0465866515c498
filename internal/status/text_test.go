package status_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"greenlight/internal/ledger"
	"greenlight/internal/status"
	"greenlight/internal/testkit"
)

func writeText(t *testing.T, s status.Snapshot) string {
	t.Helper()
	var out bytes.Buffer
	must(t, s.WriteText(&out, status.TextOptions{}))
	return out.String()
}

func TestWriteText_ShowsEverythingAboutAMixedLedger(t *testing.T) {
	t.Parallel()
	text := writeText(t, read(t, mixedLedger(t)))
	testkit.Golden(t, "testdata/mixed.txt", text, *update, "-update")
	testkit.Readable(t, text)
	if !strings.HasPrefix(text, "No assigner is running,") {
		t.Errorf("what stops everything is not first:\n%s", text)
	}
	for _, words := range []string{
		"2 sendable", "1 conflict", "Approved by the carriers, but", "7 planned", "7 need a person", "2 not in plan", "spring-promo: 2 numbers, +12125550188, +12125550189", "(no plan)", "2 dead letters",
		"failed (rejected), needs a person: +15551234570", "The number is on another campaign", "422 10015 Bad\n", "3/7", "The campaign was rejected.",
	} {
		if !strings.Contains(text, words) {
			t.Errorf("the text does not say %q", words)
		}
	}
}

// busySnapshot has campaigns in every stage, with long names and large counts.
func busySnapshot() status.Snapshot {
	s := status.Snapshot{At: noon, Totals: map[ledger.State]int{}, Held: ledger.Hold{All: &ledger.HeldBy{By: "ann@ops", At: noon.Add(-time.Hour), Reason: "carrier incident"}}}
	add := func(c ledger.Campaign, pace status.Pace, numbers ...ledger.Number) {
		with := status.Campaign{Campaign: c, Sentence: status.Sentence(c), Pace: pace, Counts: map[ledger.State]int{}}
		with.Planned, with.ID = true, springID
		for i, n := range numbers {
			n.Number = fmt.Sprintf("+1212555%04d", i)
			advice := ledger.Advise(n, with.Campaign)
			with.Counts[n.State]++
			s.Totals[n.State]++
			with.Numbers = append(with.Numbers, status.Number{Number: n, Why: advice.Why, Next: advice.Next, Action: advice.Action})
		}
		s.Campaigns = append(s.Campaigns, with)
	}
	times := func(n int, number ledger.Number) []ledger.Number {
		return slices.Repeat([]ledger.Number{number}, n)
	}
	sendable, queued := ledger.Number{State: ledger.Sendable}, ledger.Number{State: ledger.Planned, Reason: ledger.Queued}
	conflict := ledger.Number{State: ledger.Conflict, Reason: ledger.OtherCampaign, NeedsPerson: true}
	add(ledger.Campaign{Plan: "alerts-east", Phase: ledger.PhaseApproved}, status.Pace{}, times(12, sendable)...)
	add(ledger.Campaign{Plan: "appointment-reminders-for-the-eastern-region-2026", Phase: ledger.PhaseApproved},
		status.Pace{Queued: 20, RequestsPerMinute: 30, EstimatedSeconds: 115},
		slices.Concat(times(277, ledger.Number{State: ledger.Attached}), times(20, queued), times(13, ledger.Number{State: ledger.Pending}))...)
	add(ledger.Campaign{Plan: "appointment-reminders-for-the-western-region-2026", Phase: ledger.PhaseInReview}, status.Pace{},
		times(40, ledger.Number{State: ledger.Planned, Reason: ledger.CampaignInReview})...)
	add(ledger.Campaign{Plan: "alerts-west", Phase: ledger.PhaseApproved}, status.Pace{}, times(30, sendable)...)
	add(ledger.Campaign{Plan: "loyalty", Phase: ledger.PhaseApproved, Extras: 1}, status.Pace{}, append(times(98, sendable), conflict, conflict)...)
	return s
}

// Problems come first, campaigns that are done take one line together, and no count is cut.
func TestWriteText_UsesTheWidthOfTheTerminal(t *testing.T) {
	t.Parallel()
	for _, width := range []int{80, 100, 140} {
		var out bytes.Buffer
		must(t, busySnapshot().WriteText(&out, status.TextOptions{Width: width}))
		said := out.String()
		testkit.Golden(t, fmt.Sprintf("testdata/busy-%d.txt", width), said, *update, "-update")
		for line := range strings.Lines(said) {
			if columns := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); columns > width {
				t.Errorf("%d columns, want at most %d: %q", columns, width, line)
			}
		}
		loyalty, eastern := strings.Index(said, "\nloyalty"), strings.Index(said, "277/310")
		if !strings.HasPrefix(said, "On hold: everything") || loyalty < 0 || eastern < loyalty {
			t.Errorf("%d: want the hold, then the campaign that needs a person:\n%s", width, said)
		}
		for _, words := range []string{"277/310", "20 queued", "about 2 min", "2 campaigns done: alerts-east, alerts-west.", "2 need a person"} {
			if !strings.Contains(said, words) {
				t.Errorf("%d: no %q in\n%s", width, words, said)
			}
		}
	}
}

// On a screen, the hold and what needs a person are always there, and the rest is counted.
func TestWriteText_FitsTheScreen(t *testing.T) {
	t.Parallel()
	s := busySnapshot()
	for i := range 10 {
		waiting := s.Campaigns[2]
		waiting.Plan = fmt.Sprintf("survey-%02d", i)
		s.Campaigns = append(s.Campaigns, waiting)
	}
	needed := slices.Repeat([]status.Number{{Number: ledger.Number{State: ledger.Sendable, NeedsPerson: true}}}, 10)
	one := status.Snapshot{At: noon, NextResync: noon.Add(12 * time.Minute), Campaigns: []status.Campaign{{
		Campaign: ledger.Campaign{ID: springID, Planned: true, Plan: "support", Phase: ledger.PhaseRejected},
		Counts:   map[ledger.State]int{ledger.Sendable: 10}, Numbers: needed,
	}}}
	if said := writeText(t, one); !strings.Contains(said, "10 need a person,") || !strings.Contains(said, "10 sendable") {
		t.Errorf("a count is split:\n%s", said)
	}
	for rows, want := range map[int]string{14: "… 12 more campaigns, 4 more explanations: greenlight status\n", 22: "", 60: ""} {
		var out bytes.Buffer
		must(t, s.WriteText(&out, status.TextOptions{Rows: rows, Command: "greenlight status"}))
		said := out.String()
		testkit.Golden(t, fmt.Sprintf("testdata/screen-%d.txt", rows), said, *update, "-update")
		for _, words := range []string{"On hold: everything", "417 of 492 numbers attached", "\nloyalty", "2 need a person", want} {
			if !strings.Contains(said, words) {
				t.Errorf("%d rows: no %q in\n%s", rows, words, said)
			}
		}
		if got := strings.Count(said, "\n"); got > rows || rows == 60 && strings.Contains(said, " more campaign") {
			t.Errorf("%d lines in %d rows:\n%s", got, rows, said)
		}
	}
}

// A named campaign with hundreds of numbers fits the screen too: what needs a person comes
// first, what is left out is counted, and the last line has the command that shows it.
func TestWriteText_FitsOneCampaignOnTheScreen(t *testing.T) {
	t.Parallel()
	loyalty, found := busySnapshot().About("loyalty") // its last two numbers need a person
	if !found {
		t.Fatal("no plan loyalty")
	}
	loyalty.Held = ledger.Hold{}
	for rows, want := range map[int]string{24: "… 95 more numbers, 1 more explanation: greenlight status loyalty\n", 12: "… 99 more numbers, 2 more explanations: ", 200: ""} {
		var out bytes.Buffer
		must(t, loyalty.WriteText(&out, status.TextOptions{Rows: rows, Command: "greenlight status loyalty"}))
		said := out.String()
		if got := strings.Count(said, "\n"); got > rows || !strings.Contains(said, want) || (rows == 200) == strings.Contains(said, "… ") {
			t.Errorf("%d rows: got %d lines, want %q in\n%s", rows, got, want, said)
		}
		needed, done := strings.Index(said, "\n+12125550098"), strings.Index(said, "\n+12125550000")
		if rows == 24 {
			testkit.Golden(t, "testdata/screen-campaign.txt", said, *update, "-update")
			if needed < 0 || done >= 0 && done < needed || !strings.Contains(said, "conflict (other_campaign), needs a person") {
				t.Errorf("what needs a person is not first:\n%s", said)
			}
		}
	}
	busy := busySnapshot()
	for i := range busy.Campaigns {
		busy.Campaigns[i].PlanPlace = "june.yaml:3"
	}
	file, _ := busy.About("june.yaml")
	var out bytes.Buffer
	must(t, file.WriteText(&out, status.TextOptions{Rows: 24, Command: "greenlight status june.yaml"}))
	if said := out.String(); strings.Count(said, "\n") > 24 || !strings.Contains(said, ": greenlight status june.yaml\n") {
		t.Errorf("a plan file of many campaigns:\n%s", said)
	}
}

func TestWriteText_CanBeASCII(t *testing.T) {
	t.Parallel()
	s := busySnapshot()
	s.Campaigns[2].Plan = "café 電話"
	var out bytes.Buffer
	must(t, s.WriteText(&out, status.TextOptions{Width: 140}))
	said := status.ASCII(out.String())
	if strings.ContainsFunc(said, func(r rune) bool { return r >= utf8.RuneSelf }) || !strings.Contains(said, "caf? ????") || !strings.Contains(said, "###") {
		t.Errorf("got\n%s", said)
	}
	for set, want := range map[string]bool{"": false, "LC_ALL=C": true, "LC_ALL=C.UTF-8": false, "LANG=C": true, "LANG=en_US.UTF-8": false, "NO_UNICODE=1": true, "LC_CTYPE=POSIX": true} {
		key, value, _ := strings.Cut(set, "=")
		if got := status.WantsASCII(func(name string) string {
			if name == key {
				return value
			}
			return ""
		}); got != want {
			t.Errorf("%q: got %t, want %t", set, got, want)
		}
	}
}

func TestWriteText_FitsWhateverTheLedgerHas(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 64)
	s := status.Snapshot{At: noon, DeadLetters: 1}
	for _, phase := range ledger.Phases() {
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
	testkit.Readable(t, writeText(t, s))
}

// With thousands of campaigns, those that are done are counted, and each cause is written
// once for all campaigns that have it.
func TestWriteText_StaysShortHoweverManyCampaignsThereAre(t *testing.T) {
	t.Parallel()
	const campaigns, each = 2000, 50
	s := status.Snapshot{At: noon, Totals: map[ledger.State]int{}}
	for i := range campaigns {
		c := status.Campaign{
			Campaign: ledger.Campaign{ID: fmt.Sprint("C", i), Planned: true, Plan: fmt.Sprintf("plan-%04d", i), Phase: ledger.PhaseApproved}, Counts: map[ledger.State]int{},
		}
		if i%500 == 499 {
			c.Phase, c.Sentence = ledger.PhaseRejected, ledger.PhaseRejected.Sentence()
		}
		for j := range each {
			n := status.Number{Number: ledger.Number{Number: fmt.Sprintf("+1212%07d", i*each+j), State: ledger.Sendable}}
			if i%2 == 0 && j == 0 {
				n.State, n.Reason, n.NeedsPerson, n.Why, n.Detail = ledger.Failed, ledger.NotOwned, true, ledger.NotOwned.Advice().Why, fmt.Sprint("said of ", i, "-", j)
			}
			c.Numbers = append(c.Numbers, n)
			c.Counts[n.State]++
			s.Totals[n.State]++
		}
		s.Campaigns = append(s.Campaigns, c)
	}
	said := writeText(t, s)
	testkit.Readable(t, said)
	if lines := strings.Count(said, "\n"); lines > 250 {
		t.Errorf("%d lines", lines)
	}
	for _, words := range []string{
		"99000 of 100000 numbers attached; 1000 need a person.\n", "996 campaigns done: plan-0001, plan-0003, plan-0005 and 993 more.\n", "954 more campaigns not done.", "4 campaigns: plan-0499, plan-0999, plan-1499 and 1 more\n",
		"The campaign was rejected.", "failed (not_owned), needs a person: 1000 numbers, +12120000000, +12120000100,\n  +12120000200 and 997 more", "997 more have details",
	} {
		if !strings.Contains(said, words) {
			t.Errorf("the text does not say %q:\n%s", words, said)
		}
	}
	if strings.Contains(said, "\nplan-0001") || strings.Count(said, ledger.NotOwned.Advice().Why) != 1 {
		t.Errorf("it shows a campaign that is done, or a cause twice:\n%s", said)
	}
	// The same, all done.
	for i := range s.Campaigns {
		s.Campaigns[i].Phase, s.Campaigns[i].Numbers, s.Campaigns[i].Counts = ledger.PhaseApproved, s.Campaigns[i].Numbers[1:], map[ledger.State]int{ledger.Sendable: each - 1}
	}
	s.Totals = map[ledger.State]int{ledger.Sendable: campaigns * (each - 1)}
	const want = "98000 of 98000 numbers attached.\n\n2000 campaigns done: plan-0000, plan-0001, plan-0002 and 1997 more.\n"
	if got := writeText(t, s); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWriteText_SaysThatNothingIsPlanned(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		deadLetters uint64
		want        string
	}{
		"nothing at all":     {0, nothingPlanned},
		"only a dead letter": {1, "1 dead letter. To review, run greenlight deadletters list.\n\n" + nothingPlanned},
	} {
		t.Run(name, func(t *testing.T) {
			got := writeText(t, status.Snapshot{At: noon, DeadLetters: test.deadLetters})
			if got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
			testkit.Readable(t, got)
		})
	}
}

const nothingPlanned = "Nothing is planned yet, or no assigner has run. Put a plan file into\nconfig/plans and start greenlight up.\n"

func TestWriteText_ShortensTimes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		since, next time.Time
		want        string
	}{
		"seconds":                          {noon.Add(-59 * time.Second), noon.Add(59 * time.Second), "59 s    in 59 s, at 12:00"},
		"minutes":                          {noon.Add(-time.Minute), noon.Add(59*time.Minute + 59*time.Second), "1 min   in 59 min, at 12:59"},
		"hours":                            {noon.Add(-47 * time.Hour), noon.Add(time.Hour), "47 h    in 1 h, at 13:00"},
		"days":                             {noon.Add(-49 * time.Hour), noon.Add(30 * 24 * time.Hour), "2 days  in 30 days, at 12:00 on 1 Apr"},
		"another year":                     {noon, noon.Add(400 * 24 * time.Hour), "0 s     in 400 days, at 12:00 on 6 Apr 2027"},
		"now":                              {noon, noon, "0 s     now"},
		"overdue":                          {noon, noon.Add(-time.Hour), "0 s     now"},
		"next unknown":                     {noon, time.Time{}, "0 s     at the resync"},
		"since unknown":                    {time.Time{}, noon, "  now"},
		"written by a clock that is ahead": {noon.Add(time.Minute), noon, "0 s     now"},
	} {
		t.Run(name, func(t *testing.T) {
			n := status.Number{Number: ledger.Number{Number: "+15551234567", State: ledger.Pending, Since: test.since, NextAt: test.next}}
			all := status.Snapshot{At: noon, Campaigns: []status.Campaign{{
				Campaign: ledger.Campaign{ID: springID, Planned: true, Plan: "p", Phase: ledger.PhaseApproved}, Numbers: []status.Number{n},
			}}}
			part, found := all.About("p")
			if !found {
				t.Fatal("the plan was not found")
			}
			text := writeText(t, part)
			for line := range strings.Lines(text) {
				line = strings.Join(strings.Fields(line), " ")
				if strings.HasPrefix(line, "+15551234567") && strings.HasSuffix(line, strings.Join(strings.Fields(test.want), " ")) {
					return
				}
			}
			t.Errorf("no line of the number ends with %q:\n%s", test.want, text)
		})
	}
}

func TestWriteText_UsesTheTimeZone(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	must(t, read(t, mixedLedger(t)).WriteText(&out, status.TextOptions{Zone: time.FixedZone("CET", 3600)}))
	if !strings.Contains(out.String(), "in 10 s, at 13:00") {
		t.Errorf("no time of that zone:\n%s", out.String())
	}
}

// The text is the same with and without colors.
func TestWriteText_ColorsOnlyOnRequest(t *testing.T) {
	t.Parallel()
	s := read(t, mixedLedger(t))
	for _, focus := range []string{"", "spring-promo", "+15551234570"} {
		part := s
		if focus != "" {
			part, _ = s.About(focus)
		}
		var painted bytes.Buffer
		must(t, part.WriteText(&painted, status.TextOptions{Color: true}))
		if !strings.Contains(painted.String(), "\x1b[31m") {
			t.Errorf("%q: nothing is red", focus)
		}
		bare := regexp.MustCompile(`\x1b\[\d*m`).ReplaceAllString(painted.String(), "")
		if diff := cmp.Diff(writeText(t, part), bare); diff != "" {
			t.Errorf("%q, without colours: (-want +got):\n%s", focus, diff)
		}
	}
}

func TestAbout_FindsByEveryName(t *testing.T) {
	t.Parallel()
	s := read(t, mixedLedger(t))
	for what, want := range map[string]string{
		"spring-promo": springID, springID: springID, "C6X6M94": springID, autumnID: autumnID, "winter": winterID, strayID: strayID,
		"config/plans/spring.yaml": springID, "spring.yaml": springID, "/srv/greenlight/config/plans/spring.yaml": springID,
		"+15551234571": springID, "+12125550150": winterID, "212-555-0150": winterID, "+1 (212) 555-0150": winterID, "1-212-555-0150": winterID,
		"(212)\u00a0555\u20110150": winterID, "2125550150": winterID,
	} {
		part, found := s.About(what)
		if !found || len(part.Campaigns) != 1 || part.Campaigns[0].ID != want {
			t.Errorf("%s: found %t, %+v; want campaign %s alone", what, found, part.Campaigns, want)
		}
	}
	for _, what := range []string{"", "pring.yaml", "other/spring.yaml/", "+15551230000", "no-such", ".", "/"} {
		if part, found := s.About(what); found {
			t.Errorf("%q: found %+v", what, part.Campaigns)
		}
	}
	part, _ := s.About("+15551234571")
	if diff := cmp.Diff(map[ledger.State]int{ledger.Conflict: 1}, part.Totals); diff != "" {
		t.Errorf("totals of one number (-want +got):\n%s", diff)
	}
}

func TestWriteText_ShowsDetailsOfOneCampaignOrNumber(t *testing.T) {
	t.Parallel()
	s := read(t, mixedLedger(t))
	for what, name := range map[string]string{"spring-promo": "campaign.txt", "+15551234570": "number.txt"} {
		part, _ := s.About(what)
		text := writeText(t, part)
		testkit.Golden(t, filepath.Join("testdata", name), text, *update, "-update")
		testkit.Readable(t, text)
	}
}

func TestWriteText_ShowsTheWholeRecordOfANumber(t *testing.T) {
	t.Parallel()
	n := ledger.Number{
		Number: "+15551234567", CampaignID: autumnID, Plan: "autumn", PlanPlace: "plan.yaml:7", PlanHash: "a1b2", State: ledger.Failed, Reason: ledger.Stuck,
		Status: "ASSIGNED", TMobile: "ADDED", Since: noon.Add(-time.Hour), Cause: "resync (message 3)", Tries: ledger.Tries{Refused: 2, Unanswered: 1}, NeedsPerson: true,
		Request: ledger.Request{Sent: "POST /10dlc/phone_number_campaigns", At: noon.Add(-2 * time.Hour)},
	}
	s := status.Snapshot{At: noon, Held: ledger.Hold{All: &ledger.HeldBy{By: "ann@ops", At: noon.Add(-time.Hour), Reason: "carrier incident"}}, NextResync: noon.Add(5 * time.Minute), Campaigns: []status.Campaign{{
		Campaign: ledger.Campaign{ID: autumnID, Planned: true, Plan: "autumn", Phase: ledger.PhaseApproved},
		Numbers:  []status.Number{{Number: n, Why: "Why.", Next: "It is checked again at every resync."}},
	}}}
	part, _ := s.About(n.Number)
	said := strings.Join(strings.Fields(writeText(t, part)), " ")
	for _, words := range []string{
		"+15551234567 failed (stuck), needs a person Why.", "at every resync. Next try: in 5 min, at 12:05.", "Plan autumn, plan.yaml:7, plan set a1b2", "Campaign C6X6M95, approved",
		"State since 11:00, for 1 h", "Telnyx says ASSIGNED", "Carriers T-Mobile ADDED, others not known", "Tries 2 refused, 1 unanswered", "Last trigger resync (message 3)",
		"Request POST /10dlc/phone_number_campaigns at 10:00; no answer known", "On hold: everything, since 11:00 by ann@ops: carrier incident. No new write",
	} {
		if !strings.Contains(said, words) {
			t.Errorf("no %q in\n%s", words, said)
		}
	}
}

// A campaign is checked when its first number is due, but not before its own time. What
// applies to the campaign is not repeated for each number.
func TestWriteText_ShowsTheNextCheckOfACampaign(t *testing.T) {
	t.Parallel()
	number := func(i int, next time.Duration) status.Number {
		n := ledger.Number{Number: fmt.Sprintf("+1555123456%d", i), State: ledger.Planned, Reason: ledger.RateLimited, Detail: "429"}
		if next != 0 {
			n.NextAt = noon.Add(next)
		}
		return status.Number{Number: n, Next: "It is tried again."}
	}
	for name, test := range map[string]struct {
		own  time.Duration
		want string
	}{
		"none":            {0, "in 2 min, at 12:02"},
		"an earlier time": {time.Minute, "in 2 min, at 12:02"},
		"a later time":    {7 * time.Minute, "in 7 min, at 12:07"},
	} {
		c := ledger.Campaign{ID: springID, TCRID: "C6X6M94", Planned: true, Plan: "spring", Phase: ledger.PhaseApproved, Detail: "429"}
		if test.own != 0 {
			c.NextAt = noon.Add(test.own)
		}
		said := writeText(t, status.Snapshot{At: noon, Campaigns: []status.Campaign{{
			Campaign: c, Numbers: []status.Number{number(1, 0), number(2, 5*time.Minute), number(3, 2*time.Minute)},
		}}})
		if row, _, _ := strings.Cut(said[strings.Index(said, "\nspring"):], "\n\n"); !strings.Contains(row, test.want) {
			t.Errorf("%s: got\n%s\nwant %q", name, row, test.want)
		}
		if !strings.Contains(said, "3 numbers, +15551234561") || !strings.Contains(said, "Next try: in 2 min, at 12:02.") || strings.Count(said, "429") != 1 {
			t.Errorf("%s: got\n%s", name, said)
		}
	}
}

func TestProgress_SaysWhetherToWait(t *testing.T) {
	t.Parallel()
	approved := ledger.Campaign{Planned: true, Phase: ledger.PhaseApproved}
	with := func(c ledger.Campaign, numbers ...ledger.Number) status.Campaign {
		campaign := status.Campaign{Campaign: c, Counts: map[ledger.State]int{}}
		for _, n := range numbers {
			campaign.Counts[n.State]++
			campaign.Numbers = append(campaign.Numbers, status.Number{Number: n})
		}
		return campaign
	}
	attached, sendable, pending := ledger.Number{State: ledger.Attached}, ledger.Number{State: ledger.Sendable}, ledger.Number{State: ledger.Pending}
	for name, test := range map[string]struct {
		campaigns []status.Campaign
		held      bool
		want      status.Progress
	}{
		"nothing is planned":                 {nil, false, status.NotYet},
		"only an unplanned campaign":         {[]status.Campaign{{Campaign: ledger.Campaign{Phase: ledger.PhaseApproved}}}, false, status.NotYet},
		"on one whose record is to come":     {[]status.Campaign{with(ledger.Campaign{Phase: ledger.PhaseApproved}, attached)}, false, status.AllAttached},
		"all on it":                          {[]status.Campaign{with(approved, attached, sendable)}, false, status.AllAttached},
		"all on it, held":                    {[]status.Campaign{with(approved, attached)}, true, status.AllAttached},
		"one is pending":                     {[]status.Campaign{with(approved, attached, pending)}, false, status.NotYet},
		"one is pending, held":               {[]status.Campaign{with(approved, attached, pending)}, true, status.NeedsPerson},
		"one is in conflict":                 {[]status.Campaign{with(approved, pending, ledger.Number{State: ledger.Conflict, Reason: ledger.OtherCampaign, NeedsPerson: true})}, false, status.NeedsPerson},
		"one is stuck":                       {[]status.Campaign{with(approved, ledger.Number{State: ledger.Pending, Reason: ledger.Stuck, NeedsPerson: true})}, false, status.NeedsPerson},
		"a carrier failed and it is retried": {[]status.Campaign{with(approved, ledger.Number{State: ledger.Planned, Reason: ledger.CarrierFailed})}, false, status.NotYet},
		"a carrier has not taken it":         {[]status.Campaign{with(approved, ledger.Number{State: ledger.Attached, Reason: ledger.CarrierFailed, NeedsPerson: true})}, false, status.NeedsPerson},
		"in review":                          {[]status.Campaign{with(ledger.Campaign{Planned: true, Phase: ledger.PhaseInReview}, ledger.Number{State: ledger.Planned, Reason: ledger.CampaignInReview})}, false, status.NotYet},
		"suspended":                          {[]status.Campaign{with(ledger.Campaign{Planned: true, Phase: ledger.PhaseSuspended}, ledger.Number{State: ledger.Planned, Reason: ledger.CampaignSuspended})}, false, status.NotYet},
		"refused for the third time":         {[]status.Campaign{with(approved, ledger.Number{State: ledger.Planned, Reason: ledger.Rejected, NeedsPerson: true, NextAt: noon})}, false, status.NeedsPerson},
		"rejected":                           {[]status.Campaign{with(ledger.Campaign{Planned: true, Phase: ledger.PhaseRejected})}, false, status.NeedsPerson},
		"not read, since the key is refused": {[]status.Campaign{with(ledger.Campaign{Planned: true, Phase: ledger.PhaseUnread, Reason: ledger.Unauthorized})}, false, status.NeedsPerson},
		"not read, without an answer":        {[]status.Campaign{with(ledger.Campaign{Planned: true, Phase: ledger.PhaseUnread, Reason: ledger.TelnyxUnavailable})}, false, status.NotYet},
		"one campaign done, another not":     {[]status.Campaign{with(approved, sendable), with(approved, pending)}, false, status.NotYet},
		"one not yet, another missing":       {[]status.Campaign{with(approved, pending), with(ledger.Campaign{Planned: true, Phase: ledger.PhaseMissing})}, false, status.NeedsPerson},
	} {
		s := status.Snapshot{Campaigns: test.campaigns}
		if test.held {
			s.Held.All = &ledger.HeldBy{}
		}
		if got := s.Progress(); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestWriteText_ReturnsTheWritersError(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	broken := errors.New("broken")
	r.CloseWithError(broken)
	for name, s := range map[string]status.Snapshot{"empty": {}, "with a campaign": {Campaigns: []status.Campaign{{}}}} {
		if err := s.WriteText(w, status.TextOptions{}); !errors.Is(err, broken) {
			t.Errorf("%s: got %v, want the pipe's error", name, err)
		}
	}
}
