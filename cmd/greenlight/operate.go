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
)

// askTimeout bounds the work of a command at the NATS server.
const askTimeout = 10 * time.Second

// where has the flags that choose the NATS server of an operator's command.
type where struct {
	app.NATS `group:"Server"`
	app.Data `group:"Server"`
}

// ask connects, does the work within askTimeout, and disconnects.
func (w where) ask(ctx context.Context, work func(context.Context, jetstream.JetStream) error) error {
	return w.stay(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		return work(ctx, js)
	})
}

// stay is ask without a time limit.
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
	What   []string `arg:"" optional:"" predictor:"campaign" name:"plan|campaign" help:"Name of a plan entry, a plan file, or a campaign's id (Telnyx's or TCR's). Default: everything."`
	Reason string   `placeholder:"TEXT" help:"Reason, shown in the status."`
	where
}

// Run stores a hold: no new write request is sent to Telnyx for what is on hold.
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
	What []string `arg:"" optional:"" predictor:"campaign" name:"plan|campaign" help:"What to resume, named as in greenlight hold. Default: everything on hold."`
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
			err = writeHold(out.Stdout, ledger.Hold{All: left.All}, names, "To end that hold, run greenlight resume without a name.")
		}
		return errors.Join(asked, err)
	})
}

// askToReconcile triggers a reconcile of everything or of the named campaigns after a
// resume. The assigner watches the hold too, but if it missed the end, nothing would
// happen before the next resync.
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
		return fmt.Errorf("resumed, but an immediate reconcile could not be requested; the next resync does it: %w", err)
	}
	return nil
}

// writeHold prints the holds of everything and of the named campaigns, then a sentence.
func writeHold(w io.Writer, hold ledger.Hold, names map[string]string, last string) error {
	maps.DeleteFunc(hold.Campaigns, func(id string, _ ledger.HeldBy) bool { _, named := names[id]; return !named })
	return writeLines(w, append(status.HoldSentences(hold, names, time.Now()), last))
}

// writeResumed prints what was resumed. Named is true if the user named campaigns.
func writeResumed(w io.Writer, resumed ledger.Hold, names map[string]string, named bool) error {
	var lines []string
	for _, sentence := range status.HoldSentences(resumed, names, time.Now()) {
		lines = append(lines, "Resumed. Was "+strings.ToLower(sentence[:1])+sentence[1:])
	}
	switch {
	case len(lines) > 0:
	case named:
		lines = []string{"Nothing to resume: none of these campaigns is on hold by itself."}
	default:
		lines = []string{"Nothing is on hold."}
	}
	return writeLines(w, lines)
}

// writeLines prints each sentence on its own lines of at most 80 columns.
func writeLines(w io.Writer, sentences []string) error {
	var b strings.Builder
	for _, sentence := range sentences {
		status.Wrap(&b, "", sentence, 80)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// campaignsNamed opens the ledger and returns the campaigns that the given names refer to:
// plan names by record id, nil if no names are given. What is on hold may be named by the id
// of the hold, which may be all that is left of a campaign. An unknown name is an error.
func campaignsNamed(ctx context.Context, js jetstream.JetStream, what []string) (*ledger.Ledger, map[string]string, error) {
	book, err := ledger.Open(ctx, js)
	err = events.WhyMissing(ctx, js, err)
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
	hold, err := book.ReadHold(ctx)
	if err != nil {
		return nil, nil, err
	}
	named := make(map[string]string)
	var unknown []string
	for _, name := range what {
		meant := status.Named(known, name)
		if _, held := hold.Campaigns[name]; held && len(meant) == 0 {
			named[name] = name
		} else if len(meant) == 0 {
			unknown = append(unknown, status.Plain(name, 100)+couldMean(name, known))
		}
		for _, c := range meant {
			named[c.ID] = cmp.Or(c.Plan, c.ID)
		}
	}
	if len(unknown) > 0 {
		return nil, nil, fmt.Errorf("nothing was changed: the ledger has no plan or campaign named %s; greenlight status lists them", strings.Join(unknown, ", "))
	}
	return book, named, nil
}

// planNames returns the plan names of all campaigns by each of their ids. Current plans
// take precedence over records that no plan names any more.
func planNames(ctx context.Context, book *ledger.Ledger) (map[string]string, error) {
	known, err := book.Campaigns(ctx)
	names := make(map[string]string, len(known))
	planned := make(map[string]bool)
	for _, entry := range known {
		c := entry.Campaign
		for _, id := range c.IDs() {
			if !planned[id] {
				names[id], planned[id] = c.Plan, c.Planned
			}
		}
	}
	return names, err
}

// couldMean suggests plans for an unknown name, in parentheses.
func couldMean(name string, known []ledger.CampaignEntry) string {
	var plans []string
	for _, entry := range known {
		if entry.Campaign.Planned && entry.Campaign.Plan != "" {
			plans = append(plans, entry.Campaign.Plan)
		}
	}
	slices.Sort(plans)
	if meant := plan.Closest(name, plans); meant != "" {
		return " (did you mean " + status.Plain(meant, 100) + "?)"
	}
	if len(plans) == 0 {
		return ""
	}
	list := status.Plain(strings.Join(plans[:min(len(plans), maxPlans)], ", "), 300)
	if more := len(plans) - maxPlans; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return " (the plans are " + list + ")"
}

// maxPlans bounds the plans that an error lists.
const maxPlans = 5

// operator returns user@host of the person who runs the command.
func operator() string {
	name, host := fmt.Sprintf("uid-%d", os.Getuid()), "unknown" // a container may have no user names
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil && h != "" {
		host = h
	}
	return status.Plain(name, 60) + "@" + status.Plain(host, 100)
}

type triggerCommand struct {
	Campaign string `arg:"" predictor:"campaign" name:"plan|campaign" help:"Name of a plan entry, a plan file, or a campaign's id (Telnyx's or TCR's)."`
	where
}

// Run asks the assigner to reconcile a campaign now, and to retry its waiting numbers.
func (c *triggerCommand) Run(ctx context.Context, out output) error {
	return c.ask(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		_, named, err := campaignsNamed(ctx, js, []string{c.Campaign})
		if err != nil {
			return err
		}
		for _, id := range slices.Sorted(maps.Keys(named)) {
			if err := events.NewPublisher(js).Trigger(ctx, events.KindCampaign, id); err != nil {
				return err
			}
			if _, err := fmt.Fprintf(out.Stdout, "The assigner will reconcile campaign %s now. To see the result, run greenlight status.\n", id); err != nil {
				return err
			}
		}
		return nil
	})
}
