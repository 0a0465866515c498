package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/app"
	"greenlight/internal/assigner"
	"greenlight/internal/events"
	"greenlight/internal/events/embedded"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/status"
	"greenlight/internal/telnyx"
)

type numbersCommand struct {
	List   numbersListCommand   `cmd:"" help:"List numbers as Telnyx has them now: campaign, status, carriers, profile."`
	Assign numbersAssignCommand `cmd:"" help:"Attach numbers to a campaign."`
	Remove numbersRemoveCommand `cmd:"" help:"Remove numbers from their campaign."`
	Verify numbersVerifyCommand `cmd:"" help:"Compare a pool of numbers with what is on its campaign."`
}

// parseNumbers returns the numbers as they were typed, sorted, each once. All faults are
// in one error.
func parseNumbers(typed []string) ([]plan.E164, error) {
	var numbers []plan.E164
	var faults []error
	for _, text := range typed {
		n, err := plan.ParseTyped(text)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	return slices.Compact(numbers), errors.Join(faults...)
}

// inForce is what the running assigner's ledger says of plans. The zero value knows
// nothing.
type inForce struct {
	campaigns []ledger.CampaignEntry
	numbers   []ledger.Number
}

// plansInForce reads the ledger. Without NATS, or before an assigner ever ran, nothing is
// known of plans.
func (w where) plansInForce(ctx context.Context) (known inForce) {
	_ = w.ask(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		book, err := ledger.Open(ctx, js)
		if err != nil {
			return err
		}
		campaigns, err := book.Campaigns(ctx)
		if err != nil {
			return err
		}
		numbers, err := book.AllNumbers(ctx)
		if err == nil {
			known = inForce{campaigns, numbers}
		}
		return err
	})
	return known
}

// campaign returns what the ledger knows of a campaign that a person names, by the plan's
// name or by one of its ids.
func (k inForce) campaign(name string) (c ledger.Campaign, ok bool) {
	for _, entry := range k.campaigns {
		c := entry.Campaign
		if c.Planned && c.Plan == name || slices.Contains(c.IDs(), name) {
			return c, true
		}
	}
	return c, false
}

// planOf returns the name of the entry that names each number.
func (k inForce) planOf() map[plan.E164]string {
	plans := map[plan.E164]string{}
	for _, n := range k.numbers {
		if n.State != ledger.Leaving {
			plans[plan.E164(n.Number)] = n.Plan
		}
	}
	return plans
}

// findCampaign reads the campaign that a person names.
func findCampaign(ctx context.Context, client *telnyx.Client, known inForce, name string) (telnyx.Campaign, error) {
	if c, ok := known.campaign(name); ok {
		return assigner.ReadEntry(ctx, client, assigner.EntryOf(c))
	}
	return assigner.ReadCampaign(ctx, client, name)
}

// noCampaign is the error for a campaign that Telnyx does not have.
func noCampaign(name string) error {
	return fmt.Errorf("campaign %s is not on this Telnyx account: check the id, and that the API key belongs to the right account", status.Plain(name, 100))
}

// writing has the flags of commands that attach and remove.
type writing struct {
	Standalone bool `help:"Work without NATS. Use it only if no assigner runs: it cannot keep two programs from writing at the same time."`
	JSON       bool `help:"Print JSON."`
	app.Telnyx `group:"Telnyx"`
	where
}

// work prepares a [assigner.Manual] that shares the ledger of the assigners, or has one of
// its own, and closes it after use.
func (w writing) work(ctx context.Context, command string, use func(*assigner.Manual) error) error {
	var faults app.Faults
	client, concurrency := w.Client(&faults)
	if err := faults.Err(); err != nil {
		return err
	}
	run := func(ctx context.Context, js jetstream.JetStream) error {
		m, err := assigner.NewManual(ctx, assigner.Config{Telnyx: client, JetStream: js, Concurrency: concurrency}, command+" by "+operator())
		if errors.Is(err, jetstream.ErrBucketNotFound) {
			return fmt.Errorf("%w: %w; to work without one, add --standalone", events.ErrNoAssigner, err)
		}
		if err != nil {
			return err
		}
		return errors.Join(use(m), m.Close(context.WithoutCancel(ctx)))
	}
	if w.Standalone {
		return standalone(ctx, run)
	}
	err := w.stay(ctx, run)
	if _, missing := errors.AsType[*app.Fault](err); missing {
		return fmt.Errorf("%w To work without NATS while no assigner runs, add --standalone", err)
	}
	return err
}

// standalone runs with a ledger that ends with the command.
func standalone(ctx context.Context, run func(context.Context, jetstream.JetStream) error) (err error) {
	dir, err := os.MkdirTemp("", "greenlight-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	server, err := embedded.Start(embedded.Options{Dir: dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	nc, err := events.Connect("", "greenlight numbers", server.InProcess()...)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	if _, err := ledger.Create(ctx, js, 1); err != nil {
		return err
	}
	return run(ctx, js)
}

// outcome is the result for one number, in the form that --json prints.
type outcome struct {
	Number plan.E164 `json:"number"`
	// Campaign is where Telnyx had the number before.
	Campaign string `json:"campaign_id"`
	Result   string `json:"result"`
	Message  string `json:"message"`
}

// outcomes prints results as they come, or all at the end as JSON.
type outcomes struct {
	w    io.Writer
	json bool
	// done and sent are the words for the two good results.
	done, sent string
	all        map[plan.E164]outcome
}

func newOutcomes(w io.Writer, json bool, done, sent string) *outcomes {
	return &outcomes{w: w, json: json, done: done, sent: sent, all: map[plan.E164]outcome{}}
}

// add takes in a result, and prints it if it is news.
func (o *outcomes) add(result assigner.ManualResult) {
	now := outcome{Number: result.Number, Result: "refused", Message: result.Refused}
	if result.Before != nil {
		now.Campaign = result.Before.CampaignID
	}
	switch {
	case result.Done:
		now.Result = o.done
	case result.Sent:
		now.Result = o.sent
	}
	if before, known := o.all[result.Number]; known && before.Result == now.Result && before.Message == now.Message {
		return
	}
	o.all[result.Number] = now
	if o.json {
		return
	}
	line := fmt.Sprintf("%s  %s", now.Number, now.Result)
	if now.Message != "" {
		line += "  " + now.Message
	}
	fmt.Fprintln(o.w, line)
}

// finish prints the JSON, and returns the error that says that some were refused.
func (o *outcomes) finish() error {
	sorted := make([]outcome, 0, len(o.all))
	refused := false
	for _, one := range o.all {
		sorted = append(sorted, one)
		refused = refused || one.Result == "refused"
	}
	slices.SortFunc(sorted, func(a, b outcome) int { return cmp.Compare(a.Number, b.Number) })
	if o.json {
		if err := writeJSON(o.w, sorted); err != nil {
			return err
		}
	}
	if refused {
		return &app.ExitCode{Code: 3}
	}
	return nil
}
