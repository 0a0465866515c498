package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/status"
)

type replayCommand struct {
	ID     []string      `placeholder:"ID" help:"Telnyx's id of the event, or its number in the stream. May be repeated."`
	Since  time.Duration `placeholder:"DURATION" help:"Events stored within this time before now, for example 2h."`
	Type   string        `placeholder:"TYPE" help:"Events of this type, for example 10dlc.campaign.update or VERIFIED."`
	DryRun bool          `help:"Only show what would be replayed."`
	where
}

// Help is what kong prints under the command's own help.
func (c *replayCommand) Help() string {
	return `Stores a copy of an event, marked as a replay, so that the assigner reconciles its campaign again. An event
is a hint: the assigner reads the campaign and its numbers from Telnyx and does only what is missing. Replaying
an event whose work is done changes nothing. An event must match all filters. Of several events about the same
campaign or brand, only the latest is replayed. Replays are never replayed, and an event is replayed at most
once in eleven minutes.

Use it for events that had no effect because of a mistake. To retry what failed, use greenlight trigger.`
}

// Run replays the matching events.
func (c *replayCommand) Run(ctx context.Context, out output) error {
	if len(c.ID) == 0 && c.Since == 0 && c.Type == "" {
		return errors.New("no events selected: use --id, --since or --type (see greenlight events replay --help)")
	}
	return c.stay(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		chosen, matching, err := c.choose(ctx, js)
		if err != nil {
			return err
		}
		if len(chosen) == 0 {
			return errors.New("no stored event matches; greenlight events tail --since 24h shows those of the last day")
		}
		publisher := events.NewPublisher(js)
		replayed, duplicates := 0, 0
		for _, e := range chosen {
			fmt.Fprintln(out.Stdout, eventLine(e))
			if c.DryRun {
				continue
			}
			receipt, err := publisher.Replay(ctx, e)
			if err != nil {
				return err
			}
			if receipt.Duplicate {
				duplicates++
			} else {
				replayed++
			}
		}
		about := fmt.Sprintf("%s about %s", status.Count(matching, "event"), status.Count(len(chosen), "campaign"))
		if c.DryRun {
			_, err := fmt.Fprintf(out.Stdout, "Would replay the above: %s. Nothing was changed.\n", about)
			return err
		}
		summary := fmt.Sprintf("Replayed %d of %s; the assigner reconciles them now.", replayed, about)
		if duplicates > 0 {
			summary += fmt.Sprintf(" %d skipped: replayed less than eleven minutes ago.", duplicates)
		}
		_, err = fmt.Fprintln(out.Stdout, summary)
		return err
	})
}

// choose returns the events to replay in stream order, only the latest about each campaign
// or brand, and how many events matched.
func (c *replayCommand) choose(ctx context.Context, js jetstream.JetStream) (chosen []events.PastEvent, matching int, err error) {
	latest := map[string]events.PastEvent{}
	err = events.PastEvents(ctx, js, startOf(c.Since), func(e events.PastEvent) error {
		if e.ReplayOf == 0 && c.matches(e) {
			matching++
			latest[e.About] = e
		}
		return nil
	})
	chosen = slices.SortedFunc(maps.Values(latest), func(a, b events.PastEvent) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return chosen, matching, err
}

func (c *replayCommand) matches(e events.PastEvent) bool {
	if len(c.ID) > 0 && !slices.Contains(c.ID, e.ID) && !slices.Contains(c.ID, fmt.Sprint(e.Sequence)) {
		return false
	}
	kind, _, _ := describeEvent(e)
	return c.Type == "" || strings.EqualFold(c.Type, e.Type) || strings.EqualFold(c.Type, kind)
}

// startOf returns the time that lies a duration before now; the zero time for 0.
func startOf(since time.Duration) time.Time {
	if since == 0 {
		return time.Time{}
	}
	return time.Now().Add(-since)
}
