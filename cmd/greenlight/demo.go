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
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/webhook"
	"greenlight/internal/words"
)

// The demo's times. At Telnyx a review takes days, and a number minutes to hours; the
// order of events is the same.
const (
	demoReviewStep   = 500 * time.Millisecond
	demoAssignDelay  = 500 * time.Millisecond
	demoMappingDelay = 400 * time.Millisecond
	demoMappingGap   = 200 * time.Millisecond
	// A demo may take a minute, and more for each number; twice that on a bad day.
	demoBase      = time.Minute
	demoPerNumber = 100 * time.Millisecond
	// demoAway is how long Greenlight is down the second time.
	demoAway = 1500 * time.Millisecond
	// demoFaults bounds the faults that are listed.
	demoFaults = 20
)

type demoCommand struct {
	Keep  bool   `help:"Leave everything running at the end, so that you can open the status page."`
	Plans string `placeholder:"PATH" help:"Rehearse this plan folder or file."`
	Chaos bool   `help:"Rehearse a bad day: lost and late deliveries, errors, two crashes."`
}

// Help is what kong prints under the command's own help.
func (c *demoCommand) Help() string {
	return `Starts greenlight up and a simulated Telnyx on free ports of this machine, with a temporary folder.
It stages config/plan.example.yaml; the simulated carriers approve its campaign, and Telnyx posts the signed
notification that makes Greenlight attach the numbers. Nothing leaves this machine.

With --plans it rehearses your own plans: every campaign and number in them exists in the simulated account.
With --chaos the day is a bad one, and one of your numbers is in use on another campaign. At the end a checker
reads the simulator's own log. The exit code is 0 only if every number is as the plan wants, or needs a person
for a reason that the rehearsal planted, and nothing was stolen, lost or written twice.`
}

// Run shows the whole way once. It returns nil when every number is as the plan wants.
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
		err = errors.New("the demo was stopped before its end")
	default:
		return fmt.Errorf("%w\nNumbers: %s. The log is kept: %s", err, d.board.progress(), d.logPath())
	}
	return errors.Join(err, os.RemoveAll(dir))
}

// demo is one run of the demo.
type demo struct {
	set *plan.Set
	// name is what the plan is called, path is where it is.
	name, path string
	dir        string
	chaos      bool
	keep       bool
	board      *board
	sim        *telnyxsim.Simulator
	road       rehearsal.Road
	account    *rehearsal.Account
	up         *service
	// unsent counts the events that Telnyx never sent.
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
		RetryInterval: time.Second, DeliveryTransport: &d.road,
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
			// Every campaign is read again each time, so large sets get more time.
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
	d.board.plain("Greenlight runs against a simulated Telnyx. Nothing leaves this machine. What takes days at Telnyx takes seconds here, and Greenlight's own waits are %d times shorter.", rehearsedSpeed)
	d.board.plain("Plan:        %s, %s, %s", printable(d.name), words.Count(len(d.set.Campaigns), "campaign"), words.Count(d.account.Numbers, "number"))
	d.board.plain("Status page: http://%s/status", private)
	d.board.plain("")
}

// play is the whole demo, from the staged plan to the result.
func (d *demo) play(ctx context.Context) error {
	limit := demoBase + time.Duration(d.account.Numbers)*demoPerNumber
	if d.chaos {
		limit *= 2
	}
	bounded, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not every number came to an end within %s", limit))
	defer cancel()
	if err := d.up.start(bounded, d.board.change); err != nil {
		return err
	}
	if err := d.until(bounded, "staged", d.isStaged); err != nil {
		return err
	}
	d.board.say("The plan is staged: %s.", waiting(d.account.Numbers))
	if d.account.Moves > 0 {
		d.board.say("%s on a campaign that move_from names, to be moved.", areOrIs(d.account.Moves))
	}
	if d.account.Taken > 0 {
		d.board.say("%s in use on a campaign that the plan does not name: the number must stay there. The rehearsal planted that.", areOrIs(d.account.Taken))
	}
	var crash chan struct{}
	if d.chaos {
		crash = d.spoil()
	}
	if err := d.approve(bounded); err != nil {
		return err
	}
	if d.chaos {
		if err := d.strike(bounded, crash); err != nil {
			return err
		}
	}
	if err := d.until(bounded, "settled", d.isSettled); err != nil {
		return err
	}
	d.sim.ClearFaults()
	d.road.SetBad(false)
	if err := d.judge(bounded); err != nil {
		return err
	}
	if d.keep {
		d.board.plain("Still running; stop it with Ctrl-C.")
		<-ctx.Done()
	}
	return nil
}

func waiting(n int) string {
	if n == 1 {
		return "1 number waits for approval"
	}
	return fmt.Sprintf("%d numbers wait for approval", n)
}

func areOrIs(n int) string {
	if n == 1 {
		return "1 number is"
	}
	return fmt.Sprintf("%d numbers are", n)
}

// approve takes every campaign through registration and review. On a bad day Telnyx
// sends no event for every other approval.
func (d *demo) approve(ctx context.Context) error {
	d.board.say("Telnyx and the carriers review %s…", words.Count(len(d.set.Campaigns), "campaign"))
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
	d.board.say("Approved! Telnyx posts a signed VERIFIED notification to the webhook.")
	if d.unsent > 0 {
		d.board.say("But it posts none for %s: only reading shows that approval.", words.Count(d.unsent, "campaign"))
	}
	return nil
}

// spoil begins the bad day. The channel is closed when Greenlight is to crash: Telnyx
// has attached a number and not answered yet.
func (d *demo) spoil() (crash chan struct{}) {
	d.board.say("A bad day: of every four deliveries one is lost, one loses its answer and one is late; each event comes twice.")
	d.board.say("Telnyx answers 429, 500, 502 or not at all, sometimes after it did what was asked.")
	d.road.SetBad(true)
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
	rehearsal.Spoil(d.sim, rehearsal.FaultsFor(d.account.Numbers))
	return crash
}

// strike kills Greenlight during a request, and again when half of the numbers are
// attached.
func (d *demo) strike(ctx context.Context, crash chan struct{}) error {
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
	d.board.say("Greenlight is killed: Telnyx has attached a number, and the answer is lost.")
	if err := d.up.start(ctx, d.board.change); err != nil {
		return err
	}
	d.board.say("It starts again, and knows only what is on its disk.")
	writes := d.account.Numbers - d.account.Taken
	half := min(max(writes/2, d.attached()+1), writes)
	err = d.until(ctx, "half done", func(context.Context) (bool, error) { return d.attached() >= half, nil })
	if err != nil {
		return err
	}
	d.up.kill()
	d.board.say("It is killed again. Nobody answers deliveries, and Telnyx repeats them.")
	pause(ctx, demoAway)
	if err := d.up.start(ctx, d.board.change); err != nil {
		return err
	}
	d.board.say("It is back.")
	return nil
}

// pause lets a time pass, or less if ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// until waits for a condition. Reads that fail are repeated, and a service that ends by
// itself is an error.
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
			return errors.Join(fmt.Errorf("%w: waiting to be %s", cause, what), err)
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// isStaged reports whether Greenlight has read every campaign once.
func (d *demo) isStaged(ctx context.Context) (bool, error) {
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

// judge checks and reports what happened. A broken promise is an error.
func (d *demo) judge(ctx context.Context) (err error) {
	h := rehearsal.History{
		Fates: d.account.Fates, Bystanders: d.account.Bystanders,
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
		d.board.plain("Nothing was stolen, lost or written twice: %s attached, each with one write.", words.Count(d.attached(), "number"))
		return nil
	}
	for _, violation := range found[:min(len(found), demoFaults)] {
		d.board.plain("  %s", printable(violation.String()))
	}
	if more := len(found) - demoFaults; more > 0 {
		d.board.plain("  and %d more", more)
	}
	return fmt.Errorf("the rehearsal found %s", words.Count(len(found), "fault"))
}

// summary reports what happened on the way, and how it ended.
func (d *demo) summary(h rehearsal.History, deliveries []telnyxsim.Delivery) {
	d.board.finish()
	if d.chaos {
		tolls, attempts := d.road.Tolls(), 0
		for _, delivery := range deliveries {
			attempts += len(delivery.Attempts)
		}
		d.board.plain("Of %d attempts to deliver %d were lost, %d lost their answer and %d came late. Telnyx sent no event about the approval of %s.",
			attempts, tolls.Lost, tolls.Unanswered, tolls.Late, words.Count(d.unsent, "campaign"))
		failed := 0
		for _, w := range h.Writes {
			if w.AnswerStatus != http.StatusOK && w.PhoneNumber != "" {
				failed++
			}
		}
		d.board.plain("Of %d requests for a change %d were refused or got no answer.", len(h.Writes), failed)
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
	d.board.plain("%d of %s can send, after %.1f s.", sendable, words.Count(d.account.Numbers, "number"), time.Since(d.board.started).Seconds())
	for _, reason := range ledger.Reasons() {
		if n := reasons[reason]; n > 0 {
			d.board.plain("%s a person (%s): %s", needs(n), reason, reason.Advice().Why)
		}
	}
}

func needs(n int) string {
	if n == 1 {
		return "1 needs"
	}
	return fmt.Sprintf("%d need", n)
}
