package assigner

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"greenlight/internal/account"
	"greenlight/internal/events"
)

// queue hands campaigns to workers: first come, first served, each campaign to
// one worker at a time; what a resync asks for comes after everything else, so
// that an approval does not wait behind ten thousand routine looks. A campaign that
// waits already waits once: the ticket that is in line stands for the later ones,
// so that a storm of events for one campaign does not fill up what the consumer
// may have open. A ticket that comes during a look causes another look, because
// that look may have read too early. An errand may have to wait before it comes
// into line. Safe for concurrent use.
type queue struct {
	mu   sync.Mutex
	wake *sync.Cond
	// prompt and routine are the two lines, of keys.
	prompt, routine []string
	waiting         map[string]errand
	// later holds the timers of those that wait and are not in line yet.
	later   map[string]*time.Timer
	running map[string]bool
	closed  bool
}

// errand is one campaign's place in the line.
type errand struct {
	key    string
	ticket *ticket
	// routine says that nothing happened: a resync asks.
	routine bool
	// listing, of a routine errand, has campaigns by the lists of their brands.
	listing *account.Listing
	// wait is how long it stays out of line.
	wait time.Duration
	// interrupts says that the campaign itself may have changed, so that a look
	// under way ends early and this one begins.
	interrupts bool
	// urgent says that a person asked: waits that Greenlight chose itself are
	// cut short.
	urgent bool
}

func newQueue() *queue {
	q := &queue{waiting: make(map[string]errand), later: make(map[string]*time.Timer), running: make(map[string]bool)}
	q.wake = sync.NewCond(&q.mu)
	return q
}

// add asks for a look at a campaign. When one is in line already, the two become
// one and the ticket that is not needed any more is returned to be answered: the
// later one, or the earlier if a person asks, so that if the look fails it is
// repeated as urgently.
func (q *queue) add(e errand) (answered *ticket) {
	q.mu.Lock()
	defer q.mu.Unlock()
	first, waits := q.waiting[e.key]
	if !waits {
		q.waiting[e.key] = e
		q.lineUp(e)
		return nil
	}
	before := first
	answered = e.ticket
	if e.urgent && !first.urgent {
		first.ticket, answered = e.ticket, first.ticket
	}
	first.routine = first.routine && e.routine
	first.urgent = first.urgent || e.urgent
	first.interrupts = first.interrupts || e.interrupts
	first.wait = min(first.wait, e.wait)
	q.waiting[e.key] = first
	if before.routine != first.routine || first.wait == 0 && q.later[e.key] != nil {
		q.leave(e.key)
		q.lineUp(first)
	}
	return answered
}

// lineUp puts a campaign at the end of one of the two lines, or lets it wait
// first.
func (q *queue) lineUp(e errand) {
	switch {
	case e.wait > 0:
		q.later[e.key] = time.AfterFunc(e.wait, func() { q.mature(e.key) })
		return
	case e.routine:
		q.routine = append(q.routine, e.key)
	default:
		q.prompt = append(q.prompt, e.key)
	}
	q.wake.Broadcast() // not every worker takes from both lines
}

// leave takes a campaign out of wherever it waits.
func (q *queue) leave(key string) {
	q.routine = slices.DeleteFunc(q.routine, func(waiting string) bool { return waiting == key })
	if timer := q.later[key]; timer != nil {
		timer.Stop()
		delete(q.later, key)
	}
}

// mature puts a campaign into line that has waited long enough.
func (q *queue) mature(key string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.later[key] == nil || q.closed {
		return
	}
	delete(q.later, key)
	e := q.waiting[key]
	e.wait = 0
	q.waiting[key] = e
	q.lineUp(e)
}

// interrupted reports whether the look at a campaign that is under way should end
// early.
func (q *queue) interrupted(key string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting[key].interrupts
}

// take waits for a campaign that nobody looks at, of the prompt line alone or of
// both; ok is false when the queue was closed. The caller must call finish.
func (q *queue) take(promptOnly bool) (e errand, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines := []*[]string{&q.prompt, &q.routine}
	if promptOnly {
		lines = lines[:1]
	}
	for !q.closed {
		for _, line := range lines {
			if i := slices.IndexFunc(*line, func(key string) bool { return !q.running[key] }); i >= 0 {
				e := q.waiting[(*line)[i]]
				*line = slices.Delete(*line, i, i+1)
				delete(q.waiting, e.key)
				q.running[e.key] = true
				return e, true
			}
		}
		q.wake.Wait()
	}
	return errand{}, false
}

// finish says that the look at the campaign has ended.
func (q *queue) finish(key string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.running, key)
	q.wake.Broadcast()
}

// close makes take return; what waits is left to whoever gets the deliveries
// next.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, timer := range q.later {
		timer.Stop()
	}
	q.wake.Broadcast()
}

// depth is how many campaigns wait.
func (q *queue) depth() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// ticket is one delivery and the campaigns that it asks to look at. When all of
// them were looked at, the delivery is settled: done if every look got as far as
// the ledger, else given back with the longest delay that any asked for.
type ticket struct {
	delivery *events.Delivery
	// campaigns is how many it asks to look at.
	campaigns int
	// cause says in a few words what made the assigner look.
	cause string
	// trace is the one that the looks for it belong to, empty if there is none.
	trace string
	// settled is told what came of settling the delivery.
	settled func(error)
	// done, if not nil, is called when every look got as far as the ledger.
	done func()

	left  atomic.Int64
	mu    sync.Mutex
	err   error
	after time.Duration
	bury  string
}

// newTicket returns a ticket that waits for n looks.
func newTicket(d *events.Delivery, cause string, n int, settled func(error)) *ticket {
	t := &ticket{delivery: d, campaigns: n, cause: cause, settled: settled}
	t.left.Store(int64(n))
	return t
}

// looked says that one of the ticket's campaigns was looked at: err nil means
// that the ledger has the outcome, anything else that the look must be repeated
// after a while. A reason to bury makes the delivery a dead letter.
func (t *ticket) looked(ctx context.Context, err error, after time.Duration, bury string) {
	t.mu.Lock()
	if err != nil {
		t.err, t.after, t.bury = err, max(t.after, after), max(t.bury, bury)
	}
	t.mu.Unlock()
	if t.left.Add(-1) > 0 {
		return
	}
	t.settled(t.settle(ctx))
}

func (t *ticket) settle(ctx context.Context) error {
	switch {
	case t.err == nil:
		if t.done != nil {
			t.done()
		}
		return t.delivery.Done()
	case t.bury != "":
		return t.delivery.DeadLetter(ctx, t.bury, t.err.Error())
	default:
		return t.delivery.Retry(t.after)
	}
}
