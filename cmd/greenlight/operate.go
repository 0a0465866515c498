package main

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/settings"
)

// askTimeout bounds what a command waits for NATS.
const askTimeout = 10 * time.Second

// where is the place that an operator's command asks.
type where struct {
	settings.NATS `group:"Where to ask"`
	settings.Data `group:"Where to ask"`
}

// ask connects, has the work done within askTimeout, and hangs up.
func (w where) ask(ctx context.Context, work func(context.Context, jetstream.JetStream) error) error {
	return w.stay(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		return work(ctx, js)
	})
}

// stay is ask for work that takes as long as it takes, or as its user wants.
func (w where) stay(ctx context.Context, work func(context.Context, jetstream.JetStream) error) error {
	var faults settings.Faults
	nc := w.ConnectOrFind(&faults, w.Data, "greenlight")
	if err := faults.Err(); err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	return work(ctx, js)
}

type holdCommand struct{ where }

// Run stops the assigner from beginning anything, until resume.
func (c *holdCommand) Run(ctx context.Context, out output) error {
	return c.ask(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		if err := events.Hold(ctx, js); err != nil {
			return err
		}
		_, err := fmt.Fprintln(out.Stdout, "Held: no assigner begins another look until greenlight resume. Events are kept. A look that is under way ends as usual.")
		return err
	})
}

type resumeCommand struct{ where }

// Run ends a hold.
func (c *resumeCommand) Run(ctx context.Context, out output) error {
	return c.ask(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		if err := events.Resume(ctx, js); err != nil {
			return err
		}
		_, err := fmt.Fprintln(out.Stdout, "Resumed: the assigner works on what has come meanwhile.")
		return err
	})
}

type triggerCommand struct {
	Campaign string `arg:"" help:"Campaign id, TCR id, or the name that its plan gives it."`
	where
}

// Run asks the assigner to look at a campaign now, and to try again what waits.
func (c *triggerCommand) Run(ctx context.Context, out output) error {
	return c.ask(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		id, err := campaignID(ctx, js, c.Campaign)
		if err != nil {
			return err
		}
		if err := events.NewPublisher(js).Trigger(ctx, events.KindCampaign, id); err != nil {
			return err
		}
		_, err = fmt.Fprintf(out.Stdout, "The assigner was asked to look at campaign %s now. See greenlight status.\n", id)
		return err
	})
}

// campaignID returns the id of the campaign that a person names: by a plan's name
// if the ledger knows one, else the name is taken for an id.
func campaignID(ctx context.Context, js jetstream.JetStream, name string) (string, error) {
	book, err := ledger.Open(ctx, js)
	if err != nil {
		return "", fmt.Errorf("%w: %w", events.ErrNoAssigner, err)
	}
	known, err := book.Campaigns(ctx)
	if err != nil {
		return "", err
	}
	for _, entry := range known {
		if entry.Campaign.Planned && entry.Campaign.Plan == name {
			return entry.Campaign.ID, nil
		}
	}
	return name, nil
}
