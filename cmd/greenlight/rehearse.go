package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"greenlight/config"
	"greenlight/internal/events"
	"greenlight/internal/httpserve"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/rehearsal"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/webhook"
	"greenlight/internal/words"
)

// The rehearsal's times.
const (
	// rehearsalHaste is how much faster than ours the assigner's clock goes, so that
	// waits of a quarter of a minute do not hold up the show.
	rehearsalHaste = 10
	rehearsalStep  = 200 * time.Millisecond
	// rehearsalPoll is how often the ledger is read, and rehearsalReport how often
	// progress is shown.
	rehearsalPoll   = 250 * time.Millisecond
	rehearsalReport = 2 * time.Second
	// The whole may take a minute, and a good deal of time for each number.
	rehearsalBase      = time.Minute
	rehearsalPerNumber = 100 * time.Millisecond
	// natsAway is how long NATS is gone on a bad day.
	natsAway = 1500 * time.Millisecond
	// mostFaults bounds the faults that are listed.
	mostFaults = 20
)

// rehearsalRun is one rehearsal of a plan.
type rehearsalRun struct {
	set     *plan.Set
	path    string
	dir     string
	chaos   bool
	keep    bool
	report  *reporter
	sim     *telnyxsim.Simulator
	road    *rehearsal.Road
	account *rehearsal.Account
	stage   *stage
	js      jetstream.JetStream
	// unsent counts the events that Telnyx never sent.
	unsent int
}

// rehearse plays the days of a plan folder. It returns nil when every number is as
// the plan wants, or needs a person for a reason, and nothing was stolen, lost or
// written twice.
func (c *demoCommand) rehearse(ctx context.Context, out output) error {
	set, path, err := c.rehearsed()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "greenlight-demo-")
	if err != nil {
		return err
	}
	r := &rehearsalRun{
		set: set, path: path, dir: dir, chaos: c.Chaos, keep: c.Keep,
		report: &reporter{w: out.Stdout, started: time.Now()}, road: &rehearsal.Road{Next: &http.Transport{MaxIdleConnsPerHost: 16}},
	}
	if err := r.run(ctx); err != nil {
		return fmt.Errorf("%w\nThe log of the rehearsal is kept: %s", err, filepath.Join(dir, "greenlight.log"))
	}
	return os.RemoveAll(dir)
}

// rehearsed returns the plan to rehearse and where it was read.
func (c *demoCommand) rehearsed() (set *plan.Set, path string, err error) {
	if c.Plans == "" {
		set, err = plan.LoadBytes("config/plan.example.yaml", config.ExamplePlan)
		return set, "config/plan.example.yaml", err
	}
	set, err = plan.Load(c.Plans)
	return set, c.Plans, err
}

func (r *rehearsalRun) run(ctx context.Context) (err error) {
	log, logFile, err := logTo(filepath.Join(r.dir, logName))
	if err != nil {
		return err
	}
	defer logFile.Close()
	listeners, err := listenAll(3)
	if err != nil {
		return err
	}
	api, public, private := listeners[0], listeners[1], listeners[2]
	r.sim = telnyxsim.New(telnyxsim.Options{
		AssignDelay: 300 * time.Millisecond, MappingDelay: 200 * time.Millisecond, MappingGap: 100 * time.Millisecond,
		RetryInterval: time.Second, DeliveryTransport: r.road,
	})
	defer r.sim.Close()
	r.account = rehearsal.Seed(r.sim, r.set, rehearsal.Seeding{
		WebhookURL: fmt.Sprintf("http://%s%s", public.Addr(), webhook.Path), Bystanders: true,
	})
	verifier, err := verifierFor(r.sim)
	if err != nil {
		return err
	}
	started := time.Now()
	r.stage = &stage{
		hub: &hub{dir: r.dir}, set: r.set, apiURL: fmt.Sprintf("http://%s/v2", api.Addr()), verifier: verifier, log: log,
		// Every campaign is read again each time, so large sets get more time.
		resync: max(time.Second, time.Duration(len(r.set.Campaigns))*20*time.Millisecond).Truncate(time.Second),
		now:    func() time.Time { return started.Add(rehearsalHaste * time.Since(started)) },
	}
	r.introduce(private.Addr().String())

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return httpserve.Serve(ctx, api, r.sim) })
	group.Go(func() (err error) {
		defer stop()
		// The parts stop by themselves, in their order, whatever ends the show.
		err = r.stage.open(context.WithoutCancel(ctx), public, private)
		defer func() { err = errors.Join(err, r.stage.close()) }()
		if err != nil {
			return err
		}
		return r.play(ctx)
	})
	return group.Wait()
}

func (r *rehearsalRun) introduce(status string) {
	r.report.plain("A rehearsal: Greenlight, NATS and a simulated Telnyx in this process. Nothing leaves this machine.")
	r.report.plain("What takes days at Telnyx takes seconds here, and Greenlight's own waits are %d times as short.", rehearsalHaste)
	r.report.plain("Plan:        %s, %s, %s", printable(r.path), words.Count(len(r.set.Campaigns), "campaign"), words.Count(r.account.Numbers, "number"))
	r.report.plain("Status page: http://%s/status", status)
	r.report.plain("")
}

// play is the whole rehearsal, from the staged plan to the result.
func (r *rehearsalRun) play(ctx context.Context) error {
	limit := rehearsalBase + time.Duration(r.account.Numbers)*rehearsalPerNumber
	if r.chaos {
		limit *= 2
	}
	bounded, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not every number came to an end within %s", limit))
	defer cancel()
	js, hangUp, err := r.stage.hub.reader()
	if err != nil {
		return err
	}
	defer hangUp()
	r.js = js
	if err := r.stage.hire(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	if err := r.until(bounded, "staged", r.isStaged); err != nil {
		return err
	}
	r.report.say("The plan is staged: %s wait for approval.", words.Count(r.account.Numbers, "number"))
	if r.account.Moves > 0 {
		r.report.say("%s on a campaign that move_from names, to be moved.", areOrIs(r.account.Moves))
	}
	if r.account.Taken > 0 {
		r.report.say("%s in use on a campaign that the plan does not name: it must stay there.", areOrIs(r.account.Taken))
	}
	if err := r.approve(bounded); err != nil {
		return err
	}
	if err := r.until(bounded, "settled", r.isSettled); err != nil {
		return err
	}
	r.sim.ClearFaults()
	r.road.SetBad(false)
	if err := r.judge(bounded); err != nil {
		return err
	}
	if r.keep {
		r.report.plain("Still running; stop it with Ctrl-C.")
		<-ctx.Done()
	}
	return nil
}

func areOrIs(n int) string {
	if n == 1 {
		return "1 number is"
	}
	return fmt.Sprintf("%d numbers are", n)
}

// approve takes every campaign through review at once, on a bad day with all that can
// go wrong.
func (r *rehearsalRun) approve(ctx context.Context) error {
	var crash chan struct{}
	if r.chaos {
		crash = r.spoil()
	}
	r.report.say("Telnyx and the carriers review %s…", words.Count(len(r.set.Campaigns), "campaign"))
	for i, step := range []func(string) error{r.sim.Submit, r.sim.TelnyxReview, r.sim.MNOReview, r.sim.Approve} {
		for at, id := range r.account.Campaigns {
			// On a bad day Telnyx never says of every other campaign that it is approved.
			silent := r.chaos && i == 3 && at%2 == 0
			r.sim.DropDeliveries(silent)
			if silent {
				r.unsent++
			}
			if err := step(id); err != nil {
				return err
			}
		}
		r.sim.DropDeliveries(false)
		if i < 3 {
			pause(ctx, rehearsalStep)
		}
	}
	r.report.say("Approved! Greenlight attaches the numbers.")
	if !r.chaos {
		return nil
	}
	r.report.say("Telnyx posts no event for %s of them: only reading shows the approval.", fmt.Sprint(r.unsent))
	return r.strike(ctx, crash)
}

// spoil begins the bad day. The channel is closed when the assigner has to die: a
// request took effect, and its answer is under way.
func (r *rehearsalRun) spoil() (crash chan struct{}) {
	r.report.say("A bad day: of every four deliveries one is lost, one loses its answer and one is late; each event comes twice.")
	r.report.say("Telnyx answers 429, 500, 502 or not at all, at times after it did what was asked.")
	r.road.SetBad(true)
	r.sim.DuplicateDeliveries(1)
	crash = make(chan struct{})
	fatal, seen := 1+(r.account.Numbers-r.account.Taken)/3, 0
	r.sim.Inject(telnyxsim.Fault{
		Match: func(q *http.Request) bool { // called one at a time
			if rehearsal.Attaches(q) {
				seen++
			}
			return rehearsal.Attaches(q) && seen == min(fatal, r.account.Numbers-r.account.Taken)
		},
		Kind:      telnyxsim.EffectThenHang(),
		OnApplied: func() { close(crash) },
	})
	rehearsal.Spoil(r.sim, rehearsal.FaultsFor(r.account.Numbers))
	return crash
}

// strike kills the assigner in the middle of a request, and later takes NATS away for a
// while.
func (r *rehearsalRun) strike(ctx context.Context, crash chan struct{}) error {
	err := r.until(ctx, "attaching", func(ctx context.Context) (bool, error) {
		select {
		case <-crash:
			return true, nil
		default:
			return r.isSettled(ctx)
		}
	})
	if err != nil {
		return err
	}
	r.stage.desk.die()
	r.report.say("The assigner dies: Telnyx has attached a number, and the answer is lost.")
	if err := r.stage.hire(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	r.report.say("Another assigner starts, and knows only what the ledger has.")
	half := (r.account.Numbers - r.account.Taken + 1) / 2
	err = r.until(ctx, "half of the writes", func(context.Context) (bool, error) { return r.written() >= half, nil })
	if err != nil {
		return err
	}
	if err := r.stage.hub.stop(); err != nil {
		return err
	}
	r.report.say("NATS stops. Deliveries are refused with 503 meanwhile, and Telnyx tries again.")
	pause(ctx, natsAway)
	if err := r.stage.hub.start(); err != nil {
		return err
	}
	r.report.say("NATS is back.")
	return nil
}

// pause lets a time pass, or less if ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// until waits for a condition, and shows progress meanwhile. Reads that fail while NATS is away are ignored.
func (r *rehearsalRun) until(ctx context.Context, what string, so func(context.Context) (bool, error)) error {
	var trouble error
	for {
		if err := r.attend(ctx); err != nil {
			return err
		}
		reading, cancel := context.WithTimeout(ctx, 5*time.Second)
		done, err := so(reading)
		cancel()
		if done {
			return nil
		}
		trouble = err
		if ctx.Err() != nil {
			cause := context.Cause(ctx)
			if errors.Is(cause, context.Canceled) {
				return cause
			}
			return errors.Join(fmt.Errorf("%w: waiting to be %s", cause, what), trouble)
		}
		pause(ctx, rehearsalPoll)
	}
}

// attend keeps the parts running. On a bad day it does what the service manager of a real
// machine does: an assigner that was just starting when NATS went away gives up, and is
// started again.
func (r *rehearsalRun) attend(ctx context.Context) error {
	if err := r.stage.door.failed(); err != nil {
		return err
	}
	err := r.stage.desk.failed()
	if err == nil || !r.chaos {
		return err
	}
	_ = r.stage.desk.end()
	r.report.say("The assigner ended while NATS was away, and is started again.")
	return r.stage.hire(context.WithoutCancel(ctx))
}

// isStaged reports whether Greenlight has read every campaign once.
func (r *rehearsalRun) isStaged(ctx context.Context) (bool, error) {
	book, err := ledger.Open(ctx, r.js)
	if err != nil {
		return false, err
	}
	entries, err := book.Campaigns(ctx)
	if err != nil {
		return false, err
	}
	read := 0
	for _, entry := range entries {
		if entry.Campaign.Planned && entry.Campaign.Phase == ledger.PhaseInReview {
			read++
		}
	}
	return read == len(r.set.Campaigns), nil
}

// isSettled reports whether every number is settled, and shows progress.
func (r *rehearsalRun) isSettled(ctx context.Context) (bool, error) {
	book, err := ledger.Open(ctx, r.js)
	if err != nil {
		return false, err
	}
	numbers, err := book.AllNumbers(ctx)
	if err != nil {
		return false, err
	}
	r.report.progress(numbers, r.account.Numbers)
	return r.account.IsSettled(numbers), nil
}

// written counts the numbers that were put on a campaign.
func (r *rehearsalRun) written() int {
	numbers := map[string]bool{}
	for _, w := range r.sim.Writes() {
		if w.Effective && w.Method != http.MethodPatch && w.PhoneNumber != "" {
			numbers[w.PhoneNumber] = true
		}
	}
	return len(numbers)
}

// judge checks and reports what happened. A broken promise is an error.
func (r *rehearsalRun) judge(ctx context.Context) error {
	book, err := ledger.Open(ctx, r.js)
	if err != nil {
		return err
	}
	h := rehearsal.History{Deliveries: r.sim.Deliveries(), Stored: map[string]bool{}}
	if h.Ledger, err = book.AllNumbers(ctx); err != nil {
		return err
	}
	h.Writes, h.Assignments = r.sim.Writes(), r.sim.Assignments()
	err = events.PastEvents(ctx, r.js, time.Time{}, func(e events.PastEvent) error {
		h.Stored[e.ID] = true
		return nil
	})
	if err != nil {
		return err
	}
	r.report.progress(h.Ledger, r.account.Numbers)
	r.summary(h)
	faults := r.account.Check(h)
	if len(faults) == 0 {
		r.report.plain("Nothing was stolen, lost or written twice: %s attached, each with one write.", words.Count(r.written(), "number"))
		return nil
	}
	for i, fault := range faults {
		if i == mostFaults {
			r.report.plain("  and %d more", len(faults)-mostFaults)
			break
		}
		r.report.plain("  %s", printable(fault.String()))
	}
	return fmt.Errorf("the rehearsal found %s", words.Count(len(faults), "fault"))
}

// summary reports what happened on the way, and how it ended.
func (r *rehearsalRun) summary(h rehearsal.History) {
	r.report.plain("")
	if r.chaos {
		tolls, attempts := r.road.Tolls(), 0
		for _, d := range h.Deliveries {
			attempts += len(d.Attempts)
		}
		r.report.plain("Of %d attempts to deliver %d were lost, %d lost their answer and %d came late. %s never sent.",
			attempts, tolls.Lost, tolls.Unanswered, tolls.Late, words.Count(r.unsent, "event"))
		spoilt := 0
		for _, w := range h.Writes {
			if w.AnswerStatus != http.StatusOK && w.PhoneNumber != "" {
				spoilt++
			}
		}
		r.report.plain("Of %d requests for a change %d were refused or got no answer.", len(h.Writes), spoilt)
	}
	reasons := map[string]int{}
	states := map[ledger.State]int{}
	for _, n := range h.Ledger {
		states[n.State]++
		if n.NeedsPerson {
			reasons[string(n.Reason)]++
		}
	}
	r.report.plain("%d of %s can send, after %.1f s.", states[ledger.Sendable], words.Count(r.account.Numbers, "number"), time.Since(r.report.started).Seconds())
	for _, reason := range ledger.Reasons() {
		if n := reasons[string(reason)]; n > 0 {
			r.report.plain("%s a person (%s): %s", needs(n), reason, reason.Advice().Why)
		}
	}
}

func needs(n int) string {
	if n == 1 {
		return "1 needs"
	}
	return fmt.Sprintf("%d need", n)
}

// reporter writes what happens, in lines that fit a terminal.
type reporter struct {
	w       io.Writer
	started time.Time

	mu       sync.Mutex
	latest   string
	reported time.Time
}

// reportWidth is how wide its lines may be.
const reportWidth = 78

func (t *reporter) plain(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, line := range wrapped(fmt.Sprintf(format, args...), reportWidth) {
		fmt.Fprintln(t.w, line)
	}
}

// say writes a sentence with the time.
func (t *reporter) say(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.line(fmt.Sprintf(format, args...))
}

func (t *reporter) line(sentence string) {
	const indent = "         "
	head := fmt.Sprintf("%6.1fs  ", time.Since(t.started).Seconds())
	for _, line := range wrapped(sentence, reportWidth-len(indent)) {
		fmt.Fprintln(t.w, head+line)
		head = indent
	}
}

// progress shows how many numbers are in which state, if that has changed and was not
// shown just before.
func (t *reporter) progress(numbers []ledger.Number, planned int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sentence := byState(slices.Values(numbers))
	if left := planned - len(numbers); sentence != "" && left > 0 {
		sentence += fmt.Sprintf(", %d of a pool that is not read yet", left)
	}
	final := sentence == fmt.Sprintf("%d %s", planned, ledger.Sendable)
	if sentence == "" || sentence == t.latest || !final && time.Since(t.reported) < rehearsalReport {
		return
	}
	t.latest, t.reported = sentence, time.Now()
	t.line(sentence)
}

// wrapped breaks a sentence into lines without blanks at their ends.
func wrapped(sentence string, width int) []string {
	lines := strings.Split(text.WrapSoft(sentence, width), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return lines
}
