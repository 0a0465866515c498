package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/app"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/status"
	"greenlight/internal/timeline"
)

type whyCommand struct {
	Number string `arg:"" help:"The number, for example +15551234567."`
	JSON   bool   `help:"Print JSON."`
	where
}

// Help is what kong prints under the command's own help.
func (c *whyCommand) Help() string {
	return `Shows the number's plan entry, Telnyx's events about it and its campaign, what Greenlight read, decided and
sent, Telnyx's answers, and the current state. It reads the ledger and the stream of events, never Telnyx.
Events are kept for a week. Of older changes, only the first of each kind is shown.`
}

// Run prints the timeline of a number.
func (c *whyCommand) Run(ctx context.Context, out output) error {
	number, err := plan.ParseTyped(c.Number)
	if err != nil {
		return err
	}
	return c.ask(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		t, err := timeline.OfNumber(ctx, js, string(number))
		if errors.Is(err, timeline.ErrUnknownNumber) {
			return fmt.Errorf("%w; greenlight status lists the planned numbers, greenlight plan validate checks the files", err)
		}
		if err != nil {
			return err
		}
		if c.JSON {
			return writeJSON(out.Stdout, t)
		}
		turn := ""
		if t.Reason == ledger.Queued {
			if turn, err = turnOf(ctx, js, string(number)); err != nil {
				return err
			}
		}
		return writeTimeline(out.Stdout, t, turn, time.Now(), app.WantsColour(out.Stdout))
	})
}

// turnOf returns a queued number's place in words, as greenlight status shows it.
func turnOf(ctx context.Context, js jetstream.JetStream, number string) (string, error) {
	all, err := status.Read(ctx, js, time.Now())
	if err != nil {
		return "", err
	}
	if s, found := all.About(number); found {
		return s.Campaigns[0].Numbers[0].Turn.Words(), nil
	}
	return "", nil
}

// whyWidth is the width of a timeline in columns.
const whyWidth = 80

// writeTimeline writes a timeline as text: the entries by day, then the current state.
// Times are in the time zone of now. Turn is the place of a queued number.
func writeTimeline(w io.Writer, t timeline.Timeline, turn string, now time.Time, color bool) error {
	var b strings.Builder
	status.Wrap(&b, "", fmt.Sprintf("%s, planned by %s on campaign %s", t.Number, status.Plain(t.Plan, 60), t.Campaign), whyWidth)
	day := ""
	for _, entry := range t.Entries {
		at := entry.At.In(now.Location())
		if today := at.Format("Monday, 2 January 2006"); today != day {
			day = today
			b.WriteString("\n" + day + "\n")
		}
		head := fmt.Sprintf("  %s  %-8s  ", at.Format(time.TimeOnly), entry.Kind)
		indent := strings.Repeat(" ", len(head))
		status.Hang(&b, head, indent, entry.Text, whyWidth)
		if entry.Detail != "" {
			status.Hang(&b, indent, indent, "«"+entry.Detail+"»", whyWidth)
		}
	}
	state := string(t.State)
	if t.Reason != "" {
		state += " (" + string(t.Reason) + ")"
	}
	since := ""
	if !t.Since.IsZero() {
		since = fmt.Sprintf(" since %s, for %s", status.Clock(now, t.Since), status.Span(now.Sub(t.Since)))
	}
	fmt.Fprintf(&b, "\nNow:   %s%s\n", status.Paint(ledger.Number{State: t.State}, state, color), since)
	status.Wrap(&b, "       ", t.Sentence, whyWidth)
	if t.Held != nil {
		hold := ledger.Hold{Campaigns: map[string]ledger.HeldBy{t.Campaign: *t.Held}}
		for _, sentence := range status.HoldSentences(hold, map[string]string{t.Campaign: t.Plan}, now) {
			status.Hang(&b, "Hold:  ", "       ", sentence+" No new write request is sent for it until you run greenlight resume.", whyWidth)
		}
	}
	next := t.Next
	if turn != "" {
		next += " Its turn: " + turn + "."
	} else if when := status.Until(now, t.NextAt); when != "" {
		next += " Next check: " + when + "."
	}
	status.Hang(&b, "Next:  ", "       ", next, whyWidth)
	status.Hang(&b, "To do: ", "       ", cmp.Or(t.Action, "Nothing."), whyWidth)
	_, err := io.WriteString(w, b.String())
	return err
}
