package events

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// The headers of an atomic batch, and the code by which the server refuses one that
// holds a message id which it has seen
// (https://github.com/nats-io/nats-architecture-and-design, ADR-50).
const (
	headerBatchID       = "Nats-Batch-Id"
	headerBatchSequence = "Nats-Batch-Sequence"
	headerBatchCommit   = "Nats-Batch-Commit"

	codeHoldsCopy jetstream.ErrorCode = 10201
)

const (
	// groupLeast is from how many events on a commit is worth its price. The server
	// stages a batch before it stores it, which takes it as long as three events one
	// by one if that is in memory, and as ten if it is on a disk that it syncs.
	groupLeast = 4
	// groupMost bounds the events that share a commit: the server takes 1,000, and
	// none should wait for so many to be written.
	groupMost = 256
	// groupBytes bounds them by size.
	groupBytes = 1 << 20
	// groupWaiting is how many events may wait to be stored. More would not be
	// stored in time anyway.
	groupWaiting = 4096
	// groupCompany is how many events that wait when a commit ends tell of a load under
	// which the next commit pays the more, the more it takes: most of its price is the
	// same for any number. Fewer go at once.
	groupCompany = 8
	// groupGather bounds for how long more may then gather.
	groupGather = 2 * time.Millisecond
	// groupHalvings bounds how often a batch is halved that holds unknown copies: many
	// of them would have commit after commit refused, while all others wait.
	groupHalvings = 3
	// groupTimeout bounds one commit.
	groupTimeout = 1500 * time.Millisecond
	// groupPause is for how long events are stored one by one after the server refused
	// a batch.
	groupPause = 5 * time.Second
)

// ErrBusy says that too many events wait to be stored already.
var ErrBusy = errors.New("too many events wait to be stored")

// Group stores events that come at the same time with one commit, and so with one
// sync to disk: while one commit is under way the next events gather for the next, and
// under load for a moment longer. A lone event is stored at once and waits for no
// company.
//
// Events are stored all or none by a commit, which the server refuses if it has
// seen one of their ids before; so what was stored lately goes by itself. Safe for
// concurrent use; the zero value is not usable.
type Group struct {
	nc     *nats.Conn
	outbox *outbox

	mu      sync.Mutex
	waiting []*waiting
	working bool // whether a goroutine stores what waits
	enough  int  // closes full when as many wait
	full    chan struct{}

	recent recentIDs
	// aloneUntil is until when batches are not tried. It belongs to the goroutine that
	// stores.
	aloneUntil time.Time
}

// waiting is an event that waits to be stored.
type waiting struct {
	ctx  context.Context
	msg  *nats.Msg
	done chan result // has room for the one result
}

func (w *waiting) id() string { return w.msg.Header.Get(jetstream.MsgIDHeader) }

type result struct {
	receipt Receipt
	err     error
}

// NewGroup returns a Group that publishes on js. The streams must exist.
func NewGroup(js jetstream.JetStream) *Group {
	return &Group{nc: js.Conn(), outbox: newOutbox(js.Conn())}
}

// Publish stores the event, maybe together with others; see [Publisher.Publish].
func (g *Group) Publish(ctx context.Context, e Event) (Receipt, error) {
	msg, err := e.message()
	if err != nil {
		return Receipt{}, err
	}
	w := &waiting{ctx: ctx, msg: msg, done: make(chan result, 1)}
	if err := g.join(w); err != nil {
		return Receipt{}, fmt.Errorf("publish event %.100q: %w", e.ID, err)
	}
	select {
	case r := <-w.done:
		if r.err != nil {
			return Receipt{}, fmt.Errorf("publish event %.100q: %w", e.ID, r.err)
		}
		return r.receipt, nil
	case <-ctx.Done():
		return Receipt{}, fmt.Errorf("publish event %.100q: %w", e.ID, ctx.Err())
	}
}

func (g *Group) join(w *waiting) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) >= groupWaiting {
		return ErrBusy
	}
	g.waiting = append(g.waiting, w)
	if g.full != nil && len(g.waiting) >= g.enough {
		close(g.full)
		g.full = nil
	}
	if !g.working {
		g.working = true
		go g.work()
	}
	return nil
}

// work commits what waits until nothing does.
func (g *Group) work() {
	for {
		batch := g.take()
		if batch == nil {
			return
		}
		g.store(batch)
		g.gather(len(batch))
	}
}

// gather lets more events come under load before the next commit. Those that the last
// one stored and those that came meanwhile tell how many there are at a time; most of
// them are waited for, not all, so that the others are verified during the commit.
func (g *Group) gather(stored int) {
	if g.apart() {
		return
	}
	full := g.expect(stored)
	if full == nil {
		return
	}
	timeout := time.NewTimer(groupGather)
	defer timeout.Stop()
	select {
	case <-full:
	case <-timeout.C:
	}
}

// expect returns what will be closed when enough wait, or nil if they need not be
// waited for.
func (g *Group) expect(stored int) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.enough = min((stored+len(g.waiting))*3/5, groupMost)
	if len(g.waiting) < groupCompany || len(g.waiting) >= g.enough {
		g.full = nil
		return nil
	}
	g.full = make(chan struct{})
	return g.full
}

// take takes the events that waited longest, or ends the worker.
func (g *Group) take() []*waiting {
	g.mu.Lock()
	defer g.mu.Unlock()
	var batch []*waiting
	size, i := 0, 0
	for ; i < len(g.waiting) && len(batch) < groupMost && size < groupBytes; i++ {
		if w := g.waiting[i]; w.ctx.Err() == nil {
			batch = append(batch, w)
			size += len(w.msg.Data)
		}
	}
	g.waiting = slices.Delete(g.waiting, 0, i)
	g.working = batch != nil
	return batch
}

// store stores a batch and tells each of its events how that went. What would have the
// others refused comes last and alone.
func (g *Group) store(batch []*waiting) {
	fresh, apart := g.sort(batch)
	g.together(fresh, groupHalvings)
	for _, w := range apart {
		go func() { g.tell(w, g.alone(w)) }() // which nobody else has to wait for
	}
}

// sort puts aside what would have a whole batch refused: what is too large, and what
// seems to be a copy, of an event stored lately or of one in the same batch.
func (g *Group) sort(batch []*waiting) (fresh, apart []*waiting) {
	here := make(map[string]struct{}, len(batch))
	most := g.nc.MaxPayload()
	for _, w := range batch {
		id := w.id()
		_, twice := here[id]
		if twice || g.recent.has(id) || most > 0 && int64(w.msg.Size()) > most {
			apart = append(apart, w)
			continue
		}
		here[id] = struct{}{}
		fresh = append(fresh, w)
	}
	return fresh, apart
}

// together stores a batch with one commit, if that is worth it and can be. A refused
// one is halved so many times.
func (g *Group) together(batch []*waiting, halvings int) {
	if len(batch) < groupLeast || halvings < 0 || g.apart() {
		g.eachAlone(batch)
		return
	}
	first, err := g.commit(batch)
	refusal, refused := errors.AsType[*jetstream.APIError](err)
	switch {
	case refused && refusal.ErrorCode == codeHoldsCopy:
		// A copy that we did not know of. Halving leaves few to be stored one by one.
		half := len(batch) / 2
		g.together(batch[:half], halvings-1)
		g.together(batch[half:], halvings-1)
	case refused || errors.Is(err, nats.ErrNoResponders):
		// Whatever it is, it will be so for the next ones: a refused batch costs as
		// much as a stored one.
		g.aloneUntil = time.Now().Add(groupPause)
		g.eachAlone(batch)
	default:
		for i, w := range batch {
			if err != nil {
				g.recent.add(w.id()) // it may be stored, and a copy when it is sent again
			}
			g.tell(w, result{Receipt{Sequence: first + uint64(i)}, err})
		}
	}
}

// apart says that events are stored one by one for now.
func (g *Group) apart() bool { return time.Now().Before(g.aloneUntil) }

// eachAlone stores each event by itself, all at once.
func (g *Group) eachAlone(batch []*waiting) {
	var each sync.WaitGroup
	for _, w := range batch {
		each.Go(func() { g.tell(w, g.alone(w)) })
	}
	each.Wait()
}

func (g *Group) tell(w *waiting, r result) {
	if r.err == nil {
		g.recent.add(w.id())
	}
	w.done <- r
}

// alone stores one event by itself.
func (g *Group) alone(w *waiting) result {
	for _, header := range []string{headerBatchID, headerBatchSequence, headerBatchCommit} {
		w.msg.Header.Del(header)
	}
	a, err := g.outbox.storeWithLeader(w.ctx, w.msg, StreamEvents)
	return result{Receipt{Sequence: a.Sequence, Duplicate: a.Duplicate}, err}
}

// commit stores all or none, and returns the sequence of the first.
func (g *Group) commit(batch []*waiting) (first uint64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), groupTimeout)
	defer cancel()
	id := nuid.Next()
	last := len(batch) - 1
	for i, w := range batch {
		w.msg.Header.Set(headerBatchID, id)
		w.msg.Header.Set(headerBatchSequence, strconv.Itoa(i+1))
		if i < last {
			if err := g.nc.PublishMsg(w.msg); err != nil {
				return 0, err
			}
		}
	}
	batch[last].msg.Header.Set(headerBatchCommit, "1")
	a, err := g.outbox.store(ctx, batch[last].msg, StreamEvents)
	if err != nil {
		return 0, err
	}
	if a.Count != len(batch) {
		return 0, fmt.Errorf("the server says that it stored %d of %d events", a.Count, len(batch))
	}
	return a.Sequence - uint64(last), nil
}
