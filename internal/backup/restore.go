package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
)

// The subjects of the marker: the hold, and events and dead letters under their own subjects.
const (
	subjectHold  = "greenlight.restore.hold"
	subjectEvent = "greenlight.restore.event."
)

// restored begins the id of a dead letter that was carried over.
const restored = "restored-"

// createdAt, in the marker's metadata, is when the backup was created.
const createdAt = "created_at"

const (
	// subjectAlive is answered by a restore that is under way.
	subjectAlive = "greenlight.restoring"
	alive        = "a restore is under way"
	aliveTimeout = 2 * time.Second
	// noticeable is how long replaced streams are missing, so that running processes notice it
	// and read everything again. They check for streams and buckets every one or two seconds,
	// and wait for a lost consumer for ten.
	noticeable = 4 * time.Second
	// roomToSpare is how many bytes of the disk a restore leaves free.
	roomToSpare = 16 << 20
)

var (
	// ErrInPlace is matched by the error for a server that still has what was backed up.
	ErrInPlace = errors.New("this server still has data older than the backup, so nothing appears to be lost")
	// ErrBusy is matched by the error for a server on which another restore is under way.
	ErrBusy = errors.New("another restore is under way")
	// ErrNoRoom is matched by the error for a disk or an account that is too small.
	ErrNoRoom = errors.New("there is not enough room")
)

// Options choose how to restore.
type Options struct {
	// Replace replaces streams also if they have data from before the backup.
	Replace bool
	// Alone says that no other process uses the server.
	Alone bool
	// Keep is where to write a backup of the streams that are replaced. It must not exist.
	Keep string
	// Room is how many bytes the server's disk has free, 0 if unknown.
	Room int64
	// Settle is how long a request to Telnyx may take to end and to take effect.
	Settle time.Duration
	// Sync makes the server's disk store everything before the restore counts as complete. It
	// is nil for a server on another machine.
	Sync func()
}

// restore is a restore under way.
type restore struct {
	*File
	js      jetstream.JetStream
	options Options
	// marker is nil until it exists.
	marker jetstream.Stream
}

// Restore replaces all streams and buckets; see the package comment. It
// returns Options.Keep if that was written, else nothing. The error matches [ErrInPlace],
// [ErrBusy] or [ErrNoRoom] if that is the cause. It says whether nothing was changed, or
// Greenlight waits until Restore is repeated.
func (f *File) Restore(ctx context.Context, js jetstream.JetStream, o Options) (kept string, err error) {
	s := restore{File: f, js: js, options: o}
	alive, err := s.lock(ctx)
	if err == nil {
		defer alive.Unsubscribe()
		kept, err = s.prepare(ctx)
	}
	if err != nil {
		return kept, fmt.Errorf("nothing was changed: %w", err)
	}
	if err := s.replace(ctx); err != nil {
		return kept, fmt.Errorf("the restore is not complete, and Greenlight waits until it is repeated: %w", err)
	}
	return kept, nil
}

// lock refuses a second restore. The returned subscription answers those that follow. Others
// may be subscribed to every subject, so only our answer counts. It looks up the marker first:
// if another restore starts meanwhile, [restore.claim] fails.
func (s *restore) lock(ctx context.Context) (_ *nats.Subscription, err error) {
	s.marker, err = s.js.Stream(ctx, events.RestoreStream)
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, fmt.Errorf("look up stream %s: %w", events.RestoreStream, err)
	}
	asked, cancel := context.WithTimeout(ctx, aliveTimeout)
	defer cancel()
	answer, err := s.js.Conn().RequestWithContext(asked, subjectAlive, nil)
	switch {
	case err == nil && string(answer.Data) == alive:
		return nil, ErrBusy
	case err != nil && !errors.Is(err, nats.ErrNoResponders) && asked.Err() == nil, ctx.Err() != nil:
		return nil, fmt.Errorf("look for another restore: %w", errors.Join(err, ctx.Err()))
	}
	return s.js.Conn().Subscribe(subjectAlive, func(msg *nats.Msg) { _ = msg.Respond([]byte(alive)) })
}

// prepare does what can fail before anything is replaced, and creates the marker.
func (s *restore) prepare(ctx context.Context) (kept string, err error) {
	found, err := existing(ctx, s.js)
	if err != nil {
		return "", err
	}
	interrupted := s.marker != nil
	if !interrupted && !s.options.Replace && slices.ContainsFunc(found, s.isOlder) {
		return "", fmt.Errorf("%w; to replace it, add --replace", ErrInPlace)
	}
	if err := s.mayFinish(ctx); err != nil {
		return "", err
	}
	if err := s.fits(ctx, found); err != nil {
		return "", err
	}
	if interrupted {
		if err := s.claim(ctx); err != nil {
			return "", err
		}
	}
	// An interrupted restore kept what was there before it sealed EVENTS, which it restores last.
	inUse := len(found) > 0 && found[0].Config.Name == events.StreamEvents && !found[0].Config.Sealed
	if inUse || len(found) > 0 && !interrupted {
		if err := s.keep(ctx, found); err != nil {
			return "", err
		}
		kept = s.options.Keep
	}
	if !interrupted {
		err = s.mark(ctx)
	}
	return kept, err
}

// keep writes a backup of what is replaced. It replaces no file, which may be the backup, or
// what an interrupted restore kept.
func (s *restore) keep(ctx context.Context, found []*jetstream.StreamInfo) error {
	if _, err := os.Lstat(s.options.Keep); err == nil {
		return fmt.Errorf("save the current data: %s exists; choose another file with --keep", s.options.Keep)
	}
	err := ToFile(s.options.Keep, func(w io.Writer) error {
		_, err := write(ctx, s.js, found, w)
		return err
	})
	if err == nil {
		return nil
	}
	err = fmt.Errorf("save the current data: %w", err)
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		err = fmt.Errorf("%w; choose another place with --keep", err)
	}
	return err
}

// mayFinish returns an error if the user lacks a right that is only needed later.
func (s *restore) mayFinish(ctx context.Context) error {
	subjects := []string{
		subjectHold, subjectEvent + "probe", "telnyx.event.10dlc.doctor._", "deadletter.probe",
		"$JS.API.STREAM.DELETE." + events.RestoreStream, "$JS.API.STREAM.MSG.GET." + events.RestoreStream,
	}
	for _, name := range order {
		subjects = append(subjects, "$JS.SNAPSHOT.RESTORE."+name+".probe")
		for _, request := range []string{"UPDATE", "MSG.GET", "DELETE", "RESTORE"} {
			subjects = append(subjects, "$JS.API.STREAM."+request+"."+name)
		}
		if bucket, ok := strings.CutPrefix(name, "KV_"); ok {
			subjects = append(subjects, "$KV."+bucket+".probe", "$JS.API.CONSUMER.CREATE."+name+".probe")
		}
	}
	return events.MayPublishAll(ctx, s.js.Conn(), subjects)
}

// fits returns an error if the server has no room for the streams, for what is carried over, or
// for the file of what is replaced.
func (s *restore) fits(ctx context.Context, found []*jetstream.StreamInfo) error {
	account, err := s.js.AccountInfo(ctx)
	if err != nil {
		return fmt.Errorf("read the limits of the NATS account: %w", err)
	}
	size, later, replaced := int64(0), int64(0), int64(0)
	for _, stream := range s.Streams {
		size += int64(stream.State.Bytes)
	}
	for _, info := range found {
		replaced += int64(info.State.Bytes)
		if carries(info.Config.Name) {
			later += int64(info.State.Bytes)
		}
	}
	if limit := account.Limits.MaxStore; limit > 0 && limit < size+later {
		return fmt.Errorf("%w: the backup and later events need %d MB, but the NATS account is limited to %d MB", ErrNoRoom, (size+later)>>20, limit>>20)
	}
	// Deleted messages may take as much in the files as the others.
	if needed := 2*size + later + replaced + roomToSpare; s.options.Room > 0 && s.options.Room < needed {
		return fmt.Errorf("%w: the disk has %d MB free, but %d MB are needed", ErrNoRoom, s.options.Room>>20, needed>>20)
	}
	return nil
}

// isOlder reports whether a stream has data from before the backup. A restored stream has a
// new creation time, but its messages do not.
func (s *restore) isOlder(i *jetstream.StreamInfo) bool {
	return i.Created.Before(s.CreatedAt) || i.State.Msgs > 0 && i.State.FirstTime.Before(s.CreatedAt)
}

// mark creates the marker.
func (s *restore) mark(ctx context.Context) (err error) {
	s.marker, err = s.js.CreateStream(ctx, jetstream.StreamConfig{
		Name: events.RestoreStream, Description: "A backup is being restored", Subjects: []string{subjectHold, subjectEvent + ">"},
		Storage: jetstream.FileStorage, Replicas: copies(s.js.Conn(), s.Streams[0]),
		Metadata: map[string]string{
			"id":      nats.NewInbox(), // of two at the same time, one is refused
			createdAt: s.CreatedAt.Format(time.RFC3339Nano),
		},
	})
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return ErrBusy
	}
	if err != nil {
		return fmt.Errorf("create stream %s: %w", events.RestoreStream, err)
	}
	if err := s.claim(ctx); errors.Is(err, ErrBusy) {
		return err // it belongs to another restore now
	} else if err != nil {
		return errors.Join(err, s.js.DeleteStream(context.WithoutCancel(ctx), events.RestoreStream))
	}
	return nil
}

// claim makes the marker ours: a second restore that read it at the same time is refused. What
// is stored for that is a hold of nothing.
//
// The marker of an interrupted restore has only what is later than that restore's backup. The
// rest of what was there is in each file that was created later than that backup, such as the
// one with what was replaced.
func (s *restore) claim(ctx context.Context) error {
	marker := s.marker.CachedInfo()
	created, err := time.Parse(time.RFC3339Nano, marker.Config.Metadata[createdAt])
	if err == nil && s.CreatedAt.Before(created) {
		return errors.New("the interrupted restore used a newer backup; with this file, events would be lost. Run it again with that file")
	}
	_, err = s.js.Publish(ctx, subjectHold, []byte("{}"), jetstream.WithExpectLastSequence(marker.State.LastSeq))
	if refusal, ok := errors.AsType[*jetstream.APIError](err); ok && refusal.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		return ErrBusy
	}
	if err != nil {
		return fmt.Errorf("write to stream %s: %w", events.RestoreStream, err)
	}
	return nil
}

// replace carries over what must not get lost, deletes the streams, and restores them.
func (s *restore) replace(ctx context.Context) error {
	found, err := existing(ctx, s.js)
	if err != nil {
		return err
	}
	for _, info := range found {
		if err := s.seal(ctx, info.Config); err != nil {
			return err
		}
	}
	if err := s.carryHold(ctx); err != nil {
		return fmt.Errorf("carry over the hold: %w", err)
	}
	for _, stream := range s.Streams {
		if err := s.carryLater(ctx, stream); err != nil {
			return fmt.Errorf("carry over stream %s: %w", stream.Config.Name, err)
		}
	}
	if err := s.awaitRequests(ctx); err != nil {
		return err
	}
	for _, info := range found {
		if err := s.js.DeleteStream(ctx, info.Config.Name); err != nil {
			return fmt.Errorf("delete stream %s: %w", info.Config.Name, err)
		}
	}
	if len(found) > 0 && !s.options.Alone {
		if err := wait(ctx, noticeable); err != nil {
			return err
		}
	}
	if err := s.fill(ctx); err != nil {
		return err
	}
	if err := s.returnEvents(ctx); err != nil {
		return fmt.Errorf("return the events: %w", err)
	}
	if err := s.limit(ctx); err != nil {
		return err
	}
	if s.options.Sync != nil {
		s.options.Sync()
	}
	return s.js.DeleteStream(ctx, events.RestoreStream)
}

// carries reports whether the messages since the backup stay in a stream.
func carries(stream string) bool {
	return stream == events.StreamEvents || stream == events.StreamDeadLetters
}

// seal makes a stream with events, dead letters or the ledger refuse all changes, which nothing
// can undo: from here nothing is answered 200, and no hold and no claim is stored, until the
// stream is restored.
func (s *restore) seal(ctx context.Context, config jetstream.StreamConfig) error {
	if config.Sealed || !carries(config.Name) && !strings.HasPrefix(config.Name, "KV_") {
		return nil
	}
	config.Sealed = true
	config.AllowDirect = false // for reads by [events.Later]
	if _, err := s.js.UpdateStream(ctx, config); err != nil {
		return fmt.Errorf("seal stream %s: %w", config.Name, err)
	}
	return nil
}

// carryHold copies the hold to the marker. After an interruption, the marker already has a
// hold, and the one that is read may be from the backup; see [restore.amend].
func (s *restore) carryHold(ctx context.Context) error {
	hold, err := ledger.ReadHold(ctx, s.js)
	if errors.Is(err, jetstream.ErrStreamNotFound) || err == nil && hold.IsZero() {
		return nil
	}
	if err != nil && !errors.Is(err, ledger.ErrHoldDamaged) { // then everything is on hold
		return err
	}
	text, err := json.Marshal(hold)
	if err != nil {
		return err
	}
	_, err = s.js.Publish(ctx, subjectHold, text)
	return err
}

// carryLater copies the messages that the backup does not have to the marker.
func (s *restore) carryLater(ctx context.Context, was Stream) error {
	name := was.Config.Name
	if !carries(name) {
		return nil
	}
	stream, err := s.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return events.Later(ctx, stream, was.State, func(msg *nats.Msg, stored *jetstream.RawStreamMsg) error {
		// The id of a dead letter has the sequence of its event, which another event may get.
		if id := msg.Header.Get(jetstream.MsgIDHeader); name == events.StreamDeadLetters && !strings.HasPrefix(id, restored) {
			msg.Header.Set(jetstream.MsgIDHeader, fmt.Sprintf("%s%d-%d", restored, stored.Sequence, stored.Time.UnixNano()))
		}
		msg.Subject = subjectEvent + msg.Subject
		_, err := s.js.PublishMsg(ctx, msg)
		return err
	})
}

// awaitRequests waits until requests that are under way have taken effect: their claims are
// about to be deleted. A cluster's copy of the ledger may lag, so there it always waits.
func (s *restore) awaitRequests(ctx context.Context) error {
	book, err := ledger.Open(ctx, s.js)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil
	}
	if err != nil || s.js.Conn().ConnectedClusterName() == "" && !book.HasOpenRequests(ctx) {
		return err
	}
	return wait(ctx, s.options.Settle)
}

// fill restores the streams, EVENTS last: without it no assigner works.
func (s *restore) fill(ctx context.Context) error {
	for _, stream := range slices.Backward(s.Streams) {
		name := stream.Config.Name
		if name == events.StreamEvents {
			if err := s.amend(ctx); err != nil {
				return err
			}
		}
		content, err := s.archive.Open(entry(name))
		if err != nil {
			return err
		}
		if carries(name) {
			stream.Config.MaxBytes = -1 // until what is carried over is back; see [restore.limit]
		}
		err = restoreStream(ctx, s.js.Conn(), stream, content)
		if err = errors.Join(err, content.Close()); err != nil {
			return fmt.Errorf("restore stream %s: %w", name, err)
		}
	}
	return nil
}

// amend adds the holds in the marker to the restored ledger, and clears what may be outdated:
// which entry attached a number, and that everything was resumed. The marker has a hold at least
// of nothing; see [restore.claim].
func (s *restore) amend(ctx context.Context) error {
	book, err := ledger.Open(ctx, s.js)
	if err != nil {
		return err
	}
	if err := book.ClearAttachedBy(ctx); err != nil {
		return err
	}
	return s.carried(ctx, subjectHold, func(msg *jetstream.RawStreamMsg) error {
		var hold ledger.Hold
		if err := json.Unmarshal(msg.Data, &hold); err != nil {
			return fmt.Errorf("read the hold that was carried over: %w", err)
		}
		return book.Restore(ctx, hold, true) // it keeps the newer one
	})
}

// returnEvents publishes the events and dead letters in the marker.
func (s *restore) returnEvents(ctx context.Context) error {
	return s.carried(ctx, subjectEvent+">", func(carried *jetstream.RawStreamMsg) error {
		msg := &nats.Msg{Subject: strings.TrimPrefix(carried.Subject, subjectEvent), Header: carried.Header, Data: carried.Data}
		_, err := s.js.PublishMsg(ctx, msg)
		return err
	})
}

// limit sets the limits of the streams that were restored without one. They may be full.
func (s *restore) limit(ctx context.Context) error {
	for _, stream := range s.Streams {
		if !carries(stream.Config.Name) {
			continue
		}
		stream.Config.Replicas = copies(s.js.Conn(), stream)
		if _, err := s.js.UpdateStream(ctx, stream.Config); err != nil {
			return fmt.Errorf("set the limits of stream %s: %w", stream.Config.Name, err)
		}
	}
	return nil
}

// carried visits the marker's messages of a subject.
func (s *restore) carried(ctx context.Context, subject string, visit func(*jetstream.RawStreamMsg) error) error {
	for sequence := uint64(1); ; sequence++ {
		msg, err := s.marker.GetMsg(ctx, sequence, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read stream %s: %w", events.RestoreStream, err)
		}
		if err := visit(msg); err != nil {
			return err
		}
		sequence = msg.Sequence
	}
}

// wait waits for d, or returns the error of ctx when it ends.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
