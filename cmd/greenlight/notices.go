package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/app"
	"greenlight/internal/notice"
	"greenlight/internal/status"
)

// noticesCommand groups the commands for notices.
type noticesCommand struct {
	List listNoticesCommand `cmd:"" help:"List the notices of the last 30 days and whether each was sent to NOTIFY_URL."`
	Test testNoticeCommand  `cmd:"" help:"Send a test notice to NOTIFY_URL."`
}

type listNoticesCommand struct {
	JSON bool `help:"Print JSON, one notice per line."`
	where
}

// Run lists the notices, oldest first.
func (c *listNoticesCommand) Run(ctx context.Context, out output) error {
	return c.ask(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		list, sending, err := notice.List(ctx, js)
		if err != nil {
			return err
		}
		if c.JSON {
			encoder := json.NewEncoder(app.Raw(out.Stdout))
			for _, n := range list {
				if err := encoder.Encode(n); err != nil {
					return err
				}
			}
			return nil
		}
		if len(list) == 0 {
			_, err := fmt.Fprintln(out.Stdout, "There are no notices.")
			return err
		}
		t := status.NewTable()
		t.AppendHeader(table.Row{"stored", "kind", "outcome", "tries", "text or error"})
		for _, n := range list {
			text := n.Text
			if n.Error != "" {
				text = n.Error
			}
			if n.Plan != "" {
				text = n.Plan + ": " + text
			}
			t.AppendRow(table.Row{n.Notice.At.UTC().Format(time.DateTime), n.Kind, n.Outcome, n.Tries, status.Plain(text, max(app.Width(out.Stdout)-54, 26))})
		}
		if _, err := fmt.Fprintln(out.Stdout, t.Render()); err != nil || sending {
			return err
		}
		return writeLines(out.Stdout, []string{"Nothing is sent: the assigners have no NOTIFY_URL."})
	})
}

type testNoticeCommand struct{ app.Notify }

// Run sends a test notice, once.
func (c *testNoticeCommand) Run(ctx context.Context, out output) error {
	var faults app.Faults
	receiver := c.RequiredReceiver(&faults)
	if err := faults.Err(); err != nil {
		return err
	}
	if err := notice.Test(ctx, receiver); err != nil {
		return fmt.Errorf("the test notice was not sent: %w", err)
	}
	_, err := fmt.Fprintln(out.Stdout, "The receiver accepted the test notice. Check that it is there.")
	return err
}
