package app

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
	"greenlight/internal/notice"
	"greenlight/internal/telemetry"
)

const (
	// objectsEvery is how often the streams, buckets and consumers are checked.
	objectsEvery = time.Second
	// objectsTimeout bounds one check, and makeTimeout making what is missing.
	objectsTimeout = 2 * time.Second
	// bucketOfHold is the stream of the bucket that has the hold.
	bucketOfHold = "KV_LOOKS"
)

// objects keeps what the process needs in NATS there: streams, buckets and consumers. What
// somebody deleted, or a disk lost, is made again; the consumers' own loops make those.
// Another process may make it again first: a stream whose time of creation has changed
// was lost as well. When all of it is there a resync reads everything anew. Readiness is
// false from the loss until that is ordered.
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

	// held is the hold as it was read last, and heldIn when the bucket was created that it
	// was read from or restored to. Another bucket gets it back.
	held   ledger.Hold
	heldIn time.Time

	mu sync.Mutex
	// created is when each stream was created, as the last check found it. One that was
	// missing then is not in it.
	created map[string]time.Time
	// pending says that something was lost and the resync is not ordered yet, and err
	// why it could not be made.
	pending bool
	err     error
}

// found is what one check finds on the NATS server.
type found struct {
	// missing names what should be there and is not.
	missing []string
	// created is when each of the needed streams that are there was created.
	created map[string]time.Time
}

// ready is the readiness check. It checks by itself: what run knows may be a second old.
func (o *objects) ready(ctx context.Context) error {
	now, err := o.check(ctx)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.err != nil:
		return o.err
	case len(now.missing) > 0:
		return fmt.Errorf("missing on the NATS server: %s; it is made again", strings.Join(now.missing, ", "))
	case o.pending || len(o.replaced(now)) > 0:
		return errors.New("what was missing on the NATS server was made again; the resync that fills it is not ordered yet")
	}
	return nil
}

// run checks every second until ctx ends.
func (o *objects) run(ctx context.Context) error {
	ticker := time.NewTicker(objectsEvery)
	defer ticker.Stop()
	logged := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		now, err := o.check(ctx)
		if err != nil {
			continue // readiness says why, and the log when the server is away
		}
		missing := strings.Join(now.missing, ", ")
		if missing != logged && missing != "" {
			o.log.Error().Strs(telemetry.KeyMissing, now.missing).Msg("missing on the NATS server: it was deleted or lost, and is made again")
		}
		logged = missing
		err = o.tend(ctx, now)
		if err != nil && ctx.Err() == nil {
			o.log.Warn().Err(err).Msg("what is missing on the NATS server could not be made again; trying again")
		}
		o.mu.Lock()
		o.err = err
		o.mu.Unlock()
	}
}

// tend makes what is missing, or orders the resync once nothing is missing any more.
func (o *objects) tend(ctx context.Context, now found) error {
	ctx, cancel := context.WithTimeout(ctx, makeTimeout)
	defer cancel()
	pending := o.note(now)
	if len(now.missing) > 0 {
		return o.make(ctx)
	}
	if o.joined != nil && !o.joined.isDone() {
		return nil // what was lost while the assigner joins is filled afterwards
	}
	if o.works() {
		if err := o.restoreHold(ctx, now.created[bucketOfHold]); err != nil {
			return err
		}
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
		o.readHold(ctx)
	}
	return nil
}

// note remembers what a check found, and reports whether the resync is to be ordered.
func (o *objects) note(now found) (pending bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	replaced := o.replaced(now)
	if len(replaced) > 0 {
		o.log.Error().Strs(telemetry.KeyMissing, replaced).Msg("missing on the NATS server for a while: it was deleted or lost, and was made again")
	}
	o.created = now.created
	o.pending = o.pending || len(now.missing) > 0 || len(replaced) > 0
	return o.pending
}

// replaced names the streams that are others than at the last check. o.mu is held.
func (o *objects) replaced(now found) (names []string) {
	for stream, created := range now.created {
		if before, known := o.created[stream]; known && !created.Equal(before) {
			names = append(names, objectName(stream))
		}
	}
	slices.Sort(names)
	return names
}

// restoreHold restores the hold in a bucket that was created at another time than the one
// that had it. The first bucket of a process has its own.
func (o *objects) restoreHold(ctx context.Context, created time.Time) error {
	if o.heldIn.IsZero() {
		o.heldIn = created
	}
	if created.Equal(o.heldIn) {
		return nil
	}
	if !o.held.IsZero() {
		book, err := ledger.Open(ctx, o.js)
		if err != nil {
			return err
		}
		if err := book.Restore(ctx, o.held); err != nil {
			return fmt.Errorf("restore the hold: %w", err)
		}
	}
	o.heldIn = created
	return nil
}

// readHold reads the hold, to restore it should its bucket be lost. What cannot be read is
// read at the next check.
func (o *objects) readHold(ctx context.Context) {
	hold, err := ledger.ReadHold(ctx, o.js)
	if err != nil || hold.Equal(o.held) {
		return
	}
	// The bucket may have been lost, and made again empty, since the check.
	created, err := o.createdAt(ctx, bucketOfHold)
	if err == nil && created.Equal(o.heldIn) {
		o.held = hold
	}
}

func (o *objects) createdAt(ctx context.Context, stream string) (time.Time, error) {
	s, err := o.js.Stream(ctx, stream)
	if err != nil {
		return time.Time{}, fmt.Errorf("look up %s: %w", objectName(stream), err)
	}
	return s.CachedInfo().Created, nil
}

// objectName is what a stream is called in the log and in readiness.
func objectName(stream string) string { return strings.Replace(stream, "KV_", "bucket ", 1) }

// works reports whether an assigner works here.
func (o *objects) works() bool { return o.joined != nil && o.joined.isDone() }

// check asks the server for all that should be there.
func (o *objects) check(ctx context.Context) (now found, err error) {
	ctx, cancel := context.WithTimeout(ctx, objectsTimeout)
	defer cancel()
	needed := events.Streams()
	if o.works() {
		needed = append(needed, notice.Stream)
		for _, bucket := range ledger.Buckets() {
			needed = append(needed, "KV_"+bucket)
		}
	}
	created := make(map[string]time.Time)
	streams := o.js.ListStreams(ctx)
	for info := range streams.Info() {
		created[info.Config.Name] = info.Created
	}
	if err := streams.Err(); err != nil {
		return found{}, fmt.Errorf("list the streams: %w", err)
	}
	now.created = make(map[string]time.Time)
	for _, stream := range needed {
		if at, there := created[stream]; there {
			now.created[stream] = at
		} else {
			now.missing = append(now.missing, objectName(stream))
		}
	}
	consumers, err := o.missingConsumers(ctx)
	if err != nil {
		return found{}, err
	}
	now.missing = append(now.missing, consumers...)
	return now, nil
}

// missingConsumers names the consumers that should be there and are not.
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
// must take its loss for a resumption; if that fails, the next check does it.
func (o *objects) make(ctx context.Context) error {
	if err := events.EnsureStreams(ctx, o.js, o.replicas); err != nil {
		return err
	}
	if !o.works() {
		return nil
	}
	if _, err := ledger.Create(ctx, o.js, o.replicas); err != nil {
		return err
	}
	created, err := o.createdAt(ctx, bucketOfHold)
	if err != nil {
		return err
	}
	if err := o.restoreHold(ctx, created); err != nil {
		return err
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
