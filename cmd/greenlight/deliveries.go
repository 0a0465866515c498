package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"greenlight/internal/app"
	"greenlight/internal/status"
	"greenlight/internal/telnyx"
)

// deliveryPages bounds the pages of Telnyx's log that are read.
const deliveryPages = 20

type deliveriesCommand struct {
	Failed     bool          `help:"Only deliveries whose attempts have all failed."`
	Since      time.Duration `default:"24h" placeholder:"DURATION" help:"How far to look back (${default})."`
	Campaign   string        `predictor:"campaign" placeholder:"ID" help:"Only events about this campaign: Telnyx's id, TCR's id, or the plan's name."`
	Plans      string        `name:"plans" env:"PLANS" default:"config/plans" placeholder:"PATH" help:"Plan files to use if no running Greenlight answers (${default})."`
	JSON       bool          `help:"Print JSON."`
	app.Telnyx `group:"Telnyx"`
	where
}

// Help is what kong prints under the command's own help.
func (c *deliveriesCommand) Help() string {
	return `Reads Telnyx's log of its deliveries of 10DLC events to any URL, latest first. ANSWER is the HTTP status of the last
attempt. How long Telnyx keeps the log is not documented.`
}

// Run reads the log and prints it.
func (c *deliveriesCommand) Run(ctx context.Context, out output) error {
	if c.Since == 0 {
		return errors.New("--since: the duration is zero; use one like 24h")
	}
	var faults app.Faults
	client, _ := c.ReadOnlyClient(&faults)
	if err := faults.Err(); err != nil {
		return err
	}
	var ids []string
	if c.Campaign != "" {
		var err error
		if ids, err = c.idsOf(ctx, client); err != nil {
			return err
		}
	}
	rows, err := client.Deliveries(ctx, time.Now().Add(-c.Since), c.Failed, deliveryPages)
	if err != nil {
		return err
	}
	found := append([]telnyx.Delivery{}, rows.All...)
	if ids != nil {
		found = slices.DeleteFunc(found, func(d telnyx.Delivery) bool { return !slices.Contains(ids, d.CampaignID) })
	}
	if c.JSON {
		err = writeJSON(out.Stdout, found)
	} else {
		err = writeDeliveries(out.Stdout, found)
	}
	if err == nil && !rows.Complete {
		err = fmt.Errorf("the list is incomplete: %s; use a shorter --since", rows.Why)
	}
	return err
}

// idsOf returns the ids by which events may name the campaign.
func (c *deliveriesCommand) idsOf(ctx context.Context, client *telnyx.Client) ([]string, error) {
	chosen, err := c.plansInForce(ctx).choose(c.Plans, []string{c.Campaign})
	if err == nil {
		chosen, err = readChosen(ctx, client, 1, chosen)
	}
	if err != nil {
		return nil, err
	}
	found := chosen[0]
	ids := append([]string{found.want.ID(), string(found.campaign.CampaignID), string(found.campaign.TCRCampaignID)}, found.ids...)
	return slices.DeleteFunc(ids, func(id string) bool { return id == "" }), found.err
}

func writeDeliveries(w io.Writer, found []telnyx.Delivery) error {
	if len(found) == 0 {
		_, err := fmt.Fprintln(w, "No deliveries.")
		return err
	}
	t := status.NewTable()
	t.AppendHeader(table.Row{"TIME", "STATUS", "TRIES", "ANSWER", "EVENT", "CAMPAIGN", "URL"})
	for _, d := range found {
		last := d.Last()
		answer := "none"
		if last.Answer > 0 {
			answer = fmt.Sprint(last.Answer)
		}
		t.AppendRow(table.Row{d.StartedAt.UTC().Format("2006-01-02 15:04:05Z"), status.Plain(d.Status, 20), len(d.Attempts), answer, d.EventType,
			cmp.Or(status.Plain(d.CampaignID, 64), "-"), status.Plain(last.URL, 200)})
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}
