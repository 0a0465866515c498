package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/app"
	"greenlight/internal/events"
	"greenlight/internal/status"
)

// deadLettersCommand groups the commands for messages that could not be handled.
type deadLettersCommand struct {
	List    listDeadLettersCommand    `cmd:"" help:"List messages that could not be handled."`
	Show    showDeadLetterCommand     `cmd:"" help:"Show one dead letter in full."`
	Requeue requeueDeadLetterCommand  `cmd:"" help:"Queue the message of one dead letter again."`
	Discard discardDeadLettersCommand `cmd:"" help:"Delete dead letters, and record who did so, when and why."`
}

type listDeadLettersCommand struct {
	All  bool `help:"Also list discarded ones."`
	JSON bool `help:"Print JSON, one dead letter per line."`
	where
}

// deadLetter is the JSON form of a dead letter.
type deadLetter struct {
	Sequence uint64              `json:"sequence"`
	StoredAt string              `json:"stored_at"`
	Reason   string              `json:"reason"`
	Detail   string              `json:"detail"`
	Attempts string              `json:"attempts"`
	Subject  string              `json:"subject"`
	Origin   string              `json:"origin_subject,omitempty"`
	Header   map[string][]string `json:"header,omitempty"`
	Body     string              `json:"body,omitempty"`
	// Discarded is left out while it waits.
	Discarded *events.Discarded `json:"discarded,omitempty"`
}

func newDeadLetter(d events.StoredLetter) deadLetter {
	return deadLetter{
		Sequence: d.Sequence, StoredAt: d.StoredAt.UTC().Format("2006-01-02T15:04:05Z"), Reason: d.Reason,
		Detail: d.Detail, Attempts: d.Attempts, Subject: d.Subject, Origin: d.OriginSubject, Discarded: d.Discarded,
	}
}

// Run lists the dead letters, oldest first.
func (c *listDeadLettersCommand) Run(ctx context.Context, out output) error {
	return c.ask(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		var list []deadLetter
		err := events.DeadLetters(ctx, js, func(d events.StoredLetter) {
			if c.All || d.Discarded == nil {
				list = append(list, newDeadLetter(d))
			}
		})
		if err != nil {
			return err
		}
		if c.JSON {
			encoder := json.NewEncoder(app.Raw(out.Stdout))
			for _, d := range list {
				if err := encoder.Encode(d); err != nil {
					return err
				}
			}
			return nil
		}
		if len(list) == 0 {
			_, err := fmt.Fprintln(out.Stdout, c.none())
			return err
		}
		// Narrow enough for 80 columns; show prints the rest.
		t := status.NewTable()
		t.AppendHeader(table.Row{"no.", "stored", "reason", "tries", "detail"})
		for _, d := range list {
			detail := d.Detail
			if d.Discarded != nil {
				detail = "discarded: " + cmp.Or(d.Discarded.Reason, "by "+d.Discarded.By)
			}
			t.AppendRow(table.Row{d.Sequence, strings.Replace(d.StoredAt, "T", " ", 1), d.Reason, d.Attempts, status.Plain(detail, 28)})
		}
		_, err = fmt.Fprintln(out.Stdout, t.Render())
		return err
	})
}

func (c *listDeadLettersCommand) none() string {
	if c.All {
		return "There are no dead letters."
	}
	return "There are no open dead letters."
}

type showDeadLetterCommand struct {
	Sequence uint64 `arg:"" help:"The dead letter's number, as shown by list."`
	where
}

// Run prints one dead letter as JSON.
func (c *showDeadLetterCommand) Run(ctx context.Context, out output) error {
	return c.ask(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		stored, err := events.DeadLetterAt(ctx, js, c.Sequence)
		if err != nil {
			return err
		}
		d := newDeadLetter(stored)
		d.Header, d.Body = stored.Header, string(stored.Body)
		return writeJSON(out.Stdout, d)
	})
}

type requeueDeadLetterCommand struct {
	Sequence uint64 `arg:"" help:"The dead letter's number, as shown by list."`
	where
}

// Run puts a dead letter back in the queue.
func (c *requeueDeadLetterCommand) Run(ctx context.Context, out output) error {
	return c.ask(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		stored, err := events.DeadLetterAt(ctx, js, c.Sequence)
		if err != nil {
			return err
		}
		// The dead letter of a number is JSON with the campaign's id. Others may be anything.
		var body struct {
			CampaignID string `json:"campaign_id"`
		}
		_ = json.Unmarshal(stored.Body, &body)
		err = events.Requeue(ctx, js, stored, body.CampaignID)
		if errors.Is(err, events.ErrNotRequeued) {
			return fmt.Errorf("%w; greenlight deadletters show %d prints it for a report, and greenlight deadletters discard %[2]d deletes it", err, c.Sequence)
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out.Stdout, "Dead letter %d is back in the queue. To see the result, run greenlight status.\n", c.Sequence)
		return err
	})
}

type discardDeadLettersCommand struct {
	Sequences []uint64 `arg:"" name:"sequence" help:"Numbers of the dead letters, as shown by list."`
	Reason    string   `placeholder:"TEXT" help:"Reason, shown by list --all."`
	where
}

// Run discards all of the dead letters, or none if one of them cannot be.
func (c *discardDeadLettersCommand) Run(ctx context.Context, out output) error {
	return c.ask(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		var letters []events.StoredLetter
		slices.Sort(c.Sequences)
		for _, sequence := range slices.Compact(c.Sequences) {
			letter, err := events.DeadLetterAt(ctx, js, sequence)
			if err == nil && letter.Discarded != nil {
				err = fmt.Errorf("dead letter %d: %w", sequence, events.ErrDiscarded)
			}
			if err != nil {
				return fmt.Errorf("nothing was discarded: %w", err)
			}
			letters = append(letters, letter)
		}
		for _, letter := range letters {
			if err := events.Discard(ctx, js, letter, operator(), status.Plain(c.Reason, 200)); err != nil {
				return err
			}
			if _, err := fmt.Fprintf(out.Stdout, "Discarded dead letter %d (%s).\n", letter.Sequence, letter.Reason); err != nil {
				return err
			}
		}
		return nil
	})
}
