package events

import (
	"context"
	"errors"
	"fmt"
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
	// groupTimeout bounds one commit.
	groupTimeout = 1500 * time.Millisecond
)

// ErrBusy says that too many events wait to be stored already.
var ErrBusy = errors.New("too many events wait to be stored")

// Group stores events that come at the same time with one commit, and so with one
// sync to disk: while one commit is under way the next events gather for the next.
// A lone event is stored at once and waits for no company.
//
// Events are stored all or none by a commit, which the server refuses if it has
// seen one of their ids before; then each is stored by itself. Safe for concurrent
// use; the zero value is not usable.
type Group struct {
	nc *nats.Conn

	mu      sync.Mutex
	waiting []*waiting
	working bool // whether a goroutine stores what waits
}

// waiting is an event that waits to be stored.
type waiting struct {
	ctx  context.Context
	msg  *nats.Msg
	done chan result // has room for the one result
}

type result struct {
	receipt Receipt
	err     error
}

// NewGroup returns a Group that publishes on js. The streams must exist.
func NewGroup(js jetstream.JetStream) *Group {
	return &Group{nc: js.Conn()}
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
	}
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
	g.waiting = append(g.waiting[:0], g.waiting[i:]...)
	g.working = batch != nil
	return batch
}

// store stores a batch and tells each of its events how that went.
func (g *Group) store(batch []*waiting) {
	if len(batch) < groupLeast {
		g.eachAlone(batch)
		return
	}
	first, err := g.commit(batch)
	if _, refused := errors.AsType[*jetstream.APIError](err); refused || errors.Is(err, nats.ErrNoResponders) {
		g.eachAlone(batch)
		return
	}
	for i, w := range batch {
		w.done <- result{Receipt{Sequence: first + uint64(i)}, err}
	}
}

// eachAlone stores each event by itself, all at once.
func (g *Group) eachAlone(batch []*waiting) {
	var each sync.WaitGroup
	for _, w := range batch[1:] {
		each.Go(func() { w.done <- g.alone(w) })
	}
	batch[0].done <- g.alone(batch[0])
	each.Wait()
}

// alone stores one event by itself.
func (g *Group) alone(w *waiting) result {
	for _, header := range []string{headerBatchID, headerBatchSequence, headerBatchCommit} {
		w.msg.Header.Del(header)
	}
	a, err := requestLeader(w.ctx, g.nc, w.msg)
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
	a, err := request(ctx, g.nc, batch[last].msg)
	if err != nil {
		return 0, err
	}
	if a.Count != len(batch) {
		return 0, fmt.Errorf("the server says that it stored %d of %d events", a.Count, len(batch))
	}
	return a.Sequence - uint64(last), nil
}
