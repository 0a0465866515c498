package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"greenlight/internal/app"
	"greenlight/internal/assigner"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

// checkEvery is the pause between two readings of the numbers that --wait waits for.
const checkEvery = 2 * time.Second

// naming has the flags of commands that write and that take a campaign by its plan's name.
type naming struct {
	Plans string `name:"plans" env:"PLANS" default:"config/plans" placeholder:"PATH" help:"Plan files to find a campaign by its plan's name, and its max_numbers, with --standalone (${default})."`
	writing
}

// entry returns an entry that selects the campaign that a person names.
func (c naming) entry(ctx context.Context, m *assigner.Manual, name string) (plan.Campaign, error) {
	if !c.Standalone {
		return m.Entry(ctx, name)
	}
	var faults app.Faults
	client, _ := c.ReadOnlyClient(&faults)
	if err := faults.Err(); err != nil {
		return plan.Campaign{}, err
	}
	set, loadErr := plan.Load(c.Plans)
	if loadErr != nil {
		set = &plan.Set{}
	}
	want, named := entryNamed(set, name)
	if named && want.ReferenceID == "" {
		return plan.Campaign{CampaignID: want.CampaignID, TCRCampaignID: want.TCRCampaignID, MaxNumbers: want.MaxNumbers}, nil
	}
	if named {
		found, err := assigner.ReadEntry(ctx, client, want)
		return plan.Campaign{CampaignID: found.CampaignID, MaxNumbers: want.MaxNumbers}, explain(err, name)
	}
	found, err := assigner.ReadCampaign(ctx, client, name)
	switch {
	case telnyx.IsNotFound(err) && loadErr != nil:
		return plan.Campaign{}, fmt.Errorf("%w. The name of a plan entry needs NATS, or plan files that load: %w", noCampaign(name), loadErr)
	case telnyx.IsNotFound(err):
		return plan.Campaign{}, fmt.Errorf("%w. No entry of %s has this name", noCampaign(name), plan.Printable(c.Plans))
	case err != nil:
		return plan.Campaign{}, err
	}
	want, err = m.Entry(ctx, name)
	planned, _ := assigner.OtherEntry(set, "", found)
	want.MaxNumbers = planned.MaxNumbers
	return want, err
}

// entryNamed returns the entry of the set with this name or id.
func entryNamed(set *plan.Set, name string) (plan.Campaign, bool) {
	for _, c := range set.Campaigns {
		if c.Name == name || c.ID() == name {
			return c, true
		}
	}
	return plan.Campaign{}, false
}

type numbersAssignCommand struct {
	Numbers  []string      `arg:"" name:"number" help:"Numbers, in any spelling."`
	Campaign string        `predictor:"campaign" required:"" placeholder:"ID" help:"Campaign: Telnyx's id, TCR's id, or the plan's name."`
	MoveFrom []string      `placeholder:"ID" help:"Campaign that numbers may be taken from. Repeat it for several."`
	Wait     bool          `help:"Wait until the numbers are attached."`
	Timeout  time.Duration `default:"10m" placeholder:"DURATION" help:"How long to wait at most (${default})."`
	naming
}

// Help is what kong prints under the command's own help.
func (c *numbersAssignCommand) Help() string {
	return `Attaches numbers with the assigner's code and rules: the campaign must be approved, and a number on another campaign
is moved only if --move-from names that campaign. A number that is already attached is not changed.

Exits with 0 if all are accepted (with --wait: attached), with 3 if some need a person, and with 1 on errors.`
}

// Run attaches the numbers and prints a line for each.
func (c *numbersAssignCommand) Run(ctx context.Context, out output) error {
	numbers, faults, err := parseNumbers(c.Numbers)
	if err != nil {
		return err
	}
	return c.work(ctx, "greenlight numbers assign", func(m *assigner.Manual) error {
		want, err := c.wanted(ctx, m)
		if err != nil {
			return err
		}
		want.Numbers = numbers
		all := newOutcomes(out, c.JSON, "attached", "accepted")
		all.total, all.waits = len(numbers)+len(faults), c.Wait
		all.failTyped(faults)
		m.Report = all.add
		assign := func(again bool) ([]assigner.ManualResult, error) {
			results, err := m.Assign(ctx, want, again)
			return results, all.judge(numbers, results, explain(err, c.Campaign))
		}
		results, err := assign(false)
		if err == nil && c.Wait {
			err = await(ctx, c.Timeout, results, func() ([]assigner.ManualResult, error) { return assign(true) })
		}
		return all.finish(err)
	})
}

// wanted returns the entry that attaches to the campaign, without numbers. Plan files that do
// not load may limit how many.
func (c *numbersAssignCommand) wanted(ctx context.Context, m *assigner.Manual) (plan.Campaign, error) {
	if c.Standalone && exists(c.Plans) {
		if _, err := plan.Load(c.Plans); err != nil {
			return plan.Campaign{}, fmt.Errorf("nothing was sent: the campaign's max_numbers is unknown, because the plan files do not load. Correct them, or name others with --plans: %w", err)
		}
	}
	want, err := c.entry(ctx, m, c.Campaign)
	if err != nil {
		return want, err
	}
	for _, name := range c.MoveFrom {
		from, err := c.entry(ctx, m, name)
		if err != nil {
			return want, err
		}
		want.MoveFrom = append(want.MoveFrom, from.ID())
	}
	return want, nil
}

// explain says what stopped the work on a campaign.
func explain(err error, campaign string) error {
	switch {
	case telnyx.IsNotFound(err):
		return noCampaign(campaign)
	case errors.Is(err, ledger.ErrChanged):
		return fmt.Errorf("other processes keep changing its record; run the command again: %w", err)
	}
	return err
}

// await repeats a command until no request is under way, or the time is up.
func await(ctx context.Context, limit time.Duration, results []assigner.ManualResult, again func() ([]assigner.ManualResult, error)) error {
	deadline := time.Now().Add(limit)
	wait := checkEvery / 8 // Telnyx is often quick
	for waits(results) > 0 {
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d numbers were not finished within %s; Telnyx may still finish them", waits(results), len(results), limit)
		}
		pause(ctx, wait)
		wait = min(2*wait, checkEvery)
		if err := context.Cause(ctx); err != nil {
			return err
		}
		var err error
		if results, err = again(); err != nil {
			return err
		}
	}
	return nil
}

// waits counts the numbers with a request that is not finished.
func waits(results []assigner.ManualResult) (n int) {
	for _, result := range results {
		if result.Sent {
			n++
		}
	}
	return n
}

type numbersRemoveCommand struct {
	Numbers  []string      `arg:"" name:"number" help:"Numbers, in any spelling."`
	Campaign string        `predictor:"campaign" placeholder:"ID" help:"Remove only what is on this campaign: Telnyx's id, TCR's id, or the plan's name. Default: each number from the campaign that it is on."`
	Yes      bool          `help:"Do not ask."`
	Wait     bool          `help:"Wait until the numbers have left."`
	Timeout  time.Duration `default:"10m" placeholder:"DURATION" help:"How long to wait at most (${default})."`
	naming
}

// Help is what kong prints under the command's own help.
func (c *numbersRemoveCommand) Help() string {
	return `Shows what would be removed, asks, and removes it. Numbers that the plan in force names on that campaign are refused,
because they would be attached again. Directly before each request, the number's own record is read.

Exits with 0 if all are removed, with 3 if some were refused, and with 1 on errors or without consent.`
}

// Run removes the numbers and prints a line for each.
func (c *numbersRemoveCommand) Run(ctx context.Context, out output) error {
	numbers, faults, err := parseNumbers(c.Numbers)
	if err != nil {
		return err
	}
	return c.work(ctx, "greenlight numbers remove", func(m *assigner.Manual) error {
		all := newOutcomes(out, c.JSON, "removed", "accepted")
		all.total, all.waits = len(numbers)+len(faults), c.Wait
		all.failTyped(faults)
		entries, err := c.entries(ctx, m, numbers, all)
		if err != nil {
			return err
		}
		shown, err := removeEach(ctx, m, entries, false, all)
		if err != nil {
			return all.finish(err)
		}
		for _, result := range shown {
			if !result.Would {
				all.add(result)
			}
		}
		if _, err := c.ask(out.Stderr, shown); err != nil {
			return err
		}
		m.Report = all.add
		round := c.rounds(ctx, m, entries, shown, all)
		results, err := round()
		if err == nil && c.Wait {
			err = await(ctx, c.Timeout, results, round)
		}
		return all.finish(err)
	})
}

// rounds returns a function that removes what was shown, and again what has not left, which
// may be repeated. What is being removed already is only waited for. Nothing is sent for
// another number, or for one that has left and come back.
func (c *numbersRemoveCommand) rounds(ctx context.Context, m *assigner.Manual, entries []plan.Campaign, shown []assigner.ManualResult, all *outcomes) func() ([]assigner.ManualResult, error) {
	due := reduce(entries, shown, func(result assigner.ManualResult) bool { return result.Would })
	var underWay []plan.Campaign
	if c.Wait {
		underWay = reduce(entries, shown, func(result assigner.ManualResult) bool { return result.Sent })
	}
	return func() ([]assigner.ManualResult, error) {
		results, err := removeEach(ctx, m, due, true, all)
		if err != nil {
			return results, err
		}
		due = reduce(due, results, func(result assigner.ManualResult) bool { return !result.Done })
		read, err := removeEach(ctx, m, underWay, false, all)
		for _, result := range read {
			all.add(result)
		}
		underWay = reduce(underWay, read, func(result assigner.ManualResult) bool { return result.Sent })
		return append(results, read...), err
	}
}

// entries groups the numbers by the campaign that they are to leave. The results of those
// that are on none, or cannot be read, are known.
func (c *numbersRemoveCommand) entries(ctx context.Context, m *assigner.Manual, numbers []plan.E164, all *outcomes) ([]plan.Campaign, error) {
	if c.Campaign != "" {
		want, err := c.entry(ctx, m, c.Campaign)
		want.Numbers = numbers
		return []plan.Campaign{want}, err
	}
	entries, others, err := m.ByCampaign(ctx, numbers)
	for _, result := range others {
		if result.Done {
			result.Refused = "It is on no campaign."
			all.add(result)
			continue
		}
		all.fail(result.Number, fmt.Errorf("%s: %s", result.Number, result.Refused))
	}
	return entries, err
}

// removeEach removes the numbers of each entry. A campaign that cannot be read or is on hold
// does not stop the others.
func removeEach(ctx context.Context, m *assigner.Manual, entries []plan.Campaign, send bool, all *outcomes) (results []assigner.ManualResult, err error) {
	for _, want := range entries {
		some, err := m.Remove(ctx, want, send)
		if err := all.judge(want.Numbers, some, explain(err, want.ID())); err != nil {
			return results, err
		}
		results = append(results, some...)
	}
	return results, context.Cause(ctx)
}

// reduce returns the entries with only the numbers whose result is of a kind.
func reduce(entries []plan.Campaign, results []assigner.ManualResult, keep func(assigner.ManualResult) bool) (reduced []plan.Campaign) {
	kept := map[plan.E164]bool{}
	for _, result := range results {
		kept[result.Number] = keep(result)
	}
	for _, want := range entries {
		want.Numbers = slices.DeleteFunc(slices.Clone(want.Numbers), func(n plan.E164) bool { return !kept[n] })
		if len(want.Numbers) > 0 {
			reduced = append(reduced, want)
		}
	}
	return reduced
}

// ask shows what would be removed and asks for consent.
func (c *numbersRemoveCommand) ask(w io.Writer, shown []assigner.ManualResult) (bool, error) {
	var lines []string
	for _, result := range shown {
		switch {
		case result.Would && result.Before != nil:
			lines = append(lines, fmt.Sprintf("  %s from campaign %s", result.Number, result.Before.CampaignID))
		case result.Would:
			lines = append(lines, fmt.Sprintf("  %s", result.Number))
		}
	}
	return consent{"Would be removed", "Remove", "nothing was removed"}.ask(w, c.Yes, lines)
}

// consent is asked for before something is written: what would happen, the verb of the
// question, and the error without consent.
type consent struct{ head, verb, refused string }

// ask shows the lines and asks for consent. It is not needed if there are none. Without a
// terminal --yes is needed.
func (c consent) ask(w io.Writer, yes bool, lines []string) (bool, error) {
	if len(lines) == 0 || yes {
		return len(lines) > 0, nil
	}
	fmt.Fprintf(w, "%s:\n%s\n", c.head, strings.Join(lines, "\n"))
	if app.Width(os.Stdin) == 0 {
		return false, errors.New(c.refused + ": without a terminal to ask on, add --yes")
	}
	fmt.Fprintf(w, "%s %d? [y/N] ", c.verb, len(lines))
	answer, err := bufio.NewReader(io.LimitReader(os.Stdin, 100)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return false, errors.New(c.refused)
	}
	return true, nil
}
