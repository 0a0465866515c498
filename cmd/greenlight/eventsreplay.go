package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/status"
)

type replayCommand struct {
	ID     []string      `placeholder:"ID" help:"The event with this id of Telnyx's, or number in the stream; may be given more than once."`
	Since  time.Duration `placeholder:"DURATION" help:"Events that were stored in that time before now, such as 2h."`
	Type   string        `placeholder:"TYPE" help:"Events of this type, such as 10dlc.campaign.update or VERIFIED."`
	DryRun bool          `help:"Only tell what would be replayed."`
	where
}

// Help is what kong prints under the command's own help.
func (c *replayCommand) Help() string {
	return `Stores a copy of an event, marked as a replay, so that the assigner looks at its campaign as it did when
Telnyx posted it. An event is a hint: the assigner reads the campaign and its numbers at Telnyx and does what
is still to do, so a replay of what is done does nothing. Several filters narrow each other down. Of the events
about one campaign or brand the latest is replayed: one look is enough, and the stream is not filled. Replays
are never replayed, and the same event again within eleven minutes is stored once.

It is for events that a mistake kept from their effect. To try again what failed, use greenlight trigger.`
}

// Run replays the events that are chosen.
func (c *replayCommand) Run(ctx context.Context, out output) error {
	if len(c.ID) == 0 && c.Since == 0 && c.Type == "" {
		return errors.New("say which events: --id, --since or --type (see greenlight events replay --help)")
	}
	if c.Since < 0 {
		return errors.New("--since cannot be negative")
	}
	return c.stay(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		chosen, found, err := c.choose(ctx, js)
		if err != nil {
			return err
		}
		if len(chosen) == 0 {
			return errors.New("no stored event is like that; greenlight events tail --since 24h shows what there is")
		}
		publisher := events.NewPublisher(js)
		replayed, standing := 0, 0
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
				standing++
			} else {
				replayed++
			}
		}
		_, err = fmt.Fprintln(out.Stdout, c.sum(found, len(chosen), replayed, standing))
		return err
	})
}

// choose returns the events to replay, in the stream's order, and how many fitted: of
// those about one campaign or brand it chooses the latest.
func (c *replayCommand) choose(ctx context.Context, js jetstream.JetStream) (chosen []events.PastEvent, found int, err error) {
	var since time.Time
	if c.Since > 0 {
		since = time.Now().Add(-c.Since)
	}
	latest := map[string]events.PastEvent{}
	err = events.PastEvents(ctx, js, since, func(e events.PastEvent) error {
		if e.ReplayOf == 0 && c.wants(e) {
			found++
			latest[e.About] = e
		}
		return nil
	})
	for _, e := range latest {
		chosen = append(chosen, e)
	}
	slices.SortFunc(chosen, func(a, b events.PastEvent) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return chosen, found, err
}

func (c *replayCommand) wants(e events.PastEvent) bool {
	if len(c.ID) > 0 && !slices.Contains(c.ID, e.ID) && !slices.Contains(c.ID, fmt.Sprint(e.Sequence)) {
		return false
	}
	return c.Type == "" || strings.EqualFold(c.Type, e.Type) || strings.EqualFold(c.Type, wordsOf(e).kind)
}

// sum tells what was done.
func (c *replayCommand) sum(found, chosen, replayed, standing int) string {
	about := fmt.Sprintf("%s about %s", status.Count(found, "event"), status.Count(chosen, "campaign"))
	if c.DryRun {
		return fmt.Sprintf("Would replay the above: %s. Nothing was changed.", about)
	}
	told := fmt.Sprintf("Replayed %d of %s; the assigner looks at them now.", replayed, about)
	if standing > 0 {
		told += fmt.Sprintf(" %d had been replayed within eleven minutes, and were left alone.", standing)
	}
	return told
}
