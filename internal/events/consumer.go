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

// Timing is how fast the consumer notices that a process has died. The zero value means
// the defaults, which are right outside of tests. All processes that share a consumer must
// use the same.
//
// With the defaults a standby takes over within 6 s of the other process's SIGKILL: the
// pin ends PinnedTTL (3 s) after its last pull, the standby's pull is served within
// PullExpiry (1 s), and open messages are delivered again AckWait (4 s) after their last
// heartbeat, at the same time. A process that stalls for 3 s loses the pin, which is safe:
// each write is claimed in the ledger first.
type Timing struct {
	// AckWait is how long the server waits for a heartbeat of an open delivery before it
	// delivers the message again. Default 4 s: three heartbeats, so that one lost
	// heartbeat does not cause a redelivery.
	AckWait time.Duration
	// PinnedTTL is how long the server keeps the consumer pinned to a process that no
	// longer pulls. Default 3 s: three pulls.
	PinnedTTL time.Duration
	// PullExpiry is how long one pull request is valid. It must be well below PinnedTTL:
	// only a new pull request renews the pin. Default 1 s, the minimum.
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
	// priorityGroup is the consumer's only group; JetStream pins per group.
	priorityGroup = "assigner"
	// MaxOpen limits the deliveries that are open at once, over all processes. They are
	// small, and the assigner merges those for one campaign.
	MaxOpen = 1000
	// pullBatch is how many messages one pull request asks for.
	pullBatch = 256
	// pause is the wait after a failed pull, so that there is no tight loop.
	pause = 250 * time.Millisecond
	// goneTimeout limits the check whether the consumer exists: nothing is pulled meanwhile.
	goneTimeout = time.Second
	// rejoinPatience is [Consumer.Run]'s patience with a lost consumer.
	rejoinPatience = 10 * time.Second
	// releaseTimeout limits the requests to the server when Run ends.
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
	// patience is how long Run tries to create a lost consumer again before it ends.
	patience time.Duration

	mu sync.Mutex
	// joined is the durable consumer, and created is when it was created: one that was lost
	// and created again is a different one.
	joined  jetstream.Consumer
	created time.Time
	open    map[*Delivery]struct{}
	// pin is the pin id of the latest delivery to this process.
	pin string
}

// NewConsumer joins the durable consumer, and creates it if it does not exist. The
// streams must exist; see [EnsureStreams]. Errors that do not stop the consumer, for
// example a failed heartbeat, go to onError, which must be safe for concurrent use.
func NewConsumer(ctx context.Context, js jetstream.JetStream, timing Timing, onError func(error)) (*Consumer, error) {
	c := &Consumer{
		js:        js,
		publisher: NewPublisher(js),
		timing:    timing.withDefaults(),
		onError:   onError,
		patience:  rejoinPatience,
		open:      make(map[*Delivery]struct{}),
	}
	if err := c.join(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// join creates or updates the durable consumer.
func (c *Consumer) join(ctx context.Context) error {
	joined, err := c.js.CreateOrUpdateConsumer(ctx, StreamEvents, consumerConfig(c.timing))
	if err != nil {
		return fmt.Errorf("create consumer %s: %w", ConsumerAssigner, err)
	}
	c.joinedAs(joined)
	return nil
}

// joinedAs stores the consumer that the server has now. If it is a different one, the open
// deliveries become void: settling them could settle other messages with the same
// sequence, and the server delivers everything in the stream again.
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
		Description:    "Delivers events and triggers to the assigner",
		FilterSubjects: []string{subjectEvents + ">", subjectTriggers + ">"},
		AckPolicy:      jetstream.AckExplicitPolicy,
		AckWait:        timing.AckWait,
		// No limit: a message ends when it is done or a dead letter, and the server
		// never gives up silently.
		MaxDeliver:     -1,
		MaxAckPending:  MaxOpen,
		PriorityPolicy: jetstream.PriorityPolicyPinned,
		PriorityGroups: []string{priorityGroup},
		PinnedTTL:      timing.PinnedTTL,
	}
}

// Run pulls messages and passes each to handle until ctx ends. Handle must not block; the
// delivery may be settled later, from any goroutine. Run creates a lost consumer again,
// which then delivers everything in the stream; it returns an error if that fails for 10 s.
//
// When ctx ends, Run stops pulling and calls drain, which must return when all work on
// deliveries has stopped; heartbeats continue meanwhile. Then Run gives up the pin and
// returns open messages to the server, so that a standby takes over without waiting.
func (c *Consumer) Run(ctx context.Context, handle func(*Delivery), drain func()) error {
	stopHeartbeat := c.startHeartbeat()
	err := c.pull(ctx, handle)
	drain()
	stopHeartbeat()
	if isGone(err) {
		return err // nothing can be returned
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

// rejoin creates a lost consumer again. Its stream must exist, or be restored; see
// [EnsureStreams].
func (c *Consumer) rejoin(ctx context.Context) error {
	for deadline := time.Now().Add(c.patience); ; {
		asking, cancel := context.WithTimeout(ctx, goneTimeout)
		err := c.join(asking)
		cancel()
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if restoring, unknown := Restoring(ctx, c.js); restoring || unknown != nil {
			deadline = time.Now().Add(c.patience) // a large backup takes longer
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("create a lost consumer again, for %s: %w", c.patience, err)
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

// gone returns an error if the server says that the consumer does not exist any more. A
// pull from a lost consumer gets no answer.
func (c *Consumer) gone(ctx context.Context) error {
	var lost error
	for range 2 { // while a cluster moves a consumer, it may seem missing
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

// giveBackPulled has release return the messages that were pulled and not handled;
// otherwise the server waits for them until the ack wait is over.
func (c *Consumer) giveBackPulled(messages jetstream.MessagesContext, msg jetstream.Msg) {
	messages.Drain()
	for {
		if msg != nil {
			if delivery, err := newDelivery(msg, c); err == nil {
				c.remember(delivery)
			}
		}
		var err error
		if msg, err = messages.Next(); err != nil {
			return
		}
	}
}

// release gives up the pin and then returns every open message. In the other order, the
// server would deliver them to this process again. Without release a standby would wait
// for [Timing.AckWait].
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

// ConsumerState is the state of the consumer, over all processes that share it.
type ConsumerState struct {
	// Waiting counts messages that were not delivered yet.
	Waiting int
	// Open counts deliveries that are not settled.
	Open int
	// Pinned says that the consumer is pinned to this process.
	Pinned bool
	// Elsewhere says that it is pinned to another process. For a moment, for example after
	// a restart of the server, it may be pinned to none.
	Elsewhere bool
}

// State asks the server for the consumer's state.
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

// startHeartbeat sends a heartbeat for each open delivery every third of the ack wait. The
// returned function stops it and waits until it has ended.
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
