package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/app"
	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/status"
	"greenlight/internal/words"
)

// askTimeout bounds what a command waits for NATS.
const askTimeout = 10 * time.Second

// where is the place that an operator's command asks.
type where struct {
	app.NATS `group:"Where to ask"`
	app.Data `group:"Where to ask"`
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
	var faults app.Faults
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

type holdCommand struct {
	What   []string `arg:"" optional:"" name:"plan|campaign" help:"The name of a plan's entry, a plan file, or a campaign's id (Telnyx's or TCR's). None: everything."`
	Reason string   `placeholder:"TEXT" help:"Why, for those who read the status."`
	where
}

// Run stores a hold of what is named: no new write request is sent to Telnyx for it.
func (c *holdCommand) Run(ctx context.Context, out output) error {
	return c.ask(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		book, named, err := campaignsNamed(ctx, js, c.What)
		if err != nil {
			return err
		}
		err = book.Hold(ctx, slices.Sorted(maps.Keys(named)), ledger.HeldBy{By: operator(), At: time.Now(), Reason: c.Reason})
		if err != nil {
			return err
		}
		hold, err := book.ReadHold(ctx)
		if err != nil {
			return err
		}
		return writeHold(out.Stdout, hold, named,
			"No new write request is sent to Telnyx until you run greenlight resume; only requests that were already sent may still finish. Events are still stored.")
	})
}

type resumeCommand struct {
	What []string `arg:"" optional:"" name:"plan|campaign" help:"What to resume, named as in greenlight hold. None: all that is held."`
	where
}

// Run ends a hold.
func (c *resumeCommand) Run(ctx context.Context, out output) error {
	return c.ask(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		book, named, err := campaignsNamed(ctx, js, c.What)
		if err != nil {
			return err
		}
		resumed, err := book.Resume(ctx, slices.Sorted(maps.Keys(named)))
		if err != nil {
			return err
		}
		asked := askToReconcile(ctx, events.NewPublisher(js), resumed, slices.Sorted(maps.Keys(named)))
		left, err := book.ReadHold(ctx)
		if err != nil {
			return errors.Join(asked, err)
		}
		names, err := planNames(ctx, book)
		if err != nil {
			return errors.Join(asked, err)
		}
		if err := writeResumed(out.Stdout, resumed, names, len(c.What) > 0); err != nil {
			return errors.Join(asked, err)
		}
		if left.All != nil {
			err = writeHold(out.Stdout, ledger.Hold{All: left.All}, names, "greenlight resume without a name ends that.")
		}
		return errors.Join(asked, err)
	})
}

// askToReconcile triggers a reconcile of what was resumed: of everything, or of the named
// campaigns. An assigner that watches the hold reconciles them as well; one that misses its
// end would leave them to the next resync.
func askToReconcile(ctx context.Context, publisher *events.Publisher, resumed ledger.Hold, named []string) error {
	var err error
	switch {
	case resumed.IsZero():
	case len(named) == 0:
		err = publisher.Trigger(ctx, events.KindResync, "")
	default:
		for _, id := range named {
			if err == nil {
				err = publisher.Trigger(ctx, events.KindRecheck, id)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("resumed, but the assigner could not be asked to reconcile, and may do so at the next resync only: %w", err)
	}
	return nil
}

// writeHold writes what is held of everything and of the named campaigns, and what that
// means.
func writeHold(w io.Writer, hold ledger.Hold, names map[string]string, means string) error {
	maps.DeleteFunc(hold.Campaigns, func(id string, _ ledger.HeldBy) bool { _, named := names[id]; return !named })
	var b strings.Builder
	for _, sentence := range append(status.HoldSentences(hold, names, time.Now()), means) {
		words.Wrap(&b, "", sentence, 80)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeResumed writes what was resumed. Asked says that single campaigns were named.
func writeResumed(w io.Writer, resumed ledger.Hold, names map[string]string, asked bool) error {
	if resumed.IsZero() {
		said := "Nothing was held."
		if asked {
			said = "Nothing of that name was held by itself."
		}
		_, err := fmt.Fprintln(w, said)
		return err
	}
	var b strings.Builder
	for _, sentence := range status.HoldSentences(resumed, names, time.Now()) {
		words.Wrap(&b, "", "Resumed. Was "+strings.ToLower(sentence[:1])+sentence[1:], 80)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// campaignsNamed returns the ledger, and the names of the campaigns that a person names by
// the id of their record: nil where nothing is named. A name that means nothing is an error.
func campaignsNamed(ctx context.Context, js jetstream.JetStream, what []string) (*ledger.Ledger, map[string]string, error) {
	book, err := ledger.Open(ctx, js)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil, nil, fmt.Errorf("%w: %w", events.ErrNoAssigner, err)
	}
	if err != nil || len(what) == 0 {
		return book, nil, err
	}
	known, err := book.Campaigns(ctx)
	if err != nil {
		return nil, nil, err
	}
	named := make(map[string]string)
	var unknown []string
	for _, name := range what {
		meant := status.Meant(known, name)
		if len(meant) == 0 {
			unknown = append(unknown, words.Plain(name, 100)+couldMean(name, known))
		}
		for _, c := range meant {
			named[c.ID] = cmp.Or(c.Plan, c.ID)
		}
	}
	if len(unknown) > 0 {
		return nil, nil, fmt.Errorf("the ledger has no plan or campaign of that name: %s; greenlight status shows all that it has, and nothing was changed", strings.Join(unknown, ", "))
	}
	return book, named, nil
}

// planNames returns the plan names of all campaigns by each of their ids, the present
// plan's before those of records that it has no more.
func planNames(ctx context.Context, book *ledger.Ledger) (map[string]string, error) {
	known, err := book.Campaigns(ctx)
	names := make(map[string]string, len(known))
	planned := make(map[string]bool)
	for _, entry := range known {
		c := entry.Campaign
		for _, id := range []string{c.ID, c.TelnyxID, c.TCRID} {
			if id != "" && !planned[id] {
				names[id], planned[id] = c.Plan, c.Planned
			}
		}
	}
	return names, err
}

// couldMean names the plans that a name that means nothing could mean, in brackets.
func couldMean(name string, known []ledger.CampaignEntry) string {
	var plans []string
	for _, entry := range known {
		if entry.Campaign.Planned && entry.Campaign.Plan != "" {
			plans = append(plans, entry.Campaign.Plan)
		}
	}
	slices.Sort(plans)
	if meant := plan.Closest(name, plans); meant != "" {
		return " (did you mean " + words.Plain(meant, 100) + "?)"
	}
	if len(plans) == 0 {
		return ""
	}
	named := words.Plain(strings.Join(plans[:min(len(plans), mostNamed)], ", "), 300)
	if more := len(plans) - mostNamed; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	return " (the plans are " + named + ")"
}

// mostNamed bounds the plans that an error names.
const mostNamed = 5

// operator returns user@host of whoever runs the command.
func operator() string {
	name, host := fmt.Sprintf("uid-%d", os.Getuid()), "unknown" // a container may name no users
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil && h != "" {
		host = h
	}
	return words.Plain(name, 60) + "@" + words.Plain(host, 100)
}

type triggerCommand struct {
	Campaign string `arg:"" help:"Campaign id, TCR id, or the name that its plan gives it."`
	where
}

// Run asks the assigner to reconcile a campaign now, and to retry its waiting numbers.
func (c *triggerCommand) Run(ctx context.Context, out output) error {
	return c.ask(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		id, err := campaignID(ctx, js, c.Campaign)
		if err != nil {
			return err
		}
		if err := events.NewPublisher(js).Trigger(ctx, events.KindCampaign, id); err != nil {
			return err
		}
		_, err = fmt.Fprintf(out.Stdout, "The assigner was asked to reconcile campaign %s now. See greenlight status.\n", id)
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
