//go:build unix

package torture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/assigner"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// people records what operators did: what they held, froze and deleted, and when.
type people struct {
	mu     sync.Mutex
	holds  []hold
	frozen []freeze
	lost   map[string][]time.Time
	// commands are those that people ran, steps those of the clocks.
	commands []command
	steps    []clockStep
	// reports are those of buckets that were deleted.
	reports []report
}

// withLedger opens the ledger and does something with it. NATS may be away, so it is
// bounded.
func (tr *trial) withLedger(do func(context.Context, *ledger.Ledger) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	book, err := ledger.Open(ctx, tr.js)
	if err != nil {
		return err
	}
	return do(ctx, book)
}

// hold holds everything, or one entry, and has it resumed later.
func (tr *trial) hold(entry string) {
	var ids []string
	if entry != "" {
		ids = []string{entry}
	}
	err := tr.withLedger(func(ctx context.Context, book *ledger.Ledger) error {
		return book.Hold(ctx, ids, ledger.HeldBy{By: "torture", At: time.Now()})
	})
	if err != nil {
		tr.tally.add("holds", "not stored")
		return // nothing is promised of a hold that may not be stored
	}
	tr.people.mu.Lock()
	tr.people.holds = append(tr.people.holds, hold{entry: entry, from: time.Now()})
	tr.people.mu.Unlock()
	tr.tally.add("holds", "stored")
	d := tr.dice.between(2*time.Second, 5*time.Second)
	tr.later(func() {
		time.Sleep(d)
		tr.journal.add("resume %q", entry)
		if err := tr.resume(ids); err != nil {
			tr.tally.add("holds", "not resumed") // all is resumed in the end
		}
	})
}

func (tr *trial) holdOne() {
	tr.hold(tr.world.campaigns[tr.dice.below(len(tr.world.campaigns))].entry)
}

// resume ends the hold of entries, or all holds.
func (tr *trial) resume(entries []string) error {
	tr.endHolds(func(h hold) bool { return len(entries) == 0 || slices.Contains(entries, h.entry) })
	return tr.withLedger(func(ctx context.Context, book *ledger.Ledger) error {
		_, err := book.Resume(ctx, entries)
		return err
	})
}

// endHolds notes that holds may be over from now on.
func (tr *trial) endHolds(which func(hold) bool) {
	tr.people.mu.Lock()
	defer tr.people.mu.Unlock()
	for i := range tr.people.holds {
		if h := &tr.people.holds[i]; h.until.IsZero() && which(*h) {
			h.until = time.Now()
		}
	}
}

// resumeAll resumes everything, if need be again and again.
func (tr *trial) resumeAll() {
	tr.until(20*time.Second, "everything is resumed", func() string {
		if err := tr.resume(nil); err != nil { // a lost bucket is created again
			return err.Error()
		}
		return ""
	})
}

// writePlan puts the plan as it is now in force. What changed is noted on both sides of
// that: processes may know at once.
func (tr *trial) writePlan(change func(now time.Time)) {
	before := time.Now()
	temporary := filepath.Join(filepath.Dir(tr.plans), ".plan.new")
	tr.must(os.WriteFile(temporary, []byte(tr.world.text()), 0o600))
	tr.must(os.Rename(temporary, tr.plans))
	change(before)
}

// place plans a wanderer in an entry, or in none if that is nil.
func (w *world) place(number string, where *planned) {
	for _, p := range w.between {
		p.numbers = slices.DeleteFunc(p.numbers, func(n string) bool { return n == number })
	}
	f := w.expected[number]
	f.MayLeave, f.Unplanned = []string{w.between[0].id, w.between[1].id}, where == nil
	if where != nil {
		where.numbers = append(where.numbers, number)
		f.Entry, f.Campaign = where.entry, where.id
	}
	w.expected[number] = f
}

// roaming are the wanderers that people move at any time. The others stay until the plan is
// settled, so that there are some to remove in the end.
func (w *world) roaming() []string { return w.wanderers[(len(w.wanderers)+2)/3:] }

// edit takes some numbers out of the plan, puts them back, or moves them.
func (tr *trial) edit() {
	w := tr.world
	places := map[string]*planned{}
	for _, number := range w.roaming() {
		if !tr.dice.chance(0.7) {
			continue
		}
		places[number] = nil
		if way := tr.dice.below(3); way < 2 {
			places[number] = w.between[way]
		}
	}
	for _, number := range w.residents {
		if places[number] = nil; tr.dice.chance(0.5) {
			places[number] = w.between[0]
		}
	}
	tr.replan(places)
}

// swap moves every wanderer to the other entry.
func (tr *trial) swap() {
	w, places := tr.world, map[string]*planned{}
	for _, number := range w.roaming() {
		places[number] = w.between[0]
		if slices.Contains(w.between[0].numbers, number) {
			places[number] = w.between[1]
		}
	}
	tr.replan(places)
}

// replan puts wanderers into other places.
func (tr *trial) replan(places map[string]*planned) {
	w := tr.world
	for number, where := range places {
		w.place(number, where)
	}
	tr.writePlan(func(before time.Time) {
		for number, where := range places {
			periods := w.periods[number]
			if last := &periods[len(periods)-1]; last.until.IsZero() {
				last.until = time.Now()
			}
			if where != nil {
				periods = append(periods, period{campaign: where.id, from: before})
			}
			w.periods[number] = periods
		}
	})
}

// settlePlan puts every wanderer where it is to be in the end. If any number of them may be
// removed, some are in no entry: most of those that their entry has attached, so that some
// are removed in nearly every trial.
func (tr *trial) settlePlan() {
	w, places := tr.world, map[string]*planned{}
	ours := tr.awaitOurs()
	for _, number := range w.wanderers {
		way, leaves := tr.dice.below(3), tr.dice.chance(0.7)
		if tr.pruneLimit > 0 && (way == 2 || leaves && slices.Contains(ours, number)) {
			places[number] = nil
			if slices.Contains(ours, number) {
				tr.mustLeave = append(tr.mustLeave, number)
			}
			continue
		}
		places[number] = w.between[way%2]
	}
	for _, number := range w.residents {
		places[number] = w.between[0]
	}
	tr.replan(places)
}

// awaitOurs returns the wanderers that their entry has attached. If any may be removed, it
// waits a while until there are some.
func (tr *trial) awaitOurs() (ours []string) {
	began := time.Now()
	tr.until(startLimit, "the ledger can be read", func() string {
		records, err := tr.records(tr.t.Context())
		if err != nil {
			return err.Error()
		}
		ours = tr.provenOurs(tr.world.wanderers, records)
		if len(ours) == 0 && tr.pruneLimit > 0 && time.Since(began) < ownershipPatience {
			tr.help(map[string]bool{tr.world.between[0].entry: true, tr.world.between[1].entry: true})
			time.Sleep(500 * time.Millisecond) // for the reconciles
			return "no entry has attached a wanderer"
		}
		return ""
	})
	return ours
}

// ownershipPatience is how long a trial waits for numbers that can be pruned.
const ownershipPatience = 5 * time.Second

// provenOurs returns those of the numbers that are on the campaign whose entry attached
// them, by the ledger.
func (tr *trial) provenOurs(numbers []string, records []ledger.Number) (ours []string) {
	on := map[string]string{}
	for _, a := range tr.sim.Assignments() {
		if a.Status == telnyx.Assigned {
			on[a.PhoneNumber] = a.CampaignID
		}
	}
	for _, n := range records {
		for _, p := range tr.world.between {
			named := slices.ContainsFunc(tr.world.between[:], func(o *planned) bool { return o != p && slices.Contains(o.numbers, n.Number) })
			proven := !named && assigner.AttachedBy(plan.Campaign{Name: p.name}, n) && n.ClaimedAt.IsZero()
			if proven && n.CampaignID == p.entry && on[n.Number] == p.id && slices.Contains(numbers, n.Number) {
				ours = append(ours, n.Number)
			}
		}
	}
	return ours
}

// command has a person assign or remove some numbers, beside the assigners. The person may
// interrupt it at any moment.
func (tr *trial) command() {
	w := tr.world
	to := tr.dice.below(2)
	removes, limit := tr.dice.chance(0.5), tr.dice.between(time.Second, 6*time.Second)
	c := command{campaign: w.between[to].id, removes: removes}
	if !removes && tr.dice.chance(0.5) {
		c.moveFrom = w.between[1-to].id
	}
	all := slices.Concat(w.manual, w.roaming(), w.residents)
	for range 4 {
		c.numbers = append(c.numbers, all[tr.dice.below(len(all))], w.manual[tr.dice.below(len(w.manual))])
	}
	slices.Sort(c.numbers)
	c.numbers = slices.Compact(c.numbers)
	tr.people.mu.Lock()
	c.process = fmt.Sprintf("person.%d", len(tr.people.commands))
	tr.people.commands = append(tr.people.commands, c)
	tr.people.mu.Unlock()
	tr.later(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		err := tr.runCommand(ctx, c)
		tr.journal.add("%s (removes %t, campaign %s, %v) ended: %v", c.process, c.removes, c.campaign, c.numbers, err)
		if err != nil {
			tr.tally.add("commands", "failed or interrupted")
		}
	})
}

// runCommand does what greenlight numbers assign --wait and remove --wait do.
func (tr *trial) runCommand(ctx context.Context, c command) error {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	m, err := assigner.NewManual(ctx, assigner.Config{
		Telnyx: &telnyx.Client{
			APIKey: apiKey, BaseURL: tr.apiURL, UserAgent: c.process,
			HTTPClient: &http.Client{Timeout: clientTimeout, Transport: transport},
			Limiter:    telnyx.NewLimiter(telnyx.LimiterConfig{Ceiling: callRate, Concurrency: concurrency}),
		},
		JetStream: tr.js, Concurrency: concurrency, Settle: settle,
	}, "greenlight numbers by "+c.process)
	if err != nil {
		return err
	}
	want := plan.Campaign{CampaignID: telnyx.CampaignID(c.campaign)}
	for _, number := range c.numbers {
		want.Numbers = append(want.Numbers, plan.E164(number))
	}
	if c.moveFrom != "" {
		want.MoveFrom = []string{c.moveFrom}
	}
	var results []assigner.ManualResult
	for again := false; ctx.Err() == nil; again = true {
		if c.removes {
			results, err = m.Remove(ctx, want, true)
		} else {
			results, err = m.Assign(ctx, want, again)
		}
		underWay := func(r assigner.ManualResult) bool { return r.Sent }
		if err != nil || !slices.ContainsFunc(results, underWay) {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	for _, result := range results {
		switch {
		case result.Refused != "":
			tr.tally.add("commands", "numbers refused")
		case result.Done:
			tr.tally.add("commands", "numbers done")
		default:
			tr.tally.add("commands", "numbers under way at the end")
		}
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	return errors.Join(err, ctx.Err(), m.Close(closing))
}

// lose deletes a bucket of the ledger.
func (tr *trial) lose(bucket string) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if seen, err := tr.reportsOf(ctx, bucket); err == nil {
		tr.people.reports = append(tr.people.reports, seen...)
	}
	if bucket == ledger.Buckets()[2] {
		tr.endHolds(func(hold) bool { return true }) // it may be gone for good
	}
	err := tr.js.DeleteKeyValue(ctx, bucket)
	tr.journal.add("bucket %s is deleted: %v", bucket, err)
	tr.people.mu.Lock()
	defer tr.people.mu.Unlock()
	tr.people.lost[bucket] = append(tr.people.lost[bucket], time.Now())
	tr.tally.add("buckets lost", bucket)
}

func (tr *trial) loseOne() {
	buckets := ledger.Buckets()
	tr.lose(buckets[tr.dice.below(len(buckets))])
}

// reportsOf returns every report in the history of a bucket that needs a person.
func (tr *trial) reportsOf(ctx context.Context, bucket string) (found []report, err error) {
	kv, err := tr.js.KeyValue(ctx, bucket)
	if err != nil {
		return nil, err
	}
	watcher, err := kv.WatchAll(ctx, jetstream.IncludeHistory())
	if err != nil {
		return nil, fmt.Errorf("read the history of bucket %s: %w", bucket, err)
	}
	defer func() { _ = watcher.Stop() }()
	for entry := range watcher.Updates() {
		if entry == nil {
			return found, nil
		}
		var record struct {
			Number string        `json:"number"`
			Phase  ledger.Phase  `json:"phase"`
			Reason ledger.Reason `json:"reason"`
			Person bool          `json:"needs_person"`
		}
		if entry.Operation() != jetstream.KeyValuePut || json.Unmarshal(entry.Value(), &record) != nil {
			continue
		}
		switch {
		case record.Number != "" && record.Person:
			found = append(found, report{entry.Created(), record.Number, "", record.Reason})
		case record.Phase == ledger.PhaseMissing:
			found = append(found, report{entry.Created(), "", entry.Key(), ledger.CampaignMissing})
		}
	}
	return found, ctx.Err()
}

// planInterventions has some of the numbers taken elsewhere directly before a process reads
// their record or asks for them.
func (tr *trial) planInterventions() {
	for number, method := range tr.world.takenBefore {
		tr.recorder.interventions[number] = intervention{method, func() {
			tr.journal.add("a person takes %s before a %s is handled", number, method)
			tr.world.take(number)
		}}
	}
}

// takeTheRest takes the numbers elsewhere by hand that are not there, in the end.
func (tr *trial) takeTheRest() {
	tr.recorder.mu.Lock()
	clear(tr.recorder.interventions)
	tr.recorder.mu.Unlock()
	for _, number := range tr.world.snatched {
		if !slices.ContainsFunc(tr.sim.Assignments(), func(a telnyxsim.Assignment) bool {
			return a.PhoneNumber == number && a.CampaignID == elsewhereID && a.Status == telnyx.Assigned
		}) {
			tr.world.take(number)
		}
	}
}
