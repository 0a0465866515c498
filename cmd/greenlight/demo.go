package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"greenlight/config"
	"greenlight/internal/app"
	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/rehearsal"
	"greenlight/internal/status"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/webhook"
)

// The demo's delays. At Telnyx a review takes days and a number minutes to hours, but
// the order of events is the same.
const (
	demoReviewStep   = 500 * time.Millisecond
	demoAssignDelay  = 500 * time.Millisecond
	demoMappingDelay = 400 * time.Millisecond
	demoMappingGap   = 200 * time.Millisecond
	// The time limit of a demo; with --chaos it is doubled.
	demoBase      = time.Minute
	demoPerNumber = 100 * time.Millisecond
	// demoDowntime is how long Greenlight is down after the second crash.
	demoDowntime = 1500 * time.Millisecond
	// demoViolations bounds the broken promises that are listed.
	demoViolations = 20
)

type demoCommand struct {
	Keep  bool   `help:"Keep everything running at the end, so that you can open the status page."`
	Plans string `placeholder:"PATH" help:"Rehearse the plans in this folder or file."`
	Chaos bool   `help:"Rehearse a bad day: lost and late deliveries, errors, two crashes."`
}

// Help is what kong prints under the command's own help.
func (c *demoCommand) Help() string {
	return `Starts greenlight up and a simulated Telnyx on free ports of this machine, with a temporary folder.
The plan is config/plan.example.yaml. The simulated carriers approve its campaign, Telnyx posts the signed
notification, and Greenlight attaches the numbers. Nothing leaves this machine.

With --plans it rehearses your own plans: the simulated account has all their campaigns and numbers. --chaos adds
faults, and puts one of your numbers on another campaign. At the end, a checker reads the simulator's log. The exit
code is 0 only if nothing was stolen, lost or written twice, and every number is as planned, or needs a person for a
reason that the rehearsal caused.`
}

// Run runs the demo. It returns nil if every number is as planned.
func (c *demoCommand) Run(ctx context.Context, out output) error {
	dir, err := os.MkdirTemp("", "greenlight-demo-")
	if err != nil {
		return err
	}
	d := &demo{dir: dir, name: c.Plans, path: c.Plans, chaos: c.Chaos, keep: c.Keep, board: newBoard(out.Stdout)}
	if c.Plans == "" {
		d.name, d.path = "config/plan.example.yaml", filepath.Join(dir, "plan.example.yaml")
		err = os.WriteFile(d.path, config.ExamplePlan, 0o600)
	}
	if err == nil {
		d.set, err = plan.Load(d.path)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	err = d.run(ctx)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		err = errors.New("the demo was interrupted")
	default:
		return fmt.Errorf("%w\nNumbers: %s. The log of greenlight up: %s", err, d.board.progress(), d.logPath())
	}
	return errors.Join(err, os.RemoveAll(dir))
}

// demo is one run of the demo.
type demo struct {
	set *plan.Set
	// name is shown as the plan's name, path is where it is read.
	name, path string
	dir        string
	chaos      bool
	keep       bool
	board      *board
	sim        *telnyxsim.Simulator
	network    rehearsal.Network
	account    *rehearsal.Account
	up         *service
	// unsent counts the approvals that Telnyx sends no event for.
	unsent int
}

func (d *demo) logPath() string { return filepath.Join(d.dir, "greenlight.log") }

func (d *demo) run(ctx context.Context) error {
	api, err := app.Listen("127.0.0.1:0")
	if err != nil {
		return err
	}
	addresses, err := freeAddresses(2)
	if err != nil {
		return errors.Join(err, api.Close())
	}
	public, private := addresses[0], addresses[1]
	d.sim = telnyxsim.New(telnyxsim.Options{
		AssignDelay: demoAssignDelay, MappingDelay: demoMappingDelay, MappingGap: demoMappingGap,
		RetryInterval: time.Second, DeliveryTransport: &d.network,
	})
	defer d.sim.Close()
	d.account = rehearsal.Seed(d.sim, d.set, rehearsal.Seeding{
		WebhookURL: fmt.Sprintf("http://%s%s", public, webhook.Path), Bystanders: d.chaos,
	})
	d.board.planned = d.account.Numbers
	d.up = &service{
		data: filepath.Join(d.dir, "data"), log: d.logPath(),
		args: []string{
			"--plans", d.path, "--listen", public, "--admin-listen", private,
			"--telnyx-base-url", fmt.Sprintf("http://%s/v2", api.Addr()), "--telnyx-rate", "500", "--telnyx-concurrency", "16",
			// A resync reads every campaign, so large sets need more time.
			"--resync", max(time.Second, time.Duration(len(d.set.Campaigns))*20*time.Millisecond).String(),
			"--rehearsed-since", time.Now().Format(time.RFC3339Nano),
		},
		env: []string{"TELNYX_API_KEY=demo-key", "TELNYX_PUBLIC_KEY=" + d.sim.PublicKey()},
	}
	d.introduce(private)

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return app.Serve(ctx, api, d.sim) })
	group.Go(func() (err error) {
		defer stop()
		defer func() { err = errors.Join(err, d.up.stop()) }()
		return d.play(ctx)
	})
	return group.Wait()
}

func (d *demo) introduce(private string) {
	d.board.print("Greenlight runs against a simulated Telnyx. Nothing leaves this machine. What takes days at Telnyx takes seconds here, and Greenlight's own waits are %d times shorter.", rehearsedSpeed)
	d.board.print("Plan:        %s, %s, %s", d.name, status.Count(len(d.set.Campaigns), "campaign"), status.Count(d.account.Numbers, "number"))
	d.board.print("Status page: http://%s/status", private)
	fmt.Fprintln(d.board.w)
}

// play runs the demo from the plan to the result.
func (d *demo) play(ctx context.Context) error {
	limit := demoBase + time.Duration(d.account.Numbers)*demoPerNumber
	if d.chaos {
		limit *= 2
	}
	bounded, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not every number was settled within %s", limit))
	defer cancel()
	if err := d.up.start(bounded, d.board.change); err != nil {
		return err
	}
	if err := d.until(bounded, "loaded", d.isLoaded); err != nil {
		return err
	}
	d.board.log("Greenlight has the plan. Waiting for approval: %s.", status.Count(d.account.Numbers, "number"))
	if d.account.Moves > 0 {
		d.board.log("On a campaign in move_from, to be moved: %s.", status.Count(d.account.Moves, "number"))
	}
	if d.account.Taken > 0 {
		d.board.log("The rehearsal put %s of your plan on another campaign, to show a conflict. It must stay there.", status.Count(d.account.Taken, "number"))
	}
	var crash chan struct{}
	if d.chaos {
		crash = d.injectFaults()
	}
	if err := d.approve(bounded); err != nil {
		return err
	}
	if d.chaos {
		if err := d.crashTwice(bounded, crash); err != nil {
			return err
		}
	}
	if err := d.until(bounded, "settled", d.isSettled); err != nil {
		return err
	}
	d.sim.ClearFaults()
	d.network.SetFaulty(false)
	if err := d.check(bounded); err != nil {
		return err
	}
	if d.keep {
		d.board.print("Still running; stop it with Ctrl-C.")
		<-ctx.Done()
	}
	return nil
}

// approve takes every campaign through registration and review. With --chaos, Telnyx
// sends no event for every other approval.
func (d *demo) approve(ctx context.Context) error {
	d.board.log("Telnyx and the carriers review %s…", status.Count(len(d.set.Campaigns), "campaign"))
	for i, step := range []func(string) error{d.sim.Submit, d.sim.TelnyxReview, d.sim.MNOReview, d.sim.Approve} {
		pause(ctx, demoReviewStep)
		for at, id := range d.account.Campaigns {
			silent := d.chaos && i == 3 && at%2 == 0
			d.sim.DropDeliveries(silent)
			if silent {
				d.unsent++
			}
			if err := step(id); err != nil {
				return fmt.Errorf("approve campaign %s: %w", id, err)
			}
		}
		d.sim.DropDeliveries(false)
	}
	d.board.log("Approved! Telnyx posts a signed VERIFIED notification to the webhook.")
	if d.unsent > 0 {
		d.board.log("It posts none for %s: Greenlight finds out at the next resync.", status.Count(d.unsent, "campaign"))
	}
	return nil
}

// injectFaults makes calls and deliveries fail. The channel is closed when Greenlight
// should crash: Telnyx has attached a number and not answered yet.
func (d *demo) injectFaults() (crash chan struct{}) {
	d.board.log("Faults: of every four deliveries one is lost, one loses its answer and one is late; each event is sent twice.")
	d.board.log("Telnyx answers 429, 500, 502 or not at all, sometimes after it has made the change.")
	d.network.SetFaulty(true)
	d.sim.DuplicateDeliveries(1)
	crash = make(chan struct{})
	writes := d.account.Numbers - d.account.Taken
	fatal, seen := min(1+writes/3, writes), 0
	d.sim.Inject(telnyxsim.Fault{
		Match: func(q *http.Request) bool { // called for one request at a time
			if rehearsal.Attaches(q) {
				seen++
			}
			return rehearsal.Attaches(q) && seen == fatal
		},
		Kind:      telnyxsim.EffectThenHang(),
		OnApplied: func() { close(crash) },
	})
	rehearsal.Inject(d.sim, rehearsal.FaultsFor(d.account.Numbers))
	return crash
}

// crashTwice kills Greenlight during a request, and again when half of the numbers are
// attached.
func (d *demo) crashTwice(ctx context.Context, crash chan struct{}) error {
	err := d.until(ctx, "attaching", func(ctx context.Context) (bool, error) {
		select {
		case <-crash:
			return true, nil
		default:
			return d.isSettled(ctx)
		}
	})
	if err != nil {
		return err
	}
	d.up.kill()
	d.board.log("Greenlight is killed: Telnyx has attached a number, and the answer is lost.")
	if err := d.up.start(ctx, d.board.change); err != nil {
		return err
	}
	d.board.log("It starts again, and knows only what is on its disk.")
	writes := d.account.Numbers - d.account.Taken
	half := min(max(writes/2, d.attached()+1), writes)
	err = d.until(ctx, "half done", func(context.Context) (bool, error) { return d.attached() >= half, nil })
	if err != nil {
		return err
	}
	d.up.kill()
	d.board.log("It is killed again. Deliveries get no answer, and Telnyx retries them.")
	pause(ctx, demoDowntime)
	if err := d.up.start(ctx, d.board.change); err != nil {
		return err
	}
	d.board.log("It is back.")
	return nil
}

// pause waits for a time or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// until waits for a condition. Failed reads are retried. It is an error if the service
// ends by itself.
func (d *demo) until(ctx context.Context, what string, holds func(context.Context) (bool, error)) error {
	for {
		done, err := holds(ctx)
		if done {
			return nil
		}
		if ended := d.up.failed(); ended != nil {
			return ended
		}
		if cause := context.Cause(ctx); cause != nil {
			return errors.Join(fmt.Errorf("%w: waiting until %s", cause, what), err)
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// isLoaded reports whether Greenlight has read every campaign once.
func (d *demo) isLoaded(ctx context.Context) (bool, error) {
	entries, err := d.up.book.Campaigns(ctx)
	read := 0
	for _, entry := range entries {
		if entry.Campaign.Planned && entry.Campaign.Phase == ledger.PhaseInReview {
			read++
		}
	}
	return read == len(d.set.Campaigns), err
}

// isSettled reports whether every number is settled.
func (d *demo) isSettled(context.Context) (bool, error) {
	return d.account.IsSettled(d.board.known()), nil
}

// attached counts the numbers that were put on a campaign.
func (d *demo) attached() int {
	numbers := map[string]bool{}
	for _, w := range d.sim.Writes() {
		if w.Effective && w.Method != http.MethodPatch && w.PhoneNumber != "" {
			numbers[w.PhoneNumber] = true
		}
	}
	return len(numbers)
}

// check reports what happened. A broken promise is an error.
func (d *demo) check(ctx context.Context) (err error) {
	h := rehearsal.History{
		Expected: d.account.Expected, Bystanders: d.account.Bystanders,
		Writes: d.sim.Writes(), Assignments: d.sim.Assignments(), Kept: map[string]uint64{},
	}
	deliveries := d.sim.Deliveries()
	for _, delivery := range deliveries {
		if slices.ContainsFunc(delivery.Attempts, func(a telnyxsim.Attempt) bool { return a.Status == http.StatusOK }) {
			h.Accepted = append(h.Accepted, delivery.EventID)
		}
	}
	if h.Ledger, err = d.up.book.AllNumbers(ctx); err != nil {
		return err
	}
	err = events.PastEvents(ctx, d.up.js, time.Time{}, func(e events.PastEvent) error {
		h.Kept[e.ID] = e.Sequence
		return nil
	})
	if err != nil {
		return err
	}
	d.summary(h, deliveries)
	found := rehearsal.Check(h)
	if len(found) == 0 {
		d.board.print("Nothing was stolen, lost or written twice: %s attached, each with one write.", status.Count(d.attached(), "number"))
		return nil
	}
	for _, violation := range found[:min(len(found), demoViolations)] {
		d.board.print("- %s", violation)
	}
	if more := len(found) - demoViolations; more > 0 {
		d.board.print("- and %d more", more)
	}
	return fmt.Errorf("the rehearsal found %s", status.Count(len(found), "broken promise"))
}

// summary reports the faults and the result.
func (d *demo) summary(h rehearsal.History, deliveries []telnyxsim.Delivery) {
	d.board.finish()
	if d.chaos {
		faults, attempts := d.network.Counts(), 0
		for _, delivery := range deliveries {
			attempts += len(delivery.Attempts)
		}
		d.board.print("Of %d delivery attempts, %d were lost, %d lost their answer and %d were late. Telnyx sent no event about the approval of %s.",
			attempts, faults.Lost, faults.Unanswered, faults.Late, status.Count(d.unsent, "campaign"))
		failed := 0
		for _, w := range h.Writes {
			if w.AnswerStatus != http.StatusOK && w.PhoneNumber != "" {
				failed++
			}
		}
		d.board.print("Of %d write requests, %d were refused or got no answer.", len(h.Writes), failed)
	}
	reasons := map[ledger.Reason]int{}
	sendable := 0
	for _, n := range h.Ledger {
		if n.State == ledger.Sendable {
			sendable++
		}
		if n.NeedsPerson {
			reasons[n.Reason]++
		}
	}
	d.board.print("%d of %s can send, after %.1f s.", sendable, status.Count(d.account.Numbers, "number"), time.Since(d.board.started).Seconds())
	for _, reason := range ledger.Reasons() {
		if n := reasons[reason]; n > 0 {
			d.board.print("Needs a person (%s): %s. %s", reason, status.Count(n, "number"), reason.Advice().Why)
		}
	}
}
