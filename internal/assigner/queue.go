package assigner

import (
	"slices"
	"sync"
	"time"
)

// class is the priority of a request. Workers take lower classes first, and most do not take
// the higher ones, so that neither a resync of thousands of campaigns nor events about
// unplanned campaigns delay an approval.
type class int

const (
	// prompt: something happened to a planned campaign.
	prompt class = iota
	// routine: a resync or a start.
	routine
	// unplanned: an event names a campaign that no plan names.
	unplanned
	classes
)

// maxUnplanned bounds the unplanned campaigns in the queue. Others are dropped: nothing is
// planned for them, and a plan that names them later requests a reconcile.
const maxUnplanned = 1000

// request asks for a reconcile of one campaign.
type request struct {
	key   string
	class class
	// cause is a short text for the records.
	cause string
	// made is when it was made. Only later reads count for it.
	made time.Time
	// noticed is when the notification that caused it was stored, zero if none did.
	noticed time.Time
	// approved is Telnyx's time of the approval, zero if unknown.
	approved time.Time
	// changed says that the campaign may have changed. A running reconcile then reads it again
	// before its next write.
	changed bool
	// urgent says that a person asked. Greenlight's own waits end, and a running reconcile of
	// the campaign ends early.
	urgent bool
	// wait is the delay before it is queued.
	wait time.Duration
	// tries counts the reconciles in a row that left work undone.
	tries int
	// waiting is the number of campaigns in a resync that are not approved yet.
	waiting int
	// trace is the trace that the reconcile belongs to, empty if there is none.
	trace string
	// settle acknowledges the request's message; nil if it has none.
	settle func()
}

// settled acknowledges the request's message, if it has one.
func (r request) settled() {
	if r.settle != nil {
		r.settle()
	}
}

// queue hands out requests in the order of arrival per class, and each campaign to one worker
// at a time. Requests for a campaign that is already waiting are merged, so many events cost
// one reconcile. A request during the campaign's reconcile causes another one, because the
// running one may have read too early. Safe for concurrent use.
type queue struct {
	mu      sync.Mutex
	wake    *sync.Cond
	lines   [classes][]string
	waiting map[string]request
	// delayed has the timers of requests that are not in a line yet.
	delayed map[string]*time.Timer
	running map[string]bool
	closed  bool
}

func newQueue() *queue {
	q := &queue{waiting: map[string]request{}, delayed: map[string]*time.Timer{}, running: map[string]bool{}}
	q.wake = sync.NewCond(&q.mu)
	return q
}

// add requests a reconcile. If the campaign is already waiting, the requests are merged and
// the redundant message is acknowledged: the later one, or the earlier one if a person asks,
// so that a failed reconcile stays urgent.
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
		if r.class == unplanned && len(q.lines[unplanned]) >= maxUnplanned {
			return r.settle
		}
		q.waiting[r.key] = r
		q.enqueue(r)
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
		q.dequeue(first)
		q.enqueue(merged)
	}
	return redundant
}

// enqueue puts a request at the end of its line, after its delay.
func (q *queue) enqueue(r request) {
	if r.wait > 0 {
		q.delayed[r.key] = time.AfterFunc(r.wait, func() { q.endDelay(r.key) })
		return
	}
	q.lines[r.class] = append(q.lines[r.class], r.key)
	q.wake.Broadcast() // not every worker takes from every line
}

// dequeue removes a request from its line, or stops its delay.
func (q *queue) dequeue(r request) {
	q.lines[r.class] = slices.DeleteFunc(q.lines[r.class], func(key string) bool { return key == r.key })
	if timer := q.delayed[r.key]; timer != nil {
		timer.Stop()
		delete(q.delayed, r.key)
	}
}

// endDelay puts a request into its line after its delay.
func (q *queue) endDelay(key string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.delayed[key] == nil || q.closed {
		return
	}
	delete(q.delayed, key)
	r := q.waiting[key]
	r.wait = 0
	q.waiting[key] = r
	q.enqueue(r)
}

// isUrgent reports whether a person's request for the campaign waits, so its running reconcile
// should end early.
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

// changedSince reports whether a later request says that the campaign has changed.
func (q *queue) changedSince(key string, at time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.waiting[key]
	return r.changed && r.made.After(at) && q.delayed[key] == nil
}

// take waits for a request of the class or a lower one. Ok is false if the queue was closed.
// The caller must call finish.
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

// finish marks the reconcile of the campaign as ended.
func (q *queue) finish(key string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.running, key)
	q.wake.Broadcast()
}

// close makes take return. Waiting messages stay open, and are delivered again.
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
