package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"greenlight/internal/app"
	"greenlight/internal/assigner"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

// checkEvery is the pause between two looks at numbers that --wait waits for.
const checkEvery = 2 * time.Second

type numbersAssignCommand struct {
	Numbers  []string      `arg:"" name:"number" help:"Numbers, in any spelling."`
	Campaign string        `required:"" placeholder:"ID" help:"Campaign: Telnyx's id, TCR's id, or the plan's name."`
	MoveFrom []string      `placeholder:"ID" help:"Campaign that numbers may be taken from. Repeat it for several."`
	Wait     bool          `help:"Wait until the numbers are attached."`
	Timeout  time.Duration `default:"10m" placeholder:"DURATION" help:"How long to wait at most (${default})."`
	writing
}

// Help is what kong prints under the command's own help.
func (c *numbersAssignCommand) Help() string {
	return `Attaches numbers by the assigner's own code and rules: the campaign must be approved, and a number that is in use
elsewhere is taken only from a campaign that --move-from names. A number that is attached already is left alone.

Exits with 0 if all are accepted (with --wait: attached), with 3 if a person is needed for some, with 1 on errors.`
}

// Run attaches the numbers and prints a line for each.
func (c *numbersAssignCommand) Run(ctx context.Context, out output) error {
	numbers, err := parseNumbers(c.Numbers)
	if err != nil {
		return err
	}
	return c.work(ctx, "greenlight numbers assign", func(m *assigner.Manual) error {
		want, err := m.Entry(ctx, c.Campaign)
		if err != nil {
			return err
		}
		want.Numbers = numbers
		for _, name := range c.MoveFrom {
			from, err := m.Entry(ctx, name)
			if err != nil {
				return err
			}
			want.MoveFrom = append(want.MoveFrom, from.ID())
		}
		all := newOutcomes(out.Stdout, c.JSON, "attached", "accepted")
		m.Report = all.add
		results, err := m.Assign(ctx, want, false)
		if telnyx.IsNotFound(err) {
			return noCampaign(c.Campaign)
		}
		if err == nil && c.Wait {
			_, err = await(ctx, c.Timeout, results, func() ([]assigner.ManualResult, error) { return m.Assign(ctx, want, true) })
		}
		return cmpErr(err, all.finish)
	})
}

// await repeats a command until no request is under way, or the time is up.
func await(ctx context.Context, limit time.Duration, results []assigner.ManualResult, again func() ([]assigner.ManualResult, error)) ([]assigner.ManualResult, error) {
	deadline := time.Now().Add(limit)
	for waits(results) > 0 {
		if time.Now().After(deadline) {
			return results, fmt.Errorf("%d of %d numbers were not finished within %s; Telnyx may still finish them", waits(results), len(results), limit)
		}
		pause(ctx, checkEvery)
		if err := context.Cause(ctx); err != nil {
			return results, err
		}
		var err error
		if results, err = again(); err != nil {
			return results, err
		}
	}
	return results, nil
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

// cmpErr finishes the output, also after an error, which counts then.
func cmpErr(err error, finish func() error) error {
	finished := finish()
	if err != nil {
		return err
	}
	return finished
}

type numbersRemoveCommand struct {
	Numbers  []string      `arg:"" name:"number" help:"Numbers, in any spelling."`
	Campaign string        `placeholder:"ID" help:"Remove only what is on this campaign: Telnyx's id, TCR's id, or the plan's name. Default: each number from the campaign that it is on."`
	Yes      bool          `help:"Do not ask."`
	Wait     bool          `help:"Wait until the numbers have left."`
	Timeout  time.Duration `default:"10m" placeholder:"DURATION" help:"How long to wait at most (${default})."`
	writing
}

// Help is what kong prints under the command's own help.
func (c *numbersRemoveCommand) Help() string {
	return `Shows what would be removed, asks, and removes it. A number that a plan in force names on that campaign is refused,
because it would be attached again. Directly before each request the number's own record is read.

Exits with 0 if all are removed, with 3 if some were refused, with 1 on errors and without consent.`
}

// Run removes the numbers and prints a line for each.
func (c *numbersRemoveCommand) Run(ctx context.Context, out output) error {
	numbers, err := parseNumbers(c.Numbers)
	if err != nil {
		return err
	}
	return c.work(ctx, "greenlight numbers remove", func(m *assigner.Manual) error {
		entries, others, err := c.entries(ctx, m, numbers)
		if err != nil {
			return err
		}
		each := func(send bool) (all []assigner.ManualResult, err error) {
			for _, want := range entries {
				results, err := m.Remove(ctx, want, send)
				all = append(all, results...)
				if err != nil {
					return all, err
				}
			}
			return all, nil
		}
		all := newOutcomes(out.Stdout, c.JSON, "removed", "accepted")
		for _, result := range others {
			if result.Done {
				result.Refused = "It is on no campaign."
			}
			all.add(result)
		}
		shown, err := each(false)
		if err != nil {
			return err
		}
		agreed, err := c.ask(out.Stderr, shown)
		if err != nil {
			return err
		}
		if !agreed {
			for _, result := range shown {
				all.add(result)
			}
			return all.finish()
		}
		m.Report = all.add
		results, err := each(true)
		if err == nil && c.Wait {
			_, err = await(ctx, c.Timeout, results, func() ([]assigner.ManualResult, error) { return each(true) })
		}
		return cmpErr(err, all.finish)
	})
}

// entries groups the numbers by the campaign that they are to leave. Others are on none, or
// their records cannot be read.
func (c *numbersRemoveCommand) entries(ctx context.Context, m *assigner.Manual, numbers []plan.E164) (entries []plan.Campaign, others []assigner.ManualResult, err error) {
	if c.Campaign != "" {
		want, err := m.Entry(ctx, c.Campaign)
		want.Numbers = numbers
		return []plan.Campaign{want}, nil, err
	}
	return m.Where(ctx, numbers)
}

// ask shows what would be removed and asks for consent.
func (c *numbersRemoveCommand) ask(w io.Writer, shown []assigner.ManualResult) (bool, error) {
	var lines []string
	for _, result := range shown {
		if result.Would {
			lines = append(lines, fmt.Sprintf("  %s from campaign %s", result.Number, result.Before.CampaignID))
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
		return false, errors.New(c.refused + ": this needs --yes, since nobody can be asked")
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
