package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

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

// parseNumbers returns the numbers as they were typed, sorted, each once, and what is wrong
// with the others, by what was typed. It is an error if none is a number.
func parseNumbers(typed []string) (numbers []plan.E164, faults map[string]error, err error) {
	faults = map[string]error{}
	for _, text := range typed {
		n, err := plan.ParseTyped(text)
		if err != nil {
			faults[text] = err
			continue
		}
		numbers = append(numbers, n)
	}
	if len(numbers) == 0 {
		return nil, nil, errors.Join(slices.Collect(maps.Values(faults))...)
	}
	slices.Sort(numbers)
	return slices.Compact(numbers), faults, nil
}

// inForce is what the running assigner's ledger says of plans.
type inForce struct {
	campaigns []ledger.CampaignEntry
	numbers   []ledger.Number
	// err says why the ledger could not be read. Then nothing is known.
	err error
}

// plansInForce reads the ledger.
func (w where) plansInForce(ctx context.Context) (known inForce) {
	known.err = w.ask(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		book, err := ledger.Open(ctx, js)
		if err != nil {
			return events.WhyMissing(ctx, js, err)
		}
		campaigns, err := book.Campaigns(ctx)
		if err != nil {
			return err
		}
		numbers, err := book.AllNumbers(ctx)
		if err == nil {
			known.campaigns, known.numbers = campaigns, numbers
		}
		return err
	})
	return known
}

// hasNoLedger reports whether there is no ledger to read: no NATS server is set or runs
// here, or no assigner ever ran there.
func (k inForce) hasNoLedger() bool {
	return errors.Is(k.err, app.ErrNoServer) || errors.Is(k.err, jetstream.ErrBucketNotFound)
}

// damage returns why a ledger that is there could not be read, nil if it could, or if no
// server can be reached.
func (k inForce) damage() error {
	if _, unreachable := errors.AsType[*app.Fault](k.err); k.err == nil || unreachable || k.hasNoLedger() {
		return nil
	}
	return fmt.Errorf("the plan set in force cannot be read: %w", k.err)
}

// warn says that the plans in force are not known although there may be some.
func (k inForce) warn(w io.Writer) {
	if k.err == nil || k.hasNoLedger() {
		return
	}
	err := k.err
	if fault, ok := errors.AsType[*app.Fault](err); ok {
		err = fault
	}
	fmt.Fprintf(w, "Note: the plan set in force cannot be read: %s\n", status.Harmless(err.Error()))
}

// campaign returns what the ledger knows of a campaign that a person names, by the plan's
// name or by one of its ids.
func (k inForce) campaign(name string) (c ledger.Campaign, ok bool) {
	return ledger.FindCampaign(k.campaigns, name)
}

// planOf returns the name of the entry that names each number. Records of a person's
// commands have no entry.
func (k inForce) planOf() map[plan.E164]string {
	plans := map[plan.E164]string{}
	for _, n := range k.numbers {
		if isNamed(n) {
			plans[plan.E164(n.Number)] = n.Plan
		}
	}
	return plans
}

// isNamed reports whether a plan entry names the number on the record's campaign.
func isNamed(n ledger.Number) bool {
	return n.Plan != "" && !n.Manual && n.State != ledger.Leaving
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
	return fmt.Errorf("campaign %s is not on this Telnyx account: check the id, that the API key belongs to the right account, and TELNYX_BASE_URL if it is set", status.Plain(name, 100))
}

// writing has the flags of commands that attach and remove.
type writing struct {
	Standalone bool `help:"Work without NATS. Use it only while no assigner runs, because two programs could then write at the same time."`
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
		if err := w.checkAlone(ctx); err != nil {
			return err
		}
		return standalone(ctx, run)
	}
	err := w.stay(ctx, run)
	if _, missing := errors.AsType[*app.Fault](err); missing {
		return fmt.Errorf("%w To work without NATS while no assigner runs, add --standalone", err)
	}
	return err
}

// checkAlone refuses to work beside an assigner whose ledger can be opened, or is being restored.
func (w writing) checkAlone(ctx context.Context) error {
	err := w.ask(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		if err := events.RefuseRestoring(ctx, js); err != nil {
			return err
		}
		_, err := ledger.Open(ctx, js)
		return err
	})
	_, unreachable := errors.AsType[*app.Fault](err)
	switch {
	case err == nil:
		return errors.New("omit --standalone: Greenlight is running here")
	case errors.Is(err, events.ErrRestoring):
		return err
	case unreachable, errors.Is(err, jetstream.ErrBucketNotFound):
		return nil
	}
	return fmt.Errorf("check whether Greenlight is running here: %w", err)
}

// standalone runs with a ledger that ends with the command.
func standalone(ctx context.Context, run func(context.Context, jetstream.JetStream) error) (err error) {
	dir, err := os.MkdirTemp("", "greenlight-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return withServer(embedded.Options{Dir: dir}, func(js jetstream.JetStream) error {
		if _, err := ledger.Create(ctx, js, 1); err != nil {
			return err
		}
		return run(ctx, js)
	})
}

// refused is the result of a number that was not attached or removed.
const refused = "refused"

// outcome is the result for one number, in the form that --json prints.
type outcome struct {
	// Number is as it was typed if it is not a number.
	Number plan.E164 `json:"number"`
	// Campaign is where Telnyx had the number before.
	Campaign string `json:"campaign_id"`
	Result   string `json:"result"`
	Message  string `json:"message"`
	// err says why nothing is known of the number, nil if something is.
	err error
}

// outcomes prints results as they come, or all at the end as JSON. On a terminal it also
// has a progress bar.
type outcomes struct {
	w    io.Writer
	json bool
	// done and sent are the words for the two good results.
	done, sent string
	all        map[plan.E164]outcome
	// counter is the terminal for the progress bar, nil if there is none. Total is how many numbers
	// there are. With waits, those that were only sent are not counted.
	counter io.Writer
	total   int
	waits   bool
}

func newOutcomes(out output, json bool, done, sent string) *outcomes {
	o := &outcomes{w: out.Stdout, json: json, done: done, sent: sent, all: map[plan.E164]outcome{}}
	if app.Width(out.Stderr) > 0 {
		o.counter = out.Stderr
	}
	return o
}

// add takes in a result, and prints it if it is news.
func (o *outcomes) add(result assigner.ManualResult) {
	now := outcome{Number: result.Number, Result: refused, Message: result.Refused}
	if result.Before != nil {
		now.Campaign = result.Before.CampaignID
	}
	switch {
	case result.Done:
		now.Result = o.done
	case result.Sent:
		now.Result = o.sent
	case result.Would: // it was only read: the request that was under way has failed
		now.Message = "It is still there. Run the command again."
	}
	o.put(now)
}

// fail refuses a number of which nothing is known.
func (o *outcomes) fail(number plan.E164, err error) {
	text := strings.TrimRight(status.Plain(err.Error(), 500), ".") + "."
	o.put(outcome{Number: number, Result: refused, Message: strings.ToUpper(text[:1]) + text[1:], err: err})
}

// judge refuses the numbers that an error left without a result. If some have one, from this
// time or an earlier one, the error is returned.
func (o *outcomes) judge(numbers []plan.E164, results []assigner.ManualResult, err error) error {
	if err == nil || len(results) > 0 {
		return err
	}
	for _, n := range numbers {
		if _, known := o.all[n]; known {
			return err
		}
	}
	for _, n := range numbers {
		o.fail(n, err)
	}
	return nil
}

// failTyped refuses what is not a number.
func (o *outcomes) failTyped(faults map[string]error) {
	for _, text := range slices.Sorted(maps.Keys(faults)) {
		o.fail(plan.E164(status.Plain(text, 40)), faults[text])
	}
}

func (o *outcomes) put(now outcome) {
	before, known := o.all[now.Number]
	if known && before.Result == now.Result && before.Message == now.Message {
		return
	}
	now.Campaign = cmp.Or(before.Campaign, now.Campaign)
	o.all[now.Number] = now
	o.clear()
	if !o.json {
		line := fmt.Sprintf("%s  %s", now.Number, now.Result)
		if now.Message != "" {
			line += "  " + now.Message
		}
		fmt.Fprintln(o.w, line)
	}
	o.count()
}

// count draws how many numbers are finished over the last bar.
func (o *outcomes) count() {
	if o.counter == nil {
		return
	}
	finished := 0
	for _, one := range o.all {
		if one.Result != o.sent || !o.waits {
			finished++
		}
	}
	done, rest := "█", "░"
	if status.WantsASCII(os.Getenv) {
		done, rest = "#", "."
	}
	full := barWidth * finished / max(o.total, 1)
	fmt.Fprintf(o.counter, "\r%s%s %d of %d", strings.Repeat(done, full), strings.Repeat(rest, barWidth-full), finished, o.total)
}

// clear erases the bar.
func (o *outcomes) clear() {
	if o.counter != nil {
		fmt.Fprint(o.counter, "\r\x1b[K")
	}
}

// finish prints the JSON, and returns err, or what stopped every number, or the error that
// says that some were refused.
func (o *outcomes) finish(err error) error {
	o.clear()
	sorted := slices.SortedFunc(maps.Values(o.all), func(a, b outcome) int { return cmp.Compare(a.Number, b.Number) })
	if o.json {
		if err := writeJSON(o.w, append([]outcome{}, sorted...)); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	failures := map[string]error{}
	failed, anyRefused := 0, false
	for _, one := range sorted {
		anyRefused = anyRefused || one.Result == refused
		if one.err != nil {
			failed++
			failures[one.err.Error()] = one.err
		}
	}
	switch {
	case failed > 0 && failed == len(sorted):
		return errors.Join(slices.Collect(maps.Values(failures))...)
	case anyRefused:
		return &app.ExitCode{Code: 3}
	}
	return nil
}
