package webhook

import (
	"container/list"
	"errors"
	"slices"
	"sync"
	"time"
)

const (
	// DefaultMaxUnverified is how many deliveries may be inside before their
	// signature has been checked. A body is read and checked in a tenth of a
	// millisecond unless its sender is slow, so this is more than signed traffic
	// needs, and 64 MiB at the worst.
	DefaultMaxUnverified = 256
	// gatePatience is how long a delivery waits for its turn: a quarter of the
	// time that Telnyx waits for the answer.
	gatePatience = 500 * time.Millisecond
	// gateGrace is how long the body of a delivery may take before others that wait
	// can have its place. Telnyx's come in one piece with their headers.
	gateGrace = 100 * time.Millisecond
)

var errGateFull = errors.New("nobody made room in time")

// gate bounds the deliveries that are being read or verified. Who comes while it is
// full waits, first come, first served, and makes the one whose body has been coming
// for longest give up its place:
//
//	waiting ──room──────────────────► reading ──body is here──► verifying ──► gone
//	   │                                │
//	   └─ gatePatience is over ──► 503  └─ others wait, gateGrace is over ──► 503
//
// So neither can a crowd that holds back its bodies keep out those who send theirs,
// nor does anybody wait for longer than makes sense.
type gate struct {
	mu      sync.Mutex
	room    int
	readers []*visit  // longest first, without those that were displaced
	queue   list.List // of chan struct{}, closed when it is the turn of who waits
}

// visit is one delivery's time inside.
type visit struct {
	gate  *gate
	since time.Time
	cut   func()
	late  bool
}

// enter waits for room. Cut is called, once at most and before leave returns, if
// somebody else should have the place. The error says that there was no room in time.
func (g *gate) enter(cut func()) (*visit, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.room > 0 {
		g.room--
		return g.read(cut), nil
	}
	turn := make(chan struct{})
	place := g.queue.PushBack(turn)
	patience := time.NewTimer(gatePatience)
	defer patience.Stop()
	// Everybody who waits displaces one, and no more than that.
	again := g.displace()
	for {
		var look <-chan time.Time
		if again > 0 {
			look = time.After(again)
		}
		g.mu.Unlock()
		over := false
		select {
		case <-turn:
		case <-look:
		case <-patience.C:
			over = true
		}
		g.mu.Lock()
		select {
		case <-turn:
			return g.read(cut), nil
		default:
		}
		if over {
			g.queue.Remove(place)
			return nil, errGateFull
		}
		again = g.displace()
	}
}

func (g *gate) read(cut func()) *visit {
	v := &visit{gate: g, since: time.Now(), cut: cut}
	g.readers = append(g.readers, v)
	return v
}

// displace cuts off the one that has been reading for longest. It returns after what
// time to try again if nobody has been for long enough, else 0.
func (g *gate) displace() (again time.Duration) {
	if len(g.readers) == 0 {
		return gateGrace // all are being verified
	}
	v := g.readers[0]
	if left := gateGrace - time.Since(v.since); left > 0 {
		return left
	}
	v.unplace()
	v.late = true
	v.cut()
	return 0
}

// hasRead says that the body is there, or will never be.
func (v *visit) hasRead() {
	v.gate.mu.Lock()
	defer v.gate.mu.Unlock()
	v.unplace()
}

// displaced reports whether the visit was cut off.
func (v *visit) displaced() bool {
	v.gate.mu.Lock()
	defer v.gate.mu.Unlock()
	return v.late
}

func (v *visit) unplace() {
	if i := slices.Index(v.gate.readers, v); i >= 0 {
		v.gate.readers = slices.Delete(v.gate.readers, i, i+1)
	}
}

// leave makes room, or gives it to whoever has waited for longest.
func (v *visit) leave() {
	g := v.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	v.unplace()
	if first := g.queue.Front(); first != nil {
		close(g.queue.Remove(first).(chan struct{}))
		return
	}
	g.room++
}
