package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/app"
	"greenlight/internal/events"
	"greenlight/internal/status"
	"greenlight/internal/telnyx"
)

type tailCommand struct {
	Since time.Duration `placeholder:"DURATION" help:"Start with the events of this time before now, for example 1h."`
	Count int           `placeholder:"N" help:"Stop after N events. Default: run until Ctrl-C."`
	JSON  bool          `help:"Print JSON, one event per line."`
	where
}

// Help is what kong prints under the command's own help.
func (c *tailCommand) Help() string {
	return `Each line shows when an event was stored, its number in the stream, what happened, and to which campaign,
number or brand. Replays are marked. The assigner still gets every event, and nothing is changed.`
}

// Run prints events until it is stopped.
func (c *tailCommand) Run(ctx context.Context, out output) error {
	return c.stay(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		shown := 0
		err := events.FollowEvents(ctx, js, startOf(c.Since), func(e events.PastEvent) (more bool, err error) {
			shown++
			return c.Count == 0 || shown < c.Count, c.print(out.Stdout, e)
		})
		if ctx.Err() != nil {
			return nil // Ctrl-C is the normal way to stop
		}
		return err
	})
}

func (c *tailCommand) print(w io.Writer, e events.PastEvent) error {
	if c.JSON {
		return json.NewEncoder(app.Raw(w)).Encode(newStoredEvent(e))
	}
	_, err := fmt.Fprintln(w, eventLine(e))
	return err
}

// storedEvent is the JSON form of an event.
type storedEvent struct {
	Sequence uint64 `json:"sequence"`
	StoredAt string `json:"stored_at"`
	ID       string `json:"id"`
	Type     string `json:"event_type"`
	About    string `json:"about,omitempty"`
	ReplayOf uint64 `json:"replay_of,omitempty"`
	// Body is what Telnyx posted. If that is not JSON, it is in Raw instead.
	Body json.RawMessage `json:"body,omitempty"`
	Raw  []byte          `json:"raw,omitempty"`
}

func newStoredEvent(e events.PastEvent) storedEvent {
	stored := storedEvent{
		Sequence: e.Sequence, StoredAt: e.StoredAt.UTC().Format(time.RFC3339Nano), ID: e.ID,
		Type: e.Type, About: e.About, ReplayOf: e.ReplayOf,
	}
	if json.Valid(e.Body) {
		stored.Body = e.Body
	} else {
		stored.Raw = e.Body
	}
	return stored
}

// How many characters of Telnyx's text a line shows.
const (
	maxKind  = 34
	maxAbout = 36
)

// eventLine describes an event in about 80 columns.
func eventLine(e events.PastEvent) string {
	kind, result, about := describeEvent(e)
	line := fmt.Sprintf("%s %5d  %-24s  %s", e.StoredAt.Local().Format("15:04:05"), e.Sequence,
		status.Plain(cmp.Or(strings.TrimSpace(kind+" "+result), "-"), maxKind), status.Plain(cmp.Or(about, "-"), maxAbout))
	if e.ReplayOf > 0 {
		line += fmt.Sprintf("  replay of %d", e.ReplayOf)
	}
	return line
}

// describeEvent returns what happened, and to which number, campaign or brand. Of an event
// that cannot be parsed only its type is known.
func describeEvent(e events.PastEvent) (kind, result, about string) {
	parsed, err := telnyx.ParseEvent(e.Body)
	if err != nil {
		return e.Type, "", e.About
	}
	p := parsed.Payload
	about = cmp.Or(p.PhoneNumber, e.About)
	if p.EventType != "" {
		return p.EventType, "", about
	}
	return cmp.Or(p.Type, e.Type), p.Status, about
}
