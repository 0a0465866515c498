package app

import (
	"cmp"
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
	// objectsEvery is the default time between two checks of streams, buckets and consumers.
	objectsEvery = time.Second
	// objectsTimeout bounds one check.
	objectsTimeout = 2 * time.Second
	// holdBucket is the stream of the bucket with the hold.
	holdBucket = "KV_LOOKS"
)

// objects keeps what the process needs in NATS: streams, buckets and consumers. It creates
// those again that a person deleted or a disk lost, except consumers, whose readers do that.
// Another process may be faster: a stream with a new creation time was lost too. When
// everything exists again, a resync reads everything from Telnyx. Readiness is false from
// the loss until that resync is requested.
type objects struct {
	js        jetstream.JetStream
	publisher *events.Publisher
	replicas  int
	log       zerolog.Logger
	// every is the time between two checks, objectsEvery if it is 0.
	every time.Duration

	// joined is done when the assigner has joined; until then the assigner creates what it
	// needs. It is nil without an assigner. Resync is its interval. Notices is done when
	// notices are read; nil if nothing reads them.
	joined  *attempt
	resync  time.Duration
	notices *attempt
	// recreated, if not nil, is called when everything exists again, before the resync.
	recreated func(context.Context)

	// held is the last hold that was read, and heldIn the creation time of the bucket that
	// it was read from or restored to. A bucket with another time gets it back.
	held   ledger.Hold
	heldIn time.Time

	mu sync.Mutex
	// created has the creation time of each stream that the last check found.
	created map[string]time.Time
	// lost names what was lost since the last requested resync. Err is why it could not be
	// created again.
	lost []string
	err  error
}

// found is the result of one check.
type found struct {
	// missing names what does not exist.
	missing []string
	// created has the creation time of each needed stream that exists.
	created map[string]time.Time
}

// ready is the readiness check. It makes its own check, since that of run may be a second old.
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
		return fmt.Errorf("missing on the NATS server: %s; it is being created again", strings.Join(now.missing, ", "))
	}
	if lost := append(o.replaced(now), o.lost...); len(lost) > 0 {
		return fmt.Errorf("lost on the NATS server, and created again: %s; the resync that fills it is not requested yet", strings.Join(lost, ", "))
	}
	return nil
}

// run checks regularly until ctx ends. It logs when the connection is lost and restored,
// and what is missing.
func (o *objects) run(ctx context.Context) error {
	ticker := time.NewTicker(cmp.Or(o.every, objectsEvery))
	defer ticker.Stop()
	away, missing := "", ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		away = o.logConnection(away)
		now, err := o.check(ctx)
		if err != nil {
			continue // readiness says why
		}
		if names := strings.Join(now.missing, ", "); names != missing {
			missing = names
			if missing != "" {
				o.log.Error().Strs(telemetry.KeyMissing, now.missing).Msg("missing on the NATS server, deleted or lost; creating it again")
				o.note(now) // a reader or another process may have created it by the next check
				// The server may still be deleting its files. A stream that is created
				// meanwhile acknowledges nothing (seen with nats-server 2.15.2).
				continue
			}
		}
		err = o.repair(ctx, now)
		if err != nil && ctx.Err() == nil {
			o.log.Warn().Err(err).Msg("what is missing on the NATS server could not be created; trying again")
		}
		o.mu.Lock()
		o.err = err
		o.mu.Unlock()
	}
}

// logConnection logs a change of the connection. Before is what it returned last: why there
// is no connection, empty if there is one.
func (o *objects) logConnection(before string) (away string) {
	err := events.Connected(o.js.Conn())
	switch {
	case err == nil && before != "":
		o.log.Info().Msg("the NATS server is connected again")
	case err != nil && before != err.Error():
		o.log.Warn().Err(err).Msg("the connection to the NATS server is lost")
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// repair creates what is missing, or requests the resync when everything exists again.
func (o *objects) repair(ctx context.Context, now found) error {
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	lost := o.note(now)
	if len(now.missing) > 0 {
		return o.create(ctx)
	}
	if o.joined != nil && !o.joined.isDone() {
		return nil // what is lost while the assigner joins is filled afterwards
	}
	if o.works() {
		if err := o.restoreHold(ctx, now.created[holdBucket]); err != nil {
			return err
		}
	}
	if lost {
		if err := o.requestResync(ctx); err != nil {
			return err
		}
		o.log.Info().Msg("everything on the NATS server exists again")
		o.mu.Lock()
		o.lost = nil
		o.mu.Unlock()
	}
	if o.works() {
		o.readHold(ctx)
	}
	return nil
}

// note stores the result of a check, and reports whether something is or was lost.
func (o *objects) note(now found) (lost bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	replaced := o.replaced(now)
	if len(replaced) > 0 {
		o.log.Error().Strs(telemetry.KeyMissing, replaced).Msg("deleted or lost on the NATS server, and created again meanwhile")
	}
	o.created = now.created
	for _, name := range append(replaced, now.missing...) {
		if !slices.Contains(o.lost, name) {
			o.lost = append(o.lost, name)
		}
	}
	return len(o.lost) > 0
}

// replaced names the streams with another creation time than at the last check. o.mu is
// held.
func (o *objects) replaced(now found) (names []string) {
	for stream, created := range now.created {
		if before, known := o.created[stream]; known && !created.Equal(before) {
			names = append(names, objectName(stream))
		}
	}
	slices.Sort(names)
	return names
}

// restoreHold writes the last hold to a bucket that was created after the one it was read
// from. The first bucket that the process sees is left as it is.
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
		if err := book.Restore(ctx, o.held, false); err != nil {
			return fmt.Errorf("restore the hold: %w", err)
		}
	}
	o.heldIn = created
	return nil
}

// readHold reads the hold, to restore it if its bucket gets lost. If that fails, the next
// check does it.
func (o *objects) readHold(ctx context.Context) {
	hold, err := ledger.ReadHold(ctx, o.js)
	if err != nil || hold.Equal(o.held) {
		return
	}
	// Since the check, the bucket may have been lost, and created again without a hold.
	created, err := o.createdAt(ctx, holdBucket)
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

// objectName is the name of a stream in the log and in readiness.
func objectName(stream string) string { return strings.Replace(stream, "KV_", "bucket ", 1) }

// works reports whether this process has an assigner that has joined.
func (o *objects) works() bool { return o.joined != nil && o.joined.isDone() }

// check finds out what exists on the server.
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

// missingConsumers names the needed consumers that do not exist.
func (o *objects) missingConsumers(ctx context.Context) (missing []string, err error) {
	wanted := map[string]string{}
	if o.works() {
		wanted[events.ConsumerAssigner] = events.StreamEvents
	}
	if o.notices != nil && o.notices.isDone() {
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

// create creates streams and buckets, and restores the hold at once, so that its loss does
// not look like a resume. If that fails, the next check does it.
func (o *objects) create(ctx context.Context) error {
	if err := events.EnsureStreams(ctx, o.js, o.replicas); err != nil {
		return err
	}
	if !o.works() {
		return nil
	}
	if _, err := ledger.Create(ctx, o.js, o.replicas); err != nil {
		return err
	}
	created, err := o.createdAt(ctx, holdBucket)
	if err != nil {
		return err
	}
	if err := o.restoreHold(ctx, created); err != nil {
		return err
	}
	_, err = notice.NewPublisher(ctx, o.js, o.replicas)
	return err
}

// requestResync makes the assigner reconcile everything.
func (o *objects) requestResync(ctx context.Context) error {
	if !o.works() {
		return nil
	}
	if o.recreated != nil {
		o.recreated(ctx)
	}
	if err := o.publisher.ScheduleResync(ctx, o.resync); err != nil {
		return err
	}
	return o.publisher.Trigger(ctx, events.KindResync, "")
}
