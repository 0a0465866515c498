package telnyx

import (
	linked "container/list" // list is what reads all pages
	"context"
	"fmt"
	"sync"
)

// routineEvery is of how many places the routine lanes get at least one, so that
// they go on, if slowly, while prompt calls keep coming.
const routineEvery = 8

// Turns bounds how many calls to one Telnyx account are under way at once, and
// hands out the places fairly, so that a campaign with thousands of numbers does
// not keep one with five waiting. Share one between all clients of the account, as
// its [Pacer].
//
// A call that waits for a place does so in a lane, as [InLane] says: that of its
// campaign, say. A place that is given back goes
//
//   - to a prompt lane before a routine one, but for every eighth place, which is
//     for the routine lanes if any call waits there;
//   - among those to each lane in turn: one that was served waits until all
//     others were;
//   - within a lane to the call that has waited longest.
//
// A nil *Turns bounds nothing. It is safe for concurrent use.
type Turns struct {
	mu      sync.Mutex
	free    int // above zero only while nobody waits
	prompt  ring
	routine ring
	// passedOver is how many places prompt calls got in a row while routine ones
	// waited.
	passedOver int
}

// NewTurns returns Turns with the given number of places, or one if it is less.
func NewTurns(concurrency int) *Turns {
	return &Turns{
		free:    max(concurrency, 1),
		prompt:  ring{lanes: make(map[string]*lane)},
		routine: ring{lanes: make(map[string]*lane)},
	}
}

type laneKey struct{}

// laneOf is what a context says of the lane.
type laneOf struct {
	name    string
	routine bool
}

// InLane returns a context whose calls wait in the named lane: a routine one, for
// work that nobody waits for, or a prompt one. The same name is two lanes, a
// prompt one and a routine one. Calls without a lane share the prompt lane "".
func InLane(ctx context.Context, lane string, routine bool) context.Context {
	return context.WithValue(ctx, laneKey{}, laneOf{lane, routine})
}

type placeKey struct{}

// Enter waits for a place in advance. The calls that are made with the returned
// context use that place, one at a time, rather than wait for others, so that a
// caller can write down what it is about to do once nothing but the Pacer
// stands between. Leave gives the place back, when a call that still uses it is
// over; later calls with that context wait like any others. Calling it again does
// nothing. Leave must be called; it is never nil.
//
// In a context that has a place already, Enter returns the same context: the place
// stays with whoever took it. If ctx ends first, the error matches ctx's.
func (t *Turns) Enter(ctx context.Context) (entered context.Context, leave func(), err error) {
	if t == nil || t.placeIn(ctx) != nil {
		return ctx, func() {}, nil
	}
	if err := t.wait(ctx); err != nil {
		return ctx, func() {}, err
	}
	p := &place{turns: t, calling: make(chan struct{}, 1), holders: 1}
	return context.WithValue(ctx, placeKey{}, p), sync.OnceFunc(p.release), nil
}

// begin waits until a call may be made: in the place that ctx has, or in one of
// its own. The call ends with end, which is not nil if err is.
func (t *Turns) begin(ctx context.Context) (end func(), err error) {
	if t == nil {
		return func() {}, nil
	}
	if p := t.placeIn(ctx); p != nil {
		used, err := p.use(ctx)
		if err != nil {
			return nil, err
		}
		if used {
			return p.endCall, nil
		}
	}
	if err := t.wait(ctx); err != nil {
		return nil, err
	}
	return t.giveBack, nil
}

// placeIn returns the place of t that ctx has and that was not left, or nil.
func (t *Turns) placeIn(ctx context.Context) *place {
	p, _ := ctx.Value(placeKey{}).(*place)
	if p == nil || p.turns != t || p.isLeft() {
		return nil
	}
	return p
}

// wait takes a place. If ctx has ended, it takes none, even if one is free.
func (t *Turns) wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return waitedInVain(err)
	}
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.mu.Unlock()
		return nil
	}
	in, _ := ctx.Value(laneKey{}).(laneOf)
	w := t.ring(in.routine).add(in.name)
	t.mu.Unlock()
	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
		t.giveUp(w)
		return waitedInVain(ctx.Err())
	}
}

func waitedInVain(cause error) error { return fmt.Errorf("wait for a turn among the calls: %w", cause) }

func (t *Turns) ring(routine bool) *ring {
	if routine {
		return &t.routine
	}
	return &t.prompt
}

// giveUp takes a call whose context ended out of the queue, or passes on the
// place that it was given at the same moment.
func (t *Turns) giveUp(w *waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-w.granted:
		t.grant()
	default:
		w.lane.remove(w)
	}
}

// giveBack gives a place back.
func (t *Turns) giveBack() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.grant()
}

// grant passes a place on to the call whose turn it is, or keeps it. t.mu is held.
func (t *Turns) grant() {
	from := &t.prompt
	switch {
	case t.routine.isEmpty():
		t.passedOver = 0
	case t.prompt.isEmpty() || t.passedOver == routineEvery-1:
		from, t.passedOver = &t.routine, 0
	default:
		t.passedOver++
	}
	if from.isEmpty() {
		t.free++
		return
	}
	close(from.next().granted)
}

// ring is the lanes of one class in which calls wait, the next one first.
type ring struct {
	lanes map[string]*lane
	order linked.List // of *lane
}

// lane is the calls that wait in it. It leaves its ring with the last of them.
type lane struct {
	name    string
	ring    *ring
	at      *linked.Element // of ring.order
	waiters linked.List     // of *waiter
}

// waiter is a call that waits. granted is closed under Turns.mu.
type waiter struct {
	lane    *lane
	at      *linked.Element // of lane.waiters
	granted chan struct{}
}

func (r *ring) isEmpty() bool { return r.order.Len() == 0 }

// add makes a call wait in the named lane; a lane that was empty comes last.
func (r *ring) add(name string) *waiter {
	l := r.lanes[name]
	if l == nil {
		l = &lane{name: name, ring: r}
		l.at = r.order.PushBack(l)
		r.lanes[name] = l
	}
	w := &waiter{lane: l, granted: make(chan struct{})}
	w.at = l.waiters.PushBack(w)
	return w
}

// next takes the call whose turn it is out of the ring, which is not empty.
func (r *ring) next() *waiter {
	l := r.order.Front().Value.(*lane)
	w := l.waiters.Front().Value.(*waiter)
	r.order.MoveToBack(l.at)
	l.remove(w)
	return w
}

func (l *lane) remove(w *waiter) {
	l.waiters.Remove(w.at)
	if l.waiters.Len() == 0 {
		l.ring.order.Remove(l.at)
		delete(l.ring.lanes, l.name)
	}
}

// place is one that was taken in advance.
type place struct {
	turns *Turns
	// calling is held by the call that uses the place.
	calling chan struct{}

	mu sync.Mutex
	// holders is who keeps the place: whoever entered, until they leave, and the
	// call that uses it.
	holders int
	left    bool
}

// use waits until no other call uses the place and takes it; used is false if it
// was left meanwhile.
func (p *place) use(ctx context.Context) (used bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, waitedInVain(err)
	}
	select {
	case p.calling <- struct{}{}:
	case <-ctx.Done():
		return false, waitedInVain(ctx.Err())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left {
		<-p.calling
		return false, nil
	}
	p.holders++
	return true, nil
}

// endCall ends a call that used the place.
func (p *place) endCall() {
	p.drop(false)
	<-p.calling
}

// release ends the stay of whoever entered.
func (p *place) release() { p.drop(true) }

// drop takes one holder off and gives the place back after the last.
func (p *place) drop(leaving bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = p.left || leaving
	if p.holders--; p.holders == 0 {
		p.turns.giveBack()
	}
}

func (p *place) isLeft() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left
}
