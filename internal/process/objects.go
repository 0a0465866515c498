package process

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/logging"
	"greenlight/internal/notice"
)

const (
	// objectsEvery is how often it is looked whether all that the process needs in NATS is
	// still there.
	objectsEvery = time.Second
	// objectsTimeout bounds the look, and makeTimeout making what is missing.
	objectsTimeout = 2 * time.Second
)

// objects keeps what the process needs in NATS there: streams, buckets and consumers. What
// somebody deleted, or a disk lost, is made again; the consumers' own loops make those.
// When all of it is there a resync reads everything anew. Readiness is false from the loss
// until that is ordered.
type objects struct {
	js        jetstream.JetStream
	publisher *events.Publisher
	replicas  int
	log       zerolog.Logger

	// joined is the assigner's joining, nil without one; before it is done the assigner
	// makes what it needs itself. Resync is its interval, and notifies whether its notices
	// are taken.
	joined   *attempt
	resync   time.Duration
	notifies *attempt
	// madeAgain, if not nil, is called when all is there again, before the resync.
	madeAgain func(context.Context)

	// held is the hold as it was read last. A bucket that is made again gets it back.
	held ledger.Hold

	mu sync.Mutex
	// pending says that something was missing and the resync is not ordered yet, and err
	// why it could not be made.
	pending bool
	err     error
}

// ready is the readiness check. It looks by itself: the last look may be a second old.
func (o *objects) ready(ctx context.Context) error {
	missing, err := o.missing(ctx)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.err != nil:
		return o.err
	case len(missing) > 0:
		return fmt.Errorf("missing on the NATS server: %s; it is made again", strings.Join(missing, ", "))
	case o.pending:
		return errors.New("what was missing on the NATS server was made again; the resync that fills it is not ordered yet")
	}
	return nil
}

// run looks every second until ctx ends.
func (o *objects) run(ctx context.Context) error {
	ticker := time.NewTicker(objectsEvery)
	defer ticker.Stop()
	told := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		missing, err := o.missing(ctx)
		if err != nil {
			continue // readiness says why, and the log when the server is away
		}
		now := strings.Join(missing, ", ")
		if now != told && now != "" {
			o.log.Error().Strs(logging.KeyMissing, missing).Msg("missing on the NATS server: it was deleted or lost, and is made again")
		}
		told = now
		err = o.tend(ctx, missing)
		if err != nil && ctx.Err() == nil {
			o.log.Warn().Err(err).Msg("what is missing on the NATS server could not be made again; trying again")
		}
		o.mu.Lock()
		o.err = err
		o.mu.Unlock()
	}
}

// tend makes what is missing, or orders the resync when nothing is any more.
func (o *objects) tend(ctx context.Context, missing []string) error {
	ctx, cancel := context.WithTimeout(ctx, makeTimeout)
	defer cancel()
	o.mu.Lock()
	o.pending = o.pending || len(missing) > 0
	pending := o.pending
	o.mu.Unlock()
	if len(missing) > 0 {
		return o.make(ctx)
	}
	if pending {
		if err := o.refill(ctx); err != nil {
			return err
		}
		o.log.Info().Msg("all that the process needs on the NATS server is there again")
		o.mu.Lock()
		o.pending = false
		o.mu.Unlock()
	}
	if o.works() {
		if hold, err := ledger.ReadHold(ctx, o.js); err == nil {
			o.held = hold
		}
	}
	return nil
}

// works reports whether an assigner works here.
func (o *objects) works() bool { return o.joined != nil && o.joined.isDone() }

// missing names what should be there and is not.
func (o *objects) missing(ctx context.Context) (missing []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, objectsTimeout)
	defer cancel()
	streams := events.Streams()
	if o.works() {
		streams = append(streams, notice.Stream)
		for _, bucket := range ledger.Buckets() {
			streams = append(streams, "KV_"+bucket)
		}
	}
	there := make(map[string]bool)
	names := o.js.StreamNames(ctx)
	for name := range names.Name() {
		there[name] = true
	}
	if err := names.Err(); err != nil {
		return nil, fmt.Errorf("list the streams: %w", err)
	}
	for _, name := range streams {
		if !there[name] {
			missing = append(missing, strings.Replace(name, "KV_", "bucket ", 1))
		}
	}
	consumers, err := o.missingConsumers(ctx)
	return append(missing, consumers...), err
}

// missingConsumers is missing for consumers.
func (o *objects) missingConsumers(ctx context.Context) (missing []string, err error) {
	wanted := map[string]string{}
	if o.works() {
		wanted[events.ConsumerAssigner] = events.StreamEvents
	}
	if o.notifies != nil && o.notifies.isDone() {
		wanted[notice.Consumer] = notice.Stream
	}
	for consumer, stream := range wanted {
		_, err := o.js.Consumer(ctx, stream, consumer)
		switch {
		case errors.Is(err, jetstream.ErrConsumerNotFound), errors.Is(err, jetstream.ErrStreamNotFound):
			missing = append(missing, "consumer "+consumer)
		case err != nil:
			return nil, fmt.Errorf("look up consumer %s: %w", consumer, err)
		}
	}
	slices.Sort(missing)
	return missing, nil
}

// make makes streams and buckets. A bucket gets the hold back first of all, since nobody
// must take its loss for a resumption.
func (o *objects) make(ctx context.Context) error {
	if err := events.EnsureStreams(ctx, o.js, o.replicas); err != nil {
		return err
	}
	if !o.works() {
		return nil
	}
	book, err := ledger.Create(ctx, o.js, o.replicas)
	if err != nil {
		return err
	}
	if !o.held.IsZero() {
		if err := book.Restore(ctx, o.held); err != nil {
			return err
		}
	}
	_, err = notice.NewPublisher(ctx, o.js, o.replicas)
	return err
}

// refill has everything read anew.
func (o *objects) refill(ctx context.Context) error {
	if !o.works() {
		return nil
	}
	if o.madeAgain != nil {
		o.madeAgain(ctx)
	}
	if err := o.publisher.ScheduleResync(ctx, o.resync); err != nil {
		return err
	}
	return o.publisher.Trigger(ctx, events.KindResync, "")
}
