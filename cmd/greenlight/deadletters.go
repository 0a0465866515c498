package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
)

// deadLettersCommand holds the commands about what could not be handled.
type deadLettersCommand struct {
	List    listLettersCommand   `cmd:"" help:"List what could not be handled."`
	Show    showLetterCommand    `cmd:"" help:"Show one dead letter whole."`
	Requeue requeueLetterCommand `cmd:"" help:"Have one dead letter handled again."`
}

type listLettersCommand struct {
	JSON bool `help:"Print JSON, one letter a line."`
	where
}

// letter is a dead letter as it is printed.
type letter struct {
	Sequence uint64              `json:"sequence"`
	StoredAt string              `json:"stored_at"`
	Reason   string              `json:"reason"`
	Detail   string              `json:"detail"`
	Attempts string              `json:"attempts"`
	Subject  string              `json:"subject"`
	Origin   string              `json:"origin_subject,omitempty"`
	Header   map[string][]string `json:"header,omitempty"`
	Body     string              `json:"body,omitempty"`
}

func printed(l events.StoredLetter) letter {
	return letter{
		Sequence: l.Sequence, StoredAt: l.StoredAt.UTC().Format("2006-01-02T15:04:05Z"), Reason: l.Reason,
		Detail: l.Detail, Attempts: l.Attempts, Subject: l.Subject, Origin: l.OriginSubject,
	}
}

// Run lists the letters, the oldest first.
func (c *listLettersCommand) Run(ctx context.Context, out output) error {
	return c.ask(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		var letters []letter
		if err := events.DeadLetters(ctx, js, func(l events.StoredLetter) { letters = append(letters, printed(l)) }); err != nil {
			return err
		}
		if c.JSON {
			encoder := json.NewEncoder(out.Stdout)
			for _, l := range letters {
				if err := encoder.Encode(l); err != nil {
					return err
				}
			}
			return nil
		}
		if len(letters) == 0 {
			_, err := fmt.Fprintln(out.Stdout, "There are no dead letters.")
			return err
		}
		_, err := fmt.Fprintln(out.Stdout, letterTable(letters))
		return err
	})
}

// letterTable fits into 80 columns; show tells the rest.
func letterTable(letters []letter) string {
	t := table.NewWriter()
	style := table.StyleLight
	style.Options = table.OptionsNoBordersAndSeparators
	style.Options.SeparateHeader = true
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	t.AppendHeader(table.Row{"no.", "stored", "reason", "tries", "what was said"})
	for _, l := range letters {
		t.AppendRow(table.Row{l.Sequence, strings.Replace(l.StoredAt, "T", " ", 1), l.Reason, l.Attempts, text.Snip(l.Detail, 28, "…")})
	}
	return t.Render()
}

type showLetterCommand struct {
	Sequence uint64 `arg:"" help:"The letter's number, as list tells it."`
	where
}

// Run prints one letter as JSON.
func (c *showLetterCommand) Run(ctx context.Context, out output) error {
	return c.ask(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		l, err := events.DeadLetterAt(ctx, js, c.Sequence)
		if err != nil {
			return err
		}
		whole := printed(l)
		whole.Header, whole.Body = l.Header, string(l.Body)
		return writeJSON(out.Stdout, whole)
	})
}

type requeueLetterCommand struct {
	Sequence uint64 `arg:"" help:"The letter's number, as list tells it."`
	where
}

// Run has a letter handled again.
func (c *requeueLetterCommand) Run(ctx context.Context, out output) error {
	return c.ask(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		l, err := events.DeadLetterAt(ctx, js, c.Sequence)
		if err != nil {
			return err
		}
		// A number's letter is JSON that names its campaign.
		var about struct {
			CampaignID string `json:"campaign_id"`
		}
		_ = json.Unmarshal(l.Body, &about) // a message's letter may be anything
		if err := events.Requeue(ctx, js, l, about.CampaignID); err != nil {
			return err
		}
		_, err = fmt.Fprintf(out.Stdout, "Dead letter %d was put back, to be handled again. See greenlight status.\n", c.Sequence)
		return err
	})
}
