//go:build unix

package torture

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"greenlight/internal/events"
	"greenlight/internal/telnyx/telnyxsim"
)

// A write goes wrong by each kind of fault this often, and a read, which is
// repeated twice by the client, less often. 429 slows everything down for long, so it
// is rare.
const (
	writeFault   = 0.03
	readFault    = 0.006
	tooManyFault = 0.002
)

// faults are the ways in which Telnyx's answers go wrong.
var faults = []struct {
	name    string
	kind    telnyxsim.FaultKind
	latency time.Duration
}{
	{"500", telnyxsim.StatusFault(500, `{"errors":[{"code":"10007","title":"Unexpected error"}]}`), 0},
	{"being processed", telnyxsim.StatusFault(422, `{"errors":[{"code":"10036","title":"Resource is being processed"}]}`), 0},
	{"502 in HTML", telnyxsim.HTML502(), 0},
	{"cut in half", telnyxsim.TruncatedBody(), 0},
	{"empty", telnyxsim.EmptyBody(), 0},
	{"no JSON", telnyxsim.UnreadableJSON(), 0},
	{"reset", telnyxsim.Reset(), 0},
	{"hanging", telnyxsim.Hang(), 0},
	{"done, then lost", telnyxsim.EffectThenLost(), 0},
	{"done, then hanging", telnyxsim.EffectThenHang(), 0},
	{"late", telnyxsim.FaultKind{}, clientTimeout / 2},
	{"too late", telnyxsim.FaultKind{}, 2 * clientTimeout},
	{"429", telnyxsim.RateLimited(time.Second), 0},
}

// injectFaults makes answers go wrong by chance until the faults are cleared.
func injectFaults(sim *telnyxsim.Simulator, dice *dice, tally *tally) {
	for _, f := range faults {
		sim.Inject(telnyxsim.Fault{Kind: f.kind, Latency: f.latency, Times: -1, Match: func(r *http.Request) bool {
			p, group := readFault, "faults of reads"
			if r.Method != http.MethodGet {
				p, group = writeFault, "faults of writes"
			}
			if f.name == "429" {
				p = tooManyFault
			}
			struck := dice.chance(p)
			if struck {
				tally.add(group, f.name)
			}
			return struck
		}})
	}
}

// falseAnswers are answers that are complete and untrue. Nothing that needs a person may follow from
// one of them.
var falseAnswers = []struct {
	name, path string
	kind       telnyxsim.FaultKind
	// apart is the least time between two false answers under a path, so that a true answer
	// reaches the ledger in between whatever is frozen; zero is for falseAnswers that occur once.
	apart time.Duration
}{
	{"campaign not found", "/10dlc/campaign/", telnyxsim.StatusFault(404, `{"errors":[{"code":"10005","title":"Resource not found"}]}`), 15 * time.Second},
	{"no numbers", "/phone_numbers/messaging", telnyxsim.StatusFault(200, emptyList), 0},
	{"no numbers", "/phone_numbers", telnyxsim.StatusFault(200, emptyList), 0},
	{"an empty pool", "/messaging_profiles/", telnyxsim.StatusFault(200, emptyList), 0},
}

const emptyList = `{"data":[],"meta":{"total_pages":0,"total_results":0,"page_number":1,"page_size":250}}`

// injectFalse makes some answers untrue until the faults are cleared.
func injectFalse(sim *telnyxsim.Simulator, dice *dice, tally *tally) {
	for _, l := range falseAnswers {
		spoilt := map[string]time.Time{} // by path
		sim.Inject(telnyxsim.Fault{Kind: l.kind, Method: http.MethodGet, PathPrefix: l.path, Times: -1, Match: func(r *http.Request) bool {
			path := r.URL.Path
			latest, before := spoilt[path]
			early := before && (l.apart == 0 || time.Since(latest) < l.apart)
			if early || path != "/v2"+l.path && !strings.HasSuffix(l.path, "/") || !dice.chance(0.1) {
				return false
			}
			spoilt[path] = time.Now()
			tally.add("false answers", l.name)
			return true
		}})
	}
}

// incident is something that a trial does to the processes.
type incident struct {
	name string
	run  func(*trial)
}

// incidents occur in random order, each once, then all again.
var incidents = []incident{
	{"kill the webhook", func(tr *trial) { tr.kill(tr.hook) }},
	{"kill the active assigner", func(tr *trial) { tr.kill(tr.activeAssigner()) }},
	{"kill the active assigner at a write", (*trial).killAtWrite},
	{"kill the standby", func(tr *trial) { tr.kill(tr.standby()) }},
	{"kill NATS", func(tr *trial) { tr.kill(tr.nats) }},
	{"kill all", func(tr *trial) {
		tr.kill(tr.nats)
		tr.kill(tr.hook)
		tr.kill(tr.assigners[0])
		tr.kill(tr.assigners[1])
	}},
	{"restart NATS", func(tr *trial) { tr.nats.signal(syscall.SIGTERM) }},
	{"end the active assigner", func(tr *trial) { tr.activeAssigner().signal(syscall.SIGTERM) }},
	{"freeze the active assigner", func(tr *trial) {
		tr.freeze(tr.activeAssigner(), timing.PinnedTTL+500*time.Millisecond, 2*timing.PinnedTTL)
	}},
	{"freeze the active assigner at a write", (*trial).freezeAtWrite},
	{"freeze NATS", func(tr *trial) { tr.freeze(tr.nats, 500*time.Millisecond, 2*time.Second) }},
	{"freeze the webhook", func(tr *trial) { tr.freeze(tr.hook, 500*time.Millisecond, 3*time.Second) }},
	{"step one clock", func(tr *trial) { tr.stepClock(tr.dice.below(2)) }},
	{"step both clocks", func(tr *trial) { tr.stepClock(0); tr.stepClock(1) }},
	{"block deliveries", (*trial).block},
	{"post junk", (*trial).postJunk},
	{"ask for a reconcile", (*trial).ask},
	{"hold everything", func(tr *trial) { tr.hold("") }},
	{"hold one campaign", (*trial).holdOne},
	{"edit the plan", (*trial).edit},
	{"edit the plan again", (*trial).edit},
	{"edit the plan once more", (*trial).edit},
	{"move numbers in the plan", (*trial).swap},
	{"assign or remove by command", (*trial).command},
	{"assign or remove by two commands", func(tr *trial) { tr.command(); tr.command() }},
	{"lose a bucket", (*trial).loseOne},
	{"lose the claims", func(tr *trial) { tr.lose(bucketNumbers) }},
}

// disrupt causes incidents until the rounds are over.
func (tr *trial) disrupt(rounds int, span time.Duration) {
	var deck []int
	for range rounds {
		if len(deck) == 0 {
			deck = tr.dice.shuffled(len(incidents))
		}
		next := incidents[deck[0]]
		deck = deck[1:]
		tr.journal.add("%s", next.name)
		tr.tally.add("incidents", next.name)
		next.run(tr)
		time.Sleep(tr.dice.between(span/time.Duration(2*rounds), 3*span/time.Duration(2*rounds)))
	}
}

// later runs f in the background, unless all is well already: a request that an incident
// waits for may come late.
func (tr *trial) later(f func()) (runs bool) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.calmed {
		return false
	}
	tr.incidents.Go(f)
	return true
}

func (tr *trial) kill(c *child) { c.signal(syscall.SIGKILL) }

// freeze stops a process and continues it later, meanwhile other faults follow.
func (tr *trial) freeze(c *child, least, most time.Duration) {
	d := tr.dice.between(least, most)
	from := time.Now()
	thaw := func() {
		time.Sleep(d)
		tr.journal.add("%s continues after %s", c.name, d.Round(time.Millisecond))
		c.signal(syscall.SIGCONT)
		tr.people.mu.Lock()
		defer tr.people.mu.Unlock()
		tr.people.frozen = append(tr.people.frozen, freeze{c.name, from, time.Now()})
	}
	if tr.later(thaw) {
		c.signal(syscall.SIGSTOP)
	}
}

// killAtWrite kills the assigner whose request takes effect next, before it hears
// of that.
func (tr *trial) killAtWrite() {
	tr.atWrite(func(c *child) { tr.kill(c) })
}

// freezeAtWrite stops it there, for longer than its pin.
func (tr *trial) freezeAtWrite() {
	tr.atWrite(func(c *child) { tr.freeze(c, timing.PinnedTTL+500*time.Millisecond, 2*timing.PinnedTTL) })
}

// atWrite does something to the assigner that sends the next POST, PUT or DELETE, while
// that takes effect. It does not wait for it.
func (tr *trial) atWrite(do func(*child)) {
	var process string
	tr.sim.Inject(telnyxsim.Fault{
		Match: func(r *http.Request) bool {
			process = r.UserAgent()
			return isAssigner(process) && slices.Contains([]string{http.MethodPost, http.MethodPut, http.MethodDelete}, r.Method)
		},
		Kind: telnyxsim.EffectThenHang(),
		OnApplied: func() {
			tr.journal.add("%s has a request under way", process)
			tr.tally.add("faults of writes", "struck while under way")
			do(tr.assignerOf(process))
		},
	})
}

// clockSteps are where a clock may be put.
var clockSteps = []time.Duration{-time.Hour, -5 * time.Minute, -time.Minute, 0, time.Minute, 5 * time.Minute, time.Hour}

func (tr *trial) stepClock(i int) {
	ahead := clockSteps[tr.dice.below(len(clockSteps))]
	tr.journal.add("the clock of %s is ahead by %s", tr.assigners[i].name, ahead)
	tr.clocks[i].set(ahead)
	tr.people.mu.Lock()
	defer tr.people.mu.Unlock()
	tr.people.steps = append(tr.people.steps, clockStep{time.Now(), i, ahead})
}

// block drops every delivery for a while.
func (tr *trial) block() {
	tr.network.blocked.Store(true)
	d := tr.dice.between(500*time.Millisecond, 3*time.Second)
	tr.later(func() {
		time.Sleep(d)
		tr.network.blocked.Store(false)
	})
}

// postJunk posts signed bodies that are not events.
func (tr *trial) postJunk() {
	for range 3 {
		body := fmt.Appendf(nil, `{"junk": %d}`, tr.dice.below(1000))
		tr.later(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
			defer cancel()
			_, _ = tr.sim.Send(ctx, tr.world.webhookURL, body) // taken or not, the network notes it
		})
	}
}

// ask requests a reconcile of some campaign, as a person would.
func (tr *trial) ask() {
	p := tr.world.campaigns[tr.dice.below(len(tr.world.campaigns))]
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = events.NewPublisher(tr.js).Trigger(ctx, events.KindCampaign, p.entry) // NATS may be away
}

// isAssigner reports whether a process is an assigner, not a command of a person.
func isAssigner(process string) bool { return strings.HasPrefix(process, "assigner-") }

// assignerOf returns the assigner that a process belongs to.
func (tr *trial) assignerOf(process string) *child {
	for _, c := range tr.assigners {
		if strings.HasPrefix(process, c.name+".") {
			return c
		}
	}
	return tr.assigners[0]
}

// activeAssigner is the assigner that called Telnyx last.
func (tr *trial) activeAssigner() *child { return tr.assignerOf(tr.recorder.active()) }

func (tr *trial) standby() *child {
	if tr.activeAssigner() == tr.assigners[0] {
		return tr.assigners[1]
	}
	return tr.assigners[0]
}

// journal records what happened when, to explain a failure.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, clock(time.Now())+" "+fmt.Sprintf(format, args...))
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines, "\n")
}
