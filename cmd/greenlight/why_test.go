package main

import (
	"flag"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"greenlight/internal/ledger"
	"greenlight/internal/testkit"
	"greenlight/internal/timeline"
)

var update = flag.Bool("update-why", false, "rewrite the golden files of timelines")

// aStory has an entry of every kind, over two days.
func aStory() (timeline.Timeline, time.Time) {
	noon := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return noon.Add(d) }
	return timeline.Timeline{
		Number: "+15551234567", Campaign: "751c6a5c-907b-43a9-8ada-ba1dc8335b07", Plan: "spring-promo", Planned: true,
		Entries: []timeline.Entry{
			{At: at(-26 * time.Hour), Kind: timeline.Plan, Text: "Plan spring-promo (config/plans/spring.yaml:7) named the number for campaign 751c6a5c-907b-43a9-8ada-ba1dc8335b07, in plan set a1b2c3d4e5f6."},
			{At: at(-26 * time.Hour), Kind: timeline.State, Text: "Its state is now planned (campaign_in_review). The campaign is in review by Telnyx and the carriers."},
			{At: at(-5 * time.Minute), Kind: timeline.Event, Text: "Telnyx reported on the campaign: VERIFIED, which means that the carriers have approved it (10dlc.campaign.update, message 12).", Detail: "Campaign verified"},
			{At: at(-5 * time.Minute), Kind: timeline.Read, Text: "Greenlight read the campaign: MNO_PROVISIONED, so it is approved."},
			{At: at(-299 * time.Second), Kind: timeline.Decision, Text: "The campaign is approved and the number can be attached: Greenlight claims it and sends a request."},
			{At: at(-299 * time.Second), Kind: timeline.Request, Text: "Sent: POST /10dlc/phone_number_campaigns, to attach it to campaign 751c6a5c-907b-43a9-8ada-ba1dc8335b07."},
			{At: at(-298 * time.Second), Kind: timeline.Answer, Text: "Telnyx refused it.", Detail: "422 10036 Resource [31mis being processed, ask https://support.telnyx.com/en/articles/10684260-an-article-with-a-name-that-is-longer-than-a-line"},
			{At: at(-time.Minute), Kind: timeline.Person, Text: "A person requested a check of the campaign, with greenlight trigger (message 15)."},
		},
		State: ledger.Planned, Reason: ledger.BeingProcessed, Since: at(-298 * time.Second), NextAt: at(4 * time.Minute),
		Sentence: ledger.BeingProcessed.Advice().Why, Next: ledger.BeingProcessed.Advice().Next,
	}, noon
}

func TestWriteTimeline_IsReadable(t *testing.T) {
	story, now := aStory()
	var out strings.Builder
	if err := writeTimeline(&out, story, "", now, false); err != nil {
		t.Fatal(err)
	}
	testkit.Golden(t, filepath.Join("testdata", "why", "story.txt"), out.String(), *update, "-update-why")
	for line := range strings.Lines(out.String()) {
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > whyWidth || strings.HasSuffix(line, " \n") {
			t.Errorf("too long, or blanks at its end: %q", line)
		}
	}
}

// A frame is drawn line over line and never scrolls the screen.
func TestRedraw_FitsTheScreen(t *testing.T) {
	frame := redraw("one\n\x1b[32mtwo is longer than it may be\x1b[0m\nthree\nfour\nfive\n", 10, 4, "greenlight status")
	if got := strings.Count(frame, "\r\n"); got != 3 {
		t.Errorf("%d line ends on a screen of 4 lines: %q", got, frame)
	}
	if !strings.HasPrefix(frame, "\x1b[H") || !strings.HasSuffix(frame, "\x1b[K\x1b[J") || !strings.Contains(frame, "… 2 more") {
		t.Errorf("got %q", frame)
	}
	if strings.Contains(frame, "longer than it may be") || strings.Contains(redraw("a\nb", 10, 2, ""), "more") {
		t.Errorf("cut wrongly: %q", frame)
	}
}
