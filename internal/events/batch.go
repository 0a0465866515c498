package events

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

const (
	// minBatch is the number of events from which one commit is cheaper than storing each
	// event separately: the server first writes a batch to temporary files.
	minBatch = 8
	// maxBatch and batchBytes limit the events that share a commit. The server accepts
	// 1,000 (https://github.com/nats-io/nats-architecture-and-design, ADR-50).
	maxBatch   = 256
	batchBytes = 1 << 20
	// batchGather divides a commit's time: for that part of it, more events are collected.
	batchGather = 4
	// batchHalves is how often a batch that contains a duplicate is halved.
	batchHalves = 3
	// batchTimeout bounds one commit.
	batchTimeout = 1500 * time.Millisecond
)

// Batcher stores events that arrive at the same time with one commit, and so with one sync
// to disk: while a commit is under way, further events wait for the next one. A single
// event does not wait. Safe for concurrent use; the zero value is not usable.
type Batcher struct {
	publisher *Publisher

	mu      sync.Mutex
	waiting []*waiting
	working bool // whether a goroutine is running work
}

// waiting is an event that waits to be stored.
type waiting struct {
	ctx  context.Context
	msg  *nats.Msg
	done chan stored // has room for the one result
}

type stored struct {
	receipt Receipt
	err     error
}

// NewBatcher returns a Batcher that publishes on js. The streams must exist.
func NewBatcher(js jetstream.JetStream) *Batcher { return &Batcher{publisher: NewPublisher(js)} }

// Publish stores the event, possibly together with others; see [Publisher.Publish].
func (b *Batcher) Publish(ctx context.Context, e Event) (Receipt, error) {
	msg, err := e.message()
	if err != nil {
		return Receipt{}, err
	}
	w := &waiting{ctx: ctx, msg: msg, done: make(chan stored, 1)}
	b.add(w)
	select {
	case s := <-w.done:
		err = s.err
		if err == nil {
			return s.receipt, nil
		}
	case <-ctx.Done():
		err = ctx.Err()
	}
	return Receipt{}, fmt.Errorf("publish event %.100q: %w", e.ID, err)
}

func (b *Batcher) add(w *waiting) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, w)
	if !b.working {
		b.working = true
		go b.work()
	}
}

// work stores waiting events until there are none.
func (b *Batcher) work() {
	for batch := b.take(); len(batch) > 0; batch = b.take() {
		began := time.Now()
		if b.store(batch, batchHalves) {
			// A commit costs about the same for any number of events.
			time.Sleep(time.Since(began) / batchGather)
		}
	}
}

// store stores a batch, and reports whether one commit was enough. The server refuses a
// whole batch for one event that is already stored; then the halves are stored, so that
// the others still share commits. Events of a commit whose acknowledgement was lost are
// duplicates when they are stored again.
func (b *Batcher) store(batch []*waiting, halves int) bool {
	if len(batch) >= minBatch {
		err := b.commit(batch)
		if err == nil {
			return true
		}
		if errors.Is(err, jetstreamext.ErrBatchPublishDuplicateMsgID) && halves > 0 {
			b.store(batch[:len(batch)/2], halves-1)
			b.store(batch[len(batch)/2:], halves-1)
			return false
		}
	}
	b.storeEach(batch)
	return false
}

// take removes the events that have waited longest. If it returns none, work must end.
func (b *Batcher) take() (batch []*waiting) {
	b.mu.Lock()
	defer b.mu.Unlock()
	size := 0
	for len(b.waiting) > 0 && len(batch) < maxBatch && size < batchBytes {
		w := b.waiting[0]
		b.waiting = b.waiting[1:]
		if w.ctx.Err() == nil {
			batch = append(batch, w)
			size += len(w.msg.Data)
		}
	}
	b.working = len(batch) > 0
	return batch
}

// commit stores all events or none.
func (b *Batcher) commit(batch []*waiting) error {
	ctx, cancel := context.WithTimeout(context.Background(), batchTimeout)
	defer cancel()
	msgs := make([]*nats.Msg, len(batch))
	for i, w := range batch {
		msgs[i] = w.msg
	}
	ack, err := jetstreamext.PublishMsgBatch(ctx, b.publisher.js, msgs, jetstreamext.BatchFlowControl{})
	if err != nil {
		return err
	}
	if ack.Stream != StreamEvents {
		return wrongStream(ack.Stream, StreamEvents)
	}
	first := ack.Sequence - uint64(len(batch)-1)
	for i, w := range batch {
		w.done <- stored{receipt: Receipt{Sequence: first + uint64(i)}}
	}
	return nil
}

// storeEach stores each event separately, all at once.
func (b *Batcher) storeEach(batch []*waiting) {
	var each sync.WaitGroup
	for _, w := range batch {
		for _, header := range []string{jetstreamext.BatchIDHeader, jetstreamext.BatchSeqHeader, jetstreamext.BatchCommitHeader} {
			w.msg.Header.Del(header)
		}
		each.Go(func() {
			receipt, err := b.publisher.store(w.ctx, w.msg, StreamEvents)
			w.done <- stored{receipt, err}
		})
	}
	each.Wait()
}
