package assigner

import (
	"slices"
	"sync"
	"time"
)

// class says how urgent a request is. A worker takes the lower ones first, and not
// every worker takes the higher ones, so that neither a resync of thousands of
// campaigns nor events of strangers hold up an approval.
type class int

const (
	// prompt: something happened to a planned campaign.
	prompt class = iota
	// routine: nothing happened; a resync or a start asks.
	routine
	// stranger: an event names a campaign that no plan names.
	stranger
	classes
)

// maxStrangers bounds the campaigns of strangers in the queue. One that does not fit
// is dropped: nothing is planned for it, and a plan that names it later is reconciled
// anyway.
const maxStrangers = 1000

// request asks for a reconcile of one campaign.
type request struct {
	key   string
	class class
	// cause says in a few words what caused it; it is written into the records.
	cause string
	// made is when it was made. Only what is read later answers it.
	made time.Time
	// noticed is when the notification was stored that caused it, zero if something
	// else did.
	noticed time.Time
	// approved is when Telnyx says that the campaign was approved; zero if it does not.
	approved time.Time
	// changed says that the campaign itself may have changed, so that a reconcile
	// under way reads it again before its next write.
	changed bool
	// urgent says that a person asked: waits that Greenlight chose are cut short, and a
	// reconcile under way ends early.
	urgent bool
	// wait is how long it stays out of the queue.
	wait time.Duration
	// tries counts the reconciles in a row that left it undone.
	tries int
	// waiting, of a resync, is how many campaigns it reads that are not approved yet.
	waiting int
	// trace is the trace that the reconcile belongs to, empty if there is none.
	trace string
	// settle acknowledges the message that asked; nil if no message waits.
	settle func()
}

// settled acknowledges the message that asked, if one waits.
func (r request) settled() {
	if r.settle != nil {
		r.settle()
	}
}

// queue hands campaigns to workers, each campaign to one worker at a time, those of
// a class in the order in which they came. A campaign that waits already waits once,
// so that a storm of events for it costs one reconcile. A request that comes during
// its reconcile causes another, because the first may have read too early. Safe for
// concurrent use.
type queue struct {
	mu      sync.Mutex
	wake    *sync.Cond
	lines   [classes][]string
	waiting map[string]request
	// delayed holds the timers of requests that are not in a line yet.
	delayed map[string]*time.Timer
	running map[string]bool
	closed  bool
}

func newQueue() *queue {
	q := &queue{waiting: map[string]request{}, delayed: map[string]*time.Timer{}, running: map[string]bool{}}
	q.wake = sync.NewCond(&q.mu)
	return q
}

// add asks for a reconcile. When the campaign waits already, the two become one, and
// the message that is not needed any more is acknowledged: the later one, or the
// earlier if a person asks, so that a reconcile that fails is repeated as urgently.
func (q *queue) add(r request) {
	if redundant := q.merge(r); redundant != nil {
		redundant()
	}
}

func (q *queue) merge(r request) (redundant func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	first, waits := q.waiting[r.key]
	if !waits {
		if r.class == stranger && len(q.lines[stranger]) >= maxStrangers {
			return r.settle
		}
		q.waiting[r.key] = r
		q.lineUp(r)
		return nil
	}
	merged := first
	redundant = r.settle
	if first.settle == nil || r.urgent && !first.urgent && r.settle != nil {
		merged.settle, redundant = r.settle, first.settle
	}
	merged.class = min(first.class, r.class)
	if r.made.After(first.made) {
		merged.made = r.made
	}
	merged.urgent = first.urgent || r.urgent
	merged.changed = first.changed || r.changed
	merged.wait = min(first.wait, r.wait)
	if merged.class < first.class {
		merged.cause, merged.waiting, merged.trace = r.cause, r.waiting, r.trace
	}
	if merged.noticed.IsZero() {
		merged.noticed = r.noticed
	}
	if merged.approved.IsZero() {
		merged.approved = r.approved
	}
	q.waiting[r.key] = merged
	if merged.class < first.class || merged.wait == 0 && q.delayed[r.key] != nil {
		q.leave(first)
		q.lineUp(merged)
	}
	return redundant
}

// lineUp puts a request at the end of its line, or lets it wait first.
func (q *queue) lineUp(r request) {
	if r.wait > 0 {
		q.delayed[r.key] = time.AfterFunc(r.wait, func() { q.mature(r.key) })
		return
	}
	q.lines[r.class] = append(q.lines[r.class], r.key)
	q.wake.Broadcast() // not every worker takes from every line
}

// leave takes a request out of wherever it waits.
func (q *queue) leave(r request) {
	q.lines[r.class] = slices.DeleteFunc(q.lines[r.class], func(key string) bool { return key == r.key })
	if timer := q.delayed[r.key]; timer != nil {
		timer.Stop()
		delete(q.delayed, r.key)
	}
}

// mature puts a request into its line that has waited long enough.
func (q *queue) mature(key string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.delayed[key] == nil || q.closed {
		return
	}
	delete(q.delayed, key)
	r := q.waiting[key]
	r.wait = 0
	q.waiting[key] = r
	q.lineUp(r)
}

// isUrgent reports whether a person asks for a campaign, so that the reconcile under
// way should end early.
func (q *queue) isUrgent(key string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting[key].urgent
}

// waits reports whether a request for the campaign waits.
func (q *queue) waits(key string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, waits := q.waiting[key]
	return waits
}

// changedSince reports whether a request that came later than that says that the
// campaign has changed.
func (q *queue) changedSince(key string, at time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.waiting[key]
	return r.changed && r.made.After(at) && q.delayed[key] == nil
}

// take waits for a request of the class or a lower one; ok is false when the queue
// was closed. The caller must call finish.
func (q *queue) take(highest class) (r request, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed {
		for c := range highest + 1 {
			line := q.lines[c]
			if i := slices.IndexFunc(line, func(key string) bool { return !q.running[key] }); i >= 0 {
				r := q.waiting[line[i]]
				q.lines[c] = slices.Delete(line, i, i+1)
				delete(q.waiting, r.key)
				q.running[r.key] = true
				return r, true
			}
		}
		q.wake.Wait()
	}
	return request{}, false
}

// finish says that the reconcile of the campaign has ended.
func (q *queue) finish(key string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.running, key)
	q.wake.Broadcast()
}

// close makes take return. Messages that wait are left to whoever gets them next.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, timer := range q.delayed {
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
