package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/telnyx"
)

type tailCommand struct {
	Since time.Duration `placeholder:"DURATION" help:"Show also what came in that time before now, such as 1h."`
	Count int           `placeholder:"N" help:"Stop after so many events. Without it, stop with Ctrl-C."`
	JSON  bool          `help:"Print JSON, one event a line."`
	where
}

// Help is what kong prints under the command's own help.
func (c *tailCommand) Help() string {
	return `Each line tells when an event was stored, its number in the stream, what happened, and to which campaign,
number or brand. An event that was replayed says so. Nothing is taken from the assigner and nothing is changed.`
}

// Run shows events until it is told to stop.
func (c *tailCommand) Run(ctx context.Context, out output) error {
	if c.Since < 0 || c.Count < 0 {
		return errors.New("--since and --count cannot be negative")
	}
	return c.stay(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		var since time.Time
		if c.Since > 0 {
			since = time.Now().Add(-c.Since)
		}
		shown := 0
		err := events.FollowEvents(ctx, js, since, func(e events.PastEvent) (goOn bool, err error) {
			shown++
			return c.Count == 0 || shown < c.Count, c.print(out.Stdout, e)
		})
		if ctx.Err() != nil {
			return nil // Ctrl-C is how it ends
		}
		return err
	})
}

func (c *tailCommand) print(w io.Writer, e events.PastEvent) error {
	if c.JSON {
		return json.NewEncoder(w).Encode(jsonEvent(e))
	}
	_, err := fmt.Fprintln(w, eventLine(e))
	return err
}

// storedEvent is an event as JSON tells it.
type storedEvent struct {
	Sequence uint64 `json:"sequence"`
	StoredAt string `json:"stored_at"`
	ID       string `json:"id"`
	Type     string `json:"event_type"`
	About    string `json:"about,omitempty"`
	ReplayOf uint64 `json:"replay_of,omitempty"`
	// Body is what Telnyx posted, Raw the same when it is no JSON.
	Body json.RawMessage `json:"body,omitempty"`
	Raw  []byte          `json:"raw,omitempty"`
}

func jsonEvent(e events.PastEvent) storedEvent {
	told := storedEvent{
		Sequence: e.Sequence, StoredAt: e.StoredAt.UTC().Format(time.RFC3339Nano), ID: e.ID,
		Type: e.Type, About: e.About, ReplayOf: e.ReplayOf,
	}
	if json.Valid(e.Body) {
		told.Body = e.Body
	} else {
		told.Raw = e.Body
	}
	return told
}

// The most that a line shows of what Telnyx wrote.
const (
	maxWord  = 34
	maxAbout = 36
)

// eventLine tells of an event in a line of 80 columns, or a few more for long words.
func eventLine(e events.PastEvent) string {
	words := wordsOf(e)
	line := fmt.Sprintf("%s %5d  %-24s  %s", e.StoredAt.Local().Format("15:04:05"), e.Sequence,
		bounded(words.what(), maxWord), bounded(words.about, maxAbout))
	if e.ReplayOf > 0 {
		line += fmt.Sprintf("  replay of %d", e.ReplayOf)
	}
	return line
}

// eventWords are the words of an event that say what happened.
type eventWords struct{ kind, more, about string }

func (w eventWords) what() string {
	if w.more == "" {
		return w.kind
	}
	return w.kind + " " + w.more
}

// wordsOf reads an event. What cannot be read is told by its type alone.
func wordsOf(e events.PastEvent) eventWords {
	told, err := telnyx.ParseEvent(e.Body)
	if err != nil {
		return eventWords{kind: e.Type, about: e.About}
	}
	words := eventWords{kind: told.Payload.Type, more: told.Payload.Status, about: e.About}
	if told.Payload.EventType != "" {
		words.kind, words.more = told.Payload.EventType, ""
	}
	if words.kind == "" {
		words.kind = e.Type
	}
	if told.Payload.PhoneNumber != "" {
		words.about = told.Payload.PhoneNumber
	}
	return words
}
