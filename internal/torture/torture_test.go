//go:build unix

package torture

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/rehearsal"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
	"greenlight/internal/webhook"
)

// The environment of a longer run.
const (
	varFor  = "GREENLIGHT_TORTURE"
	varSeed = "GREENLIGHT_TORTURE_SEED"
)

// startLimit is how long processes may take to start on a busy machine.
const startLimit = 2 * time.Minute

// minKills is how many processes a long run kills at least.
const minKills = 50

// bounds are the limits that the checker uses for every history.
//
// A request may arrive that long after its campaign stopped being ready: a read that hangs
// takes three seconds with its repetitions, a frozen process or server up to four more, and
// several such things may come together. Two seconds have occurred. The rule about readings
// is the strict one.
//
// Requests that certainly had no effect are repeated until one has. With a third of the writes
// failing, twelve in a row are very unlikely, and requests of a person may add some. Four have
// occurred.
//
// The checks before a write are at most one second old when it is sent, and a plan is read
// within half a second. The rest is for a busy machine, which may not run a process for a
// second.
//
// The ledger knows ten seconds later which numbers the plan names: assigners may have been
// away or frozen until then.
var bounds = limits{flight: 10 * time.Second, requests: 16, wire: 2500 * time.Millisecond, edit: 4 * time.Second,
	resync: resync, known: 10 * time.Second}

// scale is how large and how long a trial is.
type scale struct {
	size   int           // numbers of a kind on a campaign
	rounds int           // incidents
	span   time.Duration // in which campaigns live and incidents fall
	// alone is how long Greenlight has to finish unattended once nothing goes wrong any more.
	// Then a person requests reconciles, as waits after failed tries grow to an hour.
	alone time.Duration
}

// patience is how long Greenlight has until all is as planned. Only a failing run takes it.
const patience = 4 * time.Minute

var (
	brief = scale{size: 2, rounds: 4, span: 2 * time.Second, alone: 0}
	short = scale{size: 3, rounds: 12, span: 10 * time.Second, alone: 0}
	long  = scale{size: 10, rounds: 34, span: 40 * time.Second, alone: 15 * time.Second}
)

func TestTorture(t *testing.T) {
	seed := rand.Uint64N(1 << 32)
	if text := os.Getenv(varSeed); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", varSeed, err)
		}
	}
	tally := newTally()
	defer func() { t.Logf("summary\n%s", tally) }()
	text := os.Getenv(varFor)
	if text == "" {
		usual := brief
		if testkit.Full {
			usual = short
		}
		runTrial(t, seed, usual, tally)
		return
	}
	lasts, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("%s: %v", varFor, err)
	}
	started := time.Now()
	for ; !t.Failed() && (time.Since(started) < lasts || tally.sum("ends of processes", "signal: killed") < minKills); seed++ {
		runTrial(t, seed, long, tally)
	}
}

// runTrial makes one trial, from its seed.
func runTrial(t *testing.T, seed uint64, s scale, tally *tally) {
	t.Run(fmt.Sprintf("seed-%d", seed), func(t *testing.T) {
		t.Logf("%s=%d repeats this trial", varSeed, seed)
		tr := newTrial(t, seed, s, tally)
		injectFalse(tr.sim, newDice(seed, "false answers"), tally)
		injectFaults(tr.sim, newDice(seed, "faults"), tally)
		var life sync.WaitGroup
		life.Go(func() { tr.world.live(s.span) })
		tr.disrupt(s.rounds, s.span)
		life.Wait()
		tr.calm()
		tr.settle(s)
		tr.judge()
	})
}

// trial is one world and the processes that work in it.
type trial struct {
	t       *testing.T
	seed    uint64
	tally   *tally
	journal journal
	dice    *dice

	sim       *telnyxsim.Simulator
	recorder  *recorder
	network   *network
	world     *world
	nats      *child
	hook      *child
	assigners []*child
	clocks    []*clockFile
	js        jetstream.JetStream
	// plans is the file with the plan.
	plans  string
	apiURL string
	// pruneLimit is that of the assigners.
	pruneLimit int
	// mustLeave are the numbers that have to be removed in the end.
	mustLeave []string
	people    people
	// incidents are those that last, until it is calm.
	incidents sync.WaitGroup
	mu        sync.Mutex
	calmed    bool
}

func newTrial(t *testing.T, seed uint64, s scale, tally *tally) *trial {
	tr := &trial{t: t, seed: seed, tally: tally, dice: newDice(seed, "incidents"), people: people{lost: map[string][]time.Time{}}}
	tally.add("rounds", "worlds")
	tally.addN("rounds", "incidents", s.rounds)
	carrier := &http.Transport{MaxIdleConnsPerHost: 16}
	t.Cleanup(carrier.CloseIdleConnections)
	tr.network = &network{next: carrier, dice: newDice(seed, "network"), tally: tally, accepted: map[string]bool{}, newest: map[string]string{}}
	chance := newDice(seed, "telnyx")
	if chance.chance(0.8) {
		tr.pruneLimit = 1000
	}
	names, dialect := drawDialects(newDice(seed, "dialects"))
	tr.journal.add("the dialects are %q", names)
	t.Logf("the dialects are %q", names)
	tr.sim = telnyxsim.New(telnyxsim.Options{
		RequiredAPIKey: apiKey, DeliveryTransport: tr.network, RetryInterval: 700 * time.Millisecond,
		Latency: 3 * time.Millisecond, AssignDelay: chance.between(0, 200*time.Millisecond),
		UnassignDelay: chance.between(0, 300*time.Millisecond), ReattachDelay: chance.between(0, 300*time.Millisecond),
		MappingDelay: chance.between(0, 200*time.Millisecond), MappingGap: chance.between(0, 100*time.Millisecond),
		Dialect: telnyxsim.Merge(dialect, telnyxsim.Dialect{
			// What lags lags for less than settle: that is what settle is for.
			StaleReadDelay: chance.between(0, settle*2/3), ReadLag: chance.between(0, settle/3), ListLag: chance.between(0, settle*2/3),
			RefuseRepeats: chance.chance(0.5), RefuseConflicts: chance.chance(0.5), RefuseDormant: chance.chance(0.5),
		}),
	})
	tr.recorder = &recorder{next: tr.sim, interventions: map[string]intervention{}}
	api := httptest.NewServer(tr.recorder)
	tr.apiURL = api.URL + "/v2"
	t.Cleanup(func() { tr.sim.Close(); tr.network.strays.Wait(); api.Close() })

	natsPort, hookPort := testkit.FreePort(t), testkit.FreePort(t)
	tr.world = newWorld(tr.sim, "http://127.0.0.1:"+hookPort+webhook.Path, s.size, newDice(seed, "world"), tally)
	tr.planInterventions()
	tr.plans = filepath.Join(t.TempDir(), "plan.yaml")
	tr.writePlan(func(time.Time) {})

	logs, natsURL := t.TempDir(), "nats://127.0.0.1:"+natsPort
	rests := newDice(seed, "rests")
	rest := func() time.Duration { return rests.between(50*time.Millisecond, 500*time.Millisecond) }
	tr.nats = startChild(t, logs, "nats", "nats", rest, varPort+"="+natsPort, varDir+"="+testkit.MemoryDir(t))
	tr.connect(natsURL)
	tr.hook = startChild(t, logs, "webhook", "webhook", rest, varPort+"="+hookPort, varNATS+"="+natsURL, varPublicKey+"="+tr.sim.PublicKey())
	for i := range 2 {
		name := fmt.Sprintf("assigner-%d", i)
		tr.clocks = append(tr.clocks, newClockFile(t, filepath.Join(logs, name+".clock")))
		tr.assigners = append(tr.assigners, startChild(t, logs, "assigner", name, rest,
			varNATS+"="+natsURL, varTelnyx+"="+tr.apiURL, varPruneLimit+"="+strconv.Itoa(tr.pruneLimit), varPlan+"="+tr.plans, varClock+"="+tr.clocks[i].file.Name()))
	}
	tr.until(startLimit, "an assigner works", func() string {
		if tr.recorder.active() == "" {
			return "no assigner has called Telnyx"
		}
		return ""
	})
	return tr
}

// connect connects the test itself, once the server is up.
func (tr *trial) connect(url string) {
	tr.until(startLimit, "NATS is up", func() string {
		nc, err := events.Connect(url, "torture")
		if err != nil {
			return err.Error()
		}
		tr.t.Cleanup(nc.Close)
		tr.js, err = jetstream.New(nc)
		tr.must(err)
		return ""
	})
}

func (tr *trial) children() []*child { return append([]*child{tr.nats, tr.hook}, tr.assigners...) }

// calm ends everything that goes wrong from outside. Clocks stay where they are.
func (tr *trial) calm() {
	tr.sim.ClearFaults()
	tr.mu.Lock()
	tr.calmed = true
	tr.mu.Unlock()
	tr.incidents.Wait()
	tr.journal.add("all is well from now on")
	tr.network.reliable.Store(true)
	for _, c := range tr.children() {
		c.signal(syscall.SIGCONT)
	}
	tr.takeTheRest()
	tr.resumeAll()
	tr.settlePlan()
}

// settle waits until everything is as planned and nothing is under way. What is
// not by the end is left to the checker to name.
func (tr *trial) settle(s scale) {
	calmed, asked := time.Now(), time.Time{}
	for time.Since(calmed) < patience {
		left := tr.unfinished()
		if len(left) == 0 {
			tr.journal.add("everything is as planned after %s", time.Since(calmed).Round(time.Millisecond))
			tr.tally.atLeast("rounds", "slowest end in ms", int(time.Since(calmed).Milliseconds()))
			return
		}
		if time.Since(calmed) > s.alone && time.Since(asked) > time.Second {
			asked = time.Now()
			tr.help(left)
		}
		time.Sleep(200 * time.Millisecond)
	}
	tr.journal.add("not everything is as planned after %s", patience)
}

// unfinished returns the entries of the plan whose numbers are not as planned, and
// "" for what concerns none.
func (tr *trial) unfinished() map[string]bool {
	left := map[string]bool{}
	h := history{History: rehearsal.History{Expected: tr.world.expected, Bystanders: tr.world.bystanders, Assignments: tr.sim.Assignments()}}
	var err error
	if h.Ledger, err = tr.records(tr.t.Context()); err != nil {
		left[""] = true
		return left
	}
	for _, v := range rehearsal.Check(h.History) {
		left[h.Expected[v.Number].Entry] = true
	}
	for _, v := range checkLeft(tr.mustLeave, h.Assignments) {
		left[h.Expected[v.Number].Entry] = true
	}
	if len(left) > 0 {
		return left
	}
	// Only now, since it costs more: is anything still on its way?
	if h.Kept, err = tr.kept(tr.t.Context()); err == nil {
		h.queue, err = tr.queue(tr.t.Context())
	}
	if err != nil || tr.underWay() || len(checkHandled(h)) > 0 {
		left[""] = true
	}
	return left
}

// underWay reports whether deliveries are still being tried.
func (tr *trial) underWay() bool {
	return slices.ContainsFunc(tr.sim.Deliveries(), func(d telnyxsim.Delivery) bool { return d.Status == telnyxsim.DeliveryPending })
}

// help does what a person can do: it requests reconciles, which cut short the waits that
// Greenlight chose, by whichever clock.
func (tr *trial) help(left map[string]bool) {
	for entry := range left {
		if entry == "" {
			continue
		}
		tr.tally.add("help", "reconciles requested")
		if err := events.NewPublisher(tr.js).Trigger(tr.t.Context(), events.KindCampaign, entry); err != nil {
			tr.journal.add("cannot request a reconcile: %v", err)
		}
	}
}

// race is how the race detector begins a report.
const race = "DATA RACE"

// judge runs the checker, and reports what helps to understand a failure.
func (tr *trial) judge() {
	h, err := tr.history(tr.t.Context())
	tr.must(err)
	tr.sumUp(h)
	found := check(h, bounds)
	for _, c := range tr.children() {
		text := c.text()
		for _, sign := range []string{race, "panic:", "please report it"} {
			if strings.Contains(text, sign) && (c != tr.nats || sign != race) {
				found = append(found, violation{Rule: "no accidents", Text: c.name + "'s log has " + c.around(sign, 60)})
			}
		}
		if strings.Contains(text, apiKey) {
			found = append(found, violation{Rule: "no secrets in logs", Text: c.name + "'s log has the API key"})
		}
		if c.accidents() > 0 {
			found = append(found, violation{Rule: "no accidents", Text: c.name + " ended by a panic or a race"})
		}
	}
	if len(found) > 0 {
		tr.report(h, found)
	}
}

// sumUp adds what the trial was like to the summary.
func (tr *trial) sumUp(h history) {
	tr.tally.addN("telnyx", "calls", tr.recorder.count())
	tr.tally.addN("telnyx", "requests to attach", len(h.requests))
	tr.tally.addN("webhook", "deliveries taken", len(h.Accepted))
	tr.tally.addN("webhook", "kept", len(h.Kept))
	for _, w := range h.Writes {
		if w.Effective {
			tr.tally.add("telnyx", "effective writes by "+w.Method)
		}
	}
	for _, writes := range attachesByNumber(h.Writes) {
		tr.tally.atLeast("telnyx", "most requests for a number", len(writes))
	}
	tr.tally.addN("telnyx", "requests for what was done", len(needless(h)))
	for _, r := range h.requests {
		if since, ever := sinceReady(h.timeline[r.campaign], r.at); ever && since > 0 {
			tr.tally.add("telnyx", "requests under way when a campaign stopped being ready")
			tr.tally.atLeast("telnyx", "latest of those in ms", int(since.Milliseconds()))
		}
	}
	for _, w := range h.Writes {
		if w.Effective && w.Method == http.MethodDelete {
			if _, by := h.senderOf(w); isAssigner(by.process) {
				tr.tally.add("telnyx", "numbers removed by prune")
			}
		}
	}
	tr.tally.addN("numbers", "that must be removed in the end", len(h.mustLeave))
	tr.tally.addN("numbers", "planned", len(h.Expected))
	for _, times := range h.Failures {
		tr.tally.addN("numbers", "failed by carriers", len(times))
	}
	tr.tally.addN("ends of processes", "races inside of the NATS server, no end", strings.Count(tr.nats.text(), race))
	for _, c := range tr.children() {
		c.mu.Lock()
		for how, n := range c.exits {
			tr.tally.addN("ends of processes", strings.TrimRight(c.name, "-01")+", "+how, n)
		}
		c.mu.Unlock()
	}
}

// report fails the test with all that helps to understand it.
func (tr *trial) report(h history, found []violation) {
	t := tr.t
	shown := map[string]bool{}
	for i, v := range found {
		if t.Errorf("%s", v); i >= 20 {
			t.Errorf("and %d more", len(found)-i-1)
			break
		}
	}
	for _, v := range found {
		if v.Number == "" || shown[v.Number] || len(shown) >= 5 {
			continue
		}
		shown[v.Number] = true
		t.Logf("%s, of which the plan wants %+v\n%s", v.Number, h.Expected[v.Number], tr.lifeOf(h, v.Number))
	}
	t.Logf("%s=%d repeats this trial, as far as chance allows\n%s", varSeed, tr.seed, &tr.journal)
	for i, c := range tr.clocks {
		t.Logf("the clock of assigner-%d is ahead by %s", i, c.get())
	}
	for _, c := range tr.children() {
		t.Logf("the end of %s's log\n%s", c.name, c.tail(60, ""))
	}
}

// lifeOf lists what happened to a number.
func (tr *trial) lifeOf(h history, number string) string {
	var text strings.Builder
	f := h.Expected[number]
	for _, s := range h.timeline[f.Campaign] {
		fmt.Fprintf(&text, "campaign  %s ready %t\n", clock(s.at), s.ready)
	}
	for _, r := range h.requests {
		if r.number == number {
			fmt.Fprintf(&text, "request   %s %s %s, by %s\n", clock(r.at), r.method, r.campaign, r.process)
		}
	}
	for _, t := range h.touches {
		if t.number == number {
			fmt.Fprintf(&text, "call      %s %s, by %s, answered %s: %q\n", clock(t.asked), t.method, t.process, clock(t.answered), t.campaign)
		}
	}
	for _, p := range h.periods[number] {
		fmt.Fprintf(&text, "planned   %s to %s on %s\n", clock(p.from), clock(p.until), p.campaign)
	}
	for _, c := range h.commands {
		if slices.Contains(c.numbers, number) {
			fmt.Fprintf(&text, "command   %+v\n", c)
		}
	}
	for _, s := range h.steps {
		fmt.Fprintf(&text, "clock     %s assigner-%d ahead by %s\n", clock(s.at), s.assigner, s.ahead)
	}
	for _, held := range h.holds {
		fmt.Fprintf(&text, "hold      %s to %s of %q\n", clock(held.from), clock(held.until), held.entry)
	}
	for _, w := range h.Writes {
		if w.PhoneNumber == number {
			fmt.Fprintf(&text, "write     %s %s %s to %q: answer %d, effective %t, was on %q, campaign %s\n", clock(w.At), w.Method, w.Path,
				w.CampaignID, w.AnswerStatus, w.Effective, w.PreviousCampaignID, w.CampaignStatus)
		}
	}
	for _, at := range h.Failures[number] {
		fmt.Fprintf(&text, "ended     %s by carriers or by hand\n", clock(at))
	}
	for _, a := range h.Assignments {
		if a.PhoneNumber == number {
			fmt.Fprintf(&text, "Telnyx    %+v\n", a)
		}
	}
	for _, n := range h.Ledger {
		if n.Number == number {
			fmt.Fprintf(&text, "ledger    %+v\n", n)
		}
	}
	if bucket, err := tr.js.KeyValue(tr.t.Context(), bucketNumbers); err == nil {
		timeline, _ := bucket.History(tr.t.Context(), f.Entry+"."+strings.TrimPrefix(number, "+"))
		for _, entry := range timeline {
			fmt.Fprintf(&text, "ledger    %s revision %d %s\n", clock(entry.Created().Local()), entry.Revision(), entry.Value())
		}
	}
	for _, c := range tr.assigners {
		fmt.Fprintf(&text, "in %s's log\n%s", c.name, c.tail(20, number))
	}
	return text.String()
}

// until waits until missing returns nothing.
func (tr *trial) until(limit time.Duration, what string, missing func() string) {
	tr.t.Helper()
	for deadline := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		text := missing()
		if text == "" {
			return
		}
		if time.Now().After(deadline) {
			for _, c := range tr.children() {
				if c != nil {
					tr.t.Logf("the end of %s's log\n%s", c.name, c.tail(40, ""))
				}
			}
			tr.t.Fatalf("%s: not within %s: %s", what, limit, text)
		}
	}
}

func (tr *trial) must(err error) {
	tr.t.Helper()
	if err != nil {
		tr.t.Fatal(err)
	}
}
