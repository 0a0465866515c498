package events

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Timing is how fast the consumer notices that a process has gone. The zero
// value means the defaults, which are right outside of tests. All processes
// that share a consumer must use the same.
//
// With the defaults a standby works within 6 s of the other process's SIGKILL: the pin
// ends PinnedTTL (3 s) after its last pull, the standby's pull is served within
// PullExpiry (1 s), and what was open comes again AckWait (4 s) after its last
// heartbeat, which runs at the same time. A process that stalls for 3 s loses the pin,
// which is safe: each write is claimed in the ledger first.
type Timing struct {
	// AckWait is how long the server waits for a heartbeat of an open
	// delivery before it delivers the message again. Default 4 s: three
	// heartbeats, so that one lost heartbeat does not cause a redelivery.
	AckWait time.Duration
	// PinnedTTL is how long the server keeps the consumer pinned to a process
	// that no longer pulls. Default 3 s: three pulls.
	PinnedTTL time.Duration
	// PullExpiry is how long one pull request stands. It must be well below
	// PinnedTTL: only a new pull request renews the pin. Default 1 s, which is the
	// least.
	PullExpiry time.Duration
}

func (t Timing) withDefaults() Timing {
	if t.AckWait == 0 {
		t.AckWait = 4 * time.Second
	}
	if t.PinnedTTL == 0 {
		t.PinnedTTL = 3 * time.Second
	}
	if t.PullExpiry == 0 {
		t.PullExpiry = time.Second
	}
	return t
}

const (
	// priorityGroup is the consumer's only group; JetStream pins by group.
	priorityGroup = "assigner"
	// MaxOpen bounds the deliveries that are open at once, over all processes.
	// They are small, and the assigner merges those for one campaign.
	MaxOpen = 1000
	// pullBatch is how many messages one pull request asks for.
	pullBatch = 256
	// pause is the wait after a pull failed, so that a broken server is not
	// asked in a tight loop.
	pause = 250 * time.Millisecond
	// goneTimeout bounds the question whether the consumer is there: nothing is pulled
	// meanwhile.
	goneTimeout = time.Second
	// rejoinPatience is how long a consumer that was lost is made again before Run ends
	// with the reason.
	rejoinPatience = 10 * time.Second
	// releaseTimeout bounds the goodbye to a server that may be gone.
	releaseTimeout = 3 * time.Second
	// headerPinID is JetStream's name for the pin in a delivered message.
	headerPinID = "Nats-Pin-Id"
)

// Consumer pulls messages for the assigner and keeps them open until they are
// settled. Make one with [NewConsumer]; use it once.
type Consumer struct {
	js        jetstream.JetStream
	publisher *Publisher
	timing    Timing
	onError   func(error)

	mu sync.Mutex
	// joined is the durable consumer as it was made or found, and created when that was:
	// one that was lost and made again is another one.
	joined  jetstream.Consumer
	created time.Time
	open    map[*Delivery]struct{}
	// pin is the id under which the server pinned the consumer to this process,
	// as the latest delivery had it.
	pin string
}

// NewConsumer joins the durable consumer, and creates it if it is not there.
// The streams must exist; see [EnsureStreams]. Errors that do not stop the
// consumer, such as a heartbeat that could not be sent, go to onError, which
// must be safe for concurrent use.
func NewConsumer(ctx context.Context, js jetstream.JetStream, timing Timing, onError func(error)) (*Consumer, error) {
	c := &Consumer{
		js:        js,
		publisher: NewPublisher(js),
		timing:    timing.withDefaults(),
		onError:   onError,
		open:      make(map[*Delivery]struct{}),
	}
	if err := c.join(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// join makes or finds the durable consumer.
func (c *Consumer) join(ctx context.Context) error {
	joined, err := c.js.CreateOrUpdateConsumer(ctx, StreamEvents, consumerConfig(c.timing))
	if err != nil {
		return fmt.Errorf("create consumer %s: %w", ConsumerAssigner, err)
	}
	c.joinedAs(joined)
	return nil
}

// joinedAs notes the consumer that the server has now. If it is another one than before,
// the open deliveries are forgotten: what settles them would settle other messages of the
// same numbers, and what is in the stream comes again.
func (c *Consumer) joinedAs(consumer jetstream.Consumer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	created := consumer.CachedInfo().Created
	if !c.created.IsZero() && !created.Equal(c.created) {
		for d := range c.open {
			d.void.Store(true)
		}
		clear(c.open)
		c.pin = ""
	}
	c.joined, c.created = consumer, created
}

func (c *Consumer) current() jetstream.Consumer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.joined
}

func consumerConfig(timing Timing) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable:        ConsumerAssigner,
		Description:    "Wakes the assigner",
		FilterSubjects: []string{subjectEvents + ">", subjectTriggers + ">"},
		AckPolicy:      jetstream.AckExplicitPolicy,
		AckWait:        timing.AckWait,
		// No limit: a message ends by being done or by becoming a dead letter,
		// never by the server giving up in silence. Attempts are counted by us.
		MaxDeliver:     -1,
		MaxAckPending:  MaxOpen,
		PriorityPolicy: jetstream.PriorityPolicyPinned,
		PriorityGroups: []string{priorityGroup},
		PinnedTTL:      timing.PinnedTTL,
	}
}

// Run pulls messages and hands each to handle until ctx ends. Handle must not block: it
// takes the delivery and settles it later, from any goroutine. A consumer that was lost
// while it runs is made again, and delivers all that the stream has; Run returns an error
// when that fails for 10 s.
//
// When ctx ends, Run stops pulling and calls drain, which must return when all
// work on deliveries has stopped; heartbeats continue meanwhile. What is still open
// then goes back to the server at once, and the pin with it, so that a standby
// takes over without waiting.
func (c *Consumer) Run(ctx context.Context, handle func(*Delivery), drain func()) error {
	stopHeartbeat := c.startHeartbeat()
	err := c.pull(ctx, handle)
	drain()
	stopHeartbeat()
	if isGone(err) {
		return err // there is nobody to give anything back to
	}
	return errors.Join(err, c.release())
}

func (c *Consumer) pull(ctx context.Context, handle func(*Delivery)) error {
	for {
		err := c.pullUntilGone(ctx, handle)
		if ctx.Err() != nil || !isGone(err) {
			return err
		}
		c.onError(err)
		if err := c.rejoin(ctx); err != nil || ctx.Err() != nil {
			return err
		}
	}
}

// rejoin makes a lost consumer again, which needs its stream: see [EnsureStreams].
func (c *Consumer) rejoin(ctx context.Context) error {
	for deadline := time.Now().Add(rejoinPatience); ; {
		asking, cancel := context.WithTimeout(ctx, goneTimeout)
		err := c.join(asking)
		cancel()
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("a lost consumer could not be made again in %s: %w", rejoinPatience, err)
		}
		sleep(ctx, pause)
	}
}

func (c *Consumer) pullUntilGone(ctx context.Context, handle func(*Delivery)) error {
	messages, err := c.current().Messages(
		jetstream.PullPriorityGroup(priorityGroup),
		jetstream.PullMaxMessages(pullBatch),
		jetstream.PullExpiry(c.timing.PullExpiry),
		jetstream.PullHeartbeat(c.timing.PullExpiry/2),
	)
	if err != nil {
		return fmt.Errorf("pull from consumer %s: %w", ConsumerAssigner, err)
	}
	defer messages.Stop()

	for {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		switch {
		case ctx.Err() != nil:
			c.giveBackPulled(messages, msg)
			return nil
		case errors.Is(err, jetstream.ErrMsgIteratorClosed), errors.Is(err, jetstream.ErrConsumerDeleted):
			return fmt.Errorf("pull from consumer %s: %w", ConsumerAssigner, err)
		case err != nil:
			if gone := c.gone(ctx); gone != nil {
				return gone
			}
			c.onError(fmt.Errorf("pull from consumer %s: %w", ConsumerAssigner, err))
			sleep(ctx, pause)
			continue
		}
		delivery, err := newDelivery(msg, c)
		if err != nil {
			c.onError(err)
			continue
		}
		c.remember(delivery)
		handle(delivery)
	}
}

// gone returns an error if the server says that the consumer is not there any more, or is
// another one: whoever asks for messages of one that was lost gets no answer.
func (c *Consumer) gone(ctx context.Context) error {
	var lost error
	for range 2 { // one that a cluster moves may be away for a moment
		asking, cancel := context.WithTimeout(ctx, goneTimeout)
		found, err := c.js.Consumer(asking, StreamEvents, ConsumerAssigner)
		cancel()
		if err == nil {
			c.joinedAs(found)
			return nil
		}
		if !isGone(err) {
			return nil
		}
		lost = err
		sleep(ctx, pause)
	}
	return fmt.Errorf("pull from consumer %s, which is gone: %w", ConsumerAssigner, lost)
}

func isGone(err error) bool {
	return errors.Is(err, jetstream.ErrConsumerDeleted) || errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound)
}

// giveBackPulled gives back what was pulled and not handed on: the server would
// wait for it until the ack wait is over.
func (c *Consumer) giveBackPulled(messages jetstream.MessagesContext, msg jetstream.Msg) {
	messages.Drain()
	for {
		if msg != nil {
			if delivery, err := newDelivery(msg, c); err == nil {
				c.remember(delivery) // release gives it back with the others
			}
		}
		var err error
		if msg, err = messages.Next(); err != nil {
			return
		}
	}
}

// release lets go of the pin and gives every open delivery back, in this order:
// while the pin is here the server would deliver them here again. The server would
// find out by itself after [Timing.AckWait], so this is only for speed.
func (c *Consumer) release() error {
	ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
	defer cancel()
	state, err := c.State(ctx)
	if err == nil && state.Pinned {
		err = c.unpin(ctx)
	}
	errs := []error{err}
	for _, delivery := range c.openDeliveries() {
		errs = append(errs, delivery.Retry(0))
	}
	return errors.Join(errs...)
}

func (c *Consumer) unpin(ctx context.Context) error {
	stream, err := c.js.Stream(ctx, StreamEvents)
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", StreamEvents, err)
	}
	return stream.UnpinConsumer(ctx, ConsumerAssigner, priorityGroup)
}

// ConsumerState is how far the consumer is, over all processes that share it.
type ConsumerState struct {
	// Waiting counts messages that nobody has been handed yet.
	Waiting int
	// Open counts deliveries that are not settled.
	Open int
	// Pinned says that this process is the one that works; the others stand by.
	Pinned bool
	// Elsewhere says that another process is the one that works. For a moment, as after a
	// restart of the server, none may be.
	Elsewhere bool
}

// State asks the server how far the consumer is.
func (c *Consumer) State(ctx context.Context) (ConsumerState, error) {
	info, err := c.current().Info(ctx)
	if err != nil {
		return ConsumerState{}, fmt.Errorf("look up consumer %s: %w", ConsumerAssigner, err)
	}
	state := ConsumerState{Waiting: int(info.NumPending), Open: info.NumAckPending}
	for _, group := range info.PriorityGroups {
		switch group.PinnedClientID {
		case "":
		case c.pinID():
			state.Pinned = true
		default:
			state.Elsewhere = true
		}
	}
	return state, nil
}

// startHeartbeat sends a heartbeat for each open delivery every third of the ack wait. The returned function stops it and
// waits for it.
func (c *Consumer) startHeartbeat() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		for sleep(ctx, c.timing.AckWait/3) {
			for _, delivery := range c.openDeliveries() {
				if err := delivery.stillOpen(); err != nil {
					c.onError(fmt.Errorf("keep message %d open: %w", delivery.Sequence, err))
				}
			}
		}
	})
	return func() {
		cancel()
		done.Wait()
	}
}

func (c *Consumer) remember(d *Delivery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[d] = struct{}{}
	if d.Pin != "" {
		c.pin = d.Pin
	}
}

func (c *Consumer) forget(d *Delivery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, d)
}

func (c *Consumer) openDeliveries() []*Delivery {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.open))
}

func (c *Consumer) pinID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pin
}

// sleep waits for d and reports true, or false as soon as ctx ends.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
